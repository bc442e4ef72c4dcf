#include "process/detail/ecosystem_report.h"

#include <algorithm>
#include <ranges>
#include <tuple>

#include <fmt/format.h>

namespace zona::process::detail {

std::string Report::where(const Place& where) const {
    return style_ == PlaceStyle::kPath ? where.path : place(file_, where.at);
}

void Report::error(const Place& place, std::string problem, std::string hint) {
    ++total_;
    // Memory stays bounded however many mistakes a file has; the sorting below is among the first
    // ones.
    if (errors_.size() < 10 * kMostListed) {
        errors_.push_back({place.at, total_, {where(place), std::move(problem), std::move(hint)}});
    }
}

void Report::warn(const Place& place, std::string_view text, std::string_view hint) {
    ++warning_total_;
    if (warnings_.size() == 10 * kMostListed) return;
    warnings_.push_back(
        {place.at, warning_total_, {where(place), std::string(text), std::string(hint)}});
}

void Report::warn_once(std::string_view topic, const Place& place, std::string_view text,
                       std::string_view hint) {
    if (warned_.emplace(topic).second) warn(place, text, hint);
}

void Report::sort(std::vector<Item>& items) const {
    if (style_ == PlaceStyle::kPath) return;
    std::ranges::sort(items, {}, [](const Item& item) {
        return std::tuple(item.at.line, item.at.column, item.number);
    });
}

std::vector<std::string> Report::take_warnings() && {
    sort(warnings_);
    std::vector<std::string> lines;
    for (const Item& item : warnings_ | std::views::take(kMostListed)) {
        const core::Detail& detail = item.detail;
        lines.push_back(fmt::format("{}: {}{}{}", detail.where, detail.problem,
                                    detail.hint.empty() ? "" : "; ", detail.hint));
    }
    if (warning_total_ > kMostListed) {
        lines.push_back(fmt::format("{}: {} more warnings are not listed", file_,
                                    warning_total_ - kMostListed));
    }
    return lines;
}

core::Error Report::take_error() && {
    sort(errors_);
    const core::Detail& first = errors_.front().detail;
    std::string message = fmt::format("{}: {}", first.where, first.problem);
    if (total_ > 1)
        message = fmt::format("{} has {} errors; the first is {}", file_, total_, message);
    core::Error error(core::Code::kInvalidArgument, std::move(message));
    for (std::size_t i = 0; i < std::min(errors_.size(), kMostListed); ++i) {
        error.detail(std::move(errors_[i].detail));
    }
    if (total_ > kMostListed) {
        error.detail(
            {file_, fmt::format("{} more errors are not listed", total_ - kMostListed), {}});
    }
    return error;
}

}  // namespace zona::process::detail
