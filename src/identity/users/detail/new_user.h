// Steps that several members of Users, and Invitations, have in common.
#pragma once

#include <memory>
#include <string>

#include "identity/users/detail/user_document.h"
#include "identity/users/users.h"

namespace zona::identity::detail {

/// Adds a user within a transaction; an empty hash: without a password. Errors: those of
/// Users::create().
core::Result<User> insert_user(store::Writer& core, const TenantUsers& users, const Subject& by,
                               const NewUser& wanted, const std::string& hash,
                               std::size_t remembered, const UsersDeps& deps);

}  // namespace zona::identity::detail
