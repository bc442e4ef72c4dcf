#include "core/cron.h"

#include <gtest/gtest.h>

#include "core/time_format.h"

namespace zona::core {
namespace {

using namespace std::chrono;

/// The next `count` moments after 2026-01-31T22:58:30Z, to the minute.
std::vector<std::string> moments(std::string_view text, int count = 1) {
    const auto cron = CronExpression::parse(text);
    if (!cron) return {cron.error().message()};
    SystemTime at = sys_days(year(2026) / January / 31) + 22h + 58min + 30s;
    std::vector<std::string> out;
    for (int i = 0; i < count; ++i) {
        at = cron->next(at);
        out.push_back(to_rfc3339(at).substr(0, 16));
    }
    return out;
}
using Texts = std::vector<std::string>;

TEST(CronExpression, ComesDueAtTheMinutesThatItsFieldsName) {
    EXPECT_EQ(moments("* * * * *", 2), (Texts{"2026-01-31T22:59", "2026-01-31T23:00"}));
    EXPECT_EQ(moments("*/20 * * * *", 3),
              (Texts{"2026-01-31T23:00", "2026-01-31T23:20", "2026-01-31T23:40"}));
    EXPECT_EQ(moments("5/25 3 * * *", 3),
              (Texts{"2026-02-01T03:05", "2026-02-01T03:30", "2026-02-01T03:55"}));
    EXPECT_EQ(moments("10-30/10,59 23 * * *", 2), (Texts{"2026-01-31T23:10", "2026-01-31T23:20"}));
    EXPECT_EQ(moments("0 4 1 JAN,jul *", 2), (Texts{"2026-07-01T04:00", "2027-01-01T04:00"}));
    EXPECT_EQ(moments("0 0 * * mon-tue", 2), (Texts{"2026-02-02T00:00", "2026-02-03T00:00"}));
    EXPECT_EQ(moments("0 0 29 2 *"), Texts{"2028-02-29T00:00"});
}

TEST(CronExpression, TakesEitherDayWhereBothAreRestricted) {
    EXPECT_EQ(moments("0 0 3 * 0", 3),
              (Texts{"2026-02-01T00:00", "2026-02-03T00:00", "2026-02-08T00:00"}));
    EXPECT_EQ(moments("0 0 * * 7"), moments("@weekly"));
    EXPECT_EQ(moments("0 0 */2 * *", 2), (Texts{"2026-02-01T00:00", "2026-02-03T00:00"}));
}

TEST(CronExpression, KnowsTheUsualNames) {
    EXPECT_EQ(moments("@hourly"), Texts{"2026-01-31T23:00"});
    EXPECT_EQ(moments("@daily"), Texts{"2026-02-01T00:00"});
    EXPECT_EQ(moments("@monthly"), Texts{"2026-02-01T00:00"});
    EXPECT_EQ(moments("@yearly"), Texts{"2027-01-01T00:00"});
}

TEST(CronExpression, SaysWhatIsWrong) {
    const auto problem = [](std::string_view text) {
        const auto cron = CronExpression::parse(text);
        return cron ? "" : cron.error().message();
    };
    EXPECT_NE(problem("* * * *").find("4 fields instead of five"), std::string::npos);
    EXPECT_NE(
        problem("60 * * * *").find("'60' is nothing that the minute can be: it takes 0 to 59"),
        std::string::npos);
    EXPECT_NE(problem("* * 0 * *").find("day of the month"), std::string::npos);
    EXPECT_NE(problem("* * * * fry").find("weekday"), std::string::npos);
    EXPECT_NE(problem("0 0 30 2 *").find("there is no such day"), std::string::npos);
    for (const std::string_view text : {"", "@soon", "1,,2 * * * *", "5-1 * * * *", "*/0 * * * *",
                                        "+1 * * * *", "* * * * 8", "1-2-3 * * * *"})
        EXPECT_NE(problem(text), "") << text;
    EXPECT_NE(problem(std::string(300, '*')), "");
}

}  // namespace
}  // namespace zona::core
