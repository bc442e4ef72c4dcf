#include "net/network.h"

#include <algorithm>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "core/text.h"

namespace zona::net {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
/// Bits before those of an IPv4 address.
constexpr int kMappedBits = 96;
constexpr int kByteBits = 8;
constexpr std::size_t kClientBytes = 8;
constexpr std::string_view kBlank = " \t\r";

/// `bits` with all behind the first `length` set, or cleared.
AddressBits with_rest(AddressBits bits, std::size_t length, bool set) {
    for (std::size_t bit = length; bit < bits.size() * kByteBits; ++bit) {
        const auto one = static_cast<std::uint8_t>(0x80U >> (bit % kByteBits));
        std::uint8_t& byte = bits[bit / kByteBits];
        byte = static_cast<std::uint8_t>(set ? byte | one : byte & ~one);
    }
    return bits;
}

std::string text_of(const AddressBits& bits) {
    std::array<char, INET6_ADDRSTRLEN> out{};
    const bool four = is_ipv4(bits);
    ::inet_ntop(four ? AF_INET : AF_INET6, bits.data() + (four ? kMapped.size() : 0), out.data(),
                out.size());
    return out.data();
}

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
    if (is_ipv4(*bits)) return text_of(*bits);
    return text_of(with_rest(*bits, kClientBytes * kByteBits, false)) + "/64";
}

Result<Network> Network::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto bits = address_bits(text.substr(0, slash));
    const auto wrong = [&](std::string_view why) {
        return Error(Code::kInvalidArgument,
                     fmt::format("'{}' is no network: {}; write it as 10.0.0.0/8, 192.0.2.7 or "
                                 "fd00::/8",
                                 core::to_valid_utf8(text), why));
    };
    if (!bits || text.contains('%')) return wrong("that is no numeric address");
    const int before = is_ipv4(*bits) && !text.contains(':') ? kMappedBits : 0;
    const int most = static_cast<int>(bits->size()) * kByteBits;
    std::int64_t length = most - before;
    if (slash != std::string_view::npos) {
        const auto given = core::parse_integer(text.substr(slash + 1));
        if (!given || *given < 0 || *given > most - before)
            return wrong("its length does not fit the address");
        length = *given;
    }
    Network out;
    out.text_ = text;
    out.bits_ = *bits;
    out.length_ = static_cast<std::uint8_t>(before + length);
    if (with_rest(out.bits_, out.length_, false) != out.bits_)
        return wrong("bits are set behind its length");
    return out;
}

bool Network::contains(std::string_view address) const {
    const auto bits = address_bits(address);
    return bits && is_ipv4(*bits) == is_ipv4(bits_) && with_rest(*bits, length_, false) == bits_;
}

AddressBits Network::last() const {
    return with_rest(bits_, length_, true);
}

NetworkSet::NetworkSet(std::span<const Network> networks) : size_(networks.size()) {
    for (const Network& network : networks)
        (is_ipv4(network.first()) ? four_ : six_).emplace_back(network.first(), network.last());
    for (std::vector<Range>* ranges : {&four_, &six_}) {
        std::ranges::sort(*ranges);
        std::vector<Range> merged;
        for (const Range& range : *ranges) {
            if (!merged.empty() && range.first <= merged.back().second) {
                merged.back().second = std::max(merged.back().second, range.second);
            } else {
                merged.push_back(range);
            }
        }
        *ranges = std::move(merged);
    }
}

Result<NetworkSet> NetworkSet::parse(std::span<const std::string> entries) {
    std::vector<Network> networks;
    for (const std::string& entry : entries) {
        ZONA_TRY(Network network, Network::parse(entry));
        networks.push_back(std::move(network));
    }
    return NetworkSet(networks);
}

bool NetworkSet::contains(std::string_view address) const {
    const auto bits = address_bits(address);
    if (!bits) return false;
    const std::vector<Range>& ranges = is_ipv4(*bits) ? four_ : six_;
    const auto after = std::ranges::upper_bound(ranges, *bits, {}, &Range::first);
    return after != ranges.begin() && *bits <= std::prev(after)->second;
}

Result<std::vector<Network>> parse_network_list(std::string_view text) {
    std::vector<Network> out;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        ++number;
        line = core::trimmed(line.substr(0, line.find_first_of("#;")), kBlank);
        if (line.empty()) continue;
        auto network = Network::parse(line);
        if (!network) return network.take_error().context(fmt::format("line {}", number));
        out.push_back(*std::move(network));
    }
    return out;
}

}  // namespace zona::net
