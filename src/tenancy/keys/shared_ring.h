/// @file
/// The key ring in the core database, for several hosts that have that in common.
///
/// A document of `key_ring` for each generation has the ring's text, whose keys are wrapped, until
/// the next one is there: that is inserted by whoever has seen the one before, and only one can.
/// Source: SEC-07, docs/adr/0015-several-hosts.md.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/log.h"
#include "core/result.h"
#include "store/database.h"
#include "store/mongo_database.h"
#include "vault/ring_storage.h"

namespace zona::tenancy {

/// `key_ring`: by generation.
const store::CollectionSpec& key_ring_spec();

/// Who brings a core database along, whose ring comes last (operations/share_core.h).
struct RingClaim {
    std::string begun_by;   ///< the host's name; empty: nobody
    bool has_ring = false;  ///< there is one
};
/// What stands in a database that was opened with core_collections(). Errors: those of reading.
core::Result<RingClaim> look_for_claim(store::Database& core);
/// Until the ring is there other hosts are told kUnavailable. Errors: kConflict: somebody has
/// claimed it; those of writing.
core::Result<void> claim_ring(store::Database& core, std::string_view instance);

/// The ring in a database that was opened with core_collections(). Its calls wait for that
/// database's threads: not to be called there.
std::unique_ptr<vault::RingStorage> ring_in(std::shared_ptr<store::Database> core);

/// The ring in the core database at `core`, by a connection of its own: what the database's threads
/// do may ask for a key. `clock` outlives it. Errors: those of store::open_mongo().
core::Result<std::unique_ptr<vault::RingStorage>> open_shared_ring(store::MongoOptions core,
                                                                   const core::Clock& clock,
                                                                   const core::Logger& log);

}  // namespace zona::tenancy
