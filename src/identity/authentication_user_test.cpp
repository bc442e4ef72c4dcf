#include <functional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "identity/authentication.h"
#include "identity/caller.h"
#include "identity/testing/keys_fixture.h"
#include "identity/testing/sessions_fixture.h"
#include "identity/users/collections.h"

namespace zona::identity {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using core::Code;

/// A chain of authentication alone, with the sessions of one zona.
class UserAuthenticationTest : public SessionsFixture {
  protected:
    UserAuthenticationTest() {
        keys_->begin(core_keys_.database, kAlone);
        roles_ = {"user"};
        std::vector<net::Middleware> one;
        one.push_back(authenticate({.keys = *keys_.keys,
                                    .sessions = [this] { return open_ ? zona_.sessions : nullptr; },
                                    .permissions = &permissions_},
                                   {.first_delay = 1ms, .longest_delay = 2ms, .recheck = 1ms},
                                   clock_, log_.logger("security"), metrics_));
        chain_.emplace(std::move(one), [this](net::Request&) { return answer(); });
        request_.peer = net::TcpPeer{"203.0.113.7", 4711};
    }

    /// The status of the answer to a request with this field.
    int ask(std::string_view header, const std::string& value) {
        request_.clear();
        request_.method = net::Method::kPost;
        request_.peer = net::TcpPeer{"203.0.113.7", 4711};
        request_.headers.add(header, value);
        if (!extra_.name.empty()) request_.headers.add(extra_.name, extra_.value);
        handled_ = 0;
        asio::io_context context;
        auto answer = asio::co_spawn(context, (*chain_)(request_), asio::use_future);
        context.run();
        response_ = answer.get();
        EXPECT_EQ(handled_ == 1, !response_.failure.has_value());
        return response_.status;
    }
    int ask_as_bearer(const std::string& token) { return ask("Authorization", "Bearer " + token); }
    int ask_with(const Tokens& tokens) {
        return ask_as_bearer(std::string(tokens.access.reveal()));
    }
    Code refusal() const {
        return response_.failure ? response_.failure->error.code() : Code::kInternal;
    }
    net::asio::awaitable<core::Result<net::Response>> answer() {
        ++handled_;
        if (streams_) {
            co_return net::Response::streaming("text/plain", endless, net::StreamEnd::kOnDrain);
        }
        co_return net::Response::success("1");
    }
    /// Ends when it is cancelled alone.
    static net::asio::awaitable<core::Result<void>> endless(net::BodyWriter&) {
        asio::steady_timer timer(co_await asio::this_coro::executor, core::SteadyTime::max());
        co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        co_return core::Result<void>();
    }
    /// What the roles of acme's analyst allow from now on.
    void set_analyst(Extent extent, bool first = false) {
        Role role{.tenant = "acme",
                  .name = "analyst",
                  .grants = {{{Resource::kUtilities, Action::kRead}, extent}}};
        auto made = wait<Role>([&](auto done) {
            first ? own_roles_.create(super_admin(), role, std::move(done))
                  : own_roles_.change(super_admin(), role, std::move(done));
        });
        ASSERT_TRUE(made) << made.error().message();
        permissions_.forget("acme");
    }

