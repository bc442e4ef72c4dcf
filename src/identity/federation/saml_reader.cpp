#include "identity/federation/saml_reader.h"

#include <filesystem>
#include <mutex>

#include <dlfcn.h>
#include <fmt/format.h>

namespace zona::identity {

using core::Code;
using core::Error;
using core::Result;

namespace {

Error not_installed(std::string_view why) {
    return {Code::kUnsupported,
            fmt::format("signing in by SAML needs {} with the package libxmlsec1-openssl, which "
                        "cannot be loaded: {}",
                        kSamlLibrary, why)};
}

Result<const SamlReader*> load() {
    std::error_code failed;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
    // Never unloaded: xmlsec and libxml2 keep what they have set up.
    void* const library =
        ::dlopen((program.parent_path() / kSamlLibrary).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return not_installed(::dlerror());
    const auto* const reader = static_cast<const SamlReader*>(::dlsym(library, kSamlReader));
    if (reader == nullptr) return not_installed(::dlerror());
    if (std::string_view(reader->version) != ZONA_VERSION)
        return not_installed(fmt::format("it is of version {}", reader->version));
    return reader;
}

}  // namespace

/// One that cannot be loaded is tried again: it may be installed by then.
Result<const SamlReader*> saml_reader() {
    static std::mutex mutex;
    static const SamlReader* loaded = nullptr;  // guarded by mutex
    const std::lock_guard lock(mutex);
    if (loaded == nullptr) {
        ZONA_TRY(loaded, load());
    }
    return loaded;
}

}  // namespace zona::identity
