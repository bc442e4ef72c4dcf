#include "identity/users/users.h"

#include <boost/json.hpp>

#include "identity/testing/users_fixture.h"

namespace zona::identity {
namespace {

using core::Code;

class UsersTest : public UsersFixture {
  protected:
    core::Result<std::optional<User>> by_email(const std::string& email) {
        return answer_of<std::optional<User>>(
            [&](auto done) { users_->find_by_email("acme", email, std::move(done)); });
    }
    core::Result<User> remove(std::int64_t id, const Subject& by = super_admin()) {
        return answer_of<User>([&](auto done) { users_->remove(by, "acme", id, std::move(done)); });
    }
    store::Record record_of(std::int64_t id) {
        return store::read_and_wait(
                   *core_,
                   [&](store::Reader& reader) {
                       return reader.find({users_spec(), store::Scope::tenant("acme").value()}, id);
                   })
            .value()
            .value();
    }
};

// AUTH-40, DATA-38
TEST_F(UsersTest, BeginWithWhatTheyWereGivenAndNoRoles) {
    const User made = margaret();

    EXPECT_EQ(made.id, 1);
    EXPECT_EQ(made.tenant, "acme");
    EXPECT_EQ(made.name, "Margaret");
    EXPECT_EQ(made.email, "margaret@acme.example");
    EXPECT_TRUE(made.roles.empty());
    EXPECT_EQ(made.status, UserStatus::kActive);
    EXPECT_TRUE(made.has_password);
    EXPECT_FALSE(made.has_second_factor);
    EXPECT_EQ(find("acme", made.id).value().name, "Margaret");
    EXPECT_EQ(find("globex", made.id).error().code(), Code::kNotFound);
}

// SEC-01
TEST_F(UsersTest, LieInTheDatabaseWithTheirSecretsSealed) {
    const User made = margaret();
    const std::string stored = boost::json::serialize(*record_of(made.id).document);

    EXPECT_FALSE(stored.contains("argon2id"));
    EXPECT_FALSE(stored.contains("@acme.example"));
    EXPECT_TRUE(stored.contains("zenc1."));
}

TEST_F(UsersTest, AreFoundByTheirAddressWhateverItsCase) {
    const User made = margaret();

    EXPECT_EQ(by_email("MARGARET@acme.example").value().value().id, made.id);
    EXPECT_FALSE(by_email("anna@acme.example").value());
    ASSERT_TRUE(change(made.id, {.email = "peggy@acme.example"}));
    EXPECT_FALSE(by_email("margaret@acme.example").value());
    EXPECT_TRUE(by_email("peggy@acme.example").value());
    ASSERT_TRUE(change(made.id, {.email = ""}));
    EXPECT_FALSE(by_email("peggy@acme.example").value());
}

TEST_F(UsersTest, HaveNamesOfTheirOwnInEachTenant) {
    ASSERT_EQ(margaret().id, 1);

    EXPECT_EQ(create({.tenant = "acme", .name = "MARGARET"}).error().code(), Code::kConflict);
    EXPECT_EQ(
        create({.tenant = "acme", .name = "anna", .email = "Margaret@ACME.example"}).error().code(),
        Code::kConflict);
    EXPECT_EQ(create({.tenant = "globex", .name = "margaret"}).value().id, 2);
}

TEST_F(UsersTest, AreRefusedWithWhatIsWrong) {
    for (const char* name : {"", "-x", "a b", "a\n", "ä"})
        EXPECT_EQ(create({.tenant = "acme", .name = name}).error().code(), Code::kInvalidArgument);
    EXPECT_EQ(create({.tenant = "acme", .name = std::string(129, 'a')}).error().code(),
              Code::kInvalidArgument);
    for (const char* email : {"x", "@x", "x@", "a b@x", "a@b@c"}) {
        EXPECT_EQ(create({.tenant = "acme", .name = "a", .email = email}).error().code(),
                  Code::kInvalidArgument)
            << email;
    }
    EXPECT_EQ(create({.tenant = "acme", .name = "a", .password = secret("short")}).error().code(),
              Code::kInvalidArgument);
    EXPECT_EQ(create({.tenant = "acme", .name = "a", .roles = {"nobody"}}).error().code(),
              Code::kNotFound);
    EXPECT_EQ(create({.tenant = "acme", .name = "a", .roles = {"user", "user"}}).error().code(),
              Code::kInvalidArgument);
}

// AUTH-38, AUTH-39, GAP-06
TEST_F(UsersTest, GetNoRolesAboveThoseOfWhoeverGivesThem) {
    const Subject admin = admin_of("acme");

    EXPECT_TRUE(create({.tenant = "acme", .name = "a", .roles = {"admin"}}, admin));
    EXPECT_EQ(code_of(create({.tenant = "acme", .name = "b", .roles = {"super_admin"}})),
              Code::kInvalidArgument);
    EXPECT_EQ(code_of(create({.tenant = "", .name = "c", .roles = {"super_admin"}}, admin)),
              Code::kInvalidTenant);
    EXPECT_EQ(code_of(create({.tenant = "globex", .name = "d"}, admin)), Code::kInvalidTenant);
    EXPECT_EQ(create({.tenant = "", .name = "root", .roles = {"super_admin"}}).value().tenant, "");

    auto creator = std::make_shared<const Permissions>(find_built_in("creator")->permissions);
    const Subject lesser{.tenant = "acme", .user_id = 9, .permissions = creator};
    EXPECT_EQ(code_of(create({.tenant = "acme", .name = "e", .roles = {"admin"}}, lesser)),
              Code::kAccessDenied);
    EXPECT_EQ(code_of(change(1, {.roles = std::vector<std::string>{}}, lesser)),
              Code::kAccessDenied);
    EXPECT_EQ(code_of(change(1, {.password = secret("orbit kettle tulip")}, lesser)),
              Code::kAccessDenied);
    EXPECT_EQ(code_of(remove(1, lesser)), Code::kAccessDenied);
}

// GAP-52
TEST_F(UsersTest, TakeNoneOfTheirLastPasswordsAgain) {
    const User made = margaret();
    const char* const later[] = {"blue kettle 41 walrus", "gravel anthem 7 lung",
                                 "orbit pelican sofa 3", "mustard plinth 19 echo",
                                 "velvet quarry 88 oboe"};

    EXPECT_EQ(change(made.id, {.password = secret(kPassword)}).error().code(),
              Code::kInvalidArgument);
    for (const char* password : later)
        ASSERT_TRUE(change(made.id, {.password = secret(password)}));
    EXPECT_EQ(change(made.id, {.password = secret(later[1])}).error().code(),
              Code::kInvalidArgument);
    EXPECT_TRUE(change(made.id, {.password = secret(kPassword)}));
}

TEST_F(UsersTest, TellOfWhatEndsSessions) {
    const User made = margaret();

    ASSERT_TRUE(change(made.id, {.email = "m@acme.example"}));
    EXPECT_TRUE(told_.empty());
    ASSERT_TRUE(change(made.id, {.status = UserStatus::kDisabled}));
    ASSERT_TRUE(change(made.id, {.roles = std::vector<std::string>{"user"}}));
    ASSERT_TRUE(change(made.id, {.password = secret("blue kettle 41 walrus")}));
    ASSERT_TRUE(change(made.id, {.must_change_password = false}));
    EXPECT_EQ(told_.size(), 3U);
    ASSERT_TRUE(change(made.id, {.must_change_password = true}));
    ASSERT_TRUE(remove(made.id));
    EXPECT_EQ(told_.size(), 5U);
}

// AUTH-38, GAP-06
TEST_F(UsersTest, AreNoWeakerForARoleThatIsGone) {
    const User made = margaret({"admin"});
    const store::Collection users(users_spec(), store::Scope::tenant("acme").value());
    ASSERT_TRUE(store::write_and_wait(*core_, [&](store::Writer& writer) -> core::Result<bool> {
        ZONA_TRY(const auto found, writer.find(users, made.id));
        store::Document document = *found->document;
        document["roles"] = {"gone", "admin"};
        ZONA_TRY(const auto stored, writer.replace(users, made.id, document));
        return true;
    }));
    auto creator = std::make_shared<const Permissions>(find_built_in("creator")->permissions);
    const Subject lesser{.tenant = "acme", .user_id = 9, .permissions = creator};

    EXPECT_EQ(code_of(change(made.id, {.password = secret("orbit kettle tulip")}, lesser)),
              Code::kAccessDenied);
    EXPECT_EQ(code_of(remove(made.id, lesser)), Code::kAccessDenied);
    EXPECT_TRUE(change(made.id, {.roles = std::vector<std::string>{}}, admin_of("acme")));
}

TEST_F(UsersTest, AreListedPageByPage) {
    for (const char* name : {"a", "b", "c"})
        ASSERT_TRUE(create({.tenant = "acme", .name = name}));
    ASSERT_TRUE(create({.tenant = "globex", .name = "x"}));
    const auto list = [&](std::string token) {
        return answer_of<Users::Page>([&](auto done) {
                   users_->list("acme", {.limit = 2, .token = std::move(token)}, std::move(done));
               })
            .value();
    };

    const Users::Page first = list("");
    ASSERT_EQ(first.users.size(), 2U);
    const Users::Page second = list(first.next);
    ASSERT_EQ(second.users.size(), 1U);
    EXPECT_EQ(second.users[0].name, "c");
    EXPECT_TRUE(second.next.empty());
}

TEST_F(UsersTest, AreGoneWithAllOfTheirTenant) {
    margaret();
    ASSERT_FALSE(sign_in("margaret", "wrong"));
    ASSERT_TRUE(create({.tenant = "globex", .name = "x"}));
    const store::Scope acme = store::Scope::tenant("acme").value();
    const auto remove_some = [&] {
        return store::write_and_wait(
                   *core_,
                   [&](store::Writer& writer) { return remove_identity_of(writer, acme, 1); })
            .value();
    };

    std::uint64_t removed = 0;
    while (const std::uint64_t some = remove_some())
        removed += some;

    EXPECT_EQ(removed, 4U);  // the user, the key of addresses, two counts with the tenant's name
    EXPECT_EQ(find("acme", 1).error().code(), Code::kNotFound);
    EXPECT_TRUE(find("globex", 2));
}

TEST_F(UsersTest, AreUnavailableWhileTheCoreDatabaseIsClosed) {
    core_.reset();

    EXPECT_EQ(find("acme", 1).error().code(), Code::kUnavailable);
    EXPECT_EQ(sign_in("margaret", kPassword).error().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace zona::identity
