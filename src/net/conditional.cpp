#include "net/conditional.h"

#define XXH_INLINE_ALL
#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <xxhash.h>

namespace zona::net {
namespace {

constexpr int kOk = 200;
constexpr int kNotModified = 304;

std::string tag_of(std::string_view body) {
    const XXH128_hash_t hash = XXH3_128bits(body.data(), body.size());
    constexpr std::string_view kHex = "0123456789abcdef";
    std::string out(34, '"');
    char* to = out.data() + 1;
    for (const std::uint64_t half : {hash.high64, hash.low64}) {
        for (unsigned shift = 64; shift > 0;)
            *to++ = kHex[half >> (shift -= 4) & 0xFU];
    }
    return out;
}

std::string_view opaque_part(std::string_view tag) {
    return tag.starts_with("W/") ? tag.substr(2) : tag;
}

/// Takes the next entity tag off `list`; nullopt at its end, or where it is malformed.
std::optional<std::string_view> next_tag(std::string_view& list) {
    list.remove_prefix(std::min(list.find_first_not_of(", \t"), list.size()));
    const std::size_t open = list.starts_with("W/") ? 2 : 0;
    if (list.size() <= open || list[open] != '"') return std::nullopt;
    const std::size_t close = list.find('"', open + 1);
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view tag = list.substr(0, close + 1);
    list.remove_prefix(close + 1);
    return tag;
}

/// The tag that If-None-Match and the answer have in common, as the client wrote it.
std::optional<std::string> common_tag(std::span<const std::string_view> lines,
                                      std::string_view tag) {
    for (std::string_view line : lines) {
        if (line == "*") return std::string(tag);
        while (const auto candidate = next_tag(line)) {
            if (opaque_part(*candidate) == opaque_part(tag)) return std::string(*candidate);
        }
    }
    return std::nullopt;
}

bool is_json(const Response& response) {
    const std::string_view type = response.headers.find("Content-Type").value_or("");
    const std::string_view name = type.substr(0, type.find_first_of("; \t"));
    return name == "application/json" || name.ends_with("+json");
}

void give_tag(const Request& request, Response& response) {
    const bool reads = request.method == Method::kGet || request.method == Method::kHead;
    if (!reads || response.status != kOk || response.stream) return;
    if (!response.headers.has("ETag")) {
        const bool is_small = response.body.size() <= kMostTagged.as_size();
        const auto cache = response.headers.find("Cache-Control");
        const bool may_be_kept = cache && !list_has(*cache, "no-store");
        if (!may_be_kept && (!is_small || !is_json(response))) return;
        response.headers.add("ETag", tag_of(response.body));
    }
    if (!request.headers.has("If-None-Match")) return;
    const std::string tag(*response.headers.find("ETag"));
    const auto common = common_tag(request.headers.find_all("If-None-Match"), tag);
    if (!common.has_value()) return;
    response.status = kNotModified;
    response.body.clear();
    response.headers.remove("Content-Type");
    response.headers.set("ETag", *common);
}

}  // namespace

Middleware conditional() {
    return give_tag;
}

Response kept_by_anybody(Response response) {
    response.headers.set("Cache-Control", "public, no-cache");
    return response;
}

}  // namespace zona::net
