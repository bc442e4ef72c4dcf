#include "identity/federation/federation.h"

#include <boost/json.hpp>

#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "identity/testing/users_fixture.h"
#include "identity/tokens/jws.h"
#include "net/testing/test_server.h"

namespace zona::identity {
namespace {

namespace json = boost::json;
using core::Code;
using core::Result;
using net::Method;
using net::Request;
using net::Response;

/// An OpenID provider whose one user is `claims`, and who says what a test wants.
class TestProvider {
  public:
    explicit TestProvider(const core::Clock& clock) : clock_(clock) {
        server_.route(Method::kGet, "/.well-known/openid-configuration",
                      [this](Request&) -> Result<Response> {
                          const std::lock_guard lock(mutex);
                          ++descriptions;
                          return Response{.body = json::serialize(description())};
                      });
        server_.route(Method::kGet, "/keys", [this](Request&) -> Result<Response> {
            const std::lock_guard lock(mutex);
            const VerificationKey keys[] = {key.verification_key()};
            return Response{.body = render_key_set(keys)};
        });
        server_.route(Method::kPost, "/token",
                      [this](Request& request) -> Result<Response> {
                          const std::lock_guard lock(mutex);
                          return exchange(request);
                      },
                      {.body = net::BodyKind::kAny});
        server_.start();
    }
    std::string issuer() const { return "http://" + server_.endpoint(); }

    /// What a browser gets that signs in at this URL.
    ProviderAnswer sign_in(const SignInBegun& begun) {
        const std::lock_guard lock(mutex);
        nonce = part_of(begun.url, "nonce");
        challenge = part_of(begun.url, "code_challenge");
        return {.attempt = begun.attempt,
                .state = part_of(begun.url, "state"),
                .code = core::Secret(code),
                .issuer = issuer(),
                .address = "192.0.2.7"};
    }
    static std::string part_of(const std::string& url, const std::string& name) {
        const std::size_t at = url.find(name + "=");
        if (at == std::string::npos) return "";
        const std::size_t begin = at + name.size() + 1;
        return url.substr(begin, url.find('&', begin) - begin);
    }

    std::mutex mutex;
    /// @{
    /// Guarded by mutex.
    SigningKey key = first_key();
    json::object claims{{"sub", "248289"},
                        {"preferred_username", "anna"},
                        {"email", "anna@corp.example"},
                        {"groups", {"soc", "staff"}}};
    json::object said;  ///< instead of what it should say
    std::string code = "a-code";
    std::string nonce;
    std::string challenge;
    std::string authorization;
    int descriptions = 0;
    /// @}

  private:
    /// One for all tests: making one takes a second.
    static const SigningKey& first_key() {
        static const SigningKey kKey = SigningKey::generate(SigningAlgorithm::kRs256);
        return kKey;
    }
    json::object description() const {
        json::object out{{"issuer", issuer()},
                         {"authorization_endpoint", issuer() + "/authorize?ui=1"},
                         {"token_endpoint", issuer() + "/token"},
                         {"jwks_uri", issuer() + "/keys"},
                         {"authorization_response_iss_parameter_supported", true}};
        for (const auto& [name, value] : said)
            out[name] = value;
        return out;
    }
    Result<Response> exchange(const Request& request) {
        authorization = std::string(request.headers.find("Authorization").value_or(""));
        const std::string form = request.body;
        const std::string verifier = part_of(form, "code_verifier");
        const bool is_good = part_of(form, "code") == code &&
                             crypto::base64url(crypto::sha256(verifier)) == challenge;
        if (!is_good) return Response{.status = 400, .body = R"({"error": "invalid_grant"})"};
        const std::int64_t now =
            std::chrono::floor<std::chrono::seconds>(clock_.system().time_since_epoch()).count();
        json::object token{
            {"iss", issuer()}, {"aud", "zona"}, {"iat", now}, {"exp", now + 300}, {"nonce", nonce}};
        for (const auto& [name, value] : claims)
            token[name] = value;
        return Response{.body = json::serialize(json::object{
                            {"id_token", sign_jws(json::serialize(token), key, "JWT")}})};
    }

    const core::Clock& clock_;
    net::TestServer server_{net::patient_options(), net::Transport::kTcp};
};

class FederationTest : public UsersFixture {
  protected:
    static constexpr const char* kHere = "http://127.0.0.1:4711/back";

    FederationTest() { set({}); }

