// What parse_json accepts can be written, read back and written again without a change.
#include <cstdlib>

#include <boost/json.hpp>

#include "core/json.h"

namespace {

using namespace zona::core;

void check(std::string_view text, JsonSyntax syntax) {
    const JsonLimits limits{ByteCount::kib(64), 16, syntax};
    const Result<boost::json::value> value = parse_json(text, limits);
    if (!value) {
        if (value.error().message().empty()) std::abort();
        return;
    }
    for (const JsonLayout layout : {JsonLayout::kCompact, JsonLayout::kIndented}) {
        const std::string written = to_json(*value, layout);
        JsonLimits roomy;
        roomy.max_bytes = ByteCount::mib(16);
        const Result<boost::json::value> again = parse_json(written, roomy);
        if (!again || to_json(*again, layout) != written) std::abort();
    }
    const JsonReader reader(*value);
    reader.string("a");
    reader.integer("b");
    reader.duration("c");
    reader.size("d");
    reader.strings("e");
    reader.string_map("f");
    for (const JsonReader& child : reader.objects("g"))
        child.boolean("h");
    const Result<void> result = reader.finish("fuzz");
    if (!result && result.error().details().empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check(text, JsonSyntax::kStrict);
    check(text, JsonSyntax::kLenient);
    return 0;
}
