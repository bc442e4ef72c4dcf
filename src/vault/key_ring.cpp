#include "vault/key_ring.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <utility>

#include <fmt/format.h>

#include "core/text.h"
#include "core/time_format.h"
#include "crypto/hash.h"
#include "vault/detail/ring_file.h"

namespace zona::vault {
namespace {

using core::Code;
using core::Error;
using core::Result;
using detail::RingImage;
using detail::WrappedKey;
using detail::WrappedKeys;

constexpr std::string_view kMacContext = "zona ring mac 1";
constexpr std::size_t kMostName = 256;
/// Between two looks for the same key, or tenant, that is not known; and how many of these are
/// remembered.
constexpr std::chrono::seconds kLookAgain(1);
constexpr std::size_t kMostMissed = 1000;

using Previous = RingStorage::Previous;

/// What a tenant's keys ask of the ring that they are in.
class Source {
  public:
    virtual ~Source() = default;
    /// Errors: kUnavailable: somebody may have a newer key by now.
    virtual Result<void> is_up_to_date() const = 0;
    /// Takes in what others have changed, if somebody else can, since `what` is not known. Errors:
    /// those of reading; then it may be there.
    virtual Result<void> look_for(const std::string& what) = 0;
};

/// The keys of one tenant in memory.
class TenantKeys final : public DataKeys {
  public:
    TenantKeys(std::string tenant, std::weak_ptr<Source> source)
        : tenant_(std::move(tenant)), source_(std::move(source)) {}

    Result<KeyId> current() const override {
        const KeyId id = current_.load(std::memory_order_acquire);
        if (id == KeyId{}) return erased();
        if (const auto source = source_.lock()) ZONA_TRY_VOID(source->is_up_to_date());
        return id;
    }

    Result<crypto::Key> get(KeyId id) const override {
        auto key = find(id);
        if (key || key.error().code() != Code::kNotFound) return key;
        const auto source = source_.lock();
        if (!source) return key;
        ZONA_TRY_VOID(source->look_for(fmt::format("key {:08x}", std::to_underlying(id))));
        return find(id);
    }

    bool is_erased() const { return is_erased_.load(std::memory_order_acquire); }
    /// When the present key became the current one here.
    core::SteadyTime current_since() const {
        const std::shared_lock lock(mutex_);
        return since_;
    }
    bool has(KeyId id) const {
        const std::shared_lock lock(mutex_);
        return keys_.contains(id);
    }

    /// Of one whose keys were erased no more is known, here and in keep().
    void add(KeyId id, crypto::Key key) {
        const std::scoped_lock lock(mutex_);
        if (!is_erased_) keys_.emplace(id, std::move(key));
    }
    /// Forgets all but those of `kept`, the last of which is the current one from now on. Of none
    /// they are erased, and stay so.
    void keep(const std::vector<WrappedKey>& kept, core::SteadyTime now) {
        const std::scoped_lock lock(mutex_);
        if (is_erased_) return;
        is_erased_ = kept.empty();
        const KeyId current = kept.empty() ? KeyId{} : kept.back().id;
        if (current_.exchange(current, std::memory_order_acq_rel) != current) since_ = now;
        std::erase_if(keys_, [&](const auto& one) {
            return std::ranges::find(kept, one.first, &WrappedKey::id) == kept.end();
        });
    }

  private:
    Result<crypto::Key> find(KeyId id) const {
        const std::shared_lock lock(mutex_);
        const auto found = keys_.find(id);
        if (found != keys_.end()) return found->second.clone();
        if (keys_.empty()) return erased();
        return Error(Code::kNotFound,
                     fmt::format("tenant '{}' has no key {:08x}: it was retired, or what it "
                                 "encrypted is of another tenant or newer than the key ring",
                                 tenant_, std::to_underlying(id)));
    }

    Error erased() const {
        return Error(Code::kNotFound, fmt::format("the keys of tenant '{}' were erased", tenant_));
    }

