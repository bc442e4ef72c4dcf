/// @file
/// The collections of the record: what the core database and every tenant's are opened with.
///
/// Nothing but this module writes to them. Entries are numbered and never changed; they leave by
/// the front alone, into an archive. They count for no quota. Source: DATA-13, AUDIT-05.
#pragma once

#include <vector>

#include "store/collection.h"

namespace zona::audit {

/// `audit_log`: the chain, by number.
const store::CollectionSpec& audit_log_spec();
/// `audit_pending`: entries that were written with the data they describe and have no number yet,
/// by the entry's id.
const store::CollectionSpec& audit_pending_spec();
/// `audit_chain`: `head`, and how far each spool was taken in.
const store::CollectionSpec& audit_chain_spec();
/// `audit_subjects`: the key of each subject, by its name.
const store::CollectionSpec& audit_subjects_spec();
/// `audit_heads`: signed heads, in the core database, in the scope they are of, by number.
const store::CollectionSpec& audit_heads_spec();
/// `audit_archives`: spans that have left into archives, in the core database, in the scope they
/// are of, by the number of their last entry.
const store::CollectionSpec& audit_archives_spec();
/// `audit_keys`: what heads are signed with, in the core database, by key id.
const store::CollectionSpec& audit_keys_spec();

/// Those that every tenant's database has.
std::vector<const store::CollectionSpec*> tenant_collections();
/// Those that the core database has of each tenant, in its scope; nothing of them is sealed.
std::vector<const store::CollectionSpec*> core_collections_of_tenants();
/// Those that the core database has: the same for the installation's own record, and what is kept
/// there of all tenants.
std::vector<const store::CollectionSpec*> core_collections();

}  // namespace zona::audit
