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
#include "os/fd.h"
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
constexpr std::size_t kMostBytes = std::size_t{64} << 20U;
constexpr std::size_t kMostName = 256;

/// The keys of one tenant in memory.
class TenantKeys final : public DataKeys {
  public:
    explicit TenantKeys(std::string tenant) : tenant_(std::move(tenant)) {}

    Result<KeyId> current() const override {
        const KeyId id = current_.load(std::memory_order_acquire);
        if (id != KeyId{}) return id;
        return erased();
    }

    Result<crypto::Key> get(KeyId id) const override {
        const std::shared_lock lock(mutex_);
        const auto found = keys_.find(id);
        if (found != keys_.end()) return found->second.clone();
        if (keys_.empty()) return erased();
        return Error(Code::kNotFound,
                     fmt::format("tenant '{}' has no key {:08x}: it was retired, or what it "
                                 "encrypted is of another tenant or newer than the key ring",
                                 tenant_, std::to_underlying(id)));
    }

    void add(KeyId id, crypto::Key key) {
        const std::scoped_lock lock(mutex_);
        keys_.emplace(id, std::move(key));
        current_.store(id, std::memory_order_release);
    }
    void remove(KeyId id) {
        const std::scoped_lock lock(mutex_);
        keys_.erase(id);
    }
    void clear() {
        const std::scoped_lock lock(mutex_);
        current_ = KeyId{};
        keys_.clear();
    }

  private:
    Error erased() const {
        return Error(Code::kNotFound, fmt::format("the keys of tenant '{}' were erased", tenant_));
    }

    const std::string tenant_;
    std::atomic<KeyId> current_{KeyId{}};
    mutable std::shared_mutex mutex_;
    std::map<KeyId, crypto::Key> keys_;  // guarded by mutex_
};

std::string previous_of(const std::string& file) {
    return file + ".previous";
}

/// The text of a file; nullopt when there is none.
Result<std::optional<std::string>> read_if_there(const std::string& file) {
    auto text = os::read_file(file, kMostBytes);
    if (text) return std::optional(std::move(*text));
    if (text.error().code() == Code::kNotFound) return std::optional<std::string>{};
    return text.take_error();
}

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
std::string advice(const std::string& file, RootKeyProvider& provider) {
    const std::string previous = previous_of(file);
    const auto text = read_if_there(previous);
    if (!text || !*text) return "restore it from a backup";
    const auto genuine = verify(**text, provider);
    if (!genuine)
        return fmt::format("{} cannot be used either; restore it from a backup", previous);
    core::SystemTime newest{};
    for (const WrappedKeys& tenant : genuine->image.tenants) {
        for (const WrappedKey& key : tenant.keys)
            newest = std::max(newest, key.made_at);
    }
    return fmt::format(
        "restore it from a backup; or copy {} over it, which is good and has {} "
        "tenants: what was encrypted under keys made since {} would be lost",
        previous, genuine->image.tenants.size(), core::to_rfc3339(newest));
}

bool has_key(const WrappedKeys& tenant, KeyId id) {
    return std::ranges::find(tenant.keys, id, &WrappedKey::id) != tenant.keys.end();
}

/// What happens to the previous generation with a change.
enum class Previous : std::uint8_t { kKept, kReplaced };

}  // namespace

struct KeyRing::Body {
    Body(std::string path, Genuine ring, Surroundings around)
        : file(std::move(path)),
          surroundings(around),
          image(std::move(ring.image)),
          root(std::move(ring.root)),
          mac_key(std::move(ring.mac_key)) {}

    Result<void> unwrap_all() {
        for (const WrappedKeys& tenant : image.tenants) {
            auto keys = std::make_shared<TenantKeys>(tenant.tenant);
            for (const WrappedKey& key : tenant.keys) {
                ZONA_TRY(crypto::Key plain,
                         root->unwrap(key.wrapped, detail::wrap_context(tenant.tenant, key.id)));
                keys->add(key.id, std::move(plain));
            }
            tenants.emplace(tenant.tenant, std::move(keys));
        }
        return {};
    }