    const std::string tenant_;
    const std::weak_ptr<Source> source_;
    std::atomic<KeyId> current_{KeyId{}};
    std::atomic<bool> is_erased_ = false;
    mutable std::shared_mutex mutex_;
    std::map<KeyId, crypto::Key> keys_;  // guarded by mutex_
    core::SteadyTime since_{};           // guarded by mutex_
};

/// A ring that was read, is genuine and can be unwrapped.
struct Genuine {
    RingImage image;
    std::unique_ptr<RootKey> root;
    crypto::Key mac_key;
};

Result<Genuine> verify(std::string_view text, RootKeyProvider& provider) {
    ZONA_TRY(detail::ParsedRing parsed, detail::parse_ring(text));
    ZONA_TRY(std::unique_ptr<RootKey> root, provider.get(parsed.image.root));
    ZONA_TRY(crypto::Key mac_key, root->unwrap(parsed.image.mac_key, kMacContext));
    const crypto::Digest mac = crypto::hmac_sha256(mac_key, std::as_bytes(std::span(parsed.body)));
    if (!crypto::same_bytes(mac, parsed.mac)) {
        return Error(Code::kConflict,
                     "it was changed by somebody without the root key, or is damaged");
    }
    return Genuine{
        .image = std::move(parsed.image), .root = std::move(root), .mac_key = std::move(mac_key)};
}

/// What can be done about a ring that is not there or damaged.
std::string advice(RingStorage& storage, RootKeyProvider& provider) {
    const auto previous = storage.previous();
    if (!previous || !*previous) return "restore it from a backup";
    const auto genuine = verify((*previous)->text, provider);
    if (!genuine) {
        return fmt::format("{} cannot be used either; restore it from a backup", (*previous)->name);
    }
    core::SystemTime newest{};
    for (const WrappedKeys& tenant : genuine->image.tenants) {
        for (const WrappedKey& key : tenant.keys)
            newest = std::max(newest, key.made_at);
    }
    return fmt::format(
        "restore it from a backup; or copy {} over it, which is good and has {} "
        "tenants: what was encrypted under keys made since {} would be lost",
        (*previous)->name, genuine->image.tenants.size(), core::to_rfc3339(newest));
}

/// The ring of a text. Errors say what to do.
Result<Genuine> verified(RingStorage& storage, std::string_view text, RootKeyProvider& provider) {
    auto ring = verify(text, provider);
    if (ring) return ring;
    const bool damaged = ring.error().code() == Code::kConflict;
    auto error = std::move(ring.take_error())
                     .context(fmt::format("the key ring {} cannot be used", storage.name()));
    if (damaged) {
        error.detail({.where = storage.name(),
                      .problem = error.message(),
                      .hint = advice(storage, provider)});
    }
    return error;
}

bool has_key(const WrappedKeys& tenant, KeyId id) {
    return std::ranges::find(tenant.keys, id, &WrappedKey::id) != tenant.keys.end();
}

}  // namespace

struct KeyRing::Body final : Source {
    Body(std::unique_ptr<RingStorage> place, RootKeyProvider& root_keys, Surroundings around)
        : storage(std::move(place)), provider(root_keys), surroundings(around) {}

    Result<void> is_up_to_date() const override {
        if (!storage->is_shared()) return {};
        if (surroundings.clock.steady() - read_at.load() <= kRingTrust) return {};
        return Error(Code::kUnavailable,
                     "the key ring that all hosts share could not be read for long: nothing new is "
                     "encrypted until it can be");
    }

    Result<void> look_for(const std::string& what) override {
        if (!storage->is_shared()) return {};
        const std::scoped_lock turn(changing);
        const core::SteadyTime now = surroundings.clock.steady();
        const auto before = missed.find(what);
        if (before != missed.end() && now - before->second < kLookAgain) return {};
        if (auto followed = follow(); !followed)
            return followed.take_error().context(fmt::format("looking for {}", what));
        if (missed.size() >= kMostMissed) missed.clear();
        missed[what] = now;
        return {};
    }

    /// Takes in what is stored, if there is a newer generation. The caller holds `changing`.
    Result<bool> follow() {
        const core::SteadyTime begun = surroundings.clock.steady();
        ZONA_TRY(const bool is_behind, storage->is_newer(generation));
        if (is_behind) return read_anew();
        read_at = begun;
        return false;
    }

