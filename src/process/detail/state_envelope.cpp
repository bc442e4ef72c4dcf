#include "process/detail/state_envelope.h"

#include <charconv>
#include <optional>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "process/detail/state_checksum.h"

namespace zona::process::detail {
namespace {

constexpr std::string_view kBeforeFormat = "{\"format\":";
constexpr std::string_view kBeforeChecksum = ",\"crc32c\":\"";
constexpr std::string_view kAfterChecksum = "\",\n";

struct FirstLine {
    std::int64_t format = 0;
    std::uint32_t checksum = 0;
    std::string_view members;
};

bool take(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(expected.size());
    return true;
}

std::optional<FirstLine> split(std::string_view text) {
    FirstLine line;
    if (!take(text, kBeforeFormat)) return std::nullopt;
    const auto format = std::from_chars(text.data(), text.data() + text.size(), line.format);
    if (format.ec != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(format.ptr - text.data()));
    if (!take(text, kBeforeChecksum)) return std::nullopt;
    const auto checksum = parse_checksum(text.substr(0, 8));
    if (!checksum.has_value()) return std::nullopt;
    line.checksum = *checksum;
    text.remove_prefix(8);
    if (!take(text, kAfterChecksum)) return std::nullopt;
    line.members = text;
    return line;
}

std::uint32_t checksum_of(std::int64_t format, std::string_view members) {
    return crc32c(members, crc32c(fmt::format("{}\n", format)));
}

/// The format that a JSON object claims, whatever its layout.
std::optional<std::int64_t> claimed_format(std::string_view text) {
    const auto value = core::parse_json(
        text, {.max_bytes = core::ByteCount(static_cast<std::int64_t>(text.size()))});
    if (!value.has_value() || !value->is_object()) return std::nullopt;
    const boost::json::value* format = value->get_object().if_contains("format");
    if (format == nullptr || !format->is_int64()) return std::nullopt;
    return format->get_int64();
}

}  // namespace

std::string seal(std::string_view members) {
    return fmt::format("{}{}{}{:08x}{}{}", kBeforeFormat, kStateFormat, kBeforeChecksum,
                       checksum_of(kStateFormat, members), kAfterChecksum, members);
}

Envelope open_envelope(std::string_view text) {
    if (text.empty()) return {.problem = "it is empty"};
    const std::optional<FirstLine> line = split(text);
    if (line.has_value()) {
        if (line->format >= 1 && checksum_of(line->format, line->members) == line->checksum) {
            const bool newer = line->format > kStateFormat;
            return {newer ? EnvelopeState::kNewer : EnvelopeState::kGood, line->format, {}};
        }
        // With the present format in its place it would hold: the number itself is what was hit.
        if (checksum_of(kStateFormat, line->members) == line->checksum) {
            return {.problem = "its format number is damaged"};
        }
    }
    if (const auto format = claimed_format(text); format.has_value() && *format > kStateFormat) {
        return {EnvelopeState::kNewer, *format, {}};
    }
    return {.problem = line.has_value() ? "its checksum does not match its content"
                                        : "its first line is not that of a state file"};
}

}  // namespace zona::process::detail
