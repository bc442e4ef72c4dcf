// Any bytes as the list of keys: refused, or a list in which every key has a name and a scope. Any
// text as a key: nobody gets in by it.
#include <cstdint>
#include <cstdlib>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/random.h"
#include "identity/api_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona;
    static const core::RealClock clock;
    static core::SeededRandom random(1);
    static const int fd = ::memfd_create("keys", MFD_CLOEXEC);
    if (::ftruncate(fd, 0) < 0 || ::pwrite(fd, data, size, 0) != static_cast<ssize_t>(size))
        std::abort();
    const auto keys = identity::ApiKeys::open("/proc/self/fd/" + std::to_string(fd), clock, random);
    if (!keys) return 0;
    for (const identity::ApiKey& key : (*keys)->list()) {
        if (key.name.empty() || key.name.size() > 64) std::abort();
        if (!identity::scope_from(identity::to_string(key.scope))) std::abort();
    }
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string presented = std::string(identity::kApiKeyPrefix) + std::string(text);
    if (std::holds_alternative<identity::Principal>((*keys)->verify(presented))) std::abort();
    return 0;
}
