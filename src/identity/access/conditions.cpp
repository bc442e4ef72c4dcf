#include "identity/access/conditions.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/text.h"
#include "identity/detail/address.h"

namespace zona::identity {

using core::Code;
using core::Error;
using core::Result;
using detail::AddressBits;

namespace {

constexpr int kByteBits = 8;

/// Whether the first `length` bits are the same.
bool same_prefix(const AddressBits& a, const AddressBits& b, std::uint8_t length) {
    const std::size_t whole = length / kByteBits;
    if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin()))
        return false;
    const int rest = length % kByteBits;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (kByteBits - rest)) == 0;
}

/// The bits behind the first `length` are zero.
bool ends_in_zeros(const AddressBits& bits, std::uint8_t length) {
    AddressBits cleared = bits;
    for (std::size_t bit = length; bit < bits.size() * kByteBits; ++bit)
        cleared[bit / kByteBits] &= static_cast<std::uint8_t>(~(0x80U >> (bit % kByteBits)));
    return cleared == bits;
}

}  // namespace

Result<Network> Network::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto bits = detail::address_bits(text.substr(0, slash));
    const auto wrong = [&](std::string_view why) {
        return Error(Code::kInvalidArgument,
                     fmt::format("'{}' is no network: {}; write it as 10.0.0.0/8, 192.0.2.7 or "
                                 "fd00::/8",
                                 core::to_valid_utf8(text), why));
    };
    if (!bits || text.contains('%')) return wrong("that is no numeric address");
    const bool four = detail::is_ipv4(*bits);
    const int before = four && !text.contains(':') ? detail::kMappedBits : 0;
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
    if (!ends_in_zeros(out.bits_, out.length_)) return wrong("bits are set behind its length");
    return out;
}

bool Network::contains(std::string_view address) const {
    const auto bits = detail::address_bits(address);
    return bits && same_prefix(*bits, bits_, length_);
}

bool Conditions::hold(const Context& context) const {
    using std::chrono::days;
    if (!networks.empty() && !context.address.empty()) {
        const auto in = [&](const Network& network) { return network.contains(context.address); };
        if (std::ranges::none_of(networks, in)) return false;
    }
    auto day = std::chrono::floor<days>(context.time);
    const auto minute = std::chrono::floor<std::chrono::minutes>(context.time - day);
    const bool over_midnight = until < from;
    if (over_midnight) {
        if (minute < from && minute >= until) return false;
        if (minute < until) day -= days(1);  // it began yesterday
    } else if (from != until && (minute < from || minute >= until)) {
        return false;
    }
    const unsigned weekday = std::chrono::weekday(day).iso_encoding() - 1;
    return weekdays == 0 || ((weekdays >> weekday) & 1U) != 0;
}

}  // namespace zona::identity
