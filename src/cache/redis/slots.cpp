#include "cache/redis/slots.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "cache/key.h"

namespace zona::cache::redis {
namespace {

/// Of each server: with 160 the shares of three differ by a few percent.
constexpr int kPlaces = 160;

}  // namespace

std::uint16_t slot_of(std::string_view tag) {
    constexpr unsigned kPolynomial = 0x1021;
    unsigned crc = 0;
    for (const char c : tag) {
        crc ^= static_cast<unsigned>(static_cast<unsigned char>(c)) << 8U;
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ kPolynomial : crc << 1U;
    }
    return static_cast<std::uint16_t>(crc & (kSlots - 1));
}

bool Redirect::parse(std::string_view text, Redirect& out) {
    const bool is_moved = text.starts_with("MOVED ");
    out.is_ask = text.starts_with("ASK ");
    if (!is_moved && !out.is_ask) return false;
    text.remove_prefix(text.find(' ') + 1);
    const std::size_t space = text.find(' ');
    if (space == text.npos) return false;
    const std::string_view slot = text.substr(0, space);
    const auto [end, error] = std::from_chars(slot.data(), slot.data() + slot.size(), out.slot);
    if (error != std::errc() || end != slot.data() + slot.size() || out.slot >= kSlots)
        return false;
    const std::string_view place = text.substr(space + 1);
    // An IPv6 address stands there without brackets, so the port is behind the last colon.
    const std::size_t colon = place.rfind(':');
    if (colon == place.npos) return false;
    out.to.host = place.substr(0, colon);
    const std::string_view port = place.substr(colon + 1);
    const auto [last, wrong] = std::from_chars(port.data(), port.data() + port.size(), out.to.port);
    return wrong == std::errc() && last == port.data() + port.size() && out.to.port != 0;
}

Ring::Ring(const std::vector<Endpoint>& servers) {
    for (std::size_t server = 0; server < servers.size(); ++server) {
        for (int i = 0; i < kPlaces; ++i)
            places_.emplace_back(hash_of(fmt::format("{}#{}", servers[server].to_string(), i)),
                                 server);
    }
    std::ranges::sort(places_);
}

std::size_t Ring::find(std::string_view tag) const {
    const auto at = std::ranges::lower_bound(places_, hash_of(tag), {},
                                             &std::pair<std::uint64_t, std::size_t>::first);
    return at == places_.end() ? places_.front().second : at->second;
}

}  // namespace zona::cache::redis
