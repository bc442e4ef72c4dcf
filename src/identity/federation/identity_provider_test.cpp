#include "identity/federation/identity_provider.h"

#include <boost/json.hpp>

#include "identity/testing/users_fixture.h"

namespace zona::identity {
namespace {

namespace json = boost::json;
using core::Code;
using core::Result;

class IdentityProviderTest : public UsersFixture {
  protected:
    static IdentityProvider corp() {
        IdentityProvider out;
        out.tenant = "acme";
        out.name = "corp";
        out.display_name = "Corporate login";
        out.issuer = "https://login.example/realms/corp";
        out.client_id = "zona";
        out.client_secret = core::Secret("the-clients-own");
        out.role_map = {{"soc", "creator"}};
        out.default_roles = {"user"};
        return out;
    }
    Result<IdentityProvider> create(IdentityProvider wanted, const Subject& by = super_admin()) {
        return answer_of<IdentityProvider>(
            [&](auto done) { providers_.create(by, std::move(wanted), std::move(done)); });
    }
    Result<IdentityProvider> change(IdentityProvider wanted, const Subject& by = super_admin()) {
        return answer_of<IdentityProvider>(
            [&](auto done) { providers_.change(by, std::move(wanted), std::move(done)); });
    }
    Result<IdentityProvider> find(const std::string& tenant, const std::string& name) {
        return answer_of<IdentityProvider>(
            [&](auto done) { providers_.find(tenant, name, std::move(done)); });
    }
    static Code code_of_document(const char* text) {
        const auto read = provider_from(json::parse(text).get_object());
        return read ? Code::kInternal : read.error().code();
    }

    IdentityProviders providers_{
        {.core = [this] { return core_; },
         .fields = [this](const std::string& tenant) { return fields(tenant); }}};
};

// AUTH-27
TEST_F(IdentityProviderTest, TenantsHaveTheirOwn) {
    ASSERT_TRUE(create(corp()));
    IdentityProvider second = corp();
    second.name = "partners";
    ASSERT_TRUE(create(second));
    IdentityProvider others = corp();
    others.tenant = "globex";
    others.issuer = "https://login.globex.example";
    ASSERT_TRUE(create(others));
    EXPECT_EQ(find("acme", "corp")->issuer, corp().issuer);
    EXPECT_EQ(find("globex", "corp")->issuer, others.issuer);
    EXPECT_EQ(code_of(find("globex", "partners")), Code::kNotFound);
    const auto all = answer_of<std::vector<IdentityProvider>>(
        [&](auto done) { providers_.list("acme", std::move(done)); });
    EXPECT_EQ(all->size(), 2U);
    EXPECT_EQ(code_of(create(corp())), Code::kConflict);
    EXPECT_EQ(code_of(create({})), Code::kInvalidArgument) << "nobody's";
}

// AUTH-26
TEST_F(IdentityProviderTest, ItsSecretIsSealedAndKept) {
    ASSERT_TRUE(create(corp()));
    const auto dump = store::read_and_wait(*core_, [](store::Reader& core) {
        const store::Collection all(identity_providers_spec(), *store::Scope::tenant("acme"));
        return core.find(all, "corp");
    });
    EXPECT_FALSE(json::serialize(*(*dump)->document).contains("the-clients-own"));
    IdentityProvider without = corp();
    without.client_secret = {};
    without.display_name = "Another";
    EXPECT_EQ(change(without)->client_secret.reveal(), "the-clients-own");
    without.issuer = "https://elsewhere.example";
    EXPECT_EQ(code_of(change(without)), Code::kInvalidArgument)
        << "it would be sent to whom it was not given for";
    EXPECT_FALSE(json::serialize(to_document(*find("acme", "corp"))).contains("secret"));
}

// AUTH-26, GAP-06
TEST_F(IdentityProviderTest, NobodyGivesByItWhatTheyMayNot) {
    const Subject admin = admin_of("acme");
    ASSERT_TRUE(create(corp(), admin));
    IdentityProvider more = corp();
    more.role_map = {{"everybody", "super_admin"}};
    EXPECT_EQ(code_of(change(more, admin)), Code::kInvalidArgument);
    more.role_map = {{"everybody", "no-such-role"}};
    EXPECT_EQ(code_of(change(more, admin)), Code::kNotFound);
    EXPECT_EQ(code_of(change(corp(), admin_of("globex"))), Code::kInvalidTenant);
    const Subject nobody{.tenant = "acme"};
    EXPECT_EQ(code_of(change(corp(), nobody)), Code::kAccessDenied);
    EXPECT_EQ(code_of(answer_of<IdentityProvider>(
                  [&](auto done) { providers_.remove(nobody, "acme", "corp", std::move(done)); })),
              Code::kAccessDenied);
}

TEST_F(IdentityProviderTest, DocumentsGoBothWays) {
    const IdentityProvider given = corp();
    const auto read = provider_from(to_document(given));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(read->name, given.name);
    EXPECT_EQ(read->role_map, given.role_map);
    EXPECT_EQ(read->default_roles, given.default_roles);
    EXPECT_EQ(read->claims, given.claims);
    EXPECT_EQ(read->newcomers, Newcomers::kExisting);
}

TEST_F(IdentityProviderTest, BadDocumentsAreRefused) {
    for (
        const char* text :
        {R"({})", R"({"name": "Corp", "issuer": "https://i.example", "client_id": "c"})",
         R"({"name": "corp", "issuer": "i.example", "client_id": "c"})",
         R"({"name": "corp", "issuer": "https://anna@i.example", "client_id": "c"})",
         R"({"name": "corp", "issuer": "https://i.example?a=b", "client_id": "c"})",
         R"({"name": "corp", "issuer": "https://i.example", "client_id": ""})",
         R"({"name": "corp", "issuer": "https://i.example", "client_id": "c", "scopes": ["email"]})",
         R"({"name": "corp", "issuer": "https://i.example", "client_id": "c", "newcomers": "all"})",
         R"({"name": "corp", "issuer": "https://i.example", "client_id": "c\n"})",
         R"({"name": "corp", "issuer": "https://i.example", "client_id": "c", "role": {}})",
         R"({"name": "corp", "issuer": "https://i.example", "client_id": "c",
              "claims": {"name": ""}})"})
        EXPECT_EQ(code_of_document(text), Code::kInvalidArgument) << text;
}

}  // namespace
}  // namespace zona::identity
