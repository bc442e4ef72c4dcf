#include "identity/api_keys.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/time_format.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "os/fd.h"

namespace zona::identity {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kKeyCharacters = 43;
constexpr std::size_t kMostName = 64;
/// A list with a key of a tenant's is written in the second, so that no zona which would take such
/// a key for one of all tenants reads it.
constexpr std::int64_t kFirstFormat = 1;
constexpr std::int64_t kFormat = 2;

constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kHex = "0123456789abcdef";

bool is_key_shaped(std::string_view text) {
    return text.size() == kApiKeyPrefix.size() + kKeyCharacters &&
           text.starts_with(kApiKeyPrefix) &&
           text.find_first_not_of(kBase64Url, kApiKeyPrefix.size()) == std::string_view::npos;
}

Result<void> check_name(std::string_view name) {
    constexpr std::string_view kAllowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (!name.empty() && name.size() <= kMostName &&
        name.find_first_not_of(kAllowed) == std::string_view::npos) {
        return {};
    }
    return Error(
        Code::kInvalidArgument,
        fmt::format("a key's name is 1 to {} letters, digits and any of '._-'", kMostName));
}

/// When a key was used last. Shared by the copies of its entry, so that a use is never lost to a
/// change of the list; any thread.
class LastUse {
  public:
    void set(core::SystemTime now) {
        const auto before = core::SystemTime(core::SystemTime::duration(ticks_.load(kOrder)));
        // Of many requests at once one tells: the others need not fight for the place.
        if (now - before >= kFineness || before > now)
            ticks_.store(now.time_since_epoch().count(), kOrder);
    }
    std::optional<core::SystemTime> get() const {
        const Ticks ticks = ticks_.load(kOrder);
        if (ticks == kNever) return std::nullopt;
        return core::SystemTime(core::SystemTime::duration(ticks));
    }

  private:
    using Ticks = core::SystemTime::rep;
    static constexpr std::memory_order kOrder = std::memory_order_relaxed;
    static constexpr std::chrono::milliseconds kFineness{1};
    static constexpr Ticks kNever = 0;
    std::atomic<Ticks> ticks_ = kNever;
};

struct Stored {
    ApiKey key;  ///< its last use is in `used`
    crypto::Digest sha256;
    std::shared_ptr<LastUse> used = std::make_shared<LastUse>();
};

json::value to_value(const Stored& stored) {
    json::object out{{"id", stored.key.id.to_string()},
                     {"name", stored.key.name},
                     {"scope", to_string(stored.key.scope)},
                     {"sha256", crypto::hex(stored.sha256)},
                     {"created_at", core::to_rfc3339(stored.key.created_at)}};
    if (!stored.key.tenant.empty()) out["tenant"] = stored.key.tenant;
    if (stored.key.expires_at) out["expires_at"] = core::to_rfc3339(*stored.key.expires_at);
    if (const auto used = stored.used->get()) out["last_used_at"] = core::to_rfc3339(*used);
    return out;
}

std::optional<core::SystemTime> time_in(const core::JsonReader& in, std::string_view key) {
    const auto text = in.string(key);
    if (!text) return std::nullopt;
    const auto time = core::parse_rfc3339(*text);
    if (!time) in.mistake(key, time.error().message());
    return time ? std::optional(*time) : std::nullopt;
}

bool read_digest(std::string_view text, crypto::Digest& out) {
    if (text.find_first_not_of(kHex) != std::string_view::npos) return false;
    const auto bytes = crypto::from_hex(text);
    if (!bytes.has_value() || bytes->size() != out.size()) return false;
    std::ranges::copy(std::as_bytes(std::span(*bytes)), out.begin());
    return true;
}

Stored stored_from(const core::JsonReader& in) {
    Stored out{};
    const auto id = core::Uuid::parse(in.require_string("id"));
    if (!id) in.mistake("id", id.error().message());
    if (id) out.key.id = *id;
    out.key.name = in.require_string("name");
    if (auto good = check_name(out.key.name); !good) in.mistake("name", good.error().message());
    const auto scope = scope_from(in.require_string("scope"));
    if (!scope) in.mistake("scope", "neither viewer nor admin");
    out.key.scope = scope.value_or(Scope::kViewer);
    out.key.tenant = in.string("tenant").value_or("");
    if (!read_digest(in.require_string("sha256"), out.sha256))
        in.mistake("sha256", "not 64 hexadecimal digits in lower case");
    const auto created = time_in(in, "created_at");
    if (!created) in.mistake("created_at", "missing");
    out.key.created_at = created.value_or(core::SystemTime{});
    out.key.expires_at = time_in(in, "expires_at");
    if (const auto used = time_in(in, "last_used_at")) out.used->set(*used);
    return out;
}

Result<std::vector<Stored>> parse(const std::string& text) {
    ZONA_TRY(const json::value value, core::parse_json(text));
    const core::JsonReader in(value);
    const auto format = in.integer("format");
    if (format != kFirstFormat && format != kFormat) {
        in.mistake("format", format ? fmt::format("{} is of another zona", *format) : "missing");
    }
    std::vector<Stored> out;
    for (const core::JsonReader& one : in.objects("keys"))
        out.push_back(stored_from(one));
    ZONA_TRY_VOID(in.finish("the list of keys"));
    return out;
}

}  // namespace

