#include "process/history.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "core/fault.h"
#include "process/detail/state_exits.h"
#include "process/detail/state_files.h"

namespace zona::process {
namespace {

using core::Code;
using core::Result;
using detail::ExitsHeader;
using detail::ExitsReading;
using detail::StateDirectory;

constexpr std::size_t kMostWaiting = 4096;
constexpr std::size_t kLeastBlocks = 64;
constexpr core::ByteCount kReadLimit = core::ByteCount::mib(64);
constexpr std::string_view kCurrent = "exits";
constexpr std::string_view kPrevious = "exits.previous";
constexpr std::string_view kTemporary = "exits.tmp";

/// One of the two files as it was found.
struct FoundFile {
    std::string_view name;
    std::string problem;  ///< holds nothing that can be read: to be set aside
    ExitsReading reading;
};

Result<FoundFile> find_file(const StateDirectory& directory, std::string_view name) {
    FoundFile found{.name = name};
    auto text = directory.read(name, kReadLimit);
    if (!text.has_value()) {
        const Code code = text.error().code();
        if (code == Code::kForbidden || code == Code::kResourceExhausted) return text.take_error();
        found.problem = text.error().message();
        return found;
    }
    if (!text->has_value()) return found;
    found.reading = detail::read_exits(**text);
    const ExitsReading& reading = found.reading;
    if (reading.header == ExitsHeader::kNewer) {
        return detail::newer_format(directory.path_of(name), reading.format);
    }
    if (reading.header == ExitsHeader::kDamaged && reading.entries.empty()) {
        found.problem = "it holds no record of an exit";
    }
    return found;
}

bool same_run(const ExitRecord& record, std::uint64_t incarnation, core::SystemTime spawned_at) {
    return record.incarnation == incarnation && record.spawned_at == spawned_at;
}

}  // namespace

Result<std::unique_ptr<ExitHistory>> ExitHistory::open(ExitHistoryOptions options) {
    constexpr core::ByteCount kLeast(kLeastBlocks * detail::kExitBlock);
    options.file_size = std::max(options.file_size, kLeast);
    std::unique_ptr<ExitHistory> history(new ExitHistory(std::move(options)));
    ZONA_TRY_VOID(history->load());
    auto there = history->ensure_file();
    if (!there.has_value() && there.error().code() != Code::kResourceExhausted) {
        return there.take_error();
    }
    return history;
}

Result<void> ExitHistory::load() {
    const StateDirectory directory(options_.directory);
    ZONA_TRY_VOID(directory.make());
    ZONA_TRY(FoundFile previous, find_file(directory, kPrevious));
    ZONA_TRY(FoundFile current, find_file(directory, kCurrent));
    for (const FoundFile* file : {&previous, &current}) {
        if (!file->problem.empty()) {
            ZONA_TRY(const std::string kept, directory.set_aside(file->name));
            warnings_.push_back(fmt::format("state/{} is damaged ({}); the file is kept as {}",
                                            file->name, file->problem, kept));
            continue;
        }
        const ExitsReading& reading = file->reading;
        if (reading.damaged > 0 || reading.torn_bytes > 0 ||
            reading.header == ExitsHeader::kDamaged) {
            warnings_.push_back(fmt::format(
                "state/{}: {} damaged records of exits were skipped, {} bytes at the end were "
                "torn{}",
                file->name, reading.damaged, reading.torn_bytes,
                reading.header == ExitsHeader::kDamaged ? ", and the header was damaged" : ""));
        }
        for (const detail::ExitEntry& entry : reading.entries) {
            if (entry.forgotten) {
                exits_.erase(entry.record.process);
            } else {
                remember(entry.record);
            }
        }
    }
    if (current.problem.empty()) {
        size_ = current.reading.good_bytes;
        header_good_ = current.reading.header == ExitsHeader::kGood;
    }
    return {};
}

Result<void> ExitHistory::append(const ExitRecord& record) {
    if (contains(record.process, record.incarnation, record.spawned_at)) return flush();
    remember(record);
    return write(detail::encode_exit(record));
}

void ExitHistory::remember(const ExitRecord& record) {
    if (contains(record.process, record.incarnation, record.spawned_at)) return;
    std::vector<ExitRecord>& exits = exits_[record.process];
    if (exits.size() == kKept) exits.erase(exits.begin());
    exits.reserve(exits.size() + 1);
    exits.push_back(record);
}

Result<void> ExitHistory::forget(const core::Uuid& process) {
    if (exits_.erase(process) == 0) return {};
    return write(detail::encode_forgotten(process));
}

Result<void> ExitHistory::write(std::string block) {
    if (waiting_.size() == kMostWaiting) {
        waiting_.pop_front();
        ++unwritable_;
    }
    waiting_.push_back(std::move(block));
    return flush();
}

Result<void> ExitHistory::flush() {
    if (waiting_.empty()) return {};
    ZONA_TRY_VOID(ensure_file());
    const std::uint64_t bytes = waiting_.size() * detail::kExitBlock;
    if (size_ + bytes > options_.file_size.as_size()) ZONA_TRY_VOID(turn_over());
    std::string text;
    text.reserve(bytes);
    for (const std::string& block : waiting_)
        text += block;
    ZONA_FAULT("history.before_write");
    // What a failure leaves behind size_ is written over by the next attempt, which is no shorter.
    if (auto written = os::write_all_at(file_.get(), text, size_); !written.has_value()) {
        return std::move(
            written.take_error().context(StateDirectory(options_.directory).path_of(kCurrent)));
    }
    ZONA_FAULT("history.after_write");
    size_ += bytes;
    waiting_.clear();
    return {};
}

Result<void> ExitHistory::ensure_file() {
    const std::string path = StateDirectory(options_.directory).path_of(kCurrent);
    if (!file_.valid()) {
        ZONA_TRY(file_, os::open_file(path, O_RDWR | O_CREAT, 0600));
    }
    if (header_good_) return {};
    if (auto written = os::write_all_at(file_.get(), detail::exits_header(), 0); !written) {
        return std::move(written.take_error().context(path));
    }
    header_good_ = true;
    size_ = std::max<std::uint64_t>(size_, detail::kExitBlock);
    return {};
}

Result<void> ExitHistory::turn_over() {
    const StateDirectory directory(options_.directory);
    const std::string temporary = directory.path_of(kTemporary);
    const std::string text = detail::exits_header() + remembered();
    auto next = os::open_file(temporary, O_RDWR | O_CREAT | O_TRUNC, 0600);
    bool copied = next.has_value();
    if (copied) copied = os::write_all_at(next->get(), text, 0).has_value();
    ZONA_FAULT("history.turn_copied");
    if (!copied) {
        // No room for the copy: the memory still has it, and the older file's room is needed.
        ZONA_TRY_VOID(os::remove_file(temporary));
    }
    ZONA_TRY_VOID(os::rename_file(directory.path_of(kCurrent), directory.path_of(kPrevious)));
    ZONA_FAULT("history.turn_previous");
    file_.reset();
    size_ = 0;
    header_good_ = false;
    if (!copied) return ensure_file();
    ZONA_TRY_VOID(os::rename_file(temporary, directory.path_of(kCurrent)));
    ZONA_FAULT("history.turn_done");
    file_ = std::move(*next);
    size_ = text.size();
    header_good_ = true;
    return {};
}

std::string ExitHistory::remembered() const {
    const std::size_t room = options_.file_size.as_size() / detail::kExitBlock / 2;
    const auto total = [this](std::size_t each) {
        std::size_t sum = 0;
        for (const auto& [process, exits] : exits_)
            sum += std::min(exits.size(), each);
        return sum;
    };
    std::size_t each = kKept;
    while (each > 1 && total(each) > room)
        --each;
    std::string text;
    for (const auto& [process, exits] : exits_) {
        const std::size_t count = std::min(exits.size(), each);
        if (text.size() + count * detail::kExitBlock > room * detail::kExitBlock) break;
        for (std::size_t i = exits.size() - count; i < exits.size(); ++i)
            text += detail::encode_exit(exits[i]);
    }
    return text;
}

std::vector<ExitRecord> ExitHistory::recent(const core::Uuid& process, std::size_t most) const {
    const auto found = exits_.find(process);
    if (found == exits_.end()) return {};
    const std::vector<ExitRecord>& exits = found->second;
    const auto count = static_cast<std::ptrdiff_t>(std::min(most, exits.size()));
    return {exits.rbegin(), std::next(exits.rbegin(), count)};
}

std::optional<ExitRecord> ExitHistory::last(const core::Uuid& process) const {
    const auto found = exits_.find(process);
    if (found == exits_.end()) return std::nullopt;
    return found->second.back();
}

bool ExitHistory::contains(const core::Uuid& process, std::uint64_t incarnation,
                           core::SystemTime spawned_at) const {
    const auto found = exits_.find(process);
    return found != exits_.end() &&
           std::ranges::any_of(found->second, [&](const ExitRecord& record) {
               return same_run(record, incarnation, spawned_at);
           });
}

}  // namespace zona::process
