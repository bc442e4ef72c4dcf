#include "core/utf8.h"

#include <algorithm>
#include <cstddef>

namespace zona::core {

void append_utf8(std::string& out, char32_t point) {
    const auto tail = [point](unsigned shift) {
        return static_cast<char>(0x80U | (point >> shift & 0x3FU));
    };
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += {static_cast<char>(0xC0U | point >> 6U), tail(0)};
    } else if (point < 0x10000) {
        out += {static_cast<char>(0xE0U | point >> 12U), tail(6), tail(0)};
    } else {
        out += {static_cast<char>(0xF0U | point >> 18U), tail(12), tail(6), tail(0)};
    }
}

char32_t take_code_point(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text.front());
    if (lead < 0x80) {
        text.remove_prefix(1);
        return lead;
    }
    const std::size_t length = std::min<std::size_t>(lead < 0xE0   ? 2
                                                     : lead < 0xF0 ? 3
                                                                   : 4,
                                                     text.size());
    char32_t point = lead & (0x7FU >> length);
    for (const char c : text.substr(1, length - 1))
        point = point << 6U | (static_cast<unsigned char>(c) & 0x3FU);
    text.remove_prefix(length);
    return point;
}

}  // namespace zona::core
