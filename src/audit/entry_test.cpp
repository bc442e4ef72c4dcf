#include "audit/entry.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "core/testing/fake_clock.h"

namespace zona::audit {
namespace {

namespace json = boost::json;

json::object object(std::string_view text) {
    return json::parse(text).as_object();
}

const store::CollectionSpec& accounts() {
    static const store::CollectionSpec kSpec{
        .name = "accounts",
        .fields = {{.path = "password", .protection = store::Protection::kEncrypted},
                   {.path = {"login", "token"}, .protection = store::Protection::kEncrypted}}};
    return kSpec;
}

class EntryTest : public testing::Test {
  protected:
    core::FakeClock clock_;
    core::SeededRandom random_{1};
};

// AUDIT-01, AUDIT-06
TEST_F(EntryTest, HoldsWhatHasChangedAndNoSecret) {
    Entry entry = new_entry(clock_, random_);
    const json::object before = object(
        R"({"name": "a", "same": 1, "password": "old", "login": {"user": "u", "token": "t"}})");
    const json::object after = object(
        R"({"name": "b", "same": 1, "password": "new", "login": {"user": "v", "token": "w"}})");
    set_change(entry, accounts(), &before, &after);
    EXPECT_EQ(
        *entry.before,
        object(R"({"name": "a", "password": "***", "login": {"user": "u", "token": "***"}})"));
    EXPECT_EQ(
        *entry.after,
        object(R"({"name": "b", "password": "***", "login": {"user": "v", "token": "***"}})"));
}

// AUDIT-01
TEST_F(EntryTest, HoldsTheWholeOfWhatComesAndGoes) {
    Entry entry = new_entry(clock_, random_);
    const json::object document = object(R"({"name": "a", "password": "p"})");
    set_change(entry, accounts(), nullptr, &document);
    EXPECT_EQ(entry.before, nullptr);
    EXPECT_EQ(*entry.after, object(R"({"name": "a", "password": "***"})"));
    set_change(entry, accounts(), &document, nullptr);
    EXPECT_EQ(*entry.before, object(R"({"name": "a", "password": "***"})"));
    EXPECT_EQ(entry.after, nullptr);
}

// DATA-13, AUDIT-04
TEST_F(EntryTest, ReadsBackAsItWasWritten) {
    Entry entry = new_entry(clock_, random_);
    entry.tenant = "acme";
    entry.category = Category::kSecurity;
    entry.outcome = Outcome::kRefused;
    entry.actor = {.kind = "user",
                   .id = "17",
                   .number = 17,
                   .name = "Ann \"A\" Example",
                   .address = "192.0.2.7",
                   .session = "s"};
    entry.action = "updateTenant";
    entry.resource = "/api/v1/tenants/acme";
    entry.details = "no\nmore";
    entry.correlation = "c-1";
    entry.subject = "user:18";
    entry.before = std::make_shared<const json::object>(object(R"({"a": 1})"));
    entry.context = std::make_shared<const json::object>(object(R"({"ticket": "T-1"})"));
    const std::string text = to_json_text(entry);
    EXPECT_EQ(text.find('\n'), std::string::npos);
    const Entry back = entry_from_json(text).value();
    EXPECT_EQ(to_json_text(back), text);
    EXPECT_EQ(back.actor, entry.actor);
    EXPECT_EQ(back.at, entry.at);
    json::object other = object(text);
    other["timestamp"] = INT64_MAX;
    EXPECT_GT(entry_from_json(json::serialize(other)).value().at, back.at) << "no clock has it";
    EXPECT_FALSE(entry_from_json("[]"));
    EXPECT_FALSE(entry_from_json("{\"category\": \"other\"}"));
}

// AUDIT-02
TEST_F(EntryTest, IsCutAndNotRefused) {
    Entry entry = new_entry(clock_, random_);
    entry.action = std::string(kMostAction - 1, 'a') + "\xC3\xA4";
    entry.resource = std::string(kMostResource * 2, '\xFF');
    entry.details = "\xC3\x28";
    entry.after =
        std::make_shared<const json::object>(json::object{{"text", std::string(kMostData, 'x')}});
    const Entry fit = fitted(entry);
    EXPECT_EQ(fit.action, std::string(kMostAction - 1, 'a'));
    EXPECT_LE(fit.resource.size(), kMostResource);
    EXPECT_EQ(fit.details, "\xEF\xBF\xBD(");
    EXPECT_EQ(fit.after->at("sha256").as_string().size(), 64U);
    EXPECT_EQ(to_json_text(fitted(fit)), to_json_text(fit));
}

}  // namespace
}  // namespace zona::audit
