#include "process/log_reader.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "process/detail/log_cursor.h"
#include "process/detail/log_file.h"

namespace zona::process {

using core::Result;
using detail::KeepOpen;
using detail::LogFile;
using detail::LogFilePosition;

/// A file, and where its next line stands among those of the others.
struct LogReader::Entry {
    Entry(std::size_t source_, const LogSource& from, Follow follow, KeepOpen keep)
        : source(source_), file(from.path, from.index_path, follow, keep) {}

    /// Before all others of the same file: a clock that was set back does not hold up the rest.
    bool before(const Entry& other) const {
        return std::pair(order, source) < std::pair(other.order, other.source);
    }

    std::size_t source;
    LogFile file;
    LogFile::Line line;                    ///< at hand, while in_heap
    std::optional<core::SystemTime> time;  ///< of the line at hand
    core::SystemTime order = core::SystemTime::min();
    bool in_heap = false;
    bool failed = false;
};

namespace {

constexpr auto kLater = [](const auto* a, const auto* b) { return b->before(*a); };
/// What a line costs its reader besides its text.
constexpr std::size_t kLineOverhead = 64;

}  // namespace

LogReader::LogReader(std::vector<LogSource> sources, Follow follow)
    : sources_(std::move(sources)), follow_(follow) {
    std::set<std::string_view> paths;
    for (const LogSource& source : sources_)
        paths.insert(source.path);
    const KeepOpen keep = paths.size() <= kMostOpen ? KeepOpen::kYes : KeepOpen::kNo;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
        if (paths.erase(sources_[i].path) == 0) continue;
        entries_.push_back(std::make_unique<Entry>(i, sources_[i], follow, keep));
    }
}

LogReader::~LogReader() = default;
LogReader::LogReader(LogReader&&) noexcept = default;
LogReader& LogReader::operator=(LogReader&&) noexcept = default;

void LogReader::forget_heads() {
    heap_.clear();
    for (const auto& entry : entries_) {
        entry->in_heap = false;
        entry->failed = false;
        entry->order = core::SystemTime::min();
    }
    pending_error_.reset();
}

Result<void> LogReader::seek_tail(std::size_t lines) {
    forget_heads();
    std::map<std::uint32_t, std::vector<Entry*>> processes;
    for (const auto& entry : entries_)
        processes[sources_[entry->source].pm_id].push_back(entry.get());
    for (auto& [pm_id, files] : processes) {
        ZONA_TRY_VOID(seek_tail_of_process(files, lines));
    }
    return {};
}

/// From the ends of the files backwards, always the latest line, until there are enough.
Result<void> LogReader::seek_tail_of_process(std::vector<Entry*>& files, std::size_t lines) {
    std::vector<std::vector<LogFile::Start>> starts;
    std::vector<std::size_t> left;
    for (Entry* entry : files) {
        ZONA_TRY(auto found, entry->file.last_lines(lines));
        left.push_back(found.size());
        starts.push_back(std::move(found));
    }
    for (std::size_t taken = 0; taken < lines; ++taken) {
        std::optional<std::size_t> latest;
        for (std::size_t i = 0; i < files.size(); ++i) {
            if (left[i] == 0) continue;
            if (!latest || starts[i][left[i] - 1].time >= starts[*latest][left[*latest] - 1].time) {
                latest = i;
            }
        }
        if (!latest) break;
        --left[*latest];
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        LogFile& file = files[i]->file;
        if (left[i] < starts[i].size()) {
            file.seek(starts[i][left[i]].offset);
        } else {
            ZONA_TRY(const std::uint64_t end, file.end());
            file.seek(end);
        }
    }
    return {};
}

Result<void> LogReader::seek_since(core::SystemTime since) {
    forget_heads();
    for (const auto& entry : entries_) {
        ZONA_TRY(const std::uint64_t offset, entry->file.since(since));
        entry->file.seek(offset);
    }
    return {};
}

Result<void> LogReader::seek(std::string_view cursor) {
    ZONA_TRY(const std::vector<LogFilePosition> positions, detail::parse_log_cursor(cursor));
    forget_heads();
    std::unordered_map<std::uint64_t, const LogFilePosition*> by_path;
    for (const LogFilePosition& position : positions)
        by_path.emplace(position.path_hash, &position);
    for (const auto& entry : entries_) {
        const auto found = by_path.find(detail::hash_of_path(entry->file.path()));
        if (found == by_path.end()) {
            entry->file.seek(0);
        } else {
            ZONA_TRY_VOID(entry->file.seek(*found->second));
        }
    }
    return {};
}

std::string LogReader::cursor() const {
    std::vector<LogFilePosition> positions;
    positions.reserve(entries_.size());
    for (const auto& entry : entries_)
        positions.push_back(entry->file.position());
    return detail::format_log_cursor(positions);
}

/// Gets the next line of a file to hand and the file into the heap, if there is one.
Result<void> LogReader::advance(Entry& entry) {
    entry.failed = true;
    ZONA_TRY(const std::optional<LogFile::Line> line, entry.file.peek());
    if (line) {
        ZONA_TRY(entry.time, entry.file.time());
    }
    entry.failed = false;
    if (!line) return {};
    entry.line = *line;
    entry.order = std::max(entry.order, entry.time.value_or(core::SystemTime::min()));
    entry.in_heap = true;
    heap_.push_back(&entry);
    std::ranges::push_heap(heap_, kLater);
    return {};
}

Result<std::vector<LogLine>> LogReader::next(std::size_t max_bytes) {
    std::vector<LogLine> lines;
    ZONA_TRY_VOID(visit(max_bytes, [&lines](const LogLineView& line) {
        lines.push_back({.source = line.source,
                         .time = line.time,
                         .text = std::string(line.text),
                         .partial = line.partial,
                         .split = line.split});
    }));
    return lines;
}

Result<std::size_t> LogReader::visit(std::size_t max_bytes,
                                     const std::function<void(const LogLineView&)>& visitor) {
    if (auto error = std::exchange(pending_error_, std::nullopt)) return *std::move(error);
    for (const auto& entry : entries_) {
        if (!entry->in_heap && !entry->failed) ZONA_TRY_VOID(advance(*entry));
    }
    std::size_t lines = 0;
    std::size_t bytes = 0;
    while (!heap_.empty() && (bytes < max_bytes || lines == 0)) {
        std::ranges::pop_heap(heap_, kLater);
        Entry& entry = *heap_.back();
        heap_.pop_back();
        entry.in_heap = false;
        visitor({.source = entry.source,
                 .time = entry.time,
                 .text = entry.line.text,
                 .partial = entry.line.partial,
                 .split = entry.line.split});
        ++lines;
        bytes += entry.line.text.size() + kLineOverhead;
        entry.file.pop();
        if (auto advanced = advance(entry); !advanced) {
            pending_error_ = advanced.take_error();
            break;
        }
    }
    return lines;
}

Result<std::string_view> LogReader::next_bytes(std::size_t max_bytes) {
    return entries_.front()->file.bytes(max_bytes);
}

}  // namespace zona::process
