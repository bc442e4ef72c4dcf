// Signing in: counted first, then computed, then decided.
#include <algorithm>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "identity/users/collections.h"
#include "identity/users/detail/networks.h"
#include "identity/users/detail/throttle.h"
#include "identity/users/detail/users_body.h"
#include "identity/users/totp.h"
#include "net/network.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;
using detail::Attempt;
using detail::TenantUsers;
using store::Record;
using store::Writer;

namespace {

/// One answer for all that is wrong with a name and a password.
Error wrong() {
    return {Code::kUnauthenticated, "the name, the password or the code is wrong"};
}

/// What was found before the computation. No user: there is nothing to be right about.
struct Found {
    Attempt attempt;
    std::int64_t id = 0;               ///< 0: there is no such user
    std::string hash;                  ///< of the password; empty: nobody signs in with one
    const char* why_not = "password";  ///< for the log, if it is none
};

/// Who was let in, and the hash of the password that was shown.
struct Passed {
    SignedIn user;
    std::string hash;
};

/// What comes of a try, to be kept whatever it is.
struct Outcome {
    std::optional<Error> refused;
    const char* reason = "";  ///< of the refusal, for log and metric
    SignedIn user;
};

Outcome refuse(Error error, const char* reason) {
    return {.refused = std::move(error), .reason = reason, .user = {}};
}

/// Whether a code is one of the recovery codes, which is taken out of the document then.
bool use_recovery_code(json::object& document, std::string_view code) {
    const auto hash = recovery_hash(code);
    if (!hash) return false;
    std::vector<std::string> left = detail::texts_in(document, "recovery_codes");
    const auto same = [&](const std::string& one) { return crypto::same_bytes(one, *hash); };
    if (std::erase_if(left, same) == 0) return false;
    document["recovery_codes"] = detail::to_field(left);
    return true;
}

/// Whether the second factor lets in; notes the use of a code in the document.
Result<bool> take_code(const TenantUsers& users, const Record& record, json::object& document,
                       const Secret& code, core::SystemTime now) {
    ZONA_TRY(const Secret secret, users.secret(record, "totp"));
    const std::int64_t last = detail::whole_in(document, "totp_step");
    if (const auto step = match_totp(secret, code.reveal(), now, last)) {
        document["totp_step"] = *step;
        return true;
    }
    return use_recovery_code(document, code.reveal());
}

}  // namespace

/// One try, from its beginning to its end; shared by the steps.
class Users::SignIn : public std::enable_shared_from_this<Users::SignIn> {
  public:
    /// Who only changes a password shows the same, and has not signed in.
    enum class Purpose : std::uint8_t { kSignIn, kChangePassword };

    SignIn(std::shared_ptr<Body> body, Credentials shown, Purpose purpose,
           store::Callback<Passed> done)
        : body_(std::move(body)),
          shown_(std::move(shown)),
          purpose_(purpose),
          done_(std::move(done)) {}

    void run() {
        auto work = [self = shared_from_this()](Writer& core) { return self->begin(core); };
        auto go_on = [self = shared_from_this()](Result<Found> found) {
            if (!found) return self->end_early(found.take_error());
            self->found_ = *std::move(found);
            self->body_->deps.run_blocking([self] { self->compute(); });
        };
        body_->with_core<Found>(std::move(go_on), [&](store::Database& core, auto answer) {
            store::write(core, std::move(work), std::move(answer));
        });
    }

  private:
    Result<Found> begin(Writer& core) const;
    void compute();
    void decide();
    Result<Outcome> decide(Writer& core, core::SystemTime now) const;
    Result<Outcome> let_in(Writer& core, const TenantUsers& users, const Record& record,
                           core::SystemTime now) const;
    void end_early(Error error);
    void end(Outcome outcome);
    void refused(const char* reason, std::int64_t id) const;

    std::shared_ptr<Body> body_;
    Credentials shown_;
    Purpose purpose_;
    store::Callback<Passed> done_;
    Found found_;
    PasswordMatch match_ = PasswordMatch::kNo;
    std::string rehashed_;  ///< the hash with the present cost; empty: it has it
};