    /// Sets up the provider, anew if it is there.
    void set(IdentityProvider wanted) {
        wanted.tenant = "acme";
        wanted.name = "corp";
        wanted.issuer = provider_.issuer();
        wanted.client_id = "zona";
        wanted.client_secret = core::Secret("the client's & own");
        const auto set = [&](auto done) {
            if (is_set_) return providers_.change(super_admin(), wanted, std::move(done));
            providers_.create(super_admin(), wanted, std::move(done));
        };
        ASSERT_TRUE(answer_of<IdentityProvider>(set));
        is_set_ = true;
    }
    Result<SignInBegun> begin(const std::string& back = kHere, const std::string& name = "corp") {
        return answer_of<SignInBegun>(
            [&](auto done) { federation_.begin("acme", name, back, std::move(done)); });
    }
    Result<ProviderSignIn> finish(ProviderAnswer answer) {
        return answer_of<ProviderSignIn>(
            [&](auto done) { federation_.finish(std::move(answer), std::move(done)); });
    }
    Result<ProviderSignIn> sign_in() { return finish(provider_.sign_in(begin().value())); }
    static IdentityProvider newcomers(Newcomers who) {
        IdentityProvider out;
        out.newcomers = who;
        return out;
    }
    void say(const char* claim, json::value value) {
        const std::lock_guard lock(provider_.mutex);
        provider_.claims[claim] = std::move(value);
    }

