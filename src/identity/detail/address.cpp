#include "identity/detail/address.h"

#include <algorithm>
#include <span>

#include <arpa/inet.h>

#include "crypto/encoding.h"

namespace zona::identity::detail {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr std::size_t kClientBytes = 8;

}  // namespace

std::optional<AddressBits> address_bits(std::string_view text) {
    const std::string numeric(text.substr(0, text.find('%')));
    AddressBits bits{};
    if (::inet_pton(AF_INET6, numeric.c_str(), bits.data()) == 1) return bits;
    std::ranges::copy(kMapped, bits.begin());
    if (numeric.size() == text.size() &&
        ::inet_pton(AF_INET, numeric.c_str(), bits.data() + kMapped.size()) == 1)
        return bits;
    return std::nullopt;
}

bool is_ipv4(const AddressBits& bits) {
    return std::ranges::equal(kMapped, std::span(bits).first<kMapped.size()>());
}

std::string client_network(std::string_view address) {
    const auto bits = address_bits(address);
    if (!bits) return std::string(address);
    const std::size_t bytes = is_ipv4(*bits) ? bits->size() : kClientBytes;
    return crypto::hex(std::as_bytes(std::span(*bits).first(bytes)));
}

}  // namespace zona::identity::detail
