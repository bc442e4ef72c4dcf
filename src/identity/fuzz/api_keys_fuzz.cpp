// Any bytes as the list of keys of an earlier zona: refused, or a list in which every key has a
// name and a scope.
#include <cstdint>
#include <cstdlib>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "identity/keys/key_list_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona;
    static const int fd = ::memfd_create("keys", MFD_CLOEXEC);
    if (::ftruncate(fd, 0) < 0 || ::pwrite(fd, data, size, 0) != static_cast<ssize_t>(size))
        std::abort();
    const auto list = identity::read_key_list("/proc/self/fd/" + std::to_string(fd));
    if (!list) return 0;
    for (const identity::StoredKey& stored : list->keys) {
        if (stored.key.name.empty() || stored.key.name.size() > 64) std::abort();
        if (stored.key.scope != identity::Scope::kViewer &&
            stored.key.scope != identity::Scope::kAdmin)
            std::abort();
    }
    return 0;
}
