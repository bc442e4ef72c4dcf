// A spool's file, and the entries in it, are read as far as they are good, whatever lies there.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "audit/spool.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona::audit;
    const std::string_view content(reinterpret_cast<const char*>(data), size);
    const SpoolContent found = read_spool(content);
    if (found.good > size || (found.id.empty() && !found.records.empty())) std::abort();
    std::int64_t last = 0;
    for (const SpoolRecord& record : found.records) {
        if (record.number <= last) std::abort();
        last = record.number;
    }
    // What is good is all that is read, however the file goes on.
    if (read_spool(content.substr(0, found.good)).records.size() != found.records.size())
        std::abort();
    if (const auto entry = entry_from_json(content)) {
        const std::string text = to_json_text(fitted(*entry));
        const auto again = entry_from_json(text);
        if (!again || to_json_text(*again) != text) std::abort();
    }
    return 0;
}
