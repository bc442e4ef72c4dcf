/// @file
/// What operations have done, and who was not let in, as entries of the record.
#pragma once

#include <cstdint>
#include <mutex>

#include "api/service.h"
#include "core/clock.h"
#include "net/middleware.h"

namespace zona::audit {
class Alerts;
class Recorder;
}  // namespace zona::audit

namespace zona::identity {
struct SignedIn;
}

namespace zona::api {

/// Refusals of senders who are not known that are recorded in a second; how many more there were
/// stands in the next entry, so that nobody fills a disk by knocking.
inline constexpr std::uint64_t kMostRefusals = 20;

/// The entries of operations. Those of a tenant are in its own record; refused ones in the core's,
/// with the tenant that was meant, so that nobody writes into another tenant's. Any thread. Source:
/// AUDIT-02, AUDIT-15, TEN-35, SEC-22.
class AuditTrail final : public OperationRecord {
  public:
    /// All outlive it. `alerts` hears of each refusal, those that are too many to be recorded
    /// included.
    AuditTrail(audit::Recorder& recorder, audit::Alerts& alerts, const core::Clock& clock)
        : recorder_(recorder), alerts_(alerts), clock_(clock) {}

    core::Result<void> room() const override;
    void done(const Call& call, const core::Result<net::Response>& response) override;
    /// Told of a request that was refused before it came to an operation.
    void refused(const net::Request& request, const core::Error& error);
    /// Told of a request that the firewall takes for an attack.
    void attacked(const net::Request& request);
    /// Told of who has signed in by this request from where they never have.
    void came_from_new_place(const net::Request& request, const identity::SignedIn& who);

  private:
    void watch(const net::Request& request, core::Code code);

    audit::Recorder& recorder_;
    audit::Alerts& alerts_;
    const core::Clock& clock_;
    std::mutex mutex_;
    // All guarded by mutex_.
    core::SteadyTime second_{};
    std::uint64_t in_second_ = 0;
    std::uint64_t left_out_ = 0;
};

/// Tells `trail`, which outlives it, of requests that what follows in the chain refuses: to stand
/// before authentication.
net::Middleware record_refusals(AuditTrail& trail);

}  // namespace zona::api
