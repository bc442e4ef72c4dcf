#include "identity/secret_text.h"

#include <algorithm>

#include "identity/keys/api_key.h"

namespace zona::identity {
namespace {

/// The first bytes of a JSON object, `{"`, in base64url: every token's header begins so.
constexpr std::string_view kTokenBegin = "eyJ";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The end of the part that begins at `at`; `at` itself if there is none.
std::size_t end_of_part(std::string_view text, std::size_t at) {
    return std::min(text.find_first_not_of(kBase64Url, at), text.size());
}

}  // namespace

bool holds_token(std::string_view text) {
    std::size_t at = 0;
    while ((at = text.find(kTokenBegin, at)) != std::string_view::npos) {
        // Header and payload are enough: a token without its signature tells who it was for.
        at = end_of_part(text, at);
        if (at < text.size() && text[at] == '.' && end_of_part(text, at + 1) > at + 1) return true;
    }
    return false;
}

bool is_secret_path(std::string_view path) {
    return path.starts_with(kTokenPath) || holds_api_key(path) || holds_token(path);
}

}  // namespace zona::identity
