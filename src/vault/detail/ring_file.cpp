#include "vault/detail/ring_file.h"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/time_format.h"
#include "crypto/encoding.h"

namespace zona::vault::detail {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

constexpr std::int64_t kFormat = 1;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

json::object to_value(const WrappedKeys& tenant) {
    json::array keys;
    for (const WrappedKey& key : tenant.keys) {
        keys.push_back(json::object{{"id", std::to_underlying(key.id)},
                                    {"made_at", core::to_rfc3339(key.made_at)},
                                    {"wrapped", key.wrapped}});
    }
    json::object out{{"tenant", tenant.tenant}, {"keys", std::move(keys)}};
    if (tenant.erased_at) out["erased_at"] = core::to_rfc3339(*tenant.erased_at);
    return out;
}

core::SystemTime time_in(const core::JsonReader& in, std::string_view key) {
    const auto time = core::parse_rfc3339(in.require_string(key));
    if (!time) in.mistake(key, time.error().message());
    return time.value_or(core::SystemTime{});
}

WrappedKeys tenant_from(const core::JsonReader& in, std::set<KeyId>& seen) {
    WrappedKeys out{.tenant = in.require_string("tenant"), .keys = {}, .erased_at = {}};
    for (const core::JsonReader& one : in.objects("keys")) {
        const auto id = one.integer("id", {1, std::numeric_limits<std::uint32_t>::max()});
        if (!id) one.mistake("id", "missing");
        const KeyId key{static_cast<std::uint32_t>(id.value_or(0))};
        if (!seen.insert(key).second) one.mistake("id", "is there twice");
        out.keys.push_back({.id = key,
                            .made_at = time_in(one, "made_at"),
                            .wrapped = one.require_string("wrapped")});
    }
    if (in.has("erased_at")) out.erased_at = time_in(in, "erased_at");
    if (out.keys.empty() != out.erased_at.has_value())
        in.mistake("keys", "a tenant has keys or was erased");
    return out;
}

Result<ParsedRing> parse(std::string_view text) {
    constexpr core::JsonLimits kLimits{.max_bytes = core::ByteCount::mib(64)};
    ZONA_TRY(const json::value value, core::parse_json(text, kLimits));
    const core::JsonReader in(value);
    const auto format = in.integer("format");
    if (format != kFormat)
        in.mistake("format", format ? fmt::format("{} is of another zona", *format) : "missing");
    ParsedRing out;
    const auto mac = crypto::from_hex(in.require_string("mac"));
    if (mac && mac->size() == out.mac.size()) {
        std::ranges::copy(bytes_of(*mac), out.mac.begin());
    } else {
        in.mistake("mac", "not 64 hexadecimal digits");
    }
    out.image.root = in.require_string("root");
    out.image.mac_key = in.require_string("mac_key");
    std::set<KeyId> keys;
    std::set<std::string> tenants;
    for (const core::JsonReader& one : in.objects("tenants")) {
        out.image.tenants.push_back(tenant_from(one, keys));
        if (!tenants.insert(out.image.tenants.back().tenant).second)
            one.mistake("tenant", "is there twice");
    }
    ZONA_TRY_VOID(in.finish("the key ring"));
    out.body = text.substr(std::min(text.find('\n'), text.size()));
    return out;
}

}  // namespace

std::string wrap_context(std::string_view tenant, KeyId id) {
    return fmt::format("zona data key 1|{}|{}:{}", std::to_underlying(id), tenant.size(), tenant);
}

Result<ParsedRing> parse_ring(std::string_view text) {
    auto out = parse(text);
    if (!out) return std::move(out.take_error()).recode(Code::kConflict);
    return out;
}

std::string render_ring(const RingImage& image, const crypto::Key& mac_key) {
    json::array tenants;
    for (const WrappedKeys& tenant : image.tenants)
        tenants.push_back(to_value(tenant));
    const json::value value = json::object{
        {"root", image.root}, {"mac_key", image.mac_key}, {"tenants", std::move(tenants)}};
    const std::string body =
        "\n" + core::to_json(value, core::JsonLayout::kIndented).substr(1) + "\n";
    return fmt::format(R"({{"format":{},"mac":"{}",)", kFormat,
                       crypto::hex(crypto::hmac_sha256(mac_key, bytes_of(body)))) +
           body;
}

}  // namespace zona::vault::detail
