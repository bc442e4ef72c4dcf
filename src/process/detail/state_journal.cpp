#include "process/detail/state_journal.h"

#include <cerrno>
#include <charconv>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "core/fault.h"
#include "process/detail/state_checksum.h"
#include "process/detail/state_envelope.h"

namespace zona::process::detail {
namespace {

struct Line {
    std::int64_t format = 0;
    JournalRecord record;
};

/// Cuts the text before the first space off.
std::optional<std::string_view> take_field(std::string_view& text) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    const std::string_view field = text.substr(0, space);
    text.remove_prefix(space + 1);
    return field;
}

template <class Number>
bool parse(std::optional<std::string_view> field, Number& out) {
    if (!field.has_value()) return false;
    const char* const end = field->data() + field->size();
    const auto [stop, error] = std::from_chars(field->data(), end, out);
    return error == std::errc() && stop == end;
}

std::uint32_t checksum_of(std::int64_t format, const JournalRecord& record) {
    return crc32c(record.body, crc32c(fmt::format("{} {} ", format, record.sequence)));
}

/// A line whose checksum holds, of whatever format.
std::optional<Line> parse_line(std::string_view text) {
    Line line;
    if (!parse(take_field(text), line.format)) return std::nullopt;
    const auto checksum = parse_checksum(take_field(text).value_or(""));
    if (!checksum.has_value() || !parse(take_field(text), line.record.sequence)) {
        return std::nullopt;
    }
    line.record.body = text;
    if (line.format < 1 || !std::in_range<std::int64_t>(line.record.sequence)) return std::nullopt;
    if (checksum_of(line.format, line.record) != *checksum) return std::nullopt;
    return line;
}

/// The bytes behind the last newline.
void read_tail(std::string_view tail, JournalReading& reading) {
    if (reading.end != JournalEnd::kClean) return;
    // A whole record whose newline became another byte was not torn: it may have been committed.
    const auto line = parse_line(tail.substr(0, tail.size() - 1));
    if (line.has_value() && line->format == kStateFormat) {
        reading.records.push_back(line->record);
        reading.end = JournalEnd::kDamaged;
    } else {
        reading.end = JournalEnd::kTorn;
    }
}

}  // namespace

std::string journal_line(std::uint64_t sequence, std::string_view body) {
    return fmt::format("{} {:08x} {} {}\n", kStateFormat,
                       checksum_of(kStateFormat, {sequence, body}), sequence, body);
}

JournalReading read_journal(std::string_view text) {
    JournalReading reading;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t newline = text.find('\n', at);
        if (newline == std::string_view::npos) {
            read_tail(text.substr(at), reading);
            break;
        }
        const std::optional<Line> line = parse_line(text.substr(at, newline - at));
        if (line.has_value() && line->format > kStateFormat) {
            reading.end = JournalEnd::kNewer;
            reading.format = line->format;
            break;
        }
        if (!line.has_value()) {
            reading.end = JournalEnd::kDamaged;
        } else if (reading.end == JournalEnd::kDamaged) {
            reading.behind.push_back(line->record);
        } else {
            reading.records.push_back(line->record);
            reading.good_bytes = newline + 1;
        }
        at = newline + 1;
    }
    return reading;
}

core::Result<JournalFile> JournalFile::create(std::string path) {
    ZONA_TRY(os::UniqueFd fd, os::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
    ZONA_FAULT("state.journal_created");
    return JournalFile(std::move(path), std::move(fd), 0);
}

core::Result<JournalFile> JournalFile::resume(std::string path, std::uint64_t good_bytes) {
    ZONA_TRY(os::UniqueFd fd, os::open_file(path, O_WRONLY));
    JournalFile file(std::move(path), std::move(fd), good_bytes);
    if (auto cut = os::truncate_file(file.fd_.get(), good_bytes); !cut) {
        return file.failed(cut.take_error());
    }
    return file;
}

core::Result<void> JournalFile::append(std::string_view line) {
    if (cut_first_) {
        if (auto cut = os::truncate_file(fd_.get(), size_); !cut) return failed(cut.take_error());
        cut_first_ = false;
    }
    ZONA_FAULT("state.journal_before_write");
    if (auto written = os::write_all_at(fd_.get(), line, size_); !written) {
        cut_first_ = !os::truncate_file(fd_.get(), size_).has_value();
        return failed(written.take_error());
    }
    ZONA_FAULT("state.journal_after_write");
    size_ += line.size();
    return {};
}

core::Result<void> JournalFile::sync() const {
    ZONA_FAULT("state.journal_before_sync");
    if (auto synced = os::sync_data(fd_.get()); !synced) return failed(synced.take_error());
    ZONA_FAULT("state.journal_after_sync");
    return {};
}

core::Error JournalFile::failed(core::Error error) const {
    error.context(path_);
    // RLIMIT_FSIZE: space that this process may not use is as good as space that is not there.
    if (error.system_error() == EFBIG) {
        return std::move(error).recode(core::Code::kResourceExhausted);
    }
    return error;
}

}  // namespace zona::process::detail