    /// The same of the whole text, which must be there.
    Result<bool> read_anew() {
        const core::SteadyTime begun = surroundings.clock.steady();
        ZONA_TRY(const auto stored, storage->read());
        if (!stored) {
            return Error(Code::kConflict, fmt::format("the key ring {} is gone", storage->name()))
                .detail({storage->name(), "", "restore it from a backup"});
        }
        const bool is_other = stored->generation != generation;
        if (is_other) ZONA_TRY_VOID(take(*stored));
        read_at = begun;
        return is_other;
    }

    /// Puts what was read in force.
    Result<void> take(const RingStorage::Stored& stored) {
        ZONA_TRY(Genuine ring, verified(*storage, stored.text, provider));
        root = std::move(ring.root);
        mac_key.emplace(std::move(ring.mac_key));
        ZONA_TRY_VOID(enforce(std::move(ring.image)));
        generation = stored.generation;
        return {};
    }

    /// A key that was just made.
    struct Made {
        std::string tenant;
        KeyId id;
        crypto::Key key;
    };

    /// Makes the keys in memory those of `next`, which is stored. What cannot be unwrapped leaves
    /// them as they were.
    Result<void> enforce(RingImage next, std::optional<Made> made = {}) {
        struct Fresh {
            std::shared_ptr<TenantKeys> keys;
            KeyId id;
            crypto::Key key;
        };
        std::vector<Fresh> fresh;
        std::map<std::string, std::shared_ptr<TenantKeys>, std::less<>> all;
        for (const WrappedKeys& tenant : next.tenants) {
            auto keys = keys_of(tenant.tenant);
            if (!keys) keys = std::make_shared<TenantKeys>(tenant.tenant, self);
            all.emplace(tenant.tenant, keys);
            for (const WrappedKey& key : tenant.keys) {
                if (keys->has(key.id) || keys->is_erased()) continue;
                if (made && made->tenant == tenant.tenant && made->id == key.id) {
                    fresh.push_back({keys, key.id, std::move(made->key)});
                    continue;
                }
                ZONA_TRY(crypto::Key plain,
                         root->unwrap(key.wrapped, detail::wrap_context(tenant.tenant, key.id)));
                fresh.push_back({keys, key.id, std::move(plain)});
            }
        }
        const std::scoped_lock lock(mutex);
        for (Fresh& one : fresh)
            one.keys->add(one.id, std::move(one.key));
        const core::SteadyTime now = surroundings.clock.steady();
        for (const WrappedKeys& tenant : next.tenants)
            all.find(tenant.tenant)->second->keep(tenant.keys, now);
        image = std::move(next);
        tenants = std::move(all);
        return {};
    }

    /// Stores what `make` does to the newest ring, and puts it in force, then calls `then`;
    /// nothing changes when it fails. Where others change the ring too it is made again from what
    /// they have left. `make` gives a Result of the new key, if there is one.
    template <class Make, class Then>
    Result<KeyId> change(Previous previous, Make make, Then then) {
        const std::scoped_lock turn(changing);
        for (;;) {
            if (storage->is_shared()) ZONA_TRY_VOID(read_anew());
            const core::SteadyTime begun = surroundings.clock.steady();
            RingImage changed = copy();
            ZONA_TRY(std::optional<Made> made, make(changed));
            auto stored =
                storage->replace(generation, detail::render_ring(changed, *mac_key), previous);
            const bool overtaken = !stored && stored.error().code() == Code::kConflict;
            if (overtaken && storage->is_shared()) continue;
            if (!stored) return failed(stored.take_error());
            generation = *stored;
            read_at = begun;
            const KeyId id = made ? made->id : KeyId{};
            ZONA_TRY_VOID(enforce(std::move(changed), std::move(made)));
            ZONA_TRY_VOID(then());
            return id;
        }
    }
    template <class Make>
    Result<KeyId> change(Previous previous, Make make) {
        return change(previous, std::move(make), [] { return Result<void>(); });
    }

    /// After a change that failed: where it may be stored nevertheless, that is found out, so that
    /// what is in force is what is stored.
    Error failed(Error error) {
        if (!storage->is_shared() || read_anew()) return error;
        return std::move(error).context("whether the key ring is changed is not known");
    }

