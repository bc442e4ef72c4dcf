#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "process/detail/log_cursor.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona::process::detail;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    (void)parse_log_cursor(bytes);

    // Positions made of the input survive the way through the text.
    std::vector<LogFilePosition> positions;
    for (std::size_t at = 0; at + 26 <= size; at += 26) {
        const auto number = [&](std::size_t from, std::size_t count) {
            std::uint64_t value = 0;
            for (std::size_t i = 0; i < count; ++i)
                value = value << 8U | data[at + from + i];
            return value;
        };
        positions.push_back({.path_hash = number(0, 6),
                             .inode = number(6, 8),
                             .offset = number(14, 8),
                             .before = static_cast<std::uint32_t>(number(22, 4))});
    }
    const auto back = parse_log_cursor(format_log_cursor(positions));
    if (!back || back->size() != positions.size()) std::abort();
    for (std::size_t i = 0; i < positions.size(); ++i) {
        const LogFilePosition& a = positions[i];
        const LogFilePosition& b = (*back)[i];
        if (a.path_hash != b.path_hash || a.inode != b.inode || a.offset != b.offset ||
            a.before != b.before) {
            std::abort();
        }
    }
    return 0;
}
