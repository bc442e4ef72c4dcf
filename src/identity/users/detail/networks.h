// From where a user signs in: hashes of networks, the last ones.
#pragma once

#include <string>
#include <string_view>

#include <boost/json.hpp>

namespace zona::identity::detail {

/// Whether the user of this document has signed in from this network (net::client_network).
bool knows_network(const boost::json::object& document, std::string_view network);
/// Notes that it is one from now on. Whether it is a new one, beside others.
bool note_network(boost::json::object& document, std::string_view network);

}  // namespace zona::identity::detail
