#include "net/outgoing/detail/curl.h"

#include <string>

#include <dlfcn.h>

namespace zona::net::detail {

namespace {

core::Error missing() {
    const char* const why = ::dlerror();
    return {core::Code::kUnsupported,
            std::string("calling other servers needs libcurl.so.4 (Debian: libcurl4): ") +
                (why != nullptr ? why : "it cannot be opened")};
}

template <class Function>
bool find(void* library, const char* name, Function& into) {
    into = reinterpret_cast<Function>(::dlsym(library, name));
    return into != nullptr;
}

core::Result<CurlLibrary> load() {
    void* const library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return missing();
    CurlLibrary out{};
    const bool complete =
        find(library, "curl_global_init", out.global_init) &&
        find(library, "curl_easy_init", out.easy_init) &&
        find(library, "curl_easy_cleanup", out.easy_cleanup) &&
        find(library, "curl_easy_reset", out.easy_reset) &&
        find(library, "curl_easy_perform", out.easy_perform) &&
        find(library, "curl_easy_strerror", out.easy_strerror) &&
        find(library, "curl_easy_setopt", out.easy_setopt) &&
        find(library, "curl_easy_getinfo", out.easy_getinfo) &&
        find(library, "curl_slist_append", out.slist_append) &&
        find(library, "curl_slist_free_all", out.slist_free_all) &&
        find(library, "curl_url", out.url) && find(library, "curl_url_cleanup", out.url_cleanup) &&
        find(library, "curl_url_set", out.url_set) && find(library, "curl_url_get", out.url_get) &&
        find(library, "curl_free", out.free);
    if (!complete) return missing();
    if (out.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return core::Error(core::Code::kUnsupported, "libcurl could not be set up");
    return out;
}

}  // namespace

core::Result<const CurlLibrary*> CurlLibrary::open() {
    static const core::Result<CurlLibrary> library = load();
    if (!library) return core::Error(library.error());
    return &*library;
}

}  // namespace zona::net::detail