/// Counts the try, and looks for who it is about.
Result<Found> Users::SignIn::begin(Writer& core) const {
    Found out{.attempt = {.tenant = shown_.tenant,
                          .name_key = core::lower_ascii(shown_.name),
                          .network = net::client_network(shown_.address)},
              .hash = {}};
    const core::SystemTime now = body_->deps.clock.system();
    std::optional<Record> record;
    auto users = TenantUsers::of(shown_.tenant, nullptr);
    if (users) {
        ZONA_TRY(record, users->by_name(core, shown_.name));
    }
    if (record) {
        out.attempt.known = detail::knows_network(*record->document, out.attempt.network);
    }
    ZONA_TRY_VOID(detail::begin_attempt(core, out.attempt, now));
    if (!record) {
        out.why_not = "unknown";
        return out;
    }
    out.id = std::get<std::int64_t>(record->id);
    ZONA_TRY(const TenantUsers opened, body_->of(shown_.tenant));
    ZONA_TRY(const Secret hash, opened.secret(*record, "password"));
    const bool active = detail::text_in(*record->document, "status") == "active";
    if (active) out.hash = hash.reveal();
    if (out.hash.empty()) out.why_not = active ? "no_password" : "disabled";
    store::Update failed;
    failed.inc("failures", 1).set("last_failure", detail::to_field(now));
    ZONA_TRY(const Record counted, core.modify(opened.collection, record->id, failed));
    return out;
}

/// One computation, whoever it is about.
void Users::SignIn::compute() {
    PasswordHasher& hasher = body_->deps.hasher;
    if (found_.hash.empty()) {
        if (auto computed = hasher.verify_nothing(shown_.password); !computed)
            return end_early(computed.take_error());
        return end(refuse(wrong(), found_.why_not));
    }
    auto match = hasher.verify(shown_.password, found_.hash);
    if (!match) return end_early(match.take_error());
    match_ = *match;
    if (match_ == PasswordMatch::kNo) return end(refuse(wrong(), "password"));
    if (match_ == PasswordMatch::kYesRehash) {
        auto hash = hasher.hash(shown_.password);
        if (!hash) return end_early(hash.take_error());
        rehashed_ = *std::move(hash);
    }
    decide();
}

void Users::SignIn::decide() {
    auto work = [self = shared_from_this()](Writer& core) {
        return self->decide(core, self->body_->deps.clock.system());
    };
    auto go_on = [self = shared_from_this()](Result<Outcome> outcome) {
        if (!outcome) return self->end_early(outcome.take_error());
        self->end(*std::move(outcome));
    };
    body_->with_core<Outcome>(std::move(go_on), [&](store::Database& core, auto answer) {
        store::write(core, std::move(work), std::move(answer));
    });
}

/// The password was right when it was looked at; what has changed since then counts.
Result<Outcome> Users::SignIn::decide(Writer& core, core::SystemTime now) const {
    ZONA_TRY(const TenantUsers users, body_->of(shown_.tenant));
    auto record = users.get(core, found_.id);
    if (!record && record.error().code() == Code::kNotFound) return refuse(wrong(), "unknown");
    if (!record) return record.take_error();
    ZONA_TRY(const Secret hash, users.secret(*record, "password"));
    if (detail::text_in(*record->document, "status") != "active")
        return refuse(wrong(), "disabled");
    if (hash.reveal() != found_.hash) return refuse(wrong(), "password");
    return let_in(core, users, *record, now);
}

Result<Outcome> Users::SignIn::let_in(Writer& core, const TenantUsers& users, const Record& record,
                                      core::SystemTime now) const {
    json::object document = *record.document;
    const bool asked = document.contains("totp");
    if (asked && shown_.code.empty()) {
        ZONA_TRY_VOID(detail::end_attempt(core, found_.attempt, detail::Verdict::kUndecided));
        document["failures"] =
            std::max<std::int64_t>(detail::whole_in(document, "failures") - 1, 0);
        ZONA_TRY(const Record kept_back, core.replace(users.collection, record.id, document));
        return refuse({Code::kSecondFactor, "the code of the second factor is wanted"}, "");
    }
    if (asked) {
        ZONA_TRY(const bool good, take_code(users, record, document, shown_.code, now));
        if (!good) return refuse(wrong(), "code");
    }
    ZONA_TRY_VOID(detail::end_attempt(core, found_.attempt, detail::Verdict::kGood));
    document["failures"] = 0;
    if (purpose_ == Purpose::kSignIn) document["last_sign_in"] = detail::to_field(now);
    const bool is_new_place = detail::note_network(document, found_.attempt.network);
    if (!rehashed_.empty())
        ZONA_TRY_VOID(users.set_secret(document, found_.id, "password", rehashed_));
    ZONA_TRY(const Record stored, core.replace(users.collection, record.id, document));
    return Outcome{
        .refused = {},
        .user = {.tenant = users.tenant,
                 .user_id = found_.id,
                 .name = detail::text_in(document, "name"),
                 .roles = detail::texts_in(document, "roles"),
                 .must_change_password = detail::flag_in(document, "must_change_password"),
                 .with_second_factor = asked,
                 // This host's socket is no place.
                 .from_new_place = is_new_place && !shown_.address.empty()}};
}

