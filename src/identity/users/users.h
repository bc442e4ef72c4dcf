/// @file
/// Users: the people of each tenant, and the check of what they sign in with.
///
/// A user belongs to one tenant; a Super Admin to none, which is the empty code throughout: such
/// users are documents of the core scope. Everything lies in the core database (collections.h):
/// passwords and second factors sealed under the tenant's keys, an e-mail address sealed too, and
/// found by a keyed hash alone. docs/adr/0017-users-and-access.md says why it is so.
///
/// How guessing is slowed (AUTH-42). Three things are counted, and all of it is forgotten an hour
/// after the last failure:
///
/// | Counted | From which failure on | The next try waits |
/// | --- | --- | --- |
/// | name and address together | the 5th | 1 s, doubled with each, 15 minutes at most |
/// | a name, from anywhere | the 30th | 1 s, doubled with each, 15 minutes at most |
/// | an address, for any name | the 20th | 1 s, doubled with each, 1 minute at most |
///
/// The last two do not hold for a name at an address from which it has signed in before: so nobody
/// who guesses from elsewhere keeps somebody out of the place where they work, and nobody is ever
/// kept out for longer than 15 minutes. A name that does not exist is counted as any other. What
/// comes too early is not looked at, is answered with kTooManyRequests, and does not prolong the
/// wait. A try is counted before it is looked at, so many at once are no way around. An IPv6
/// address counts by its first 64 bits. Source: AUTH-41, AUTH-42.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "identity/access/roles.h"
#include "identity/sessions/session.h"
#include "identity/users/password.h"
#include "identity/users/password_rules.h"
#include "store/database.h"

namespace zona::vault {
class FieldSealer;
}

namespace zona::identity {

/// Whether a user may sign in.
enum class UserStatus : std::uint8_t { kActive, kDisabled };
/// "active", "disabled".
std::string_view to_string(UserStatus status);

/// What is known of a user; no secret.
struct User {
    std::int64_t id = 0;  ///< never reused, in no tenant
    std::string tenant;   ///< its code; empty: a Super Admin, of no tenant
    std::string name;     ///< as it was written; unique in the tenant whatever its case
    std::string email;    ///< may be empty
    std::vector<std::string> roles;
    UserStatus status = UserStatus::kActive;
    bool has_password = false;  ///< without one nobody signs in here; an identity provider may do
    bool must_change_password = false;
    bool has_second_factor = false;
    std::string identity_provider{};  ///< with whom it is linked; empty: with none
    std::int64_t failures = 0;        ///< since the last sign-in
    std::optional<core::SystemTime> last_failure_at;
    std::optional<core::SystemTime> last_sign_in_at;
    core::SystemTime created_at{};
    core::SystemTime updated_at{};
    std::int64_t version = 1;  ///< one more with each change
};

/// Somebody new.
struct NewUser {
    std::string tenant;  ///< an existing one's code, in lower case; empty: of none
    std::string name;    ///< 1 to 128 of [A-Za-z0-9._@+-], the first a letter or digit
    std::string email{};
    std::optional<core::Secret> password{};
    bool must_change_password = false;
    std::vector<std::string> roles{};  ///< none: may do nothing (AUTH-40)
};

/// What is to change; what is not given stays.
struct UserChange {
    std::optional<std::string> email{};  ///< empty: none
    std::optional<std::vector<std::string>> roles{};
    std::optional<UserStatus> status{};
    std::optional<core::Secret> password{};  ///< for somebody who has forgotten it
    std::optional<bool> must_change_password{};
};

/// What somebody who wants in has shown.
struct Credentials {
    std::string tenant;  ///< whether there is one is not looked at
    std::string name;
    core::Secret password;
    /// Six digits of the second factor, or a recovery code; empty: none was given.
    core::Secret code{};
    std::string address{};  ///< "127.0.0.1", "::1"; empty: the unix socket
};

/// Who it was.
struct SignedIn {
    std::string tenant;  ///< empty: of none
    std::int64_t user_id = 0;
    std::string name;
    std::vector<std::string> roles;
    bool must_change_password = false;  ///< it may do nothing else before
    bool with_second_factor = false;    ///< it was asked for and good
    /// From an address of a network (net::client_network()) from which they have not signed in
    /// before, and not for the first time at all.
    bool from_new_place = false;
};

/// Somebody of whom an identity provider has just said who it is (federation/).
struct ExternalUser {
    std::string tenant;
    std::string provider;  ///< its name, for people
    std::string issuer;    ///< with `subject`, who it is, whatever else changes
    std::string subject;
    std::string name;     ///< as NewUser::name
    std::string email{};  ///< of a user that is made; one that is taken or none is left out
    /// What the user has from now on; those that do not exist are left out. None: what was given
    /// here stays.
    std::optional<std::vector<std::string>> roles{};
    bool may_create = false;  ///< a user is made for who has none
    std::string used;         ///< of the answer: it is good once
    std::string address{};    ///< as Credentials::address
};

/// What is to be put into an authenticator.
struct Enrolment {
    core::Secret secret;  ///< base32
    core::Secret uri;     ///< otpauth://totp/..., for a QR code
};

/// What Users works with; all outlive it and whatever it has begun.
struct UsersDeps {
    /// The core database; null while it is not open. Any thread.
    std::function<std::shared_ptr<store::Database>()> core;
    /// What seals a tenant's secret fields, or for the empty code the core's. Any thread.
    std::function<core::Result<std::shared_ptr<const vault::FieldSealer>>(const std::string&)>
        fields;
    /// Runs what computes or waits for long on a thread for that.
    std::function<void(std::move_only_function<void()>)> run_blocking;
    Roles& roles;
    PasswordHasher& hasher;
    const core::Clock& clock;
    core::Random& random;  ///< any thread; fit for keys
    core::Logger log;      ///< category `security`
    core::MetricRegistry& metrics;
    /// Told of a user who was removed, who must change the password, or of whom roles, status or
    /// password are others now, for whoever keeps sessions: the change is answered once `then` was
    /// called, which may be on any thread. Must not call back. May be empty.
    std::function<void(const std::string& tenant, std::int64_t id,
                       std::move_only_function<void()> then)>
        changed{};
};

/// All members from any thread; answers come on a thread of the database or of run_blocking's.
/// Errors of all: kUnavailable while the core database is not open; those of the store; kNotFound
/// when the tenant's keys were erased. Whoever grants roles must hold what they allow
/// (Roles::check_grant): `by` is who asks.
class Users {
  public:
    /// Asks nothing yet.
    Users(UsersDeps deps, PasswordRules rules);

