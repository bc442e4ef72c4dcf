/// @file
/// Which texts hold keys or tokens, so that nobody logs them.
#pragma once

#include <string_view>

namespace zona::identity {

/// What the one path begins with that has an access token in it, and is good for nothing else. It
/// was promised so; what stands behind it is secret, whatever form it has. Source: AUTH-15, GAP-13.
inline constexpr std::string_view kTokenPath = "/updateUserSessionExpiretime/";

/// Where OpenID providers send browsers back to. The code that they bring in the query may have the
/// form of a token (RFC 7516); it is good once, and for that browser alone.
inline constexpr std::string_view kReturnPath = "/login/callback";

/// Whether a JSON Web Token stands anywhere in the text, valid or not.
bool holds_token(std::string_view text);
/// Whether a path, percent-decoded, is not to be told to anybody: it holds an API key or a token,
/// or is below kTokenPath.
bool is_secret_path(std::string_view path);

}  // namespace zona::identity
