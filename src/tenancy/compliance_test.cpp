#include "tenancy/compliance.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>

namespace zona::tenancy {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

core::Result<Compliance> parse(std::string_view text) {
    return Compliance::parse(json::parse(text).as_object());
}

// TEN-39
TEST(Compliance, TakesWhatItKnowsAndLeavesTheRest) {
    const auto parsed =
        parse(R"({"backups_kept": 3, "backup_schedule": "@daily", "retention_days": {"events": 90},
        "masked_fields": {"tasks": ["/customer/email", "/list/0"]}, "officer": "Ms Miller"})");

    EXPECT_EQ(parsed->backups_kept, 3);
    EXPECT_EQ(parsed->backup_schedule->text(), "@daily");
    EXPECT_FALSE(parse(R"({"backup_schedule": ""})")->backup_schedule);
    EXPECT_EQ(parsed->retention.at("events"), std::chrono::days(90));
    EXPECT_EQ(parsed->masked.at("tasks").size(), 2U);
    EXPECT_TRUE(parse("{}")->retention.empty());
}

// TEN-39
TEST(Compliance, MasksWhatIsThereAndNothingElse) {
    const auto parsed =
        parse(R"({"masked_fields": {"tasks": ["/customer/email", "/gone", "/no"]}})");
    json::object task = {{"customer", {{"email", "a@example.org"}, {"id", 1}}}, {"no", nullptr}};
    json::object event = task;

    parsed->mask("tasks", task);
    parsed->mask("events", event);

    EXPECT_EQ(task, (json::object{{"customer", {{"email", "***"}, {"id", 1}}}, {"no", nullptr}}));
    EXPECT_EQ(event.at("customer").at("email"), "a@example.org");
}

// TEN-39
TEST(Compliance, RefusesWhatCannotBeAppliedAndSaysWhat) {
    for (const auto& [text, named] : std::vector<std::pair<std::string_view, std::string>>{
             {R"({"backups_kept": 0})", "backups_kept"},
             {R"({"backup_schedule": "every now and then"})", "backup_schedule is no schedule"},
             {R"({"backup_schedule": 5})", "backup_schedule is no text"},
             {R"({"retention_days": 90})", "retention_days"},
             {R"({"retention_days": {"nothing": 90}})", "retention_days.nothing"},
             {R"({"retention_days": {"tenant_settings": 90}})", "retention_days.tenant_settings"},
             {R"({"retention_days": {"events": 0}})", "retention_days.events"},
             {R"({"retention_days": {"events": 1.5}})", "retention_days.events"},
             {R"({"retention_days": {"events": 36501}})", "retention_days.events"},
             {R"({"masked_fields": {"tasks": "/email"}})", "masked_fields.tasks"},
             {R"({"masked_fields": {"tasks": ["email"]}})", "masked_fields.tasks"},
             {R"({"masked_fields": {"nothing": ["/email"]}})", "masked_fields.nothing"}}) {
        const auto refused = parse(text);
        ASSERT_FALSE(refused.has_value()) << text;
        EXPECT_EQ(refused.error().code(), core::Code::kInvalidArgument);
        EXPECT_THAT(refused.error().message(), HasSubstr(named));
    }
}

}  // namespace
}  // namespace zona::tenancy
