#include "identity/access/roles.h"

#include <boost/json.hpp>

#include "identity/testing/users_fixture.h"

namespace zona::identity {
namespace {

using core::Code;

class RolesTest : public UsersFixture {
  protected:
    core::Result<Role> make(Role wanted, const Subject& by = super_admin()) {
        return answer_of<Role>(
            [&](auto done) { roles_->create(by, std::move(wanted), std::move(done)); });
    }
    core::Result<Role> change_role(Role wanted, const Subject& by = super_admin()) {
        return answer_of<Role>(
            [&](auto done) { roles_->change(by, std::move(wanted), std::move(done)); });
    }
    core::Result<Role> remove(const std::string& name, const Subject& by = super_admin()) {
        return answer_of<Role>(
            [&](auto done) { roles_->remove(by, "acme", name, std::move(done)); });
    }
    bool may(std::vector<std::string> roles, Permission what, const Context& context = {}) {
        auto held = answer_of<std::shared_ptr<const Permissions>>(
            [&](auto done) { roles_->permissions("acme", std::move(roles), std::move(done)); });
        const Subject who{.tenant = "acme", .user_id = 1, .permissions = held.value()};
        return decide(who, what, {.tenant = "acme"}, context).has_value();
    }
    static Role role(std::string name, std::vector<Grant> grants,
                     std::vector<std::string> inherits = {}) {
        return {.tenant = "acme",
                .name = std::move(name),
                .inherits = std::move(inherits),
                .grants = std::move(grants)};
    }

