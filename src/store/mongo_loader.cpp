#include <filesystem>
#include <mutex>
#include <string>

#include <dlfcn.h>
#include <fmt/format.h>

#include "store/mongo/detail/driver.h"
#include "store/mongo_database.h"

namespace zona::store {

using core::Code;
using core::Error;
using core::Result;

namespace {

/// Beside the program's own file.
std::string library_path() {
    std::error_code failed;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
    return program.parent_path() / mongo::kMongoLibrary;
}

Error not_installed(std::string_view why) {
    return {Code::kUnsupported,
            fmt::format("databases in MongoDB need the driver {} with the package libmongoc-1.0-0, "
                        "which cannot be loaded: {}",
                        mongo::kMongoLibrary, why)};
}

Result<const mongo::MongoDriver*> load() {
    // Never unloaded: the driver's threads and the library's own cannot be stopped for sure.
    void* library = ::dlopen(library_path().c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return not_installed(::dlerror());
    const auto* driver =
        static_cast<const mongo::MongoDriver*>(::dlsym(library, mongo::kMongoDriver));
    if (driver == nullptr) return not_installed(::dlerror());
    if (std::string_view(driver->version) != ZONA_VERSION)
        return not_installed(fmt::format("it is of version {}", driver->version));
    return driver;
}

/// One that cannot be loaded is tried again: it may be installed by then.
Result<const mongo::MongoDriver*> driver() {
    static std::mutex mutex;
    static const mongo::MongoDriver* loaded = nullptr;  // guarded by mutex
    const std::lock_guard lock(mutex);
    if (loaded == nullptr) {
        ZONA_TRY(loaded, load());
    }
    return loaded;
}

}  // namespace

Result<std::unique_ptr<MongoDatabase>> open_mongo(const MongoOptions& options,
                                                  const core::Clock& clock,
                                                  const core::Logger& log) {
    ZONA_TRY(const mongo::MongoDriver* const mongo, driver());
    return mongo->open(options, clock, log);
}

Result<void> probe_mongo(const MongoOptions& options) {
    ZONA_TRY(const mongo::MongoDriver* const mongo, driver());
    return mongo->probe(options);
}

}  // namespace zona::store
