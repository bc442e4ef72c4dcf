/// @file
/// AuditBooks: where the records of the installation and of its tenants are, for audit::Recorder;
/// AuditTurn: which of several hosts gives their entries numbers.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "audit/books.h"
#include "audit/recorder.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/random.h"
#include "jobs/lease.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

/// The databases of Tenants as books. Flagged fields are sealed under their owner's keys. A storage
/// quota holds nothing up here: who has used it up is still on record. Any thread; blocks, not on a
/// thread that Tenants works with.
class AuditBooks final : public audit::Books {
  public:
    /// `tenants` outlives it.
    AuditBooks(Tenants& tenants, core::Logger log) : tenants_(tenants), log_(log) {}

    core::Result<void> read(const store::Scope& scope, const ReadBody& body) override;
    core::Result<void> write(const store::Scope& scope, const WriteBody& body) override;
    core::Result<std::vector<store::Scope>> scopes() override;

  private:
    core::Result<TenantData> data_of(const store::Scope& scope);

    Tenants& tenants_;
    const core::Logger log_;
};

/// How entries lie in a spool with this id: sealed as fields of the core database are. `tenants`
/// outlives it; until it is open there are no keys (kUnavailable).
audit::SpoolSeal spool_seal(Tenants& tenants, std::string spool);

/// A lease on all records (jobs/lease.h): each transaction shows its fence, so a host that was
/// stopped and wakes up later writes nothing. Where nobody else has the core database, it is always
/// our turn. Source: BG-12.
class AuditTurn {
  public:
    /// `tenants`, `clock` and `random` outlive it.
    AuditTurn(Tenants& tenants, const core::Clock& clock, core::Random& random,
              std::string instance);

    /// As audit::Turn: takes the lease if it is free, of an earlier life of ours, or has not moved
    /// while we looked twice, jobs::kLeaseTime apart; else it is another host's turn. Blocks.
    core::Result<std::optional<audit::Permit>> operator()();

  private:
    struct Seen {
        std::int64_t fence = 0;
        std::int64_t beat = 0;
        core::SteadyTime at{};
    };
    core::Result<std::optional<jobs::Fence>> look(store::Writer& core);

    Tenants& tenants_;
    const core::Clock& clock_;
    const jobs::Holder holder_;
    const std::string line_;
    std::mutex mutex_;
    // All guarded by mutex_.
    std::optional<jobs::Fence> fence_;
    core::SteadyTime beat_at_{};
    std::optional<Seen> seen_;
};

}  // namespace zona::tenancy
