// Any bytes as the key ring's file: refused, or a ring whose text reads back the same. Nobody opens
// one without the root key.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/random.h"
#include "vault/detail/ring_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona;
    static core::SeededRandom random(1);
    static const crypto::Key key = crypto::Key::random(random);
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto parsed = vault::detail::parse_ring(text);
    if (!parsed) return 0;
    const auto mac = crypto::hmac_sha256(key, std::as_bytes(std::span(parsed->body)));
    if (mac == parsed->mac) std::abort();
    const std::string rendered = vault::detail::render_ring(parsed->image, key);
    const auto again = vault::detail::parse_ring(rendered);
    if (!again || again->mac != crypto::hmac_sha256(key, std::as_bytes(std::span(again->body))))
        std::abort();
    // Times are stored in milliseconds; what was read may have had more.
    if (vault::detail::render_ring(again->image, key) != rendered) std::abort();
    return 0;
}
