// Whatever is said to be an archive is read or refused; nobody here has signed one.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "audit/archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (zona::audit::read_archive(bytes, {})) std::abort();
    return 0;
}
