/// @file
/// KeyCare: what an operator does with keys: look at them, wrap them with another root key, revoke
/// them; key_rotation.h changes them. Nothing here gives out a key.
///
/// All members answer on a thread for what waits; any thread may call. Errors of all, besides their
/// own: those of Tenants (kUnavailable while there are no files), of the key ring and of the root
/// key's provider. Source: SEC-06, SEC-07.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/log.h"
#include "core/result.h"
#include "store/database.h"
#include "vault/key_ring.h"

namespace zona::tenancy {

class Tenants;

/// The keys of this installation.
struct KeyReport {
    std::string root;      ///< id of the root key
    std::string provider;  ///< where a new one would be made
    /// Why the provider does not have the root key now: what is open goes on, but the next start
    /// needs it, and with a token every new key. None: it has it.
    std::optional<core::Error> problem;
    std::vector<vault::KeyOwner> owners;  ///< "core" and tenants
};

/// Copies are cheap.
class KeyCare {
  public:
    /// `tenants` outlives it and its answers.
    KeyCare(Tenants& tenants, core::Logger log) : tenants_(&tenants), log_(std::move(log)) {}

    /// All owners with the ids and ages of their keys; asks the provider for the root key.
    void report(store::Callback<KeyReport> done) const;

    /// Wraps all keys with a new root key of the provider that is set now, which is also how the
    /// provider is changed. No data is touched; a crash leaves the keys under the old root key or
    /// the new one, and both are there. A key that another provider held stays there.
    void rewrap(store::Callback<KeyReport> done) const;

    /// Makes a tenant's data unreadable for good: it is deactivated, then its keys are forgotten.
    /// Its own database, its backups, and in a shared database its sealed fields cannot be read by
    /// anybody. Idempotent. Errors: kInvalidArgument for "core", whose keys hold everything;
    /// kNotFound.
    void revoke(std::string tenant, store::Callback<vault::KeyOwner> done) const;

  private:
    Tenants* tenants_;
    core::Logger log_;
};

}  // namespace zona::tenancy
