#include "core/time_format.h"

#include <optional>

#include <fmt/format.h>

#include "core/text.h"

namespace zona::core {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using std::chrono::sys_days;

/// Takes fixed pieces from the front of a text; `ok` falls once and stays down.
class Cursor {
  public:
    explicit Cursor(std::string_view text) : rest_(text) {}

    int digits(std::size_t count) {
        int value = 0;
        for (std::size_t i = 0; i < count; ++i) {
            if (rest_.empty() || rest_[0] < '0' || rest_[0] > '9') {
                ok_ = false;
                return 0;
            }
            value = value * 10 + (rest_[0] - '0');
            rest_.remove_prefix(1);
        }
        return value;
    }

    char one_of(std::string_view allowed) {
        if (rest_.empty() || allowed.find(rest_[0]) == std::string_view::npos) {
            ok_ = false;
            return '\0';
        }
        const char taken = rest_[0];
        rest_.remove_prefix(1);
        return taken;
    }

    nanoseconds fraction() {
        if (rest_.empty() || rest_[0] != '.') return nanoseconds(0);
        rest_.remove_prefix(1);
        std::int64_t value = 0;
        std::int64_t unit = 100'000'000;
        if (rest_.empty() || rest_[0] < '0' || rest_[0] > '9') ok_ = false;
        while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') {
            value += (rest_[0] - '0') * unit;
            unit /= 10;
            rest_.remove_prefix(1);
        }
        return nanoseconds(value);
    }

    bool ok() const { return ok_; }
    bool at_end() const { return rest_.empty(); }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

std::optional<minutes> offset(Cursor& cursor) {
    const char sign = cursor.one_of("Zz+-");
    if (sign != '+' && sign != '-') return minutes(0);
    const int hour = cursor.digits(2);
    cursor.one_of(":");
    const int minute = cursor.digits(2);
    if (hour > 23 || minute > 59) return std::nullopt;
    const minutes shift = hours(hour) + minutes(minute);
    return sign == '+' ? shift : -shift;
}

std::optional<SystemTime> parse(std::string_view text) {
    Cursor cursor(text);
    const int year = cursor.digits(4);
    cursor.one_of("-");
    const int month = cursor.digits(2);
    cursor.one_of("-");
    const int day = cursor.digits(2);
    cursor.one_of("Tt ");
    const int hour = cursor.digits(2);
    cursor.one_of(":");
    const int minute = cursor.digits(2);
    cursor.one_of(":");
    const int second = cursor.digits(2);
    const nanoseconds fraction = cursor.fraction();
    const std::optional<minutes> shift = offset(cursor);
    if (!cursor.ok() || !cursor.at_end() || !shift) return std::nullopt;

    const std::chrono::year_month_day date{std::chrono::year(year),
                                           std::chrono::month(static_cast<unsigned>(month)),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    if (year < 1677 || year > 2262) return std::nullopt;

    const seconds since_epoch = sys_days(date).time_since_epoch() + hours(hour) + minutes(minute) +
                                seconds(second) - *shift;
    // One whole day inside of what 64 bits of nanoseconds hold.
    constexpr seconds kLimit = floor<days>(nanoseconds::max());
    if (since_epoch >= kLimit || since_epoch <= -kLimit) return std::nullopt;
    return SystemTime(since_epoch + fraction);
}

}  // namespace

std::string to_rfc3339(SystemTime time) {
    const auto day = floor<days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(floor<milliseconds>(time - day));
    // Each line of the log has one: no format string is parsed for it.
    std::string out = "0000-00-00T00:00:00.000Z";
    const auto put = [&out](std::size_t last, std::int64_t number) {
        for (; number > 0; number /= 10)
            out[last--] = static_cast<char>('0' + number % 10);
    };
    put(3, static_cast<int>(date.year()));
    put(6, static_cast<unsigned>(date.month()));
    put(9, static_cast<unsigned>(date.day()));
    put(12, clock.hours().count());
    put(15, clock.minutes().count());
    put(18, clock.seconds().count());
    put(22, clock.subseconds().count());
    return out;
}

Result<SystemTime> parse_rfc3339(std::string_view text) {
    if (const std::optional<SystemTime> time = parse(text)) return *time;
    return Error(Code::kInvalidArgument,
                 "not a time in RFC 3339 form, for example 2026-03-09T07:12:44Z");
}

Result<SystemTime> parse_moment(std::string_view text, SystemTime now) {
    if (auto time = parse_rfc3339(text)) return *time;
    if (const auto ago = parse_duration(text)) return now - *ago;
    return Error(Code::kInvalidArgument,
                 "this is no moment: give a time like 2026-01-31T12:00:00Z, or how long ago it was "
                 "like 10m");
}

}  // namespace zona::core
