// Any text as a root key and as key shares, a line each: refused, or what is read is written the
// same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "vault/key_shares.h"
#include "vault/root_key.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto key = vault::parse_root_key(text)) {
        if (!vault::parse_root_key(vault::root_key_text(*key).reveal())->same_as(*key))
            std::abort();
    }
    static core::SystemRandom random;
    const auto provider = vault::make_text_provider(core::Secret(std::string(text)), "it", random);
    if (const auto root = provider->make()) {
        if (!provider->get((*root)->id())) std::abort();
    }
    std::vector<core::Secret> shares;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        shares.emplace_back(std::string(text.substr(0, end)));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    (void)vault::combine_shares(shares).has_value();
    return 0;
}
