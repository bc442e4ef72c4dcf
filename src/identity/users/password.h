/// @file
/// PasswordHasher: passwords as Argon2id hashes.
///
/// A hash is a text of the form of the PHC string format, "$argon2id$v=19$m=65536,t=3,p=1$...",
/// with a salt of 16 random bytes and 32 bytes of hash; its parameters are in it, so that they can
/// be raised. Source: RFC 9106, GAP-52.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "core/metrics.h"
#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"

namespace zona::identity {

/// What one computation costs.
struct HashCost {
    std::uint32_t memory_kib = 64 * 1024;
    std::uint32_t passes = 3;
    bool operator==(const HashCost&) const = default;
};

/// That of production: memory and passes of RFC 9106's second recommendation (section 4), on one
/// lane, since a server's cores are for many at once. One computation takes 0.18 s on the machine
/// of docs/perf.md, and 64 MiB, which it gives back.
inline constexpr HashCost kProductionCost{};

/// Bytes of the longest password.
inline constexpr std::size_t kMaxPasswordBytes = 1024;

/// Whether a password is the one of a hash.
enum class PasswordMatch : std::uint8_t {
    kNo,
    kYes,
    kYesRehash,  ///< and the hash was made with another cost: make it anew
};

/// All members from any thread; each computation keeps its thread busy, one of others waits for a
/// place.
class PasswordHasher {
  public:
    /// At most `at_once` computations run at the same time, with cost.memory_kib each, which they
    /// give back. `random` is any thread's, and fit for keys.
    PasswordHasher(HashCost cost, std::size_t at_once, core::Random& random,
                   core::MetricRegistry& metrics);

    /// Errors: kResourceExhausted: no memory; kTooLarge over kMaxPasswordBytes.
    core::Result<std::string> hash(const core::Secret& password);
    /// Takes the same time for every password. A text that is no hash of ours is kNo, for the price
    /// of one computation. Errors: those of hash().
    core::Result<PasswordMatch> verify(const core::Secret& password, std::string_view hash);
    /// As long as a verify(), for whoever has no hash: nobody can tell who has one.
    core::Result<void> verify_nothing(const core::Secret& password);

    /// Computations so far, whatever they were for.
    std::uint64_t computed() const { return computed_; }

  private:
    class Turn;
    HashCost cost_;
    core::Random& random_;
    core::Counter& counter_;
    std::string own_prefix_;  ///< of hashes with this cost
    std::atomic<std::uint64_t> computed_ = 0;
    std::mutex mutex_;
    std::condition_variable freed_;
    std::size_t free_;  ///< guarded by mutex_
};

}  // namespace zona::identity
