#include "identity/users/detail/networks.h"

#include <vector>

#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "identity/detail/fields.h"

namespace zona::identity::detail {

namespace {

constexpr const char* kNetworks = "networks";
constexpr std::size_t kKnownNetworks = 16;

std::string kept(std::string_view network) {
    return crypto::base64url(crypto::sha256(network));
}

}  // namespace

bool knows_network(const boost::json::object& document, std::string_view network) {
    return holds(texts_in(document, kNetworks), kept(network));
}

bool note_network(boost::json::object& document, std::string_view network) {
    std::vector<std::string> known = texts_in(document, kNetworks);
    const std::string one = kept(network);
    const bool is_first = known.empty();
    const bool is_known = std::erase(known, one) > 0;
    known.push_back(one);
    if (known.size() > kKnownNetworks) known.erase(known.begin());
    document[kNetworks] = to_field(known);
    return !is_first && !is_known;
}

}  // namespace zona::identity::detail
