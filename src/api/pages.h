/// @file
/// What people with a browser are shown in the place of an error.
#pragma once

#include <optional>

#include "core/error.h"
#include "net/http.h"

namespace zona::api {

/// The net::ErrorForm of the pages (Tag::kPages), for whoever takes HTML; programs get the
/// envelope:
///
/// | Error | Shown |
/// | --- | --- |
/// | nobody is signed in, on a page that asks for it | 303 to the sign-in, and back from there |
/// | of the forms of the sign-in | the form again, with what is wrong above it |
/// | what a handler answers with a status of its own (303) | that status, without a body |
/// | any other | a page with the message and the correlation id |
///
/// The message is the one that programs get. Any thread. Source: SEC-11, SEC-13.
std::optional<net::Response> page_error(const net::Request& request, const core::Error& shown,
                                        int status);

}  // namespace zona::api
