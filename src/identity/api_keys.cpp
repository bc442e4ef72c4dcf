#include "identity/api_keys.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <span>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "core/json.h"
#include "core/time_format.h"
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
constexpr std::int64_t kFormat = 1;
/// A key in use is not written down more often than this.
constexpr std::chrono::hours kUseNoted{1};

using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string base64url(std::span<const std::byte> bytes) {
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (const std::byte byte : bytes) {
        bits = bits << 8U | std::to_integer<std::uint32_t>(byte);
        for (count += 8; count >= 6; count -= 6)
            out += kBase64Url[bits >> static_cast<unsigned>(count - 6) & 63U];
    }
    if (count > 0) out += kBase64Url[bits << static_cast<unsigned>(6 - count) & 63U];
    return out;
}

Digest digest_of(std::string_view text) {
    Digest out;
    ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
    return out;
}

std::string hex_of(const Digest& digest) {
    std::string out;
    for (const unsigned char byte : digest)
        out += fmt::format("{:02x}", byte);
    return out;
}

std::optional<Digest> digest_from(std::string_view hex) {
    Digest out;
    if (hex.size() != 2 * out.size()) return std::nullopt;
    const auto value = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = value(hex[2 * i]);
        const int low = value(hex[2 * i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out.at(i) = static_cast<unsigned char>(high * 16 + low);
    }
    return out;
}

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

struct Stored {
    ApiKey key;
    Digest digest;
    std::optional<core::SystemTime> noted_use;  ///< as the file has it
};

json::value to_value(const Stored& stored) {
    json::object out{{"id", stored.key.id.to_string()},
                     {"name", stored.key.name},
                     {"scope", to_string(stored.key.scope)},
                     {"sha256", hex_of(stored.digest)},
                     {"created_at", core::to_rfc3339(stored.key.created_at)}};
    if (stored.key.expires_at) out["expires_at"] = core::to_rfc3339(*stored.key.expires_at);
    if (stored.key.last_used_at) out["last_used_at"] = core::to_rfc3339(*stored.key.last_used_at);
    return out;
}

std::optional<core::SystemTime> time_in(const core::JsonReader& in, std::string_view key) {
    const auto text = in.string(key);
    if (!text) return std::nullopt;
    const auto time = core::parse_rfc3339(*text);
    if (!time) in.mistake(key, time.error().message());
    return time ? std::optional(*time) : std::nullopt;
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
    const auto digest = digest_from(in.require_string("sha256"));
    if (!digest) in.mistake("sha256", "not 64 hexadecimal digits in lower case");
    out.digest = digest.value_or(Digest{});
    const auto created = time_in(in, "created_at");
    if (!created) in.mistake("created_at", "missing");
    out.key.created_at = created.value_or(core::SystemTime{});
    out.key.expires_at = time_in(in, "expires_at");
    out.key.last_used_at = out.noted_use = time_in(in, "last_used_at");
    return out;
}

Result<std::vector<Stored>> parse(const std::string& text) {
    ZONA_TRY(const json::value value, core::parse_json(text));
    const core::JsonReader in(value);
    const auto format = in.integer("format");
    if (format != kFormat) {
        in.mistake("format", format ? fmt::format("{} is of another zona", *format) : "missing");
    }
    std::vector<Stored> out;
    for (const core::JsonReader& one : in.objects("keys"))
        out.push_back(stored_from(one));
    ZONA_TRY_VOID(in.finish("the list of keys"));
    return out;
}

}  // namespace

struct ApiKeys::Body {
    Body(std::string path, const core::Clock& the_clock, core::Random& the_random)
        : file(std::move(path)), clock(the_clock), random(the_random) {}

    Result<void> write(const std::vector<Stored>& all) const {
        json::array list;
        for (const Stored& one : all)
            list.push_back(to_value(one));
        const json::value value = json::object{{"format", kFormat}, {"keys", std::move(list)}};
        return os::replace_file(file, core::to_json(value, core::JsonLayout::kIndented) + "\n",
                                0600);
    }

    /// The list with `changed` in force, once it is on disk.
    Result<void> commit(std::vector<Stored> changed) {
        ZONA_TRY_VOID(write(changed));
        for (Stored& one : changed)
            one.noted_use = one.key.last_used_at;
        keys = std::move(changed);
        return {};
    }

    core::Secret add(std::vector<Stored>& to, const NewApiKey& wanted) const {
        std::array<std::byte, kKeyBytes> bytes{};
        random.fill(bytes);
        core::Secret text(std::string(kApiKeyPrefix) + base64url(bytes));
        ::OPENSSL_cleanse(bytes.data(), bytes.size());
        to.push_back({.key = {.id = core::Uuid::v4(random),
                              .name = wanted.name,
                              .scope = wanted.scope,
                              .created_at = clock.system(),
                              .expires_at = wanted.expires_at,
                              .last_used_at = {}},
                      .digest = digest_of(text.reveal()),
                      .noted_use = {}});
        return text;
    }

