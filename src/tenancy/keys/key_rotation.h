/// @file
/// KeyRotation: gives owners new data keys, encrypts anew what is under old ones, and forgets
/// those.
///
/// The only code that does so: the job `key-rotation` and `zona vault rotate` are two ways to begin
/// it. It may die at any moment: the ring knows who has old keys, files and fields know which key
/// they are under, and an old key goes last. Where several hosts share a ring it goes with a later
/// rotation, when none of them writes with it any more (KeyRing::is_settled()). Source: SEC-06,
/// SEC-07.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/result.h"
#include "vault/data_keys.h"

namespace zona::tenancy {

class Tenants;

/// What it works with; all outlive it.
struct KeyRotationDeps {
    Tenants& tenants;
    const core::Clock& clock;
    core::Logger log;
    /// Whether something outside of the database files, a backup for instance, can be read with
    /// this key alone: then it is kept. Empty: there is nothing. Blocks.
    std::function<core::Result<bool>(const std::string& owner, vault::KeyId key)> needs_key{};
};

/// How one owner's rotation goes.
struct RotationPlan {
    /// The age from which the current key is replaced; none: whatever its age. What an earlier
    /// rotation has left is finished in either case.
    std::optional<std::chrono::milliseconds> age;
    /// Is asked between two steps; its errors end the work. Empty: nobody ends it but stop().
    std::function<core::Result<void>()> go_on{};
    core::ProgressSink tell{};
};

/// What was done.
struct Rotated {
    std::uint64_t rotated = 0;    ///< owners with a new key
    std::uint64_t retired = 0;    ///< old keys that were forgotten
    std::uint64_t waiting = 0;    ///< old keys that something else needs
    std::uint64_t passwords = 0;  ///< of tenants' databases, sealed anew
    std::uint64_t resealed = 0;   ///< documents of which a secret field was sealed anew

    Rotated& operator+=(const Rotated& other);
};

/// All members from any thread.
class KeyRotation {
  public:
    /// The right to rotate, which one at a time has. Move-only; outlived by its KeyRotation.
    class Turn {
      public:
        /// "core" and the active tenants, in the order of their making. Blocks.
        core::Result<std::vector<std::string>> owners() const;
        /// All of one owner: a new key if `plan` says so, its open files and sealed fields under
        /// it, older keys forgotten that nothing needs any more. Beside readers and writers. One
        /// whose database is shared or elsewhere and that has sealed nothing has no keys; nothing
        /// is done then. Blocks, long: not on a thread of the databases' own or run_blocking's.
        /// Errors: kForbidden: a tenant that is not served; those of the ring, the files and
        /// `plan`; kCancelled after stop(); kUnavailable when readers kept a log from being
        /// emptied. Then old keys stay, and the next rotation finishes this one.
        core::Result<Rotated> rotate(const std::string& owner, const RotationPlan& plan) const;
        /// Each of `owners`; what fails for one does not stop it. Errors: of the first that failed,
        /// naming it and how many did.
        core::Result<Rotated> rotate_all(const std::vector<std::string>& owners,
                                         const RotationPlan& plan) const;

      private:
        friend class KeyRotation;
        struct GiveBack {
            void operator()(KeyRotation* rotation) const { rotation->busy_ = false; }
        };
        explicit Turn(KeyRotation& rotation) : rotation_(&rotation) {}
        std::unique_ptr<KeyRotation, GiveBack> rotation_;
    };

    /// Does nothing yet.
    explicit KeyRotation(KeyRotationDeps deps) : deps_(std::move(deps)) {}
    KeyRotation(const KeyRotation&) = delete;
    KeyRotation& operator=(const KeyRotation&) = delete;
    /// Precondition: no Turn is left.
    ~KeyRotation() = default;

    /// Errors: kConflict: a rotation is under way.
    core::Result<Turn> begin();
    /// Makes what runs end soon, with kCancelled.
    void stop() { stopping_ = true; }

  private:
    const KeyRotationDeps deps_;
    std::atomic<bool> stopping_ = false;
    std::atomic<bool> busy_ = false;
};

}  // namespace zona::tenancy
