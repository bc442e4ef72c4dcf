// Any bytes, signed by the provider's own key: claims that are taken are those that were asked for.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "identity/federation/id_token.h"
#include "identity/tokens/jws.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona::identity;
    static const SigningKey key = SigningKey::generate(SigningAlgorithm::kEdDsa);
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const VerificationKey keys[] = {key.verification_key()};
    const IdTokenWanted wanted{
        .issuer = "i", .client_id = "c", .nonce = "n", .now = zona::core::SystemTime()};
    const auto claims = read_id_token(sign_jws(text, key, "JWT"), keys, wanted);
    if (!claims) return 0;
    if (claims->at("iss") != "i" || claims->at("nonce") != "n") std::abort();
    for (const auto& [name, value] : *claims)
        (void)texts_of_claim(*claims, name);
    return 0;
}
