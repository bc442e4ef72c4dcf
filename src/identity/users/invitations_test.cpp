#include "identity/users/invitations.h"

#include <boost/json.hpp>

#include "identity/testing/users_fixture.h"

namespace zona::identity {
namespace {

using namespace std::chrono_literals;
using core::Code;

class InvitationsTest : public UsersFixture {
  protected:
    core::Result<Invitations::Made> invite(NewInvitation wanted,
                                           const Subject& by = super_admin()) {
        return answer_of<Invitations::Made>(
            [&](auto done) { invitations_.create(by, std::move(wanted), std::move(done)); });
    }
    Invitations::Made invited() {
        return invite({.tenant = "acme", .email = "anna@acme.example", .roles = {"creator"}})
            .value();
    }
    core::Result<User> accept(const core::Secret& token, std::string name = "anna",
                              const char* password = kPassword) {
        return answer_of<User>([&](auto done) {
            invitations_.accept(
                {.token = token, .name = std::move(name), .password = secret(password)},
                std::move(done));
        });
    }
    std::vector<Invitation> list() {
        return answer_of<std::vector<Invitation>>(
                   [&](auto done) { invitations_.list("acme", std::move(done)); })
            .value();
    }

    Invitations invitations_{*users_};
};

// AUTH-18, AUTH-40
TEST_F(InvitationsTest, GiveTheirRolesToWhoeverTakesThem) {
    const Invitations::Made made = invited();
    EXPECT_TRUE(made.token.reveal().starts_with("zona_inv_acme."));
    ASSERT_EQ(list().size(), 1U);
    EXPECT_EQ(list()[0].email, "anna@acme.example");

    const User user = accept(made.token).value();

    EXPECT_EQ(user.tenant, "acme");
    EXPECT_EQ(user.name, "anna");
    EXPECT_EQ(user.email, "anna@acme.example");
    EXPECT_EQ(user.roles, std::vector<std::string>{"creator"});
    EXPECT_TRUE(sign_in("anna", kPassword));
    EXPECT_TRUE(list().empty());
}

TEST_F(InvitationsTest, AreGoodOnce) {
    const Invitations::Made made = invited();
    ASSERT_TRUE(accept(made.token));

    EXPECT_EQ(accept(made.token, "bert").error().code(), Code::kUnauthenticated);
}

TEST_F(InvitationsTest, AreGoodUntilTheyEnd) {
    const auto made = invite({.tenant = "acme", .valid_for = 1h}).value();
    clock_.advance(1h);

    EXPECT_EQ(accept(made.token).error().code(), Code::kUnauthenticated);
    EXPECT_EQ(invite({.tenant = "acme", .valid_for = 0s}).error().code(), Code::kInvalidArgument);
    EXPECT_EQ(invite({.tenant = "acme", .valid_for = kMaxInvitation + 1s}).error().code(),
              Code::kInvalidArgument);
}

TEST_F(InvitationsTest, AreGoodNoMoreOnceTheyAreTakenBack) {
    const Invitations::Made made = invited();
    const auto removed = answer_of<Invitation>([&](auto done) {
        invitations_.remove(admin_of("acme"), "acme", made.invitation.id, std::move(done));
    });

    ASSERT_TRUE(removed);
    EXPECT_EQ(accept(made.token).error().code(), Code::kUnauthenticated);
}

TEST_F(InvitationsTest, AreLeftWhenWhatWasChosenIsRefused) {
    margaret();
    const Invitations::Made made = invited();

    EXPECT_EQ(accept(made.token, "margaret").error().code(), Code::kConflict);
    EXPECT_EQ(accept(made.token, "a b").error().code(), Code::kInvalidArgument);
    EXPECT_EQ(accept(made.token, "anna", "short").error().code(), Code::kInvalidArgument);
    EXPECT_TRUE(accept(made.token));
}

// AUTH-42
TEST_F(InvitationsTest, CostNoComputationWithoutAGoodToken) {
    invited();
    const std::uint64_t before = hasher_.computed();

    for (const char* bad : {"", "zona_inv_", "zona_inv_acme", "zona_inv_acme.", "zona_inv_ACME.x",
                            "zona_inv_acme.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
        EXPECT_EQ(accept(secret(bad)).error().code(), Code::kUnauthenticated) << bad;

    EXPECT_EQ(hasher_.computed(), before);
}

TEST_F(InvitationsTest, AreStoredWithoutTheirTokens) {
    const Invitations::Made made = invited();
    const auto record = store::read_and_wait(*core_, [&](store::Reader& reader) {
        return reader.find({invitations_spec(), store::Scope::tenant("acme").value()},
                           made.invitation.id);
    });

    const std::string stored = boost::json::serialize(*record.value().value().document);
    EXPECT_FALSE(stored.contains(made.token.reveal()));
    EXPECT_FALSE(stored.contains("anna@acme.example"));
}

// AUTH-38, GAP-06
TEST_F(InvitationsTest, HaveNoRolesAboveThoseOfWhoeverMakesThem) {
    EXPECT_EQ(invite({.tenant = "", .roles = {"super_admin"}}, admin_of("acme")).error().code(),
              Code::kInvalidTenant);
    const auto held = std::make_shared<const Permissions>(find_built_in("creator")->permissions);
    const Subject creator{.tenant = "acme", .user_id = 9, .permissions = held};
    EXPECT_EQ(invite({.tenant = "acme", .roles = {"admin"}}, creator).error().code(),
              Code::kAccessDenied);
    EXPECT_EQ(accept(invite({.tenant = "", .roles = {"super_admin"}}).value().token).value().tenant,
              "");
}

}  // namespace
}  // namespace zona::identity