    core::MetricRegistry metrics_;
    KeyDatabase core_keys_{clock_};
    KeysOfHome keys_{clock_, random_};
    Instance zona_{*this, {}};
    bool open_ = true;
    bool streams_ = false;
    Roles own_roles_{{.core = [this] { return core_keys_.database; }}};
    PermissionCache permissions_{own_roles_, clock_, 0ms};
    std::optional<net::Chain> chain_;
    net::Parameter extra_;  ///< another field of the request
    net::Request request_;
    net::Response response_;
    int handled_ = 0;
};

// AUTH-11, AUTH-16, AUTH-43
TEST_F(UserAuthenticationTest, ATokenSaysWhoAsksAndWhatTheyMayDo) {
    const Tokens tokens = begin(zona_).value();
    for (const char* by : {"the store", "the map"}) {
        ASSERT_EQ(ask_with(tokens), 200) << by;
        EXPECT_EQ(request_.principal, "user anna of acme");
        EXPECT_EQ(request_.tenant, "acme");
        EXPECT_EQ(subject_of(request_).user_id, 7);
        ASSERT_NE(user_of(request_), nullptr);
        EXPECT_EQ(user_of(request_)->session, tokens.session.id);
    }
    EXPECT_FALSE(log_.has(std::string(tokens.access.reveal())));
}

// SEC-13
TEST_F(UserAuthenticationTest, ACookieSaysWhoAsksWhereNoHeaderDoes) {
    const std::string cookie(begin_in_browser(zona_).value().cookie.reveal());
    ASSERT_EQ(ask("Cookie", "zona_session=" + cookie), 200);
    EXPECT_EQ(request_.principal, "user anna of acme");
    EXPECT_TRUE(is_by_cookie(request_));
    const Tokens tokens = begin(zona_).value();
    ASSERT_EQ(ask_with(tokens), 200);
    EXPECT_FALSE(is_by_cookie(request_));
    // Each in its own place.
    EXPECT_EQ(ask_as_bearer(cookie), 401);
    EXPECT_EQ(ask("Cookie", "zona_session=" + std::string(tokens.access.reveal())), 401);
    EXPECT_EQ(refusal(), Code::kInvalidToken);
    EXPECT_EQ(ask("Cookie", "zona_session=zona_key_nobody"), 401);
    EXPECT_EQ(ask("Cookie", "other=" + cookie), 401);
    EXPECT_EQ(refusal(), Code::kUnauthenticated);
}

// SEC-13, SEC-31
TEST_F(UserAuthenticationTest, AHeaderDecidesOverACookie) {
    const std::string cookie(begin_in_browser(zona_).value().cookie.reveal());
    extra_ = {"Cookie", "zona_session=" + cookie};
    EXPECT_EQ(ask_as_bearer("letmein"), 401);
    EXPECT_EQ(refusal(), Code::kInvalidToken);
    EXPECT_EQ(ask("Authorization", "Basic YTpi"), 401);
    EXPECT_EQ(ask("X-API-Key", "zona_key_nobody"), 401);
    ASSERT_EQ(ask_with(begin(zona_).value()), 200);
    EXPECT_FALSE(is_by_cookie(request_));
}

// AUTH-04, AUTH-05, AUTH-06, AUTH-12, AUTH-41
TEST_F(UserAuthenticationTest, EachWayToFailHasItsCode) {
    EXPECT_EQ(ask_as_bearer("letmein"), 401);
    EXPECT_EQ(refusal(), Code::kInvalidToken);
    EXPECT_TRUE(response_.headers.find("WWW-Authenticate")->contains("invalid_token"));
    const Tokens late = begin(zona_).value();
    ASSERT_EQ(ask_with(late), 200);
    clock_.advance(16min);
    EXPECT_EQ(ask_with(late), 401);
    EXPECT_EQ(refusal(), Code::kTokenExpired);
    EXPECT_EQ(ask_with(late), 401);
    EXPECT_EQ(refusal(), Code::kUnknownToken);
    const Tokens gone = begin(zona_).value();
    ASSERT_EQ(ask_with(gone), 200);
    ASSERT_EQ(end(zona_, {.tenant = "acme", .user = 7, .session = {}}), 2U);
    EXPECT_EQ(ask_with(gone), 401);
    EXPECT_EQ(refusal(), Code::kUnknownToken);
    const std::string counted = metrics_.render_prometheus();
    for (const char* reason : {"invalid_token\"} 1", "token_expired\"} 1", "unknown_token\"} 2"})
        EXPECT_TRUE(counted.contains(reason)) << reason << "\n" << counted;
}

TEST_F(UserAuthenticationTest, OtherFormsThanBearerAreKeysAndKeysAreStillTaken) {
    const Tokens tokens = begin(zona_).value();
    for (const char* header : {"X-API-Key"}) {
        EXPECT_EQ(ask(header, std::string(tokens.access.reveal())), 401);
        EXPECT_EQ(refusal(), Code::kUnauthenticated);
    }
    EXPECT_EQ(ask_as_bearer(keys_.make("ops")), 200);
    EXPECT_EQ(user_of(request_), nullptr);
    EXPECT_TRUE(subject_of(request_).permissions->crosses_tenants);
}

// AUTH-28, AUTH-32
TEST_F(UserAuthenticationTest, AKeyWithRolesMayWhatTheyAllow) {
    const auto made = keys_.create(
        {.name = "ci", .scope = Scope::kLimited, .tenant = "acme", .roles = {"admin"}});
    const std::string key(made.value().text.reveal());
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(ask("X-API-Key", key), 200);
        const Subject who = subject_of(request_);
        EXPECT_EQ(who.tenant, "acme");
        EXPECT_TRUE(decide(who, {Resource::kUsers, Action::kDelete}, {.tenant = "acme"}, {}));
        EXPECT_FALSE(decide(who, {Resource::kUsers, Action::kDelete}, {.tenant = "globex"}, {}));
        EXPECT_FALSE(decide(who, {Resource::kProcesses, Action::kRead}, {}, {}));
    }
}