/// What kept it from being decided, and what came too early.
void Users::SignIn::end_early(Error error) {
    if (error.code() == Code::kTooManyRequests) refused("too_early", 0);
    done_(std::move(error));
}

void Users::SignIn::end(Outcome outcome) {
    if (!outcome.refused) {
        const bool signs_in = purpose_ == Purpose::kSignIn;
        body_->deps.log.info(signs_in ? "signed in" : "the owner of a password has shown it",
                             {{"tenant", outcome.user.tenant},
                              {"user", outcome.user.user_id},
                              {"address", shown_.address},
                              {"second_factor", outcome.user.with_second_factor}});
        return done_(Passed{.user = std::move(outcome.user),
                            .hash = rehashed_.empty() ? found_.hash : rehashed_});
    }
    if (outcome.refused->code() != Code::kSecondFactor) refused(outcome.reason, found_.id);
    done_(*std::move(outcome.refused));
}

/// The name that was typed goes nowhere: it may be a password in the wrong place.
void Users::SignIn::refused(const char* reason, std::int64_t id) const {
    body_->deps.metrics
        .counter("zona_sign_in_failures_total", "Tries to sign in that were refused, by reason.",
                 {{"reason", reason}})
        .add();
    const bool is_code = detail::scope_of(shown_.tenant).has_value();
    body_->deps.log.warn("a sign-in was refused", {{"reason", reason},
                                                   {"tenant", is_code ? shown_.tenant : "?"},
                                                   {"user", id},
                                                   {"address", shown_.address}});
}

void Users::sign_in(Credentials shown, store::Callback<SignedIn> done) {
    auto told = [done = std::move(done)](Result<Passed> passed) mutable {
        if (!passed) return done(passed.take_error());
        done(std::move(passed->user));
    };
    std::make_shared<SignIn>(body_, std::move(shown), SignIn::Purpose::kSignIn, std::move(told))
        ->run();
}

void Users::change_password(Credentials shown, Secret wanted, store::Callback<User> done) {
    auto go_on = [body = body_, wanted, done = std::move(done)](Result<Passed> passed) mutable {
        if (!passed) return done(passed.take_error());
        Body::replace_password(body, passed->user, passed->hash, wanted, std::move(done));
    };
    std::make_shared<SignIn>(body_, std::move(shown), SignIn::Purpose::kChangePassword,
                             std::move(go_on))
        ->run();
}

/// By its owner, whose present one was right: it must still be the present one when it is replaced,
/// for an administrator may have taken it from them while the new hash was computed.
void Users::Body::replace_password(const std::shared_ptr<Body>& self, const SignedIn& who,
                                   const std::string& present, const Secret& wanted,
                                   store::Callback<User> done) {
    auto store_it = [self, who, present, done = std::move(done)](Result<std::string> hash) mutable {
        if (!hash) return done(hash.take_error());
        auto work = [self, who, present, hash = *std::move(hash)](Writer& core) -> Result<User> {
            ZONA_TRY(const TenantUsers users, self->of(who.tenant));
            ZONA_TRY(const Record before, users.get(core, who.user_id));
            ZONA_TRY(const Secret now, users.secret(before, "password"));
            const bool active = detail::text_in(*before.document, "status") == "active";
            if (!active || now.reveal() != present) return wrong();
            json::object document = *before.document;
            document["must_change_password"] = false;
            ZONA_TRY_VOID(
                users.set_password(document, &before, who.user_id, hash, self->rules().remembered));
            ZONA_TRY(const Record stored,
                     core.replace(users.collection, before.id, document, before.version));
            return users.shown(stored);
        };
        auto told = [self, done = std::move(done)](Result<User> user) mutable {
            if (!user) return done(user.take_error());
            self->tell_changed(*std::move(user), std::move(done));
        };
        self->with_core<User>(std::move(told), [&](store::Database& core, auto answer) {
            store::write(core, std::move(work), std::move(answer));
        });
    };
    hash_for(self, who.tenant, who.user_id, wanted, std::move(store_it));
}

}  // namespace zona::identity