    /// Puts `changed` on the disk and in force; nothing changes when it fails. The caller holds
    /// `changing`.
    Result<void> commit(RingImage changed, Previous previous) {
        const std::string text = detail::render_ring(changed, mac_key);
        // What is to be forgotten leaves the previous generation first: a crash in between leaves
        // the change undone, and not half done.
        if (previous == Previous::kReplaced) {
            ZONA_TRY_VOID(os::replace_file(previous_of(file), text, 0600));
        } else {
            ZONA_TRY(const auto old, read_if_there(file));
            if (old) ZONA_TRY_VOID(os::replace_file(previous_of(file), *old, 0600));
        }
        ZONA_TRY_VOID(os::replace_file(file, text, 0600));
        const std::scoped_lock lock(mutex);
        image = std::move(changed);
        return {};
    }

    KeyId new_id() const {
        for (;;) {
            const KeyId id{static_cast<std::uint32_t>(surroundings.random.next())};
            const bool taken = std::ranges::any_of(
                image.tenants, [id](const WrappedKeys& tenant) { return has_key(tenant, id); });
            if (id != KeyId{} && !taken) return id;
        }
    }

    /// A new key at the end of `tenant`, in `changed`.
    struct Made {
        KeyId id;
        crypto::Key key;
    };
    Result<Made> make_key(WrappedKeys& tenant) {
        const KeyId id = new_id();
        crypto::Key key = crypto::Key::random(surroundings.random);
        ZONA_TRY(std::string wrapped, root->wrap(key, detail::wrap_context(tenant.tenant, id)));
        const auto now = std::chrono::floor<std::chrono::milliseconds>(surroundings.clock.system());
        tenant.keys.push_back({.id = id, .made_at = now, .wrapped = std::move(wrapped)});
        return Made{.id = id, .key = std::move(key)};
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

    const std::string file;
    const Surroundings surroundings;
    std::mutex changing;       // held over a whole change, disk included
    mutable std::mutex mutex;  // guards image and tenants, for moments
    RingImage image;           // changes only under `changing`, too
    std::map<std::string, std::shared_ptr<TenantKeys>, std::less<>> tenants;
    std::unique_ptr<RootKey> root;  // under `changing`
    crypto::Key mac_key;            // under `changing`
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

KeyRing::KeyRing(std::unique_ptr<Body> body) : body_(std::move(body)) {}
KeyRing::~KeyRing() = default;

Result<std::unique_ptr<KeyRing>> KeyRing::create(std::string file, RootKeyProvider& provider,
                                                 Surroundings surroundings) {
    for (const std::string& path : {file, previous_of(file)}) {
        ZONA_TRY(const auto there, os::stat_path(path));
        if (there) {
            return Error(
                Code::kConflict,
                fmt::format("{} is there already; a new key ring beside it would make what "
                            "was encrypted under it unreadable",
                            path));
        }
    }
    ZONA_TRY(std::unique_ptr<RootKey> root, provider.make());
    crypto::Key mac_key = crypto::Key::random(surroundings.random);
    ZONA_TRY(std::string wrapped, root->wrap(mac_key, kMacContext));
    RingImage image{.root = root->id(), .mac_key = std::move(wrapped), .tenants = {}};
    auto body = std::make_unique<Body>(
        std::move(file),
        Genuine{.image = image, .root = std::move(root), .mac_key = std::move(mac_key)},
        surroundings);
    ZONA_TRY_VOID(body->commit(std::move(image), Previous::kKept));
    return std::unique_ptr<KeyRing>(new KeyRing(std::move(body)));
}

Result<std::unique_ptr<KeyRing>> KeyRing::open(std::string file, RootKeyProvider& provider,
                                               Surroundings surroundings) {
    ZONA_TRY(const auto text, read_if_there(file));
    if (!text) {
        ZONA_TRY(const auto previous, os::stat_path(previous_of(file)));
        if (!previous) return Error(Code::kNotFound, fmt::format("there is no key ring {}", file));
        return Error(Code::kConflict,
                     fmt::format("the key ring {} is missing: {}", file, advice(file, provider)));
    }
    auto ring = verify(*text, provider);
    if (!ring) {
        const bool damaged = ring.error().code() == Code::kConflict;
        auto error = std::move(ring.take_error())
                         .context(fmt::format("the key ring {} cannot be used", file));
        if (damaged)
            error.detail(
                {.where = file, .problem = error.message(), .hint = advice(file, provider)});
        return error;
    }
    auto body = std::make_unique<Body>(std::move(file), std::move(*ring), surroundings);
    ZONA_TRY_VOID(body->unwrap_all());
    return std::unique_ptr<KeyRing>(new KeyRing(std::move(body)));
}

Result<std::shared_ptr<const DataKeys>> KeyRing::tenant(std::string_view tenant) const {
    const std::shared_ptr<TenantKeys> keys = body_->keys_of(tenant);
    if (keys == nullptr) return unknown(tenant);
    if (auto current = keys->current(); !current) return current.take_error();
    return std::shared_ptr<const DataKeys>(keys);
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
    const std::scoped_lock changing(body_->changing);
    RingImage changed = body_->copy();
    const auto found = std::ranges::find(changed.tenants, tenant, &WrappedKeys::tenant);
    if (found != changed.tenants.end()) {
        return Error(Code::kConflict,
                     fmt::format("tenant '{}' {}", tenant,
                                 found->erased_at ? "had keys, which were erased; take another name"
                                                  : "has keys already"));
    }
    changed.tenants.push_back({.tenant = std::string(tenant), .keys = {}, .erased_at = {}});
    ZONA_TRY(Body::Made made, body_->make_key(changed.tenants.back()));
    ZONA_TRY_VOID(body_->commit(std::move(changed), Previous::kKept));
    auto keys = std::make_shared<TenantKeys>(std::string(tenant));
    keys->add(made.id, std::move(made.key));
    const std::scoped_lock lock(body_->mutex);
    body_->tenants.emplace(tenant, std::move(keys));
    return made.id;
}

Result<KeyId> KeyRing::rotate(std::string_view tenant) {
    const std::scoped_lock changing(body_->changing);
    RingImage changed = body_->copy();
    ZONA_TRY(WrappedKeys* const found, find_in(changed, tenant));
    ZONA_TRY(Body::Made made, body_->make_key(*found));
    ZONA_TRY_VOID(body_->commit(std::move(changed), Previous::kKept));
    body_->keys_of(tenant)->add(made.id, std::move(made.key));
    return made.id;
}

Result<void> KeyRing::retire(std::string_view tenant, KeyId key) {
    const std::scoped_lock changing(body_->changing);
    RingImage changed = body_->copy();
    ZONA_TRY(WrappedKeys* const found, find_in(changed, tenant));
    if (found->keys.back().id == key) {
        return Error(Code::kConflict,
                     fmt::format("key {:08x} is the one that tenant '{}' writes with; rotate first",
                                 std::to_underlying(key), tenant));
    }
    if (std::erase_if(found->keys, [key](const WrappedKey& one) { return one.id == key; }) == 0) {
        return Error(Code::kNotFound,
                     fmt::format("tenant '{}' has no key {:08x}", tenant, std::to_underlying(key)));
    }
    ZONA_TRY_VOID(body_->commit(std::move(changed), Previous::kReplaced));
    body_->keys_of(tenant)->remove(key);
    return {};
}

Result<void> KeyRing::erase(std::string_view tenant) {
    const std::scoped_lock changing(body_->changing);
    RingImage changed = body_->copy();
    const auto found = std::ranges::find(changed.tenants, tenant, &WrappedKeys::tenant);
    if (found == changed.tenants.end()) return unknown(tenant);
    found->keys.clear();
    if (!found->erased_at) {
        found->erased_at =
            std::chrono::floor<std::chrono::milliseconds>(body_->surroundings.clock.system());
    }
    // In memory whatever the disk says: who asks for this wants no more of it to be read.
    body_->keys_of(tenant)->clear();
    return body_->commit(std::move(changed), Previous::kReplaced);
}

Result<void> KeyRing::rotate_root(RootKeyProvider& provider) {
    const std::scoped_lock changing(body_->changing);
    ZONA_TRY(std::unique_ptr<RootKey> root, provider.make());
    RingImage changed = body_->copy();
    changed.root = root->id();
    ZONA_TRY(changed.mac_key, root->wrap(body_->mac_key, kMacContext));
    for (WrappedKeys& tenant : changed.tenants) {
        for (WrappedKey& key : tenant.keys) {
            const std::string context = detail::wrap_context(tenant.tenant, key.id);
            ZONA_TRY(const crypto::Key plain, body_->root->unwrap(key.wrapped, context));
            ZONA_TRY(key.wrapped, root->wrap(plain, context));
        }
    }
    const std::string id = root->id();
    ZONA_TRY_VOID(body_->commit(std::move(changed), Previous::kReplaced));
    body_->root = std::move(root);
    return provider.keep_only(id);
}

}  // namespace zona::vault
