#include "tenancy/backup/copy_ledger.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

namespace zona::tenancy {

using core::Result;
using core::SystemTime;

namespace {

/// Lines over twice the entries after which the file is written anew.
constexpr std::size_t kSlack = 4096;

std::int64_t nanoseconds(SystemTime time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

/// The next word; what is left behind it stays in `line`.
std::string_view take_word(std::string_view& line) {
    const auto end = line.find(' ');
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
    return word;
}

std::int64_t take_number(std::string_view& line) {
    const std::string_view word = take_word(line);
    std::int64_t out = 0;
    std::from_chars(word.data(), word.data() + word.size(), out);
    return out;
}

SystemTime take_time(std::string_view& line) {
    return SystemTime(std::chrono::nanoseconds(take_number(line)));
}

std::string copied_line(const std::string& name, const CopyLedger::Entry& entry) {
    if (!entry.copied_at) return fmt::format("begun {}\n", name);
    return fmt::format("{} {} {} {} {}\n", entry.is_ours ? "put" : "found",
                       nanoseconds(*entry.copied_at), entry.file.bytes, entry.file.mtime_ns, name);
}

std::string removed_line(const std::string& name, CopyEnd end, SystemTime now) {
    return fmt::format("removed {} {} {}\n", nanoseconds(now),
                       end == CopyEnd::kAtOnce ? "now" : "keep", name);
}

}  // namespace

CopyLedger::CopyLedger(std::string path, std::string place)
    : path_(std::move(path)), place_(std::move(place)) {}

Result<std::unique_ptr<CopyLedger>> CopyLedger::open(std::string path, std::string place) {
    std::unique_ptr<CopyLedger> out(new CopyLedger(std::move(path), std::move(place)));
    ZONA_TRY_VOID(out->load());
    return out;
}

Result<void> CopyLedger::load() {
    ZONA_TRY(const auto there, os::stat_path(path_));
    std::string text;
    if (there) {
        ZONA_TRY(text, os::read_file(path_, std::size_t{1} << 30U));
    }
    std::string_view rest = text;
    const std::string head = fmt::format("zona copies 1 {}\n", place_);
    if (!rest.starts_with(head)) return rewrite();
    rest.remove_prefix(head.size());
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        apply(rest.substr(0, end));
        rest.remove_prefix(end + 1);
    }
    return rewrite();
}

void CopyLedger::apply(std::string_view line) {
    const std::string_view kind = take_word(line);
    ++lines_;
    if (kind == "begun") {
        // What came there before zona had begun with it is not ours.
        entries_.try_emplace(std::string(line));
    } else if (kind == "put" || kind == "found") {
        Entry entry{.copied_at = take_time(line), .file = {}, .removed_at = {}};
        entry.file.bytes = static_cast<std::uint64_t>(take_number(line));
        entry.file.mtime_ns = take_number(line);
        entry.is_ours = kind == "put";
        // What was ours once stays it.
        const auto before = entries_.find(line);
        if (before != entries_.end()) {
            entry.is_ours = entry.is_ours || before->second.is_ours;
            entry.removed_at = before->second.removed_at;
            entry.end = before->second.end;
        }
        entries_.insert_or_assign(std::string(line), entry);
    } else if (kind == "removed") {
        const SystemTime at = take_time(line);
        const CopyEnd end = take_word(line) == "now" ? CopyEnd::kAtOnce : CopyEnd::kAsKept;
        for (auto& [name, entry] : entries_) {
            const bool is_below = name.size() > line.size() && name[line.size()] == '/';
            if (!name.starts_with(line) || !(is_below || name.size() == line.size())) continue;
            if (!entry.removed_at) entry.removed_at = at;
            if (end == CopyEnd::kAtOnce) entry.end = end;
        }
    } else if (kind == "gone") {
        if (const auto found = entries_.find(line); found != entries_.end()) entries_.erase(found);
    }
}

std::string CopyLedger::text() const {
    std::string out = fmt::format("zona copies 1 {}\n", place_);
    for (const auto& [name, entry] : entries_) {
        out += copied_line(name, entry);
        if (entry.removed_at) out += removed_line(name, entry.end, *entry.removed_at);
    }
    return out;
}

Result<void> CopyLedger::rewrite() {
    const std::string all = text();
    ZONA_TRY_VOID(os::replace_file(path_, all, 0600));
    ZONA_TRY(file_, os::open_file(path_, O_WRONLY | O_APPEND));
    lines_ = static_cast<std::size_t>(std::ranges::count(all, '\n')) - 1;
    return {};
}

/// Under the mutex: the file first, then what is known of it.
Result<void> CopyLedger::append(const std::string& line) {
    if (!file_.valid()) ZONA_TRY_VOID(rewrite());
    auto written = os::write_all(file_.get(), line);
    if (written) written = os::sync_data(file_.get());
    if (!written) {
        // Half a line may stand at its end.
        file_.reset();
        return written;
    }
    apply(std::string_view(line).substr(0, line.size() - 1));
    if (lines_ > 2 * entries_.size() + kSlack) return rewrite();
    return {};
}

Result<void> CopyLedger::begun(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return append(fmt::format("begun {}\n", name));
}

Result<void> CopyLedger::put(const std::string& name, CopiedFile file, SystemTime now) {
    const std::lock_guard lock(mutex_);
    return append(
        copied_line(name, {.copied_at = now, .file = file, .is_ours = true, .removed_at = {}}));
}

Result<void> CopyLedger::found(const std::string& name, CopiedFile file, SystemTime now) {
    const std::lock_guard lock(mutex_);
    return append(
        copied_line(name, {.copied_at = now, .file = file, .is_ours = false, .removed_at = {}}));
}

Result<void> CopyLedger::removed(const std::string& name, CopyEnd end, SystemTime now) {
    const std::lock_guard lock(mutex_);
    return append(removed_line(name, end, now));
}

Result<void> CopyLedger::gone(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return append(fmt::format("gone {}\n", name));
}

std::optional<CopyLedger::Entry> CopyLedger::find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) return std::nullopt;
    return found->second;
}

std::vector<std::string> CopyLedger::copied() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [name, entry] : entries_) {
        if (entry.copied_at) out.push_back(name);
    }
    return out;
}

std::vector<std::pair<std::string, CopyLedger::Entry>> CopyLedger::removed() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, Entry>> out;
    for (const auto& [name, entry] : entries_) {
        if (entry.removed_at) out.emplace_back(name, entry);
    }
    return out;
}

}  // namespace zona::tenancy