    TestProvider provider_{clock_};
    net::HttpCaller caller_{
        {.reach = net::Reach::kThisHost, .attempts = 1}, clock_, random_, metrics_};
    IdentityProviders providers_{
        {.core = [this] { return core_; },
         .fields = [this](const std::string& tenant) { return fields(tenant); }}};
    Federation federation_{{.redirect_uri = "https://zona.example/login/callback"},
                           {.providers = providers_,
                            .users = *users_,
                            .caller = caller_,
                            .fields = [this] { return fields(""); },
                            .run_blocking = run_blocking(),
                            .clock = clock_,
                            .random = random_}};
    bool is_set_ = false;
};

// AUTH-26
TEST_F(FederationTest, WhoIsVouchedForIsLetIn) {
    const User anna = create({.tenant = "acme", .name = "Anna", .roles = {"creator"}}).value();
    const auto in = sign_in();
    ASSERT_TRUE(in) << in.error().message();
    EXPECT_EQ(in->who.user_id, anna.id);
    EXPECT_EQ(in->who.roles, anna.roles);
    EXPECT_EQ(in->provider, "corp");
    const User now = find("acme", anna.id).value();
    EXPECT_EQ(now.identity_provider, "corp");
    EXPECT_TRUE(now.last_sign_in_at);
    // The client's id and secret, each as in a form.
    EXPECT_EQ(provider_.authorization,
              "Basic " + crypto::base64(std::as_bytes(
                             std::span(std::string_view("zona:the%20client%27s%20%26%20own")))));
}

// AUTH-26
TEST_F(FederationTest, UrlLeadsToTheProviderAndShowsNoSecret) {
    const SignInBegun begun = begin().value();
    EXPECT_TRUE(begun.url.starts_with(provider_.issuer() + "/authorize?ui=1&response_type=code&"))
        << begun.url;
    EXPECT_EQ(TestProvider::part_of(begun.url, "code_challenge_method"), "S256");
    EXPECT_EQ(TestProvider::part_of(begun.url, "redirect_uri"),
              "http%3A%2F%2F127.0.0.1%3A4711%2Fback");
    EXPECT_FALSE(begun.url.contains(begun.attempt.reveal()));
    EXPECT_NE(begin()->url, begun.url);
}

// AUTH-26
TEST_F(FederationTest, AnswerLetsInOnce) {
    ASSERT_TRUE(create({.tenant = "acme", .name = "anna"}));
    const ProviderAnswer answer = provider_.sign_in(begin().value());
    EXPECT_TRUE(finish(answer));
    EXPECT_EQ(code_of(finish(answer)), Code::kUnauthenticated);
}

// AUTH-26
TEST_F(FederationTest, AnswerIsOfNoUseToOthers) {
    ASSERT_TRUE(create({.tenant = "acme", .name = "anna"}));
    const SignInBegun mine = begin().value();
    const SignInBegun theirs = begin().value();
    const ProviderAnswer good = provider_.sign_in(mine);
    ProviderAnswer bad = good;
    bad.attempt = theirs.attempt;
    EXPECT_EQ(code_of(finish(bad)), Code::kUnauthenticated) << "the state is another's";
    bad.state = TestProvider::part_of(theirs.url, "state");
    EXPECT_EQ(code_of(finish(bad)), Code::kUnauthenticated) << "the code is another's (PKCE)";
    bad = good;
    bad.attempt = core::Secret("zenc1.made-up");
    EXPECT_EQ(code_of(finish(bad)), Code::kUnauthenticated);
    bad.attempt = {};
    EXPECT_EQ(code_of(finish(bad)), Code::kUnauthenticated);
    bad = good;
    bad.state += "x";
    EXPECT_EQ(code_of(finish(bad)), Code::kUnauthenticated);
    bad = good;
    bad.code = core::Secret("another");
    EXPECT_EQ(code_of(finish(bad)), Code::kUnauthenticated);
    bad = good;
    bad.code = {};
    bad.error = "access_denied";
    EXPECT_TRUE(finish(bad).error().message().contains("access_denied"));
    bad.error = "<script>";
    EXPECT_FALSE(finish(bad).error().message().contains("script"));
    EXPECT_TRUE(finish(good));
}

// AUTH-26
TEST_F(FederationTest, AttemptIsOverAfterAWhile) {
    ASSERT_TRUE(create({.tenant = "acme", .name = "anna"}));
    const ProviderAnswer answer = provider_.sign_in(begin().value());
    clock_.advance(kAttemptTime);
    EXPECT_EQ(code_of(finish(answer)), Code::kUnauthenticated);
}

// AUTH-26
TEST_F(FederationTest, AnswerOfAnotherProviderIsNotMixedUp) {
    ASSERT_TRUE(create({.tenant = "acme", .name = "anna"}));
    ProviderAnswer answer = provider_.sign_in(begin().value());
    answer.issuer = "https://evil.example";
    EXPECT_EQ(code_of(finish(answer)), Code::kUnauthenticated);
    answer.issuer = "";
    EXPECT_EQ(code_of(finish(answer)), Code::kUnauthenticated) << "it says that it names itself";
}

// AUTH-26
TEST_F(FederationTest, TokenOfAnotherSignInIsRefused) {
    ASSERT_TRUE(create({.tenant = "acme", .name = "anna"}));
    say("nonce", "of another sign-in");
    EXPECT_EQ(code_of(sign_in()), Code::kInvalidToken);
    say("nonce", nullptr);
    EXPECT_EQ(code_of(sign_in()), Code::kInvalidToken);
}

// AUTH-26
TEST_F(FederationTest, NewKeysOfAProviderAreFound) {
    ASSERT_TRUE(create({.tenant = "acme", .name = "anna"}));
    ASSERT_TRUE(sign_in());
    {
        const std::lock_guard lock(provider_.mutex);
        provider_.key = SigningKey::generate(SigningAlgorithm::kEs256);
    }
    // They were read a moment ago: whoever shows tokens of unknown keys makes nobody ask again.
    EXPECT_EQ(code_of(sign_in()), Code::kInvalidToken);
    clock_.advance(kKeyPause);
    EXPECT_TRUE(sign_in());
    EXPECT_EQ(provider_.descriptions, 1);
    clock_.advance(kProviderKept);
    EXPECT_TRUE(sign_in());
    EXPECT_EQ(provider_.descriptions, 2);
}

// AUTH-26
TEST_F(FederationTest, StrangersAreMadeUsersOnlyWhereThatIsSet) {
    EXPECT_EQ(code_of(sign_in()), Code::kAccessDenied);
    set(newcomers(Newcomers::kCreate));
    const auto in = sign_in();
    ASSERT_TRUE(in) << in.error().message();
    const User made = find("acme", in->who.user_id).value();
    EXPECT_EQ(made.name, "anna");
    EXPECT_EQ(made.email, "anna@corp.example");
    EXPECT_TRUE(made.roles.empty()) << "AUTH-40: nothing is given by itself";
    EXPECT_FALSE(made.has_password);
}

// AUTH-26
TEST_F(FederationTest, SubjectCountsAndNotTheName) {
    set(newcomers(Newcomers::kCreate));
    const auto first = sign_in();
    say("preferred_username", "anna.smith");
    EXPECT_EQ(sign_in()->who.user_id, first->who.user_id) << "renamed there";
    say("sub", "another");
    EXPECT_NE(sign_in()->who.user_id, first->who.user_id);
    say("preferred_username", "anna");
    say("sub", "a third");
    EXPECT_EQ(code_of(sign_in()), Code::kAccessDenied) << "that name is another account's";
}

// AUTH-26
TEST_F(FederationTest, WhoHasAPasswordIsNotTakenOverByAName) {
    margaret();
    say("preferred_username", "margaret");
    set(newcomers(Newcomers::kCreate));
    EXPECT_EQ(code_of(sign_in()), Code::kAccessDenied);
    set(newcomers(Newcomers::kExisting));
    EXPECT_TRUE(sign_in()) << "an administrator links them by this setting";
}

// AUTH-26, AUTH-32
TEST_F(FederationTest, GroupsBecomeRolesWithEachSignIn) {
    IdentityProvider wanted = newcomers(Newcomers::kCreate);
    wanted.role_map = {{"soc", "creator"}, {"boss", "admin"}};
    wanted.default_roles = {"user"};
    set(wanted);
    const auto in = sign_in();
    using Roles = std::vector<std::string>;
    EXPECT_EQ(in->who.roles, (Roles{"creator", "user"}));
    told_.clear();
    EXPECT_TRUE(sign_in());
    EXPECT_TRUE(told_.empty());
    say("groups", json::array{"boss"});
    EXPECT_EQ(sign_in()->who.roles, (Roles{"admin", "user"}));
    EXPECT_EQ(told_, std::vector<std::int64_t>{in->who.user_id}) << "sessions of before end";
    say("groups", json::array{});
    EXPECT_EQ(sign_in()->who.roles, Roles{"user"});
}

// SEC-22
TEST_F(FederationTest, NewPlacesAreSeen) {
    ASSERT_TRUE(create({.tenant = "acme", .name = "anna"}));
    const auto from = [&](const std::string& address) {
        ProviderAnswer answer = provider_.sign_in(begin().value());
        answer.address = address;
        return finish(answer).value().who.from_new_place;
    };
    EXPECT_FALSE(from("192.0.2.7")) << "the first one is no news";
    EXPECT_FALSE(from("192.0.2.7"));
    EXPECT_TRUE(from("198.51.100.7"));
    EXPECT_FALSE(from("")) << "this host's socket is no place";
}

// AUTH-26
TEST_F(FederationTest, DisabledUsersStayOut) {
    const User anna = create({.tenant = "acme", .name = "anna"}).value();
    ASSERT_TRUE(sign_in());
    ASSERT_TRUE(change(anna.id, {.status = UserStatus::kDisabled}));
    EXPECT_EQ(code_of(sign_in()), Code::kUnauthenticated);
}

// AUTH-27
TEST_F(FederationTest, SwitchedOffProvidersLetNobodyIn) {
    ASSERT_TRUE(create({.tenant = "acme", .name = "anna"}));
    const ProviderAnswer answer = provider_.sign_in(begin().value());
    IdentityProvider off;
    off.enabled = false;
    set(off);
    EXPECT_EQ(code_of(begin()), Code::kNotFound);
    EXPECT_EQ(code_of(finish(answer)), Code::kNotFound);
    EXPECT_EQ(code_of(begin(kHere, "partners")), Code::kNotFound);
}

// AUTH-26
TEST_F(FederationTest, PeopleAreSentBackToNobodyElse) {
    EXPECT_TRUE(begin("https://zona.example/login/callback"));
    EXPECT_TRUE(begin("http://[::1]:1/"));
    for (const char* back :
         {"", "https://evil.example/", "https://zona.example/login/callback/../x",
          "https://zona.example/login/callback?x=y", "http://127.0.0.1/", "http://127.0.0.1:0/",
          "http://127.0.0.1:65536/", "http://127.0.0.1:80@evil.example/",
          "http://127.0.0.1:80.evil.example/", "http://localhost:80/", "http://127.0.0.1:80/#x"})
        EXPECT_EQ(code_of(begin(back)), Code::kInvalidArgument) << back;
}

// AUTH-26
TEST_F(FederationTest, DescriptionOfAnotherIssuerIsRefused) {
    {
        const std::lock_guard lock(provider_.mutex);
        provider_.said = {{"issuer", "https://evil.example"}};
    }
    EXPECT_EQ(code_of(begin()), Code::kUnavailable);
}

}  // namespace
}  // namespace zona::identity
