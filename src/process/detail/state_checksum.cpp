#include "process/detail/state_checksum.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace zona::process::detail {
namespace {

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

// tables[k][b]: the effect of byte b with k zero bytes behind it, so that eight are taken at once.
constexpr Tables make_tables() {
    Tables tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc & 1U) != 0 ? crc >> 1U ^ kPolynomial : crc >> 1U;
        tables[0][byte] = crc;
    }
    for (std::size_t k = 1; k < tables.size(); ++k) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t crc = tables[k - 1][byte];
            tables[k][byte] = crc >> 8U ^ tables[0][crc & 0xffU];
        }
    }
    return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::uint32_t crc32c(std::string_view data, std::uint32_t before) {
    static_assert(std::endian::native == std::endian::little);
    std::uint32_t crc = ~before;
    while (data.size() >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, data.data(), sizeof word);
        word ^= crc;
        crc = 0;
        for (std::size_t i = 0; i < 8; ++i)
            crc ^= kTables[7 - i][word >> (8 * i) & 0xffU];
        data.remove_prefix(8);
    }
    for (const char c : data)
        crc = crc >> 8U ^ kTables[0][(crc ^ static_cast<unsigned char>(c)) & 0xffU];
    return ~crc;
}

std::optional<std::uint32_t> parse_checksum(std::string_view digits) {
    std::uint32_t number = 0;
    const bool lower_case = digits.find_first_not_of("0123456789abcdef") == std::string_view::npos;
    if (digits.size() != 8 || !lower_case) return std::nullopt;
    std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
    return number;
}

}  // namespace zona::process::detail