    /// Makes a user. Errors: kInvalidArgument: the name, the address, the password (PasswordRules);
    /// kNotFound: a role; kConflict: the name or e-mail address is taken; kAccessDenied: `by` may
    /// not grant these roles.
    void create(const Subject& by, NewUser wanted, store::Callback<User> done);
    /// Errors: kNotFound.
    void find(const std::string& tenant, std::int64_t id, store::Callback<User> done);
    /// @{
    /// By what people type, whatever its case; none if there is none.
    void find_by_name(const std::string& tenant, std::string_view name,
                      store::Callback<std::optional<User>> done);
    void find_by_email(const std::string& tenant, std::string_view email,
                       store::Callback<std::optional<User>> done);
    /// @}
    /// A page, in the order of their making.
    struct Page {
        std::vector<User> users;
        std::string next;  ///< token of the next page; empty: that was the last
    };
    /// Errors: kInvalidArgument: the token or the limit.
    void list(const std::string& tenant, store::PageRequest page, store::Callback<Page> done);
    /// Changes a user. A new password leaves the second factor as it is.
    /// Errors: those of create(); kNotFound; kAccessDenied also when `by` may not grant what the
    /// user holds already.
    void change(const Subject& by, const std::string& tenant, std::int64_t id, UserChange change,
                store::Callback<User> done);
    /// Removes a user for good. Errors: kNotFound; kAccessDenied as of change().
    void remove(const Subject& by, const std::string& tenant, std::int64_t id,
                store::Callback<User> done);

    /// Checks what somebody signs in with, counts it, and logs failures; on success the last
    /// sign-in is noted, and a password whose hash has other parameters than PasswordHasher's now
    /// is hashed anew. An unknown name, a disabled user, one without a password and a wrong
    /// password cost one computation of a hash and give the same answer.
    ///
    /// Errors  kUnauthenticated: name, password or code is wrong.
    ///         kSecondFactor: the password is right, and a code is wanted; no failure is counted.
    ///         kTooManyRequests: see the top; the message says how long to wait.
    void sign_in(Credentials shown, store::Callback<SignedIn> done);

    /// Lets in whom an identity provider vouches for. Who is linked with that subject is found,
    /// whatever the name is now; else a user of that name who is linked with nobody is linked, or,
    /// if there is none and that may be, one is made. Other roles end the user's other sessions.
    ///
    /// Errors  kUnauthenticated: the answer was used before; the user is disabled.
    ///         kAccessDenied: there is no such user; the user of that name is linked with somebody
    ///         else, or signs in with a password where users are made.
    ///         kInvalidArgument: the name is none.
    void sign_in_external(ExternalUser who, store::Callback<SignedIn> done);

    /// Replaces a password by its owner, who shows all that sign_in() asks for: it needs no
    /// session, and the password alone is not enough where there is a second factor. It is no
    /// sign-in; the throttling is the same. Errors: those of sign_in(), kUnauthenticated also when
    /// the password is another one or the user was disabled meanwhile; and of PasswordRules.
    void change_password(Credentials shown, core::Secret wanted, store::Callback<User> done);

    /// Begins to enrol a second factor: nothing changes for signing in until it is confirmed; begun
    /// again, the last secret counts. Errors: kNotFound; kConflict: there is one already.
    void begin_second_factor(const std::string& tenant, std::int64_t id,
                             store::Callback<Enrolment> done);
    /// Ends it with a code of the authenticator; from then on it is asked for. Gives ten recovery
    /// codes, which are shown once. Errors: kNotFound; kConflict: none was begun;
    /// kUnauthenticated: the code is wrong.
    void confirm_second_factor(const std::string& tenant, std::int64_t id, core::Secret code,
                               store::Callback<std::vector<core::Secret>> done);
    /// Takes it away, with what was begun and its recovery codes; success if there is none.
    /// Errors: kNotFound; kAccessDenied as of change().
    void remove_second_factor(const Subject& by, const std::string& tenant, std::int64_t id,
                              store::Callback<User> done);

    /// The name and roles of a user who may have a session: for SessionDeps::find_user. Within a
    /// transaction or a read of the core database.
    static core::Result<std::optional<UserNow>> find_now(store::Reader& core, const UserKey& user);

    /// Other rules from now on.
    void set_rules(PasswordRules rules);

  private:
    friend class Invitations;
    struct Body;
    class SignIn;
    std::shared_ptr<Body> body_;  ///< shared with what was begun
};

/// Removes all that a tenant has in the collections of users, access and keys, in one transaction
/// of at most `most` documents; how many there were. To be called until it gives 0. For those who
/// erase a tenant.
core::Result<std::uint64_t> remove_identity_of(store::Writer& writer, const store::Scope& scope,
                                               std::size_t most);

}  // namespace zona::identity
