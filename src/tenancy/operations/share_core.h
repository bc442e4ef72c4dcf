/// @file
/// The way of an installation of one host to several: its core database, a file, is put into
/// MongoDB, with the key ring.
///
/// It is done by the start that finds a file where `tenancy.core_host` names a server. The ring
/// comes last and is the end of it: a host that finds documents there and no ring, or the claim of
/// another one, opens nothing. What was interrupted goes on with the next start. Source: TEN-36,
/// docs/adr/0015-several-hosts.md.
#pragma once

#include <string>

#include "core/clock.h"
#include "core/log.h"
#include "core/result.h"
#include "store/mongo_database.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/tenant.h"

namespace zona::tenancy {

/// What is put where; `clock` outlives the call.
struct CoreSharing {
    std::string directory;  ///< of `core.db` and `keys.json`
    store::MongoOptions core;
    std::string instance;  ///< of this host, the same over its starts
    BuildType build_type = BuildType::kMssp;
    const core::Clock& clock;
    core::Logger log;
};

/// Puts `core.db` and the ring of `files`, which is a file, into the database at `core`: verified
/// by counts and hashes, and by the ring's text. Then they are called `core.db.shared` and
/// `keys.json.shared`; nothing reads them any more. The caller holds the only `files` of this
/// directory, without a database that is open. Blocks.
///
/// Errors  kConflict: a tenant's database is in a file of this host's; something that was begun
///         with a tenant is not done; another installation, or another host that does the same, is
///         there. Those of both databases. After each of them the files are as they were, and the
///         next call goes on.
core::Result<void> share_core(EncryptedFiles& files, const CoreSharing& sharing);

/// The last step of share_core(), for one that died in it: gives the files their other names.
/// Without any of them it does nothing. Errors: those of rename(2).
core::Result<void> put_core_aside(const std::string& directory);

}  // namespace zona::tenancy
