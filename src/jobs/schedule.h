/// @file
/// Schedule: when a job is due by itself.
///
/// Moments are of the system's clock, because they outlive the process that planned them. A clock
/// that is set back delays nothing by more than two intervals, one that is set forward makes what
/// is due meanwhile run once. A value type; any thread. Source: BG-05.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <variant>

#include "core/clock.h"
#include "core/cron.h"
#include "core/random.h"

namespace zona::jobs {

/// An interval, a cron expression, or never.
class Schedule {
  public:
    /// `interval` after the run before began, shortened by up to `jitter` of it (0 to 1) at random,
    /// so that many do not come due at once. Precondition: interval of 1 ms to 100 years.
    static Schedule every(std::chrono::milliseconds interval, double jitter = 0.1);
    /// At the moments of the expression, in UTC.
    static Schedule cron(core::CronExpression expression);
    /// Only when somebody asks, or when Definition::due says so.
    static Schedule when_asked();

    /// The first moment after `now`; none for when_asked().
    std::optional<core::SystemTime> next(core::SystemTime now, core::Random& random) const;
    /// A moment later than any that was planned before `now` by a clock that was right, give or
    /// take an interval.
    std::optional<core::SystemTime> latest(core::SystemTime now) const;
    /// "every 1d", "cron 0 4 * * *", "when asked"; equal texts are equal schedules.
    std::string text() const;

  private:
    struct Interval {
        std::chrono::milliseconds length;
        double jitter;
    };
    using Kind = std::variant<std::monostate, Interval, core::CronExpression>;
    explicit Schedule(Kind kind) : kind_(std::move(kind)) {}
    Kind kind_;
};

/// How often a run that failed is tried again, and after which pauses: they double from `first` to
/// `longest`, each shortened by up to a fifth at random. Source: REL-12.
struct Retries {
    int attempts = 3;  ///< after the first run; 0: none
    std::chrono::milliseconds first{60'000};
    std::chrono::milliseconds longest{3'600'000};

    /// The pause before try `attempt`, counted from 1.
    std::chrono::milliseconds pause(int attempt, core::Random& random) const;
};

}  // namespace zona::jobs