    KeyId new_id(const RingImage& ring) const {
        for (;;) {
            const KeyId id{static_cast<std::uint32_t>(surroundings.random.next())};
            const bool taken = std::ranges::any_of(
                ring.tenants, [id](const WrappedKeys& tenant) { return has_key(tenant, id); });
            if (id != KeyId{} && !taken) return id;
        }
    }

    /// A new key at the end of `tenant`, which is in `ring`.
    Result<std::optional<Made>> make_key(const RingImage& ring, WrappedKeys& tenant) {
        const KeyId id = new_id(ring);
        crypto::Key key = crypto::Key::random(surroundings.random);
        ZONA_TRY(std::string wrapped, root->wrap(key, detail::wrap_context(tenant.tenant, id)));
        const auto now = std::chrono::floor<std::chrono::milliseconds>(surroundings.clock.system());
        tenant.keys.push_back({.id = id, .made_at = now, .wrapped = std::move(wrapped)});
        return std::optional(Made{.tenant = tenant.tenant, .id = id, .key = std::move(key)});
    }

    RingImage copy() const {
        const std::scoped_lock lock(mutex);
        return image;
    }

    std::shared_ptr<TenantKeys> keys_of(std::string_view tenant) const {
        const std::scoped_lock lock(mutex);
        const auto found = tenants.find(tenant);
        return found == tenants.end() ? nullptr : found->second;
    }

