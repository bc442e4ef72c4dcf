#include "cli/detail/log_printer.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"

namespace zona::cli {
namespace {

/// Over this, the history is printed as it comes: memory stays bounded whatever --lines says.
constexpr std::size_t kMostHeldBytes = 16U << 20U;
constexpr core::ByteCount kLongestLine = core::ByteCount::mib(64);

Colour colour_of(std::int64_t pm_id) {
    constexpr std::array kColours = {Colour::kCyan, Colour::kGreen,   Colour::kYellow,
                                     Colour::kBlue, Colour::kMagenta, Colour::kBold};
    return kColours.at(static_cast<std::size_t>(pm_id < 0 ? 0 : pm_id) % kColours.size());
}

}  // namespace

LogPrinter::LogPrinter(const LogsOptions& options, OutputFormat format,
                       std::span<const Process> processes, Console& console)
    : options_(options), format_(format), console_(console) {
    for (const Process& process : processes) {
        paths_[{process.pm_id, "out"}] = escape_control(process.out_file);
        paths_[{process.pm_id, "err"}] = escape_control(process.error_file);
        name_width_ = std::max(name_width_, display_width(escape_control(process.name)));
    }
}

core::Result<void> LogPrinter::feed(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        partial_ += bytes.substr(0, end);
        if (end == std::string_view::npos) return {};
        bytes.remove_prefix(end + 1);
        const std::string line = std::exchange(partial_, {});
        if (!line.empty()) ZONA_TRY_VOID(take(line));
    }
    return {};
}

core::Result<void> LogPrinter::take(const std::string& json) {
    core::JsonLimits limits;
    limits.max_bytes = kLongestLine;
    const auto value = core::parse_json(json, limits);
    if (!value || !value->is_object()) {
        return core::Error(core::Code::kInternal, "zona's log stream has a line that is no object");
    }
    const boost::json::object& object = value->get_object();
    if (std::string cursor = text_of(object, "cursor"); !cursor.empty()) {
        take_cursor(std::move(cursor));
        return {};
    }
    LogLine line{integer_of(object, "pm_id").value_or(0), text_of(object, "name"),
                 text_of(object, "stream"), text_of(object, "line")};
    if (holds_) {
        held_bytes_ += json.size();
        held_.emplace_back(json, std::move(line));
        if (held_bytes_ > kMostHeldBytes) release();
        return {};
    }
    print_new(json, line);
    return {};
}

void LogPrinter::print_new(const std::string& json, const LogLine& line) {
    const File file{line.pm_id, line.stream};
    if (++received_[file] <= printed_[file]) return;
    ++printed_[file];
    print(json, line);
}

void LogPrinter::take_cursor(std::string cursor) {
    if (holds_) {
        release();
        printed_.clear();
        received_.clear();
    }
    cursor_ = std::move(cursor);
    for (auto& [file, printed] : printed_)
        printed -= std::min(printed, received_[file]);
    received_.clear();
}

void LogPrinter::release() {
    if (!holds_) return;
    holds_ = false;
    const auto held = std::exchange(held_, {});
    const bool headers = format_ == OutputFormat::kText && options_.headers == LogHeaders::kFiles &&
                         options_.prefix == LogPrefix::kName;
    if (!headers) {
        for (const auto& [json, line] : held)
            print_new(json, line);
        return;
    }
    std::map<File, std::size_t> place;
    std::vector<std::vector<const Held*>> groups;
    for (const Held& entry : held) {
        const File file{entry.second.pm_id, entry.second.stream};
        const auto [at, is_new] = place.try_emplace(file, groups.size());
        if (is_new) groups.emplace_back();
        groups[at->second].push_back(&entry);
    }
    for (const auto& group : groups) {
        const LogLine& first = group.front()->second;
        const auto path = paths_.find({first.pm_id, first.stream});
        if (path != paths_.end()) {
            console_.remark(paint(console_.screen(), Colour::kDim, path->second + ":") + '\n');
        }
        for (const Held* entry : group)
            print_new(entry->first, entry->second);
    }
}

void LogPrinter::begin_again() {
    partial_.clear();
    received_.clear();
    held_.clear();
    held_bytes_ = 0;
    if (cursor_.empty()) printed_.clear();
}

void LogPrinter::print(const std::string& json, const LogLine& line) {
    if (format_ == OutputFormat::kJson) {
        console_.out(json + '\n');
    } else if (options_.prefix == LogPrefix::kRaw) {
        const bool harmless = !console_.screen().out_is_terminal;
        console_.out((harmless ? line.text : printable_line(line.text, console_.screen().sgr())) +
                     '\n');
    } else {
        console_.out(prefix_of(line) + printable_line(line.text, console_.screen().sgr()) + '\n');
    }
}

std::string LogPrinter::prefix_of(const LogLine& line) {
    const std::string name = escape_control(line.name);
    const std::size_t width = display_width(name);
    name_width_ = std::max(name_width_, width);
    const std::string text = fmt::format("{}|{}{:{}} |", line.pm_id, name, "", name_width_ - width);
    const bool is_error = line.stream == "err";
    return paint(console_.screen(), is_error ? Colour::kRed : colour_of(line.pm_id), text) + ' ';
}

}  // namespace zona::cli
