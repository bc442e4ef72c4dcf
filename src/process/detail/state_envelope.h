/// @file
/// The outermost layer of snapshot.json and saved.json: a JSON object whose first line says its
/// format and the checksum of the rest.
///
///     {"format":1,"crc32c":"1b2c3d4e",
///     "sequence":17, ...
///     }
///
/// This layer stays the same in all formats, so that an older zona can tell a newer file from a
/// damaged one. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace zona::process::detail {

/// The format of the state files that this version writes and the newest that it reads.
inline constexpr std::int64_t kStateFormat = 1;

enum class EnvelopeState : std::uint8_t {
    kGood,
    kDamaged,  ///< the checksum does not hold, or this was never such a file
    kNewer,    ///< written by a newer zona: not to be touched
};

struct Envelope {
    EnvelopeState state = EnvelopeState::kDamaged;
    std::int64_t format = 0;
    std::string problem;  ///< kDamaged: what is wrong, without any of the content
};

/// The whole file for `members`, the lines behind the first: `"a":1,...}` and a newline.
std::string seal(std::string_view members);

/// Judges a whole file.
///
/// One flipped bit anywhere, the format number included, and every truncation give kDamaged. A text
/// that is not sealed as this version seals, but is a JSON object that claims a higher format,
/// counts as kNewer: refusing is safer than taking it for rubbish.
Envelope open_envelope(std::string_view text);

}  // namespace zona::process::detail
