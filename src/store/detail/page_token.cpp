#include "store/detail/page_token.h"

#include <bit>
#include <cmath>
#include <span>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "store/detail/compare.h"

namespace zona::store::detail {
namespace {

constexpr char kFormat = 1;
constexpr std::size_t kMacBytes = 16;
constexpr std::size_t kMaxPlace = kMaxIndexFields + 2;

void append_number(std::string& out, std::uint64_t number, unsigned bytes = 8) {
    for (unsigned i = 0; i < bytes; ++i)
        out += static_cast<char>(number >> (8 * i) & 0xFFU);
}

std::uint64_t number_at(std::string_view bytes, unsigned count = 8) {
    std::uint64_t number = 0;
    for (unsigned i = 0; i < count; ++i)
        number |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return number;
}

/// With its length, so that no two lists of texts give the same bytes.
void append_text(std::string& out, std::string_view text) {
    append_number(out, text.size(), 4);
    out += text;
}

void append_filter(std::string& out, const Filter& filter) {
    append_number(out, static_cast<std::uint64_t>(filter.kind()), 1);
    append_text(out, filter.path().pointer());
    append_number(out, filter.values().size(), 4);
    for (const json::value& value : filter.values())
        append_text(out, json::serialize(value));
    append_number(out, filter.members().size(), 4);
    for (const Filter& member : filter.members())
        append_filter(out, member);
}

std::string mac(const core::Secret& key, const Collection& collection, const Query& query,
                std::string_view place) {
    std::string text(1, kFormat);
    append_text(text, collection.scope().code());
    append_text(text, collection.name());
    append_filter(text, query.filter);
    append_number(text, query.sort.size(), 4);
    for (const Path& path : query.sort)
        append_text(text, path.pointer());
    append_number(text, static_cast<std::uint64_t>(query.direction), 1);
    append_text(text, place);
    const crypto::Digest digest =
        crypto::hmac_sha256(std::as_bytes(std::span(key.reveal())), std::as_bytes(std::span(text)));
    return {reinterpret_cast<const char*>(digest.data()), kMacBytes};
}

/// One value and what is behind it; nothing for bytes that are none.
std::optional<json::value> decode_value(std::string_view& bytes) {
    const char tag = bytes.front();
    bytes.remove_prefix(1);
    if (tag == 't' || tag == 'f') return json::value(tag == 't');
    if (tag == 'i' || tag == 'd') {
        if (bytes.size() < 8) return std::nullopt;
        const std::uint64_t number = number_at(bytes);
        bytes.remove_prefix(8);
        if (tag == 'i') return json::value(std::bit_cast<std::int64_t>(number));
        const double real = std::bit_cast<double>(number);
        if (!std::isfinite(real)) return std::nullopt;
        return json::value(real);
    }
    if (tag != 's' || bytes.size() < 4) return std::nullopt;
    const auto size = static_cast<std::size_t>(number_at(bytes, 4));
    bytes.remove_prefix(4);
    if (size > bytes.size()) return std::nullopt;
    json::value text(bytes.substr(0, size));
    bytes.remove_prefix(size);
    return text;
}

}  // namespace

std::string encode_place(const Place& place) {
    std::string out;
    for (const json::value& value : place) {
        if (value.is_bool()) {
            out += value.get_bool() ? 't' : 'f';
        } else if (const auto whole = as_integer(value)) {
            out += 'i';
            append_number(out, std::bit_cast<std::uint64_t>(*whole));
        } else if (value.is_double()) {
            out += 'd';
            append_number(out, std::bit_cast<std::uint64_t>(value.get_double()));
        } else if (value.is_string()) {
            out += 's';
            append_text(out, value.get_string());
        }
    }
    return out;
}

std::optional<Place> decode_place(std::string_view bytes) {
    Place place;
    while (!bytes.empty()) {
        if (place.size() == kMaxPlace) return std::nullopt;
        auto value = decode_value(bytes);
        if (!value) return std::nullopt;
        place.push_back(*std::move(value));
    }
    return place;
}

std::string make_token(const core::Secret& key, const Collection& collection, const Query& query,
                       const Place& place) {
    const std::string bytes = encode_place(place);
    const std::string signed_bytes = kFormat + bytes + mac(key, collection, query, bytes);
    return crypto::base64url(std::as_bytes(std::span(signed_bytes)));
}

core::Result<Place> read_token(const core::Secret& key, const Collection& collection,
                               const Query& query, std::string_view token) {
    const core::Error refused(
        core::Code::kInvalidArgument,
        "not a page token of this query: take `next` of the page before, with "
        "the same filter and order, or begin without one");
    if (token.size() > kMaxTokenBytes) return refused;
    const auto bytes = crypto::from_base64url(token);
    if (!bytes || bytes->size() < 1 + kMacBytes || bytes->front() != kFormat) return refused;
    const std::string_view body = std::string_view(*bytes).substr(1, bytes->size() - 1 - kMacBytes);
    const std::string wanted = mac(key, collection, query, body);
    if (!crypto::same_bytes(wanted, std::string_view(*bytes).substr(bytes->size() - kMacBytes)))
        return refused;
    auto place = decode_place(body);
    if (!place) return refused;
    return *std::move(place);
}

}  // namespace zona::store::detail
