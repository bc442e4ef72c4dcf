#include "process/detail/printable.h"

#include <fmt/format.h>

#include "core/text.h"

namespace zona::process::detail {

std::string printable(std::string_view text, std::size_t most) {
    std::string out;
    for (const char c : text.substr(0, most)) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\x{:02x}", byte);
        } else {
            out += c;
        }
    }
    out = core::to_valid_utf8(out);
    if (text.size() > most) out += "...";
    return out;
}

std::string quoted(std::string_view text) {
    return '"' + printable(text) + '"';
}

}  // namespace zona::process::detail
