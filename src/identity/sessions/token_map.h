/// @file
/// TokenMap: the access tokens that were seen and found good, as the first level of the session
/// store: who presents a token of it is known without a signature and without a database.
///
/// A token is known by its SHA-256, so the map holds nothing that could be used elsewhere. It is
/// bounded: what is over leaves first, then what was not used for longest; whatever left is looked
/// up in the store again. Sharded by that hash; any thread. Source: AUTH-14, AUTH-20, GAP-11.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "core/clock.h"
#include "crypto/hash.h"
#include "identity/principal.h"

namespace zona::identity {

/// How large it gets, and how idle a session may be.
struct TokenMapOptions {
    std::size_t capacity = 65'536;  ///< tokens; some 400 bytes each
    std::chrono::nanoseconds idle = std::chrono::minutes(30);
    /// After which a use is to be written down.
    std::chrono::nanoseconds touch = std::chrono::minutes(1);
};

/// See the file comment.
class TokenMap {
  public:
    /// What a token is known by.
    using Key = crypto::Digest;
    /// See Key.
    static Key key_of(std::string_view token) { return crypto::sha256(token); }

    /// A token that is good.
    struct Known {
        std::shared_ptr<const Principal> who;
        core::SystemTime end;        ///< of the token or the session's absolute one, the first
        core::SystemTime last_used;  ///< as the store knows it
    };
    /// A token that was found.
    struct Hit {
        std::shared_ptr<const Principal> who;
        /// This use is to be written down: of many at one time one is told so.
        bool touch = false;
    };

    /// Empty.
    explicit TokenMap(const TokenMapOptions& options);

    /// Who presents the token, whose use is noted; nullopt: it is not known, or over by now: then
    /// it is taken out, and the store says what it is.
    std::optional<Hit> use(const Key& key, core::SystemTime now);

    /// Grows with each forget(): to be asked for before the store is read.
    std::uint64_t epoch() const { return epoch_.load(); }
    /// Keeps what the store has said since `epoch`. False: something was forgotten meanwhile, so it
    /// may be that; nothing is kept.
    bool keep(const Key& key, Known known, core::SystemTime now, std::uint64_t epoch);
    /// Takes out all whose principal meets `which`, and says how many.
    std::size_t forget(const std::function<bool(const Principal&)>& which);
    /// Takes out all that are over, and says how many. Source: BG-03.
    std::size_t remove_over(core::SystemTime now);

    std::size_t size() const { return size_.load(); }

  private:
    struct Entry {
        std::shared_ptr<const Principal> who;
        core::SystemTime end;
        core::SystemTime last_used;
        core::SystemTime touched;
    };
    /// It is a hash already.
    struct Hash {
        std::size_t operator()(const Key& key) const noexcept;
    };
    struct alignas(64) Shard {
        std::mutex mutex;
        std::unordered_map<Key, Entry, Hash> entries;  // guarded by mutex
    };
    static constexpr std::size_t kShards = 64;

    bool is_over(const Entry& entry, core::SystemTime now) const;
    Shard& shard_of(const Key& key);
    std::size_t erase_if(Shard& shard, const std::function<bool(const Entry&)>& which);
    void make_room(Shard& shard, core::SystemTime now);

    const TokenMapOptions options_;
    std::array<Shard, kShards> shards_;
    std::atomic<std::size_t> size_ = 0;
    std::atomic<std::uint64_t> epoch_ = 0;
};

}  // namespace zona::identity
