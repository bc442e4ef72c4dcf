// Any bytes as an answer, whole and in two pieces: the client's parser must end in the same state.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "net/detail/response_parser.h"

namespace {

using zona::net::detail::ResponseParser;

struct Outcome {
    bool failed = false;
    bool complete = false;
    int status = 0;
    std::size_t used = 0;
    std::string body;
    bool operator==(const Outcome&) const = default;
};

Outcome parse(std::string_view first, std::string_view second, std::string_view method) {
    Outcome out;
    ResponseParser parser(method);
    const auto sink = [&out](std::string_view piece) {
        out.body += piece;
        return true;
    };
    for (const std::string_view part : {first, second}) {
        const auto used = parser.feed(part, sink);
        if (!used.has_value()) {
            out.failed = true;
            return {.failed = true};
        }
        out.used += *used;
    }
    out.complete = parser.end_of_input().has_value();
    out.status = parser.head_done() ? parser.status() : 0;
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::string_view method = (data[0] & 1U) != 0 ? "HEAD" : "GET";
    const std::size_t cut = text.empty() ? 0 : data[1] % text.size();

    const Outcome whole = parse(text, {}, method);
    const Outcome cut_in_two = parse(text.substr(0, cut), text.substr(cut), method);

    if (!(whole == cut_in_two)) std::abort();
    return 0;
}