    bool expired(const Stored& one) const {
        return one.key.expires_at && *one.key.expires_at <= clock.system();
    }

    const std::string file;
    const core::Clock& clock;
    core::Random& random;
    mutable std::mutex mutex;  // guards all below
    std::vector<Stored> keys;
};

ApiKeys::ApiKeys(std::unique_ptr<Body> body) : body_(std::move(body)) {}
ApiKeys::~ApiKeys() = default;

Result<std::unique_ptr<ApiKeys>> ApiKeys::open(std::string file, const core::Clock& clock,
                                               core::Random& random) {
    auto body = std::make_unique<Body>(std::move(file), clock, random);
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
    }
    return std::unique_ptr<ApiKeys>(new ApiKeys(std::move(body)));
}

Result<core::Secret> ApiKeys::create(const NewApiKey& wanted) {
    ZONA_TRY_VOID(check_name(wanted.name));
    const std::scoped_lock lock(body_->mutex);
    if (wanted.expires_at && *wanted.expires_at <= body_->clock.system()) {
        return Error(Code::kInvalidArgument, "a key that has expired already is of no use");
    }
    const bool exists = std::ranges::any_of(body_->keys, [&](const Stored& one) {
        return one.key.name == wanted.name && !body_->expired(one);
    });
    if (exists) {
        return Error(Code::kConflict, fmt::format("a key named '{}' exists already", wanted.name));
    }
    std::vector<Stored> changed = body_->keys;
    core::Secret text = body_->add(changed, wanted);
    ZONA_TRY_VOID(body_->commit(std::move(changed)));
    return text;
}

Result<core::Secret> ApiKeys::rotate(std::string_view name, std::chrono::seconds overlap) {
    const std::scoped_lock lock(body_->mutex);
    std::vector<Stored> changed = body_->keys;
    const core::SystemTime end = body_->clock.system() + overlap;
    std::optional<NewApiKey> successor;
    for (Stored& one : changed) {
        if (one.key.name != name || body_->expired(one)) continue;
        // The latest of the name says what the next one may do, and until when.
        successor = NewApiKey{one.key.name, one.key.scope, one.key.expires_at};
        if (!one.key.expires_at || *one.key.expires_at > end) one.key.expires_at = end;
    }
    if (!successor)
        return Error(Code::kNotFound, fmt::format("there is no valid key named '{}'", name));
    core::Secret text = body_->add(changed, *successor);
    ZONA_TRY_VOID(body_->commit(std::move(changed)));
    return text;
}

Result<void> ApiKeys::revoke(std::string_view name) {
    const std::scoped_lock lock(body_->mutex);
    std::vector<Stored> changed = body_->keys;
    if (std::erase_if(changed, [&](const Stored& one) { return one.key.name == name; }) == 0) {
        return Error(Code::kNotFound, fmt::format("there is no key named '{}'", name));
    }
    return body_->commit(std::move(changed));
}

std::vector<ApiKey> ApiKeys::list() const {
    const std::scoped_lock lock(body_->mutex);
    std::vector<ApiKey> out;
    for (const Stored& one : body_->keys)
        out.push_back(one.key);
    return out;
}

std::variant<Principal, KeyRefusal> ApiKeys::verify(std::string_view presented) {
    if (!is_key_shaped(presented)) return KeyRefusal::kMalformed;
    const Digest digest = digest_of(presented);
    const std::scoped_lock lock(body_->mutex);
    Stored* found = nullptr;
    for (Stored& one : body_->keys) {
        if (::CRYPTO_memcmp(one.digest.data(), digest.data(), digest.size()) == 0) found = &one;
    }
    if (found == nullptr) return KeyRefusal::kUnknown;
    if (body_->expired(*found)) return KeyRefusal::kExpired;
    const core::SystemTime now = body_->clock.system();
    found->key.last_used_at = now;
    if (!found->noted_use || now - *found->noted_use > kUseNoted || now < *found->noted_use) {
        found->noted_use = now;  // also when it cannot be written: then it is not tried again soon
        (void)body_->write(body_->keys);
    }
    return Principal{Principal::Kind::kApiKey, found->key.name, found->key.scope};
}

Result<bool> make_first_key(ApiKeys& keys, const std::string& file) {
    if (!keys.list().empty()) return false;
    ZONA_TRY(const core::Secret key, keys.create({.name = "default", .scope = Scope::kAdmin}));
    auto written = os::replace_file(file, std::string(key.reveal()) + "\n", 0600);
    if (written) return true;
    // Nobody would know it, and the next start would make none.
    (void)keys.revoke("default");
    return written.take_error();
}

}  // namespace zona::identity
