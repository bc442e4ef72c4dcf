#include "identity/access/permissions.h"

#include <array>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace zona::identity {
namespace {

using core::Code;

constexpr std::int64_t kMe = 7;
constexpr std::int64_t kSomebody = 8;

/// What the table of document 003 says of a role and one kind of thing to do.
enum class Cell : std::uint8_t { kNo, kOwn, kAll, kLimited };

Subject subject_of(std::string_view role, std::string tenant = "acme") {
    const BuiltInRole* found = find_built_in(role);
    return {.tenant = role == "super_admin" ? "" : std::move(tenant),
            .user_id = kMe,
            .permissions = std::make_shared<const Permissions>(found->permissions)};
}

const Context kNow{};

bool may(const Subject& who, Permission what, const Object& object) {
    return decide(who, what, object, kNow).has_value();
}

Code refusal(const Subject& who, Permission what, const Object& object) {
    const auto decided = decide(who, what, object, kNow);
    return decided ? Code::kInternal : decided.error().code();
}

struct Line {
    const char* role;
    Cell create, read, execute, remove, admin;
};

// As document 003 has it, word by word.
constexpr Line kMatrix[] = {
    {"user", Cell::kOwn, Cell::kOwn, Cell::kOwn, Cell::kNo, Cell::kNo},
    {"creator", Cell::kOwn, Cell::kOwn, Cell::kOwn, Cell::kOwn, Cell::kNo},
    {"admin", Cell::kAll, Cell::kAll, Cell::kAll, Cell::kAll, Cell::kLimited},
    {"super_admin", Cell::kAll, Cell::kAll, Cell::kAll, Cell::kAll, Cell::kAll}};

void expect_cell(const Line& line, Action action, Cell cell) {
    SCOPED_TRACE(fmt::format("{} {}", line.role, to_string(action)));
    const Subject who = subject_of(line.role);
    const Permission what{Resource::kUtilities, action};
    EXPECT_EQ(may(who, what, {.tenant = "acme", .owner = kMe}), cell != Cell::kNo);
    EXPECT_EQ(may(who, what, {.tenant = "acme", .owner = kSomebody}), cell == Cell::kAll);
    EXPECT_EQ(may(who, what, {.tenant = "acme"}), cell == Cell::kAll);
}

// AUTH-35, AUTH-36, AUTH-37, AUTH-38, AUTH-39
TEST(Permissions, AreThoseOfTheMatrixForWorkOfOnesOwnAndOfOthers) {
    for (const Line& line : kMatrix) {
        expect_cell(line, Action::kCreate, line.create);
        expect_cell(line, Action::kUpdate, line.create);  // GAP-06
        expect_cell(line, Action::kRead, line.read);
        expect_cell(line, Action::kExecute, line.execute);
        expect_cell(line, Action::kDelete, line.remove);
    }
}

// AUTH-36, AUTH-37, AUTH-38, AUTH-39
TEST(Permissions, OfAdminFunctionsAreLimitedToTheTenantForAdmins) {
    // GAP-06: all inside the tenant but licence, tenant registry, key management.
    constexpr Resource kInside[] = {
        Resource::kUsers,       Resource::kRoles,      Resource::kInvitations,
        Resource::kSessions,    Resource::kApiKeys,    Resource::kIdentityProviders,
        Resource::kCredentials, Resource::kTenantData, Resource::kTenantSettings,
        Resource::kTenantJobs,  Resource::kAudit,      Resource::kPersonalData,
        Resource::kCache};
    constexpr Resource kOutside[] = {Resource::kTenants, Resource::kLicense, Resource::kKeys,
                                     Resource::kProcesses, Resource::kSystem};
    static_assert(std::size(kInside) + std::size(kOutside) + 6 == kResources);
    for (const Line& line : kMatrix) {
        const Subject who = subject_of(line.role);
        for (std::size_t a = 0; a < kActions; ++a) {
            const auto action = static_cast<Action>(a);
            for (const Resource inside : kInside) {
                SCOPED_TRACE(
                    fmt::format("{} {}:{}", line.role, to_string(inside), to_string(action)));
                const bool expected = line.admin != Cell::kNo;
                EXPECT_EQ(may(who, {inside, action}, {.tenant = "acme"}), expected);
                EXPECT_EQ(may(who, {inside, action}, {.tenant = "acme", .owner = kMe}), expected);
            }
            for (const Resource outside : kOutside) {
                SCOPED_TRACE(
                    fmt::format("{} {}:{}", line.role, to_string(outside), to_string(action)));
                EXPECT_EQ(may(who, {outside, action}, {}), line.admin == Cell::kAll);
                EXPECT_EQ(may(who, {outside, action}, {.tenant = "acme"}),
                          line.admin == Cell::kAll);
            }
        }
    }
}

// TEN-16, AUTH-35, AUTH-38, AUTH-39
TEST(Permissions, ReachOtherTenantsForSuperAdminsOnly) {
    for (const Line& line : kMatrix) {
        SCOPED_TRACE(line.role);
        const Subject who = subject_of(line.role);
        const bool crosses_tenants = std::string_view(line.role) == "super_admin";
        for (std::size_t a = 0; a + 1 < kActions; ++a) {
            const Permission what{Resource::kUtilities, static_cast<Action>(a)};
            EXPECT_EQ(may(who, what, {.tenant = "globex", .owner = kMe}), crosses_tenants);
            if (!crosses_tenants)
                EXPECT_EQ(refusal(who, what, {.tenant = "globex"}), Code::kInvalidTenant);
        }
        EXPECT_TRUE(crosses(who, {.tenant = "globex"}));
    }
    EXPECT_FALSE(crosses(subject_of("admin"), {.tenant = "acme"}));
    EXPECT_EQ(refusal(subject_of("admin"), {Resource::kLicense, Action::kRead}, {}),
              Code::kAccessDenied);
}

// AUTH-40
TEST(Permissions, AreNoneWithoutARole) {
    const Subject nobody{.tenant = "acme", .user_id = kMe, .permissions = nullptr};
    const Subject new_user{
        .tenant = "acme", .user_id = kMe, .permissions = std::make_shared<const Permissions>()};
    for (std::size_t r = 0; r < kResources; ++r) {
        for (std::size_t a = 0; a < kActions; ++a) {
            const Permission what{static_cast<Resource>(r), static_cast<Action>(a)};
            EXPECT_EQ(refusal(nobody, what, {.tenant = "acme", .owner = kMe}), Code::kAccessDenied);
            EXPECT_EQ(refusal(new_user, what, {.tenant = "acme", .owner = kMe}),
                      Code::kAccessDenied);
        }
    }
}

// AUTH-33
TEST(Permissions, OnOnesOwnAreNoneForAKeyThatOwnsNothing) {
    Subject key = subject_of("user");
    key.user_id = 0;

    EXPECT_FALSE(may(key, {Resource::kUtilities, Action::kRead}, {.tenant = "acme", .owner = 0}));
}

// AUTH-33
TEST(Permissions, UnderConditionsHoldOnlyWhileTheyDo) {
    Permissions held;
    Conditions office;
    office.networks.push_back(net::Network::parse("10.0.0.0/8").value());
    Grants grants;
    grants.add({Resource::kUtilities, Action::kDelete}, Extent::kAll);
    held.sometimes.push_back({office, grants});
    const Subject who{
        .tenant = "acme", .user_id = kMe, .permissions = std::make_shared<const Permissions>(held)};
    const Permission what{Resource::kUtilities, Action::kDelete};

    EXPECT_TRUE(decide(who, what, {.tenant = "acme"}, {.time = {}, .address = "10.1.2.3"}));
    const auto elsewhere =
        decide(who, what, {.tenant = "acme"}, {.time = {}, .address = "192.0.2.1"});
    ASSERT_FALSE(elsewhere);
    EXPECT_EQ(elsewhere.error().code(), Code::kAccessDenied);
}

// AUTH-35
TEST(Permissions, HaveNamesThatReadBack) {
    for (std::size_t r = 0; r < kResources; ++r) {
        const auto resource = static_cast<Resource>(r);
        EXPECT_EQ(resource_from(to_string(resource)), resource);
    }
    for (std::size_t a = 0; a < kActions; ++a)
        EXPECT_EQ(action_from(to_string(static_cast<Action>(a))), static_cast<Action>(a));
    EXPECT_EQ(resource_from("everything"), std::nullopt);
    EXPECT_EQ(extent_from("own"), Extent::kOwn);
}

}  // namespace
}  // namespace zona::identity