    static constexpr Permission kRead{Resource::kUtilities, Action::kRead};
    static constexpr Permission kDelete{Resource::kUtilities, Action::kDelete};
};

// AUTH-32
TEST_F(RolesTest, InheritWhatOthersGrant) {
    ASSERT_TRUE(make(role("reader", {{kRead, Extent::kAll}})));
    ASSERT_TRUE(make(role("cleaner", {{kDelete, Extent::kAll}}, {"reader"})));
    ASSERT_TRUE(make(role("lead", {}, {"cleaner", "user"})));

    EXPECT_TRUE(may({"lead"}, kRead));
    EXPECT_TRUE(may({"lead"}, kDelete));
    EXPECT_FALSE(may({"lead"}, {Resource::kUtilities, Action::kCreate}));  // of "user": own
    EXPECT_FALSE(may({"reader"}, kDelete));
}

// AUTH-32
TEST_F(RolesTest, HoldFromTheNextDecisionOnWhenTheyAreChanged) {
    ASSERT_TRUE(make(role("reader", {{kRead, Extent::kAll}})));
    ASSERT_TRUE(may({"reader"}, kRead));

    ASSERT_TRUE(change_role(role("reader", {{kDelete, Extent::kAll}})));

    EXPECT_FALSE(may({"reader"}, kRead));
    EXPECT_TRUE(may({"reader"}, kDelete));
}

// AUTH-32
TEST_F(RolesTest, NeverInheritThemselves) {
    ASSERT_TRUE(make(role("a", {})));
    ASSERT_TRUE(make(role("b", {}, {"a"})));
    ASSERT_TRUE(make(role("c", {}, {"b"})));

    const auto direct = change_role(role("a", {}, {"a"}));
    const auto around = change_role(role("a", {}, {"c"}));

    ASSERT_FALSE(direct);
    EXPECT_EQ(direct.error().code(), Code::kConflict);
    ASSERT_FALSE(around);
    EXPECT_EQ(around.error().code(), Code::kConflict);
}

// AUTH-38, GAP-06
TEST_F(RolesTest, AreNotMadeAboveWhoeverMakesThem) {
    const Permission users{Resource::kUsers, Action::kUpdate};
    Role support = role("support", {{users, Extent::kAll}});
    ASSERT_TRUE(make(support));
    auto held = answer_of<std::shared_ptr<const Permissions>>(
        [&](auto done) { roles_->permissions("acme", {"support"}, std::move(done)); });
    const Subject somebody{.tenant = "acme", .user_id = 1, .permissions = held.value()};

    EXPECT_TRUE(make(role("support-2", {{users, Extent::kOwn}}), somebody));
    EXPECT_EQ(make(role("more", {{kRead, Extent::kOwn}}), somebody).error().code(),
              Code::kAccessDenied);
    EXPECT_EQ(make(role("more", {}, {"admin"}), somebody).error().code(), Code::kAccessDenied);
    Role sometimes = role("more", {{kRead, Extent::kAll}});
    sometimes.conditions.from = std::chrono::hours(8);
    EXPECT_EQ(make(sometimes, somebody).error().code(), Code::kAccessDenied);
    EXPECT_TRUE(make(role("all", {}, {"admin"}), admin_of("acme")));
    EXPECT_EQ(change_role(role("all", {}), somebody).error().code(), Code::kAccessDenied);
    EXPECT_EQ(remove("all", somebody).error().code(), Code::kAccessDenied);
}

// AUTH-38, TEN-16
TEST_F(RolesTest, OfTenantsGrantNothingOfTheInstallation) {
    EXPECT_EQ(
        make(role("lic", {{{Resource::kLicense, Action::kRead}, Extent::kAll}})).error().code(),
        Code::kInvalidArgument);
    EXPECT_EQ(make(role("boss", {}, {"super_admin"})).error().code(), Code::kInvalidArgument);
    EXPECT_EQ(make(role("reader", {{kRead, Extent::kAll}}), admin_of("globex")).error().code(),
              Code::kInvalidTenant);
}

// AUTH-33
TEST_F(RolesTest, HoldUnderTheirConditionsOnly) {
    Role here = role("here", {{kDelete, Extent::kAll}}, {"admin"});
    here.inherits = {};
    here.conditions.networks.push_back(net::Network::parse("10.0.0.0/8").value());
    ASSERT_TRUE(make(here));

    EXPECT_TRUE(may({"here"}, kDelete, {.time = {}, .address = "10.0.0.1"}));
    EXPECT_FALSE(may({"here"}, kDelete, {.time = {}, .address = "192.0.2.1"}));
}

TEST_F(RolesTest, StayWhileSomebodyHasThem) {
    ASSERT_TRUE(make(role("reader", {{kRead, Extent::kAll}})));
    ASSERT_TRUE(make(role("lead", {}, {"reader"})));
    const User user = margaret({"lead"});

    EXPECT_EQ(remove("reader").error().code(), Code::kConflict);
    EXPECT_EQ(remove("lead").error().code(), Code::kConflict);
    ASSERT_TRUE(change(user.id, {.roles = std::vector<std::string>{}}));
    EXPECT_TRUE(remove("lead"));
    EXPECT_TRUE(remove("reader"));
    EXPECT_EQ(remove("reader").error().code(), Code::kNotFound);
}

TEST_F(RolesTest, ThatAreBuiltInStayAsTheyAre) {
    EXPECT_EQ(make(role("admin", {})).error().code(), Code::kConflict);
    EXPECT_EQ(change_role(role("user", {{kRead, Extent::kAll}})).error().code(), Code::kConflict);
    EXPECT_EQ(remove("creator").error().code(), Code::kConflict);
    EXPECT_EQ(make(role("r", {}, {"nobody"})).error().code(), Code::kNotFound);
}

TEST_F(RolesTest, AreListedWithTheBuiltInOnes) {
    ASSERT_TRUE(make(role("reader", {{kRead, Extent::kAll}})));

    const auto all = answer_of<std::vector<Role>>([&](auto done) {
                         roles_->list("acme", std::move(done));
                     }).value();
    const auto elsewhere = answer_of<std::vector<Role>>([&](auto done) {
                               roles_->list("globex", std::move(done));
                           }).value();

    ASSERT_EQ(all.size(), 4U);
    EXPECT_EQ(all.front().name, "user");
    EXPECT_EQ(all.back().name, "reader");
    EXPECT_EQ(elsewhere.size(), 3U);
}

TEST(RoleDocument, ReadsWhatItWrites) {
    const boost::json::value text = boost::json::parse(R"({"name": "night-shift",
        "description": "At night", "inherits": ["user"], "grants": {"utilities:execute": "all"},
        "conditions": {"weekdays": ["mon", "sun"], "from": "22:00", "until": "06:30",
                       "networks": ["10.0.0.0/8"]}})");

    const auto role = role_from(text.get_object());

    ASSERT_TRUE(role) << role.error().message();
    EXPECT_EQ(role->conditions.weekdays, 0b100'0001);
    EXPECT_EQ(role->conditions.until, std::chrono::minutes(390));
    EXPECT_EQ(to_document(*role), text.get_object());
}

TEST(RoleDocument, SaysWhatIsWrong) {
    for (const char* bad : {R"({})", R"({"name": "Night"})", R"({"name": "-x"})",
                            R"({"name": "r", "grants": {"utilities": "all"}})",
                            R"({"name": "r", "grants": {"utilities:fly": "all"}})",
                            R"({"name": "r", "grants": {"utilities:read": "none"}})",
                            R"({"name": "r", "grants": {"utilities:read": true}})",
                            R"({"name": "r", "conditions": {"from": "24:00"}})",
                            R"({"name": "r", "conditions": {"from": "8:00"}})",
                            R"({"name": "r", "conditions": {"from": "-1:00"}})",
                            R"({"name": "r", "conditions": {"weekdays": ["monday"]}})",
                            R"({"name": "r", "conditions": {"networks": ["10.0.0.1/8"]}})",
                            R"({"name": "r", "condition": {}})"}) {
        const auto role = role_from(boost::json::parse(bad).get_object());
        ASSERT_FALSE(role) << bad;
        EXPECT_EQ(role.error().code(), Code::kInvalidArgument) << bad;
    }
}

}  // namespace
}  // namespace zona::identity
