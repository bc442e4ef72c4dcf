/// @file
/// The key ring's file: its text to a value and back.
///
/// JSON. The first line is `{"format":1,"mac":"<64 digits>",`; the MAC is HMAC-SHA256 of what
/// follows that line, under a key that is wrapped in it. So nobody without the root key can take
/// a key out, put one back or make another the current one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "crypto/hash.h"
#include "vault/data_keys.h"

namespace zona::vault::detail {

/// A data key as it is stored.
struct WrappedKey {
    KeyId id{};
    core::SystemTime made_at{};
    std::string wrapped;
    bool operator==(const WrappedKey&) const = default;
};

/// The keys of a tenant, the current one last; none when they were erased.
struct WrappedKeys {
    std::string tenant;
    std::vector<WrappedKey> keys;
    std::optional<core::SystemTime> erased_at;
    bool operator==(const WrappedKeys&) const = default;
};

/// What the file says.
struct RingImage {
    std::string root;     ///< id of the root key
    std::string mac_key;  ///< wrapped
    std::vector<WrappedKeys> tenants;
    bool operator==(const RingImage&) const = default;
};

/// A file that can be read; whether it is genuine says mac.
struct ParsedRing {
    RingImage image;
    crypto::Digest mac{};
    std::string_view body;  ///< of the text that was parsed: what the MAC is of
};

/// What the wrapping of a tenant's key is bound to.
std::string wrap_context(std::string_view tenant, KeyId id);

/// Errors: kConflict, naming the mistake, also for a newer format.
core::Result<ParsedRing> parse_ring(std::string_view text);

/// The text of the file.
std::string render_ring(const RingImage& image, const crypto::Key& mac_key);

}  // namespace zona::vault::detail