bool holds_api_key(std::string_view text) {
    std::size_t at = 0;
    while ((at = text.find(kApiKeyPrefix, at)) != std::string_view::npos) {
        at += kApiKeyPrefix.size();
        const std::size_t end = std::min(text.find_first_not_of(kBase64Url, at), text.size());
        if (end - at >= kKeyCharacters) return true;
    }
    return false;
}

struct ApiKeys::Body {
    Body(std::string path, const core::Clock& the_clock, core::Random& the_random,
         std::function<void()> on_use)
        : file(std::move(path)), clock(the_clock), random(the_random), used(std::move(on_use)) {}

    std::vector<Stored> copy() const {
        const std::shared_lock lock(mutex);
        return keys;
    }

    Result<void> write(const std::vector<Stored>& all) const {
        json::array list;
        std::int64_t format = kFirstFormat;
        for (const Stored& one : all) {
            list.push_back(to_value(one));
            if (!one.key.tenant.empty()) format = kFormat;
        }
        const json::value value = json::object{{"format", format}, {"keys", std::move(list)}};
        return os::replace_file(file, core::to_json(value, core::JsonLayout::kIndented) + "\n",
                                0600);
    }

    /// The list with `changed` in force, once it is on disk. The caller holds `changing`.
    Result<void> commit(std::vector<Stored> changed) {
        ZONA_TRY_VOID(write(changed));
        const std::scoped_lock lock(mutex);
        keys = std::move(changed);
        exists = true;
        return {};
    }

    core::Secret add(std::vector<Stored>& to, const NewApiKey& wanted) const {
        std::array<std::byte, kKeyBytes> bytes{};
        random.fill(bytes);
        core::Secret text(std::string(kApiKeyPrefix) + crypto::base64url(bytes));
        crypto::wipe(bytes);
        to.push_back({.key = {.id = core::Uuid::v4(random),
                              .name = wanted.name,
                              .scope = wanted.scope,
                              .tenant = wanted.tenant,
                              .created_at = clock.system(),
                              .expires_at = wanted.expires_at},
                      .sha256 = crypto::sha256(text.reveal())});
        return text;
    }

    bool expired(const Stored& one) const {
        return one.key.expires_at && *one.key.expires_at <= clock.system();
    }

    const std::string file;
    const core::Clock& clock;
    core::Random& random;
    const std::function<void()> used;
    std::mutex changing;                     // held over a whole change, disk included
    bool exists = false;                     ///< the file; guarded by `changing`
    std::atomic<bool> has_new_uses = false;  ///< since the file was written

    /// Guards `keys`, for moments. Shared, because each request asks: with a lock of one holder the
    /// threads of requests would wake each other thousands of times a second.
    mutable std::shared_mutex mutex;
    std::vector<Stored> keys;  // changes only under `changing`, too
};

ApiKeys::ApiKeys(std::unique_ptr<Body> body) : body_(std::move(body)) {}
ApiKeys::~ApiKeys() = default;

Result<std::unique_ptr<ApiKeys>> ApiKeys::open(std::string file, const core::Clock& clock,
                                               core::Random& random, std::function<void()> used) {
    auto body = std::make_unique<Body>(std::move(file), clock, random, std::move(used));
    const auto text = os::read_file(body->file, 1U << 20U);
    if (!text && text.error().code() != Code::kNotFound) return text.error();
    if (text) {
        auto keys = parse(*text);
        if (!keys) {
            return std::move(keys.take_error())
                .recode(Code::kConflict)
                .context(fmt::format("{} cannot be used and is left as it is", body->file));
        }
        body->keys = std::move(*keys);
        body->exists = true;
    }
    return std::unique_ptr<ApiKeys>(new ApiKeys(std::move(body)));
}

