// What a server sends: answers, cut anywhere, and what MOVED says. Nothing of it may crash, take
// memory without bound, or depend on where it was cut.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "cache/redis/reply.h"
#include "cache/redis/slots.h"

namespace {

using zona::cache::redis::Redirect;
using zona::cache::redis::Reply;
using zona::cache::redis::ReplyReader;

std::vector<Reply> read_all(std::string_view bytes, std::size_t piece) {
    ReplyReader reader;
    std::vector<Reply> out;
    while (!bytes.empty()) {
        const std::string_view some = bytes.substr(0, piece);
        bytes.remove_prefix(some.size());
        if (!reader.feed(some)) return out;
        while (true) {
            auto reply = reader.next();
            if (!reply) return out;
            if (!*reply) break;
            out.push_back(**std::move(reply));
        }
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const std::vector<Reply> whole = read_all(bytes, bytes.size() + 1);
    if (whole != read_all(bytes, 1)) std::abort();
    for (const Reply& reply : whole) {
        Redirect redirect;
        if (Redirect::parse(reply.text, redirect) && redirect.to.port == 0) std::abort();
    }
    return 0;
}
