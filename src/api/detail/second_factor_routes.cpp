// The second factor of whoever asks: enrolling one, confirming it, and taking it away.
#include <utility>

#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/identity_routes.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "identity/users/users.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;
using identity::Enrolment;
using identity::Principal;
using identity::SignedIn;
using net::Method;
using net::Response;

namespace {

constexpr std::size_t kLongestText = 1024;

Operation own(std::string path, std::string id, std::string summary, std::string description) {
    return {.method = Method::kPost,
            .path = std::move(path),
            .id = std::move(id),
            .tag = Tag::kIdentity,
            .access = Access::kAdmin,
            .reach = Reach::kEveryone,
            .summary = std::move(summary),
            .description = std::move(description),
            .errors = {{Code::kConflict,
                        "A key has no second factor; or there is one already, or "
                        "none was begun."},
                       {Code::kUnauthenticated, "The password or the code is wrong."}}};
}

Shape password_shape() {
    return Shape::text("The password of whoever asks, once more.").length(1, kLongestText);
}

Operation begin_second_factor() {
    Operation out =
        own("/api/v1/second-factor", "beginSecondFactor", "Begin to enrol a second factor",
            "Gives what is to be put into an authenticator (TOTP, RFC 6238). Nothing changes for "
            "signing in until it is confirmed; begun again, the last secret counts. A wrong "
            "password is a try to sign in, and slowed as one.");
    out.body = BodySpec{Shape::object({required("password", password_shape())}),
                        {{"anna", "With her password", R"({"password": "tulip orbit kettle"})"}}};
    out.answers = {{.status = 201,
                    .description = "What is to be put into the authenticator; not shown again.",
                    .shape = Shape::object(
                        {required("secret", Shape::text("In base32, to be typed.")),
                         required("uri", Shape::text("`otpauth://totp/...`, for a QR code."))}),
                    .example = R"({"secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "uri":
             "otpauth://totp/zona:anna%20(default)?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"})"}};
    return out;
}

Operation confirm_second_factor() {
    Operation out =
        own("/api/v1/second-factor/confirmations", "confirmSecondFactor", "Confirm a second factor",
            "With a code of the authenticator; from then on one is asked for at each "
            "sign-in. Sessions that are there go on.");
    out.body = BodySpec{Shape::object({required(
                            "code", Shape::text("What the authenticator shows.").length(1, 64))}),
                        {{"code", "Six digits", R"({"code": "123456"})"}}};
    out.answers = {
        {.status = 201,
         .description = "It is in use. For whoever loses the authenticator, each good once.",
         .shape = Shape::object({required(
             "recovery_codes", Shape::array("Not shown again.", Shape::text("One of them.")))}),
         .example = R"({"recovery_codes": ["k3f7-9mzq-2xht-p4vd"]})"}};
    return out;
}

Operation remove_own_second_factor() {
    Operation out = own("/api/v1/second-factor/removals", "removeOwnSecondFactor",
                        "Take one's second factor away",
                        "With its recovery codes. Password and code are shown once more, so that "
                        "nobody does it who found a session open; who has lost both asks an "
                        "administrator (removeSecondFactor).");
    out.body = BodySpec{
        Shape::object(
            {required("password", password_shape()),
             optional("code",
                      Shape::text("Of the authenticator, or a recovery code.").length(0, 64))}),
        {{"anna", "With password and code",
          R"({"password": "tulip orbit kettle", "code": "123456"})"}}};
    out.answers = {{.description = "There is none any more.",
                    .shape = Shape::object({required("name", Shape::text("Whose it was."))}),
                    .example = R"({"name": "anna"})"}};
    out.errors.push_back({Code::kSecondFactor, "The password is right; the code is missing."});
    return out;
}

class SecondFactorRoutes {
  public:
    explicit SecondFactorRoutes(identity::Users& users) : users_(users) {}

    Answer begin(Call& call) const {
        ZONA_CO_TRY(const Principal who, caller(call));
        const Result<SignedIn> shown = co_await check_password(call, who);
        // The password was right: that is what it says.
        if (!shown && shown.error().code() != Code::kSecondFactor) co_return shown.error();
        auto begin = [&](process::Callback<Enrolment> done) {
            users_.begin_second_factor(who.tenant, who.user_id, std::move(done));
        };
        ZONA_CO_TRY(const Enrolment begun, co_await answer_of<Enrolment>(std::move(begin)));
        std::string data = "{\"secret\":";
        core::append_json_string(data, begun.secret.reveal());
        data += ",\"uri\":";
        core::append_json_string(data, begun.uri.reveal());
        co_return Response::success(data + "}", {}, 201);
    }

    Answer confirm(Call& call) const {
        ZONA_CO_TRY(const Principal who, caller(call));
        using Codes = std::vector<Secret>;
        auto begin = [&, code = text_in(call, "code")](process::Callback<Codes> done) mutable {
            users_.confirm_second_factor(who.tenant, who.user_id, std::move(code), std::move(done));
        };
        ZONA_CO_TRY(const Codes codes, co_await answer_of<Codes>(std::move(begin)));
        std::string data = "{\"recovery_codes\":[";
        for (const Secret& code : codes) {
            if (&code != codes.data()) data += ',';
            core::append_json_string(data, code.reveal());
        }
        co_return Response::success(data + "]}", {}, 201);
    }

    Answer remove(Call& call) const {
        ZONA_CO_TRY(const Principal who, caller(call));
        ZONA_CO_TRY(const SignedIn shown, co_await check_password(call, who));
        auto begin = [&](process::Callback<identity::User> done) {
            users_.remove_second_factor(subject_of(call.request()), who.tenant, who.user_id,
                                        std::move(done));
        };
        ZONA_CO_TRY(const identity::User user,
                    co_await answer_of<identity::User>(std::move(begin)));
        co_return Response::success(core::to_json(json::object{{"name", user.name}}));
    }

  private:
    static Result<Principal> caller(const Call& call) {
        if (const Principal* user = identity::user_of(call.request())) return *user;
        return Error(Code::kConflict, "who asks has no second factor: it is no user's token");
    }

    static Secret text_in(const Call& call, const char* key) {
        return Secret(text_of(call.body().get_object(), key));
    }

    /// A sign-in in all but its session: it is counted, slowed and logged as one.
    net::asio::awaitable<Result<SignedIn>> check_password(Call& call, const Principal& who) const {
        identity::Credentials shown{.tenant = who.tenant,
                                    .name = who.name,
                                    .password = text_in(call, "password"),
                                    .code = text_in(call, "code"),
                                    .address = client_of(call.request()).address};
        auto begin = [&](process::Callback<SignedIn> done) {
            users_.sign_in(std::move(shown), std::move(done));
        };
        ZONA_CO_TRY(const SignedIn found, co_await answer_of<SignedIn>(std::move(begin)));
        if (found.user_id == who.user_id) co_return found;
        co_return Error(Code::kUnauthenticated, "another user has this name now");
    }

    identity::Users& users_;
};

}  // namespace

Result<void> add_second_factor_routes(Service& service, const IdentityDeps* deps) {
    const auto routes =
        deps == nullptr ? nullptr : std::make_shared<const SecondFactorRoutes>(*deps->users);
    using Member = Answer (SecondFactorRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {
        {begin_second_factor(), &SecondFactorRoutes::begin},
        {confirm_second_factor(), &SecondFactorRoutes::confirm},
        {remove_own_second_factor(), &SecondFactorRoutes::remove}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
