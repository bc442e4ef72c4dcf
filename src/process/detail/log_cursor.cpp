#include "process/detail/log_cursor.h"

#include <array>
#include <cstdint>
#include <optional>

namespace zona::process::detail {
namespace {

using core::Result;

constexpr char kVersion = 1;
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t kHashBytes = 6;
constexpr std::size_t kCheckBytes = 4;
/// The least that one file takes: bounds what a forged count can make us reserve.
constexpr std::size_t kLeastFile = kHashBytes + 1 + 1 + kCheckBytes;

void put_fixed(std::string& out, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i)
        out += static_cast<char>(value >> (8 * i) & 0xFFU);
}

void put_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U)
        out += static_cast<char>((value & 0x7FU) | 0x80U);
    out += static_cast<char>(value);
}

/// Takes numbers from the front of a text; once it lacks something, everything fails.
class Taker {
  public:
    explicit Taker(std::string_view text) : rest_(text) {}
    std::uint64_t fixed(std::size_t bytes) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i)
            value |= std::uint64_t{byte()} << (8 * i);
        return value;
    }
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const unsigned char next = byte();
            value |= std::uint64_t{next & 0x7FU} << shift;
            if ((next & 0x80U) == 0) return value;
        }
        good_ = false;
        return 0;
    }
    bool done() const { return good_ && rest_.empty(); }
    bool good() const { return good_; }
    std::size_t left() const { return rest_.size(); }

  private:
    unsigned char byte() {
        if (rest_.empty()) {
            good_ = false;
            return 0;
        }
        const char next = rest_.front();
        rest_.remove_prefix(1);
        return static_cast<unsigned char>(next);
    }
    std::string_view rest_;
    bool good_ = true;
};

std::string encode(std::string_view bytes) {
    std::string text;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : bytes) {
        bits = bits << 8U | static_cast<unsigned char>(c);
        for (count += 8; count >= 6; count -= 6)
            text += kDigits[bits >> (count - 6) & 63U];
    }
    if (count > 0) text += kDigits[bits << (6 - count) & 63U];
    return text;
}

std::optional<std::string> decode(std::string_view text) {
    std::string bytes;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const std::size_t digit = kDigits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        bits = bits << 6U | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count < 8) continue;
        count -= 8;
        bytes += static_cast<char>(bits >> count & 0xFFU);
    }
    return bytes;
}

/// Against typing errors and cut texts; not a secret.
std::uint64_t checksum(std::string_view bytes) {
    return hash_of_path(bytes) & 0xFFFFFFFFU;
}

}  // namespace

std::string format_log_cursor(const std::vector<LogFilePosition>& positions) {
    std::string bytes(1, kVersion);
    put_varint(bytes, positions.size());
    for (const LogFilePosition& position : positions) {
        put_fixed(bytes, position.path_hash, kHashBytes);
        put_varint(bytes, position.inode);
        put_varint(bytes, position.offset);
        put_fixed(bytes, position.before, kCheckBytes);
    }
    put_fixed(bytes, checksum(bytes), kCheckBytes);
    return encode(bytes);
}

Result<std::vector<LogFilePosition>> parse_log_cursor(std::string_view text) {
    const core::Error bad(core::Code::kInvalidArgument,
                          "the cursor is not one that this service gave out: begin without one");
    const auto bytes = decode(text);
    if (!bytes || bytes->size() < 2 + kCheckBytes || bytes->front() != kVersion) return bad;
    const std::string_view body = std::string_view(*bytes).substr(0, bytes->size() - kCheckBytes);
    Taker check(std::string_view(*bytes).substr(body.size()));
    if (check.fixed(kCheckBytes) != checksum(body)) return bad;
    Taker taker(body.substr(1));
    const std::uint64_t count = taker.varint();
    if (count > taker.left() / kLeastFile) return bad;
    std::vector<LogFilePosition> positions(count);
    for (LogFilePosition& position : positions) {
        position.path_hash = taker.fixed(kHashBytes);
        position.inode = taker.varint();
        position.offset = taker.varint();
        position.before = static_cast<std::uint32_t>(taker.fixed(kCheckBytes));
    }
    if (!taker.done()) return bad;
    return positions;
}

}  // namespace zona::process::detail
