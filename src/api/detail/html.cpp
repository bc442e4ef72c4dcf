#include "api/detail/html.h"

#include <fmt/format.h>

#include "crypto/encoding.h"
#include "crypto/hash.h"

namespace zona::api::detail {

std::string hash_source(std::string_view text) {
    return fmt::format("'sha256-{}'", crypto::base64(crypto::sha256(text)));
}

}  // namespace zona::api::detail