    const std::unique_ptr<RingStorage> storage;
    RootKeyProvider& provider;
    const Surroundings surroundings;
    std::weak_ptr<Source> self;  // what keys ask; of none in a file
    std::mutex changing;         // held over a whole change, storage included
    mutable std::mutex mutex;    // guards the next two, for moments
    RingImage image;             // changes only under `changing`, too
    std::map<std::string, std::shared_ptr<TenantKeys>, std::less<>> tenants;
    std::atomic<core::SteadyTime> read_at{};  // before a look that found what is in force stored
    std::map<std::string, core::SteadyTime> missed;  // under `changing`; who was looked for when
    std::int64_t generation = 0;                     // under `changing`; of what is in force
    std::unique_ptr<RootKey> root;                   // under `changing`
    std::optional<crypto::Key> mac_key;              // under `changing`
};

namespace {

Error unknown(std::string_view tenant) {
    return Error(Code::kNotFound, fmt::format("the key ring has no tenant '{}'", tenant));
}

/// The tenant in a copy of the image; kNotFound when it is not there or was erased.
Result<WrappedKeys*> find_in(RingImage& image, std::string_view tenant) {
    const auto found = std::ranges::find(image.tenants, tenant, &WrappedKeys::tenant);
    if (found == image.tenants.end()) return unknown(tenant);
    if (found->erased_at) {
        return Error(Code::kNotFound, fmt::format("the keys of tenant '{}' were erased at {}",
                                                  tenant, core::to_rfc3339(*found->erased_at)));
    }
    return &*found;
}

std::vector<DataKeyInfo> told_of(const WrappedKeys& tenant) {
    std::vector<DataKeyInfo> out;
    out.reserve(tenant.keys.size());
    for (const WrappedKey& key : tenant.keys)
        out.push_back({.id = key.id, .made_at = key.made_at});
    return out;
}

}  // namespace

KeyRing::KeyRing(std::shared_ptr<Body> body) : body_(std::move(body)) {}
KeyRing::~KeyRing() = default;

Result<std::unique_ptr<KeyRing>> KeyRing::create(std::unique_ptr<RingStorage> storage,
                                                 RootKeyProvider& provider,
                                                 Surroundings surroundings) {
    ZONA_TRY(const auto there, storage->read());
    ZONA_TRY(const auto previous, storage->previous());
    if (there || previous) {
        return Error(Code::kConflict,
                     fmt::format("{} is there already; a new key ring beside it would make what "
                                 "was encrypted under it unreadable",
                                 there ? storage->name() : previous->name));
    }
    auto body = std::make_shared<Body>(std::move(storage), provider, surroundings);
    if (body->storage->is_shared()) body->self = body;
    ZONA_TRY(body->root, provider.make());
    body->mac_key.emplace(crypto::Key::random(surroundings.random));
    ZONA_TRY(std::string wrapped, body->root->wrap(*body->mac_key, kMacContext));
    RingImage image{.root = body->root->id(), .mac_key = std::move(wrapped), .tenants = {}};
    const core::SteadyTime begun = surroundings.clock.steady();
    auto stored =
        body->storage->replace(0, detail::render_ring(image, *body->mac_key), Previous::kKept);
    if (!stored && body->storage->is_shared() && stored.error().code() == Code::kConflict)
        return Error(Code::kUnavailable, "another host is making the key ring: open that one");
    ZONA_TRY(body->generation, std::move(stored));
    body->read_at = begun;
    ZONA_TRY_VOID(body->enforce(std::move(image)));
    return std::unique_ptr<KeyRing>(new KeyRing(std::move(body)));
}

Result<std::unique_ptr<KeyRing>> KeyRing::open(std::unique_ptr<RingStorage> storage,
                                               RootKeyProvider& provider,
                                               Surroundings surroundings) {
    const core::SteadyTime begun = surroundings.clock.steady();
    ZONA_TRY(const auto stored, storage->read());
    if (!stored) {
        ZONA_TRY(const auto previous, storage->previous());
        if (!previous)
            return Error(Code::kNotFound, fmt::format("there is no key ring {}", storage->name()));
        return Error(Code::kConflict, fmt::format("the key ring {} is missing: {}", storage->name(),
                                                  advice(*storage, provider)));
    }
    auto body = std::make_shared<Body>(std::move(storage), provider, surroundings);
    if (body->storage->is_shared()) body->self = body;
    ZONA_TRY_VOID(body->take(*stored));
    body->read_at = begun;
    return std::unique_ptr<KeyRing>(new KeyRing(std::move(body)));
}

Result<std::unique_ptr<KeyRing>> KeyRing::create(std::string file, RootKeyProvider& provider,
                                                 Surroundings surroundings) {
    return create(ring_file(std::move(file)), provider, surroundings);
}

Result<std::unique_ptr<KeyRing>> KeyRing::open(std::string file, RootKeyProvider& provider,
                                               Surroundings surroundings) {
    return open(ring_file(std::move(file)), provider, surroundings);
}

Result<bool> KeyRing::follow() {
    if (!body_->storage->is_shared()) return false;
    const std::scoped_lock turn(body_->changing);
    return body_->follow();
}

bool KeyRing::is_settled(std::string_view tenant) const {
    if (!body_->storage->is_shared()) return true;
    const std::shared_ptr<TenantKeys> keys = body_->keys_of(tenant);
    return keys && body_->surroundings.clock.steady() - keys->current_since() >= kRingSettles;
}

Result<std::shared_ptr<const DataKeys>> KeyRing::tenant(std::string_view tenant) const {
    std::shared_ptr<TenantKeys> keys = body_->keys_of(tenant);
    if (keys == nullptr) {
        ZONA_TRY_VOID(body_->look_for(fmt::format("the keys of tenant '{}'", tenant)));
        keys = body_->keys_of(tenant);
    }
    if (keys == nullptr) return unknown(tenant);
    if (keys->is_erased())
        return Error(Code::kNotFound, fmt::format("the keys of tenant '{}' were erased", tenant));
    return std::shared_ptr<const DataKeys>(std::move(keys));
}

Result<std::vector<DataKeyInfo>> KeyRing::keys(std::string_view tenant) const {
    RingImage image = body_->copy();
    ZONA_TRY(const WrappedKeys* const found, find_in(image, tenant));
    return told_of(*found);
}

std::vector<KeyOwner> KeyRing::owners() const {
    std::vector<KeyOwner> out;
    RingImage image = body_->copy();
    for (WrappedKeys& tenant : image.tenants) {
        out.push_back({.tenant = std::move(tenant.tenant),
                       .keys = told_of(tenant),
                       .erased_at = tenant.erased_at});
    }
    return out;
}

std::vector<Rotation> KeyRing::rotations() const {
    std::vector<Rotation> out;
    for (const WrappedKeys& tenant : body_->copy().tenants) {
        if (tenant.keys.size() < 2) continue;
        Rotation one{.tenant = tenant.tenant, .current = tenant.keys.back().id, .old = {}};
        for (const WrappedKey& key : tenant.keys) {
            if (key.id != one.current) one.old.push_back(key.id);
        }
        out.push_back(std::move(one));
    }
    return out;
}

std::string KeyRing::root() const {
    return body_->copy().root;
}

Result<KeyId> KeyRing::add_tenant(std::string_view tenant) {
    if (tenant.empty() || tenant.size() > kMostName || !core::is_valid_utf8(tenant)) {
        return Error(Code::kInvalidArgument,
                     fmt::format("a tenant's name is 1 to {} bytes of UTF-8", kMostName));
    }
    return body_->change(
        Previous::kKept, [&](RingImage& ring) -> Result<std::optional<Body::Made>> {
            const auto found = std::ranges::find(ring.tenants, tenant, &WrappedKeys::tenant);
            if (found != ring.tenants.end()) {
                return Error(
                    Code::kConflict,
                    fmt::format("tenant '{}' {}", tenant,
                                found->erased_at ? "had keys, which were erased; take another name"
                                                 : "has keys already"));
            }
            ring.tenants.push_back({.tenant = std::string(tenant), .keys = {}, .erased_at = {}});
            return body_->make_key(ring, ring.tenants.back());
        });
}

Result<KeyId> KeyRing::rotate(std::string_view tenant) {
    return body_->change(Previous::kKept,
                         [&](RingImage& ring) -> Result<std::optional<Body::Made>> {
                             ZONA_TRY(WrappedKeys* const found, find_in(ring, tenant));
                             return body_->make_key(ring, *found);
                         });
}

Result<void> KeyRing::retire(std::string_view tenant, KeyId key) {
    const auto retire = [&](RingImage& ring) -> Result<std::optional<Body::Made>> {
        ZONA_TRY(WrappedKeys* const found, find_in(ring, tenant));
        if (found->keys.back().id == key) {
            return Error(
                Code::kConflict,
                fmt::format("key {:08x} is the one that tenant '{}' writes with; rotate first",
                            std::to_underlying(key), tenant));
        }
        const auto gone =
            std::erase_if(found->keys, [key](const WrappedKey& one) { return one.id == key; });
        if (gone == 0) {
            return Error(Code::kNotFound, fmt::format("tenant '{}' has no key {:08x}", tenant,
                                                      std::to_underlying(key)));
        }
        return std::optional<Body::Made>();
    };
    ZONA_TRY_VOID(body_->change(Previous::kReplaced, retire));
    return {};
}

Result<void> KeyRing::erase(std::string_view tenant) {
    const auto erase = [&](RingImage& ring) -> Result<std::optional<Body::Made>> {
        const auto found = std::ranges::find(ring.tenants, tenant, &WrappedKeys::tenant);
        if (found == ring.tenants.end()) return unknown(tenant);
        found->keys.clear();
        if (!found->erased_at) {
            found->erased_at =
                std::chrono::floor<std::chrono::milliseconds>(body_->surroundings.clock.system());
        }
        // In memory for good, whatever the disk says: who asks for this wants no more of it to be
        // read.
        if (const auto keys = body_->keys_of(tenant))
            keys->keep({}, body_->surroundings.clock.steady());
        return std::optional<Body::Made>();
    };
    ZONA_TRY_VOID(body_->change(Previous::kReplaced, erase));
    return {};
}

Result<void> KeyRing::rotate_root(RootKeyProvider& provider) {
    ZONA_TRY(std::unique_ptr<RootKey> root, provider.make());
    const auto wrap_anew = [&](RingImage& ring) -> Result<std::optional<Body::Made>> {
        ring.root = root->id();
        ZONA_TRY(ring.mac_key, root->wrap(*body_->mac_key, kMacContext));
        for (WrappedKeys& tenant : ring.tenants) {
            for (WrappedKey& key : tenant.keys) {
                const std::string context = detail::wrap_context(tenant.tenant, key.id);
                ZONA_TRY(const crypto::Key plain, body_->root->unwrap(key.wrapped, context));
                ZONA_TRY(key.wrapped, root->wrap(plain, context));
            }
        }
        return std::optional<Body::Made>();
    };
    const auto forget_old = [&]() -> Result<void> {
        const std::string id = root->id();
        body_->root = std::move(root);
        return provider.keep_only(id);
    };
    ZONA_TRY_VOID(body_->change(Previous::kReplaced, wrap_anew, forget_old));
    return {};
}

}  // namespace zona::vault
