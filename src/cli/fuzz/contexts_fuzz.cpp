// The contexts' file: what is taken is written as it can be read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cli/detail/contexts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(zona::cli::parse_host(text));
    const auto contexts = zona::cli::parse_contexts(text);
    if (!contexts) return 0;
    const std::string written = zona::cli::contexts_text(*contexts);
    const auto again = zona::cli::parse_contexts(written);
    if (!again || zona::cli::contexts_text(*again) != written) std::abort();
    return 0;
}
