/// @file
/// CronExpression: when something is due, in the five fields of crontab(5).
///
///     ┌ minute 0-59   ┌ hour 0-23   ┌ day of the month 1-31   ┌ month 1-12   ┌ weekday 0-7
///     *               *             *                         *              *
///
/// Each field is a list of `*`, `5`, `1-5`, and steps of these, `*/15`, `10-50/20`; months and
/// weekdays have their English names of three letters as well, 0 and 7 both are Sunday. Where both
/// days are restricted, either is enough. `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`
/// stand for a whole expression. All in UTC, so no moment comes twice or is left out when clocks
/// change. A value type; any thread. Source: crontab(5), EVT-13.
#pragma once

#include <bitset>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"

namespace zona::core {

/// A parsed expression, which comes due at least once in eight years.
class CronExpression {
  public:
    /// Errors: kInvalidArgument, naming the field and what it takes; also for an expression that
    /// never comes due (`0 0 30 2 *`).
    static Result<CronExpression> parse(std::string_view text);

    /// The first moment after `after` at which it is due: a whole minute.
    SystemTime next(SystemTime after) const;
    /// As it was written.
    const std::string& text() const { return text_; }

  private:
    CronExpression() = default;
    bool is_day(std::chrono::sys_days day) const;

    std::string text_;
    std::bitset<60> minutes_;
    std::bitset<24> hours_;
    std::bitset<32> days_;
    std::bitset<13> months_;
    std::bitset<8> weekdays_;
    bool any_day_ = false;      ///< the day of the month is `*`
    bool any_weekday_ = false;  ///< the weekday is `*`
};

}  // namespace zona::core
