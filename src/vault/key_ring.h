/// @file
/// KeyRing: the data keys of all tenants, wrapped by a root key, in one place (ring_storage.h): a
/// file, or a place that several hosts share.
///
/// The life of a tenant's key: add_tenant() makes the first one. rotate() makes another, which new
/// writes take from then on; what the old one encrypted stays readable while somebody encrypts it
/// anew; retire() forgets the old one when nothing needs it any more. erase() forgets all keys of
/// a tenant, and with them everything that was encrypted for it, copies and backups included.
///
/// Each change is stored before it is in force, so half of one does not exist: a rotation that was
/// begun is found in rotations() after a restart. A file is replaced as a whole and the previous
/// generation kept beside it, but for retire(), erase() and rotate_root(), after which both are the
/// same: a key that was forgotten is in neither. Format: docs/adr/0008-encrypted-files.md.
///
/// **Shared by several hosts** each change is made from the newest generation, or made again from
/// it, so none takes back another's. A host sees others' changes with follow(), and looks by itself
/// when it is asked for a key or a tenant that it does not know. One that could not look for
/// kRingTrust has no current key any more: it reads, and encrypts nothing. So all hosts write with
/// a new key kRingSettles after one of them has seen it (is_settled()), and older ones can go.
/// docs/adr/0015-several-hosts.md. Source: SEC-06, SEC-07.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "vault/data_keys.h"
#include "vault/ring_storage.h"
#include "vault/root_key.h"

namespace zona::vault {

/// How long a host encrypts with what it has read of a shared ring, by its own steady clock.
inline constexpr std::chrono::minutes kRingTrust{5};
/// After which every host knows a key that one has seen: kRingTrust, and ample time for writes that
/// were begun before, or for steady clocks that are not quite even.
inline constexpr std::chrono::minutes kRingSettles{15};

/// What is known of a data key; not the key.
struct DataKeyInfo {
    KeyId id{};
    core::SystemTime made_at{};
};

/// A tenant of which some data may still be encrypted under older keys.
struct Rotation {
    std::string tenant;
    KeyId current{};
    std::vector<KeyId> old;  ///< to be retired when keys_in_use() and the fields name them no more
};

/// Whose keys are in a ring, or were.
struct KeyOwner {
    std::string tenant;
    std::vector<DataKeyInfo> keys;  ///< the current one last; none once erased
    std::optional<core::SystemTime> erased_at;
};

/// All members from any thread; what changes the ring waits for where it is stored.
class KeyRing {
  public:
    /// What a ring stands on; both outlive it and its keys.
    struct Surroundings {
        const core::Clock& clock;
        core::Random& random;
    };

    /// A new, empty ring in `storage`, under a new key of `provider`, which outlives the ring and
    /// its keys. Errors: kConflict when there is a ring, or the previous generation of one;
    /// kUnavailable: another host makes one at this moment; those of the provider and of writing.
    static core::Result<std::unique_ptr<KeyRing>> create(std::unique_ptr<RingStorage> storage,
                                                         RootKeyProvider& provider,
                                                         Surroundings surroundings);
    /// The ring in `storage`. Opens as a whole or not at all, and changes nothing. Every error says
    /// what to do: kNotFound: no ring, or the provider has no such root key. kConflict: damaged,
    /// changed without the root key, of a newer format, or missing while there is a previous
    /// generation; whether that one is good is said. kForbidden and others: of the provider and of
    /// reading.
    static core::Result<std::unique_ptr<KeyRing>> open(std::unique_ptr<RingStorage> storage,
                                                       RootKeyProvider& provider,
                                                       Surroundings surroundings);
    /// @{
    /// The same in ring_file(file).
    static core::Result<std::unique_ptr<KeyRing>> create(std::string file,
                                                         RootKeyProvider& provider,
                                                         Surroundings surroundings);
    static core::Result<std::unique_ptr<KeyRing>> open(std::string file, RootKeyProvider& provider,
                                                       Surroundings surroundings);
    /// @}
    ~KeyRing();
    KeyRing(const KeyRing&) = delete;
    KeyRing& operator=(const KeyRing&) = delete;

    /// The tenant's keys, which follow every change and outlive the ring; after erase() they hold
    /// none. Errors: kNotFound, also for a tenant whose keys were erased. Of a shared ring
    /// current() has kUnavailable after kRingTrust.
    core::Result<std::shared_ptr<const DataKeys>> tenant(std::string_view tenant) const;
    /// In the order of their making, the current one last. Errors: as of tenant().
    core::Result<std::vector<DataKeyInfo>> keys(std::string_view tenant) const;
    /// All that it has and had, in the order of their coming.
    std::vector<KeyOwner> owners() const;
    /// Every tenant with more than one key.
    std::vector<Rotation> rotations() const;
    /// The id of the root key.
    std::string root() const;

    /// Takes in what other hosts have changed; whether they have. A file is nobody else's. Errors:
    /// those of reading, and as of open(): then what was known is kept. A ring that is gone is
    /// found by who changes it.
    core::Result<bool> follow();
    /// Whether every host writes with the tenant's current key by now: only then may older ones be
    /// retired. Always, in a file.
    bool is_settled(std::string_view tenant) const;

    /// Gives a tenant its first key. `tenant`: 1 to 256 bytes of UTF-8.
    /// Errors: kInvalidArgument, kConflict when it has keys or had some that were erased: what was
    /// encrypted for one tenant must never look like another's. And those of writing; then nothing
    /// has changed.
    core::Result<KeyId> add_tenant(std::string_view tenant);
    /// A new key for what is written from now on. Errors: kNotFound, and those of writing: of a
    /// shared ring it may be there nevertheless, and is in force then. So it is with all changes.
    core::Result<KeyId> rotate(std::string_view tenant);
    /// Forgets an old key for good. What is still encrypted under it is lost, so whoever calls has
    /// looked. Errors: kNotFound, kConflict for the current key, and those of writing.
    core::Result<void> retire(std::string_view tenant, KeyId key);
    /// Forgets all keys of a tenant for good, in memory also when that cannot be stored.
    /// Idempotent. Files and connections that are open have
    /// copies of keys: close them first. Bytes that the disk itself kept of the ring's file are
    /// worthless after the next rotate_root(). Errors: kNotFound, and those of writing.
    core::Result<void> erase(std::string_view tenant);

    /// Wraps all data keys with a new root key of the provider, then forgets the old ones there. No
    /// data is touched. When it is interrupted, the ring is under one of both, and the provider has
    /// that one; at worst it keeps a key that nothing needs until the next call. Errors: those of
    /// the provider and of writing.
    core::Result<void> rotate_root(RootKeyProvider& provider);

  private:
    struct Body;
    explicit KeyRing(std::shared_ptr<Body> body);
    std::shared_ptr<Body> body_;
};

}  // namespace zona::vault
