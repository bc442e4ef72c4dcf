#include "process/detail/state_files.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "core/fault.h"
#include "os/fd.h"
#include "process/detail/state_envelope.h"

namespace zona::process::detail {
namespace {

constexpr std::string_view kSegment = "journal.";

/// The temporary file is left behind if this fails; the next attempt writes over it.
core::Result<void> write_temporary(const std::string& path, std::string_view text) {
    ZONA_TRY(os::UniqueFd fd, os::open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    ZONA_TRY_VOID(os::write_all(fd.get(), text));
    ZONA_FAULT("state.file_written");
    ZONA_TRY_VOID(os::sync_data(fd.get()));
    ZONA_FAULT("state.file_synced");
    return std::move(fd).close();
}

}  // namespace

std::string current_name(std::string_view stem) {
    return fmt::format("{}.json", stem);
}

std::string previous_name(std::string_view stem) {
    return fmt::format("{}.previous.json", stem);
}

std::string journal_name(std::uint64_t segment) {
    return fmt::format("{}{}", kSegment, segment);
}

core::Result<void> StateDirectory::make() const {
    return os::make_directories(path_, 0700);
}

std::string StateDirectory::path_of(std::string_view name) const {
    return fmt::format("{}/{}", path_, name);
}

core::Result<std::optional<std::string>> StateDirectory::read(std::string_view name,
                                                              core::ByteCount limit) const {
    auto text = os::read_file(path_of(name), limit.as_size());
    if (text.has_value()) return std::optional<std::string>(std::move(*text));
    if (text.error().code() == core::Code::kNotFound) return std::optional<std::string>();
    return text.take_error();
}

core::Result<std::vector<std::uint64_t>> StateDirectory::segments() const {
    ZONA_TRY(const std::vector<std::string> names, os::list_directory(path_));
    std::vector<std::uint64_t> numbers;
    for (const std::string& name : names) {
        if (!name.starts_with(kSegment)) continue;
        std::uint64_t number = 0;
        const char* const end = name.data() + name.size();
        const auto parsed = std::from_chars(name.data() + kSegment.size(), end, number);
        const bool whole = parsed.ec == std::errc() && parsed.ptr == end;
        if (whole && name == journal_name(number) && std::in_range<std::int64_t>(number)) {
            numbers.push_back(number);
        }
    }
    std::ranges::sort(numbers);
    return numbers;
}

core::Result<void> StateDirectory::write_generation(std::string_view stem, std::string_view text,
                                                    Former former) const {
    const std::string current = path_of(current_name(stem));
    const std::string temporary = current + ".tmp";
    if (auto written = write_temporary(temporary, text); !written) {
        core::Error error = std::move(written.take_error().context(temporary));
        // On a full disk its bytes are better free; the first error is the one that counts.
        static_cast<void>(os::remove_file(temporary));
        return error;
    }
    if (former == Former::kIsPrevious) {
        // Missing: an attempt before this one was cut short here.
        auto kept = os::rename_file(current, path_of(previous_name(stem)));
        if (!kept && kept.error().code() != core::Code::kNotFound) return kept.take_error();
        ZONA_FAULT("state.file_previous");
    }
    ZONA_TRY_VOID(os::rename_file(temporary, current));
    ZONA_FAULT("state.file_renamed");
    return sync();
}

core::Result<std::string> StateDirectory::set_aside(std::string_view name) const {
    constexpr int kMost = 100;
    for (int i = 1; i <= kMost; ++i) {
        std::string other = fmt::format("{}.damaged{}", name, i == 1 ? "" : fmt::format(".{}", i));
        ZONA_TRY(const auto there, os::stat_path(path_of(other)));
        if (there.has_value()) continue;
        auto renamed = os::rename_file(path_of(name), path_of(other));
        if (!renamed && renamed.error().code() != core::Code::kNotFound)
            return renamed.take_error();
        ZONA_FAULT("state.file_set_aside");
        return other;
    }
    return core::Error(core::Code::kConflict,
                       fmt::format("{} is damaged, and {} damaged ones are kept already: look at "
                                   "them and remove them",
                                   path_of(name), kMost));
}

core::Result<void> StateDirectory::remove(std::string_view name) const {
    return os::remove_file(path_of(name));
}

core::Result<void> StateDirectory::sync() const {
    return os::sync_directory(path_);
}

core::Error newer_format(std::string_view file, std::int64_t format) {
    return core::Error(
        core::Code::kConflict,
        fmt::format(
            "{} has format {}, and this version of zona ({}) knows formats up to {}; nothing "
            "was changed: use the version that wrote it, or another home",
            file, format, ZONA_VERSION, kStateFormat));
}

}  // namespace zona::process::detail
