#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "store/detail/page_token.h"

// A token that was not made here is refused, whatever it holds; what a place is made of comes back.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona::store;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    static const zona::core::Secret kKey(std::string(32, 'k'));
    static const CollectionSpec kSpec{.name = "fuzz", .indexes = {{.name = "by_created"}}};
    static const Collection kCollection(kSpec, Scope::core());
    static const Query kQuery{.filter = Filter::eq("status", "open")};

    if (detail::read_token(kKey, kCollection, kQuery, bytes).has_value()) std::abort();
    const auto place = detail::decode_place(bytes);
    if (!place) return 0;
    // Text of any bytes is possible here, and must not be taken for something else.
    if (detail::encode_place(*place) != bytes) std::abort();
    const std::string token = detail::make_token(kKey, kCollection, kQuery, *place);
    if (token.size() > detail::kMaxTokenBytes) return 0;
    const auto back = detail::read_token(kKey, kCollection, kQuery, token);
    if (!back.has_value() || detail::encode_place(*back) != bytes) std::abort();
    return 0;
}
