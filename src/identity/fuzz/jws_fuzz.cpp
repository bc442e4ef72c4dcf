// Any bytes as a token: refused, whatever key is held against it, for none has signed it; what is
// taken apart has the form of a token. Any bytes as a set of keys: each key that is taken goes
// through its own text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <boost/json.hpp>

#include "identity/tokens/json_web_key.h"
#include "identity/tokens/jws.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona::identity;
    // None of the standards' own, whose examples are among the seeds.
    static const SigningKey keys[] = {SigningKey::generate(SigningAlgorithm::kEdDsa),
                                      SigningKey::generate(SigningAlgorithm::kEs256),
                                      SigningKey::generate(SigningAlgorithm::kRs256)};
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto token = Jws::parse(text);
    for (const SigningKey& key : keys) {
        if (token && token->verified_by(key.verification_key())) std::abort();
        if (key.verification_key().verifies("text", text)) std::abort();
    }
    const auto set = parse_key_set(text);
    if (!set) return 0;
    for (const VerificationKey& key : *set) {
        const auto again = VerificationKey::from_jwk(key.to_jwk());
        if (!again || again->id() != key.id() || again->thumbprint() != key.thumbprint())
            std::abort();
    }
    return 0;
}
