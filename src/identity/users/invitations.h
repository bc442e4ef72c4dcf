/// @file
/// Invitations: how somebody gets a user of their own without anybody else knowing the password.
///
/// An administrator makes one with roles and an end; its token is shown once, "zona_inv_acme.",
/// the code of the tenant, and 43 characters of base64url, 256 random bits, of which only a hash is
/// stored. Whoever has it chooses name and password; then it is used up. Source: AUTH-18, AUTH-40.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "core/secret.h"
#include "identity/users/users.h"

namespace zona::identity {

/// What every token begins with, so that scanners for leaked secrets can find it.
inline constexpr std::string_view kInvitationPrefix = "zona_inv_";

/// What is known of an invitation; not the token.
struct Invitation {
    std::int64_t id = 0;
    std::string tenant;  ///< empty: of none
    std::string email;   ///< of the user that is made; may be empty
    std::vector<std::string> roles;
    core::SystemTime created_at{};
    core::SystemTime expires_at{};
};

/// What is told of one that is to be made.
struct NewInvitation {
    std::string tenant;
    std::string email{};
    std::vector<std::string> roles{};
    std::chrono::seconds valid_for{std::chrono::hours(72)};
};

/// The longest time that one is good.
inline constexpr std::chrono::hours kMaxInvitation(24 * 30);

/// Who takes one.
struct Acceptance {
    core::Secret token;
    std::string name;
    core::Secret password;
};

/// The members are as those of Users, with which it works; any thread.
class Invitations {
  public:
    /// `users` may go before it.
    explicit Invitations(const Users& users) : body_(users.body_) {}

    /// An invitation and its token, which is not shown again.
    struct Made {
        Invitation invitation;
        core::Secret token;
    };
    /// Errors: kInvalidArgument: the address, a time of none or over kMaxInvitation; those of
    /// Roles::check_grant() for the roles; those of Users.
    void create(const Subject& by, NewInvitation wanted, store::Callback<Made> done);
    /// By age, with those whose time is over.
    void list(const std::string& tenant, store::Callback<std::vector<Invitation>> done);
    /// Takes one back. Errors: kNotFound; kAccessDenied: its roles are above those of `by`.
    void remove(const Subject& by, const std::string& tenant, std::int64_t id,
                store::Callback<Invitation> done);
    /// Makes the user, with the roles of the invitation, which is gone then; of two that take one
    /// at the same time one gets a user. Anybody may call it who has a token: a password's hash is
    /// computed only for one that is good.
    /// Errors: kUnauthenticated: no such token, or its time is over; kInvalidArgument: the name or
    /// the password; kConflict: the name or the address is taken; then it can be tried again.
    void accept(Acceptance shown, store::Callback<User> done);

  private:
    std::shared_ptr<Users::Body> body_;
};

}  // namespace zona::identity
