// Any bytes as a client's certificate in PEM: one that is taken says who it is in text that can be
// shown, and by a whole fingerprint.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/client_certificate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto read = zona::net::read_client_certificate(text);
    if (!read) return 0;
    if (read->fingerprint.size() != 64) std::abort();
    const auto is_control = [](unsigned char one) { return one < 0x20 || one == 0x7f; };
    if (std::ranges::any_of(read->subject, is_control)) std::abort();
    return 0;
}