Result<bool> ApiKeys::make_first(const std::string& file) {
    const std::scoped_lock changing(body_->changing);
    if (body_->exists) return false;
    std::vector<Stored> keys;
    const core::Secret text = body_->add(keys, {.name = "default", .scope = Scope::kAdmin});
    // This file first: a key in the list that nobody can read would be the last that is made.
    ZONA_TRY_VOID(os::replace_file(file, std::string(text.reveal()) + "\n", 0600));
    ZONA_TRY_VOID(body_->commit(std::move(keys)));
    return true;
}

Result<core::Secret> ApiKeys::create(const NewApiKey& wanted) {
    ZONA_TRY_VOID(check_name(wanted.name));
    const std::scoped_lock changing(body_->changing);
    if (wanted.expires_at && *wanted.expires_at <= body_->clock.system()) {
        return Error(Code::kInvalidArgument, "a key that has expired already is of no use");
    }
    std::vector<Stored> changed = body_->copy();
    const bool exists = std::ranges::any_of(changed, [&](const Stored& one) {
        return one.key.name == wanted.name && !body_->expired(one);
    });
    if (exists) {
        return Error(Code::kConflict, fmt::format("a key named '{}' exists already", wanted.name));
    }
    core::Secret text = body_->add(changed, wanted);
    ZONA_TRY_VOID(body_->commit(std::move(changed)));
    return text;
}

Result<core::Secret> ApiKeys::rotate(std::string_view name, std::chrono::seconds overlap) {
    const std::scoped_lock changing(body_->changing);
    std::vector<Stored> changed = body_->copy();
    const core::SystemTime end = body_->clock.system() + overlap;
    std::optional<NewApiKey> successor;
    for (Stored& one : changed) {
        if (one.key.name != name || body_->expired(one)) continue;
        // The latest of the name says what the next one may do, and until when.
        successor = NewApiKey{one.key.name, one.key.scope, one.key.expires_at, one.key.tenant};
        if (!one.key.expires_at || *one.key.expires_at > end) one.key.expires_at = end;
    }
    if (!successor)
        return Error(Code::kNotFound, fmt::format("there is no valid key named '{}'", name));
    core::Secret text = body_->add(changed, *successor);
    ZONA_TRY_VOID(body_->commit(std::move(changed)));
    return text;
}

Result<void> ApiKeys::revoke(std::string_view name) {
    const std::scoped_lock changing(body_->changing);
    std::vector<Stored> changed = body_->copy();
    if (std::erase_if(changed, [&](const Stored& one) { return one.key.name == name; }) == 0) {
        return Error(Code::kNotFound, fmt::format("there is no key named '{}'", name));
    }
    return body_->commit(std::move(changed));
}

Result<std::size_t> ApiKeys::revoke_of_tenant(std::string_view code) {
    const std::scoped_lock changing(body_->changing);
    std::vector<Stored> changed = body_->copy();
    const auto count =
        std::erase_if(changed, [&](const Stored& one) { return one.key.tenant == code; });
    if (count > 0) ZONA_TRY_VOID(body_->commit(std::move(changed)));
    return count;
}

std::vector<ApiKey> ApiKeys::list() const {
    std::vector<ApiKey> out;
    for (const Stored& one : body_->copy()) {
        out.push_back(one.key);
        out.back().last_used_at = one.used->get();
    }
    return out;
}

std::variant<Principal, KeyRefusal> ApiKeys::verify(std::string_view presented) {
    if (!is_key_shaped(presented)) return KeyRefusal::kMalformed;
    const crypto::Digest sha256 = crypto::sha256(presented);
    std::shared_lock lock(body_->mutex);
    const Stored* found = nullptr;
    for (const Stored& one : body_->keys) {
        if (crypto::same_bytes(one.sha256, sha256)) found = &one;
    }
    if (found == nullptr) return KeyRefusal::kUnknown;
    if (body_->expired(*found)) return KeyRefusal::kExpired;
    found->used->set(body_->clock.system());
    Principal who{Principal::Kind::kApiKey, found->key.name, found->key.scope, found->key.id,
                  found->key.tenant};
    lock.unlock();
    if (!body_->has_new_uses && !body_->has_new_uses.exchange(true) && body_->used) body_->used();
    return who;
}

bool ApiKeys::is_good(const core::Uuid& id) const {
    const std::shared_lock lock(body_->mutex);
    return std::ranges::any_of(
        body_->keys, [&](const Stored& one) { return one.key.id == id && !body_->expired(one); });
}

Result<void> ApiKeys::store_uses() {
    const std::scoped_lock changing(body_->changing);
    if (!body_->has_new_uses.exchange(false)) return {};
    auto written = body_->write(body_->copy());
    if (!written) body_->has_new_uses = true;
    return written;
}

}  // namespace zona::identity
