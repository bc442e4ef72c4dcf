// Any text as a sealed field: it opens only when it was sealed, and that takes the key.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "vault/field_sealer.h"
#include "vault/testing/fake_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona;
    static core::SystemRandom random;
    static const vault::FieldSealer sealer("acme", std::make_shared<vault::FakeKeys>(1), random);
    const vault::FieldPlace place{.collection = "c", .document = "d", .field = "f"};
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (sealer.open(place, text).has_value()) std::abort();
    (void)vault::FieldSealer::key_of(text);
    const auto sealed = sealer.seal(place, text);
    if (!sealed || sealer.open(place, *sealed)->reveal() != text) std::abort();
    return 0;
}
