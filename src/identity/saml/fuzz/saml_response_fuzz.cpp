// Any bytes as an answer, and as metadata. The key that signs is never there: nothing is taken.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "crypto/encoding.h"
#include "identity/saml/detail/metadata.h"
#include "identity/saml/detail/response.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona::identity;
    const std::string text(reinterpret_cast<const char*>(data), size);
    SamlWanted wanted;
    wanted.issuer = "i";
    wanted.certificates = {"no certificate"};
    wanted.audience = "a";
    wanted.recipient = "r";
    wanted.request = "q";
    const auto bytes = std::as_bytes(std::span(text));
    if (saml::read_response(zona::crypto::base64(bytes), wanted)) std::abort();
    if (saml::read_response(text, wanted)) std::abort();
    (void)saml::read_metadata(text, zona::core::SystemTime());
    return 0;
}
