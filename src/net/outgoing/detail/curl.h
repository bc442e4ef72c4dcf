// libcurl, opened while the program runs: it brings thirty libraries with it, which a daemon that
// calls nobody does not need.
#pragma once

#include <memory>

#include <curl/curl.h>

#include "core/result.h"

namespace zona::net::detail {

/// The functions that are used, by their own names.
struct CurlLibrary {
    decltype(&::curl_global_init) global_init;
    decltype(&::curl_easy_init) easy_init;
    decltype(&::curl_easy_cleanup) easy_cleanup;
    decltype(&::curl_easy_reset) easy_reset;
    decltype(&::curl_easy_perform) easy_perform;
    decltype(&::curl_easy_strerror) easy_strerror;
    CURLcode (*easy_setopt)(CURL*, CURLoption, ...);
    CURLcode (*easy_getinfo)(CURL*, CURLINFO, ...);
    decltype(&::curl_slist_append) slist_append;
    decltype(&::curl_slist_free_all) slist_free_all;
    decltype(&::curl_url) url;
    decltype(&::curl_url_cleanup) url_cleanup;
    decltype(&::curl_url_set) url_set;
    decltype(&::curl_url_get) url_get;
    decltype(&::curl_free) free;

    /// Opens it once; stays open. Errors: kUnsupported.
    static core::Result<const CurlLibrary*> open();
};

}  // namespace zona::net::detail
