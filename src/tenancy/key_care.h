/// @file
/// KeyCare: what an operator does with keys: look at them, rotate them, wrap them with another root
/// key, revoke them. Nothing here gives out a key.
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

/// What encrypting anew has done.
struct Reencrypted {
    std::uint64_t documents = 0;  ///< of which a field was sealed anew
    std::uint64_t steps = 0;      ///< over the pages of files
};

/// Copies are cheap.
class KeyCare {
  public:
    /// `tenants` outlives it and its answers.
    KeyCare(Tenants& tenants, core::Logger log) : tenants_(&tenants), log_(std::move(log)) {}

    /// All owners with the ids and ages of their keys; asks the provider for the root key.
    void report(store::Callback<KeyReport> done) const;

    /// Gives an owner, or for an empty name each that has keys, another one for what is written
    /// from then on, and tells who got one. What is there stays readable; reencrypt() brings it
    /// under the new key. The old key stays, for backups of before. Errors: kNotFound: no such
    /// owner, or its keys were revoked; of several those before an error have theirs.
    void rotate(std::string owner, store::Callback<std::vector<vault::KeyOwner>> done) const;

    /// Encrypts anew what of an owner is under older keys: pages of its databases that are open,
    /// beside their use, and sealed fields. For a job after rotate(); it may be interrupted by any
    /// death, and called again. Of a tenant that is not served nothing is done.
    void reencrypt(std::string owner, store::Callback<Reencrypted> done) const;

    /// reencrypt() without waiting; how it ended is in the log.
    void begin_reencryption(std::string owner) const;

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
    class Round;

    Tenants* tenants_;
    core::Logger log_;
};

}  // namespace zona::tenancy
