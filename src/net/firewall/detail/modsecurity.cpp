#include "net/firewall/detail/modsecurity.h"

#include <mutex>
#include <string>
#include <string_view>

#include <dlfcn.h>
#include <fmt/format.h>

#include "net/firewall/detail/matched_rules.h"

namespace zona::net::detail {

namespace {

core::Error missing(std::string_view why) {
    return {
        core::Code::kUnsupported,
        fmt::format("the firewall needs libmodsecurity.so.3 (Debian: libmodsecurity3): {}", why)};
}

core::Error missing() {
    const char* const why = ::dlerror();
    return missing(why != nullptr ? why : "it cannot be opened");
}

template <class Function>
bool find(void* library, const char* name, Function& into) {
    into = reinterpret_cast<Function>(::dlsym(library, name));
    return into != nullptr;
}

bool find_all(void* library, ModSecurityLibrary& into) {
    return find(library, "msc_init", into.init) && find(library, "msc_who_am_i", into.who_am_i) &&
           find(library, "msc_set_log_cb", into.set_log_cb) &&
           find(library, "msc_create_rules_set", into.create_rules_set) &&
           find(library, "msc_rules_add", into.rules_add) &&
           find(library, "msc_rules_add_file", into.rules_add_file) &&
           find(library, "msc_rules_cleanup", into.rules_cleanup) &&
           find(library, "msc_new_transaction", into.new_transaction) &&
           find(library, "msc_process_connection", into.process_connection) &&
           find(library, "msc_process_uri", into.process_uri) &&
           find(library, "msc_add_n_request_header", into.add_n_request_header) &&
           find(library, "msc_process_request_headers", into.process_request_headers) &&
           find(library, "msc_append_request_body", into.append_request_body) &&
           find(library, "msc_process_request_body", into.process_request_body) &&
           find(library, "msc_intervention", into.intervention) &&
           find(library, "msc_transaction_cleanup", into.transaction_cleanup);
}

core::Result<ModSecurityLibrary> load() {
    void* const library = ::dlopen("libmodsecurity.so.3", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return missing();
    ModSecurityLibrary out{};
    if (!find_all(library, out)) return missing();
    out.engine = out.init();
    // Which rules have matched stands in its classes alone, and those change with each version.
    const std::string_view found = out.who_am_i(out.engine);
    const std::string wanted = fmt::format("v{}", kModSecurityVersion);
    if (!found.contains(wanted + " "))
        return missing(fmt::format("it is {}, and zona was built for {}", found, wanted));
    // Its lines quote requests, passwords as well; without a reader they would go to stderr.
    out.set_log_cb(out.engine, [](void*, const void*) {});
    return out;
}

}  // namespace

core::Result<const ModSecurityLibrary*> ModSecurityLibrary::open() {
    static std::mutex mutex;
    static ModSecurityLibrary loaded{};  // guarded by mutex
    const std::scoped_lock lock(mutex);
    if (loaded.engine == nullptr) {
        ZONA_TRY(loaded, load());
    }
    return &loaded;
}

}  // namespace zona::net::detail
