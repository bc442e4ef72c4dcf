/// @file
/// How a page of zona's shows that a request is its own: the token against forged requests.
#pragma once

#include <string>
#include <string_view>

#include "net/http.h"

namespace zona::api {

/// Where scripts send it.
inline constexpr std::string_view kCsrfHeader = "X-CSRF-Token";
/// What it is called in forms.
inline constexpr std::string_view kCsrfField = "csrf_token";

/// The token that goes with a secret cookie: who knows it knows nothing of the cookie, and who does
/// not know the cookie cannot make it. Any instance makes the same. Any thread. Source: SEC-13.
std::string csrf_token(std::string_view cookie);

/// Whether the request shows the token of this cookie, in the header, or else in a form's field.
bool shows_csrf_token(const net::Request& request, std::string_view cookie);

}  // namespace zona::api
