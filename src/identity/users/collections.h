/// @file
/// The collections of users and access in the core database. Documents are in the scope of their
/// tenant, those of Super Admins in that of the core; but for `sign_in_failures`, which are all in
/// the core's, since the tenants that strangers name need not exist.
/// Source: DATA-38, GAP-38.
#pragma once

#include <vector>

#include "store/collection.h"

namespace zona::identity {

/// `users`: by number.
const store::CollectionSpec& users_spec();
/// `invitations`: by number.
const store::CollectionSpec& invitations_spec();
/// `roles`: by name; the tenant's own.
const store::CollectionSpec& roles_spec();
/// `identity_providers`: by name; where the tenant's users sign in.
const store::CollectionSpec& identity_providers_spec();
/// `used_sign_ins`: by a hash of what a provider has answered; for a day, so that none is taken
/// twice.
const store::CollectionSpec& used_sign_ins_spec();
/// `identity_keys`: by purpose; keys of hashes by which sealed fields are found.
const store::CollectionSpec& identity_keys_spec();
/// `sign_in_failures`: by what is counted, as a hash; forgotten after a day.
const store::CollectionSpec& sign_in_failures_spec();

/// All of them: what the core database is opened with, beside others.
std::vector<const store::CollectionSpec*> user_collections();
/// Those of them with documents in the scopes of tenants.
std::vector<const store::CollectionSpec*> user_collections_of_tenants();

}  // namespace zona::identity