TEST_F(UserAuthenticationTest, WithoutTheCoreDatabaseNobodyIsTakenForAnother) {
    const Tokens tokens = begin(zona_).value();
    open_ = false;
    EXPECT_EQ(ask_with(tokens), 503);
    open_ = true;
    zona_.database.fails = true;
    EXPECT_EQ(ask_with(tokens), 503);
    EXPECT_EQ(refusal(), Code::kUnavailable);
}

// AUTH-32
TEST_F(UserAuthenticationTest, AChangedRoleHoldsFromTheNextRequestOn) {
    set_analyst(Extent::kOwn, true);
    roles_ = {"analyst"};
    const Tokens tokens = begin(zona_).value();
    const Permission reads{Resource::kUtilities, Action::kRead};
    ASSERT_EQ(ask_with(tokens), 200);
    EXPECT_EQ(subject_of(request_).permissions->always.of(reads), Extent::kOwn);
    set_analyst(Extent::kAll);
    ASSERT_EQ(ask_with(tokens), 200);
    EXPECT_EQ(subject_of(request_).permissions->always.of(reads), Extent::kAll);
}

class NoWriter final : public net::BodyWriter {
  public:
    asio::awaitable<core::Result<void>> write(std::string_view) override {
        co_return core::Result<void>();
    }
};

// AUTH-19, AUTH-32
TEST_F(UserAuthenticationTest, AStreamEndsWithItsSessionAndWithWhatItsUserWasAllowed) {
    set_analyst(Extent::kOwn, true);
    roles_ = {"analyst"};
    streams_ = true;
    NoWriter writer;
    const std::function<void()> ends[] = {
        [&] { end(zona_, {.tenant = "acme", .user = 7, .session = {}}); },
        [&] { set_analyst(Extent::kAll); }};
    for (const auto& what_ends_it : ends) {
        ASSERT_EQ(ask_with(begin(zona_).value()), 200);
        asio::io_context context;
        auto end_of_stream = asio::co_spawn(context, response_.stream(writer), asio::use_future);
        context.run_for(20ms);
        EXPECT_FALSE(context.stopped()) << "as long as nothing has changed";
        what_ends_it();
        context.run();
        EXPECT_EQ(end_of_stream.get().error().code(), Code::kUnauthenticated);
    }
}

// AUTH-24
TEST_F(UserAuthenticationTest, RolesOutliveAnOutageOfTheStoreForAWhile) {
    set_analyst(Extent::kOwn, true);
    WatchedDatabase database(*core_keys_.database);
    Roles roles({.core = [&database] {
        return std::shared_ptr<store::Database>(std::shared_ptr<void>(), &database);
    }});
    PermissionCache cache(roles, clock_, 500ms);
    const auto get = [&] {
        return wait<std::shared_ptr<const Permissions>>(
            [&](auto done) { cache.get("acme", {"analyst"}, std::move(done)); });
    };
    const auto before = get().value();
    database.fails = true;
    clock_.advance(1s);
    EXPECT_EQ(cache.find("acme", {"analyst"}), nullptr) << "it is to be asked for";
    ASSERT_TRUE(get());
    EXPECT_EQ(*get().value(), *before);
    clock_.advance(kRolesTrusted);
    EXPECT_EQ(code_of(get()), Code::kUnavailable);
    database.fails = false;
    EXPECT_TRUE(get());
    database.fails = true;
    cache.forget("acme");
    EXPECT_EQ(code_of(get()), Code::kUnavailable) << "what has changed is not believed";
}

}  // namespace
}  // namespace zona::identity
