#include "jobs/schedule.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/text.h"

namespace zona::jobs {

using core::SystemTime;
using std::chrono::milliseconds;

namespace {

/// A number of [0, most].
milliseconds up_to(milliseconds most, core::Random& random) {
    const auto bound = static_cast<std::uint64_t>(std::max<std::int64_t>(most.count(), 0)) + 1;
    return milliseconds(static_cast<std::int64_t>(random.below(bound)));
}

}  // namespace

Schedule Schedule::every(milliseconds interval, double jitter) {
    return Schedule(Interval{interval, std::clamp(jitter, 0.0, 1.0)});
}

Schedule Schedule::cron(core::CronExpression expression) {
    return Schedule(std::move(expression));
}

Schedule Schedule::when_asked() {
    return Schedule(std::monostate());
}

std::optional<SystemTime> Schedule::next(SystemTime now, core::Random& random) const {
    if (const auto* interval = std::get_if<Interval>(&kind_)) {
        const milliseconds shorter(static_cast<std::int64_t>(
            static_cast<double>(interval->length.count()) * interval->jitter));
        return now + std::max(interval->length - up_to(shorter, random), milliseconds(1));
    }
    if (const auto* expression = std::get_if<core::CronExpression>(&kind_))
        return expression->next(now);
    return std::nullopt;
}

std::optional<SystemTime> Schedule::latest(SystemTime now) const {
    if (const auto* interval = std::get_if<Interval>(&kind_)) return now + 2 * interval->length;
    if (const auto* expression = std::get_if<core::CronExpression>(&kind_))
        return expression->next(expression->next(now));
    return std::nullopt;
}

std::string Schedule::text() const {
    if (const auto* interval = std::get_if<Interval>(&kind_))
        return "every " + core::exact_duration(interval->length);
    if (const auto* expression = std::get_if<core::CronExpression>(&kind_))
        return "cron " + expression->text();
    return "when asked";
}

milliseconds Retries::pause(int attempt, core::Random& random) const {
    milliseconds pause = first;
    for (int i = 1; i < attempt && pause < longest; ++i)
        pause *= 2;
    pause = std::min(pause, longest);
    return pause - up_to(pause / 5, random);
}

}  // namespace zona::jobs
