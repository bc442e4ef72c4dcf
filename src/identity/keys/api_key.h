/// @file
/// ApiKey: what is known of a key; and the form of its text.
///
/// A key is "zona_key_" and 43 characters of base64url, 256 random bits; the prefix tells it from a
/// token, and lets secret scanners find one that was published. Only its SHA-256 is stored, which
/// suffices for a text that cannot be guessed. Value types and pure functions; any thread.
/// Source: PM-50, PM-51, SEC-27, AUTH-28, AUTH-29.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "crypto/hash.h"
#include "identity/access/permissions.h"
#include "identity/principal.h"
#include "net/limit_rate.h"

namespace zona::identity {

/// What every key begins with, so that scanners for leaked secrets can find it.
inline constexpr std::string_view kApiKeyPrefix = "zona_key_";
/// Permissions, or roles, that one key may have.
inline constexpr std::size_t kMaxPowersOfKey = 64;
/// How often a key may be replaced: not more often, nor more rarely.
inline constexpr std::chrono::seconds kShortestRotation{60};
inline constexpr std::chrono::seconds kLongestRotation{
    std::chrono::hours(24 * 3650)};  ///< see above
/// A key that is due goes on for a quarter of its age, and so long at most.
inline constexpr std::chrono::seconds kLongestGrace{std::chrono::hours(24 * 7)};

/// Whether a key stands anywhere in the text, valid or not: where it does, the text is not to be
/// logged.
bool holds_api_key(std::string_view text);
/// Whether the text has the form of a key.
bool is_key_shaped(std::string_view text);
/// The text of a new key.
core::Secret new_key_text(core::Random& random);

/// How a key was used, all instances together.
struct KeyUsage {
    std::uint64_t requests = 0;  ///< that it was taken for
    std::uint64_t refusals = 0;  ///< of them: what it may not do, or too many
    std::optional<core::SystemTime> last_used_at{};
    std::string last_address{};  ///< from where; empty: over no network, or never
};

/// The client certificate that is shown in the place of a key's text (AUTH-30).
struct KeyCertificate {
    std::string fingerprint;  ///< SHA-256, 64 digits in hex
    std::string subject;
    core::SystemTime not_after{};
    bool operator==(const KeyCertificate&) const = default;
};

/// What is known of a key; not the key.
struct ApiKey {
    core::Uuid id;
    std::string name;
    Scope scope = Scope::kViewer;
    std::string tenant;                     ///< the code of the only tenant; empty: all of zona
    std::vector<Permission> permissions{};  ///< of a limited one: it has them on all
    std::vector<std::string> roles{};       ///< of a limited one: of its tenant, instead of those
    net::RateLimit rate{};                  ///< how often it may ask; 0: as often as it likes
    std::chrono::seconds rotate_every{0};   ///< how old it may become; 0: as old as it likes
    core::SystemTime created_at{};
    std::optional<core::SystemTime> wanted_end{};  ///< apart from `rotate_every`
    std::optional<KeyCertificate> certificate{};   ///< none: it is shown as a text
    KeyUsage usage{};

    /// When a successor is due.
    std::optional<core::SystemTime> due_at() const;
    /// When it ends: a while after it is due at the latest, and with its certificate.
    std::optional<core::SystemTime> expires_at() const;
};

/// What is told of a key that is to be made.
struct NewApiKey {
    std::string name;  ///< 1 to 64 of [A-Za-z0-9._-]
    Scope scope = Scope::kViewer;
    std::optional<core::SystemTime> expires_at{};
    std::string tenant{};  ///< as in ApiKey, in lower case; whether there is one is not looked at
    std::vector<Permission> permissions{};
    std::vector<std::string> roles{};
    net::RateLimit rate{};
    std::chrono::seconds rotate_every{0};
    std::optional<KeyCertificate> certificate{};
};

/// A key as it is stored.
struct StoredKey {
    ApiKey key;
    crypto::Digest sha256;  ///< of its text or its certificate
};

/// Errors: kInvalidArgument.
core::Result<void> check_key_name(std::string_view name);
/// Whether such a key may be made: its name, its rights, its limits, its end, its certificate. One
/// with a certificate may have no rights: it then counts beside a token only (methods.h).
/// Errors: kInvalidArgument, saying what is wrong with which field.
core::Result<void> check_new_key(const NewApiKey& wanted, core::SystemTime now);

/// What the key may do; null for one with roles, which a PermissionCache knows. A viewer reads
/// everything, of the installation too if it is of no tenant.
std::shared_ptr<const Permissions> permissions_of(const ApiKey& key);

}  // namespace zona::identity
