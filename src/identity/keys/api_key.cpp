#include "identity/keys/api_key.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "crypto/encoding.h"
#include "crypto/key.h"
#include "identity/access/roles.h"

namespace zona::identity {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kKeyCharacters = 43;
constexpr std::size_t kMostName = 64;
constexpr std::int64_t kMostPerSecond = 1'000'000;
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

Error bad(const char* field, std::string problem, std::string hint) {
    return Error(Code::kInvalidArgument, problem)
        .detail({fmt::format("/{}", field), std::move(problem), std::move(hint),
                 core::Detail::Place::kPointer});
}

/// What holds for as long as the program: nobody has to own it, so nobody counts who uses it.
std::shared_ptr<const Permissions> lasting(const Permissions& permissions) {
    return {std::shared_ptr<const void>(), &permissions};
}

Permissions reader(bool of_a_tenant) {
    Permissions out;
    for (std::size_t i = 0; i < kResources; ++i) {
        const auto resource = static_cast<Resource>(i);
        if (of_a_tenant && is_of_installation(resource)) continue;
        out.always.add({resource, Action::kRead}, Extent::kAll);
    }
    out.crosses_tenants = !of_a_tenant;
    return out;
}

Result<void> check_limited(const NewApiKey& wanted) {
    const bool has_powers = !wanted.permissions.empty() || !wanted.roles.empty();
    if (wanted.scope != Scope::kLimited) {
        if (!has_powers) return {};
        return bad("scope",
                   "a key with permissions or roles of its own is neither a viewer's nor "
                   "an admin's",
                   "leave the scope out");
    }
    if (!has_powers && wanted.certificate) return {};
    if (!has_powers)
        return bad("permissions", "a limited key needs permissions or roles",
                   "name some, as in users:read");
    if (!wanted.permissions.empty() && !wanted.roles.empty())
        return bad("roles", "a key has permissions or roles, not both",
                   "make a role that grants them");
    if (std::max(wanted.permissions.size(), wanted.roles.size()) > kMaxPowersOfKey)
        return bad("permissions", fmt::format("a key has at most {} of them", kMaxPowersOfKey), "");
    for (const Permission& one : wanted.permissions) {
        if (wanted.tenant.empty() || !is_of_installation(one.resource)) continue;
        return bad(
            "permissions",
            fmt::format("{} is of the installation: no key of a tenant has it", to_string(one)),
            "");
    }
    return {};
}

Result<void> check_limits(const NewApiKey& wanted) {
    const net::RateLimit& rate = wanted.rate;
    if (rate.per_second < 0 || rate.per_second > kMostPerSecond || rate.burst < 1 ||
        rate.burst > kMostPerSecond) {
        return bad(
            "rate",
            fmt::format("a rate is 1 to {} requests a second, and a burst as many", kMostPerSecond),
            "");
    }
    const auto every = wanted.rotate_every;
    if (every.count() != 0 && (every < kShortestRotation || every > kLongestRotation))
        return bad("rotate_every",
                   "a key is replaced after a minute at least and ten years at most",
                   "write it as 30d");
    return {};
}

}  // namespace

bool is_key_shaped(std::string_view text) {
    return text.size() == kApiKeyPrefix.size() + kKeyCharacters &&
           text.starts_with(kApiKeyPrefix) &&
           text.find_first_not_of(kBase64Url, kApiKeyPrefix.size()) == std::string_view::npos;
}

bool holds_api_key(std::string_view text) {
    std::size_t at = 0;
    while ((at = text.find(kApiKeyPrefix, at)) != std::string_view::npos) {
        at += kApiKeyPrefix.size();
        const std::size_t end = std::min(text.find_first_not_of(kBase64Url, at), text.size());
        if (end - at >= kKeyCharacters) return true;
    }
    return false;
}

core::Secret new_key_text(core::Random& random) {
    std::array<std::byte, kKeyBytes> bytes{};
    random.fill(bytes);
    core::Secret text(std::string(kApiKeyPrefix) + crypto::base64url(bytes));
    crypto::wipe(bytes);
    return text;
}

std::optional<core::SystemTime> ApiKey::due_at() const {
    if (rotate_every.count() == 0) return std::nullopt;
    return created_at + rotate_every;
}

std::optional<core::SystemTime> ApiKey::expires_at() const {
    std::optional<core::SystemTime> out = wanted_end;
    const auto no_later_than = [&out](core::SystemTime end) {
        out = out ? std::min(*out, end) : end;
    };
    if (const auto due = due_at())
        no_later_than(*due + std::min<std::chrono::seconds>(rotate_every / 4, kLongestGrace));
    if (certificate) no_later_than(certificate->not_after);
    return out;
}

Result<void> check_key_name(std::string_view name) {
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

Result<void> check_new_key(const NewApiKey& wanted, core::SystemTime now) {
    ZONA_TRY_VOID(check_key_name(wanted.name));
    if (wanted.expires_at && *wanted.expires_at <= now) {
        return Error(Code::kInvalidArgument, "a key that has expired already is of no use");
    }
    if (wanted.certificate && wanted.certificate->not_after <= now)
        return bad("certificate", "the certificate has expired already", "register its successor");
    ZONA_TRY_VOID(check_limited(wanted));
    return check_limits(wanted);
}

std::shared_ptr<const Permissions> permissions_of(const ApiKey& key) {
    static const Permissions kReadsAll = reader(false);
    static const Permissions kReadsTenant = reader(true);
    switch (key.scope) {
        case Scope::kViewer:
            return lasting(key.tenant.empty() ? kReadsAll : kReadsTenant);
        case Scope::kAdmin:
            return key.tenant.empty() ? super_admin().permissions
                                      : admin_of(key.tenant).permissions;
        case Scope::kLimited:
            break;
    }
    if (!key.roles.empty()) return nullptr;
    auto out = std::make_shared<Permissions>();
    for (const Permission& one : key.permissions) {
        if (!key.tenant.empty() && is_of_installation(one.resource)) continue;
        out->always.add(one, Extent::kAll);
    }
    out->crosses_tenants = key.tenant.empty();
    return out;
}

}  // namespace zona::identity
