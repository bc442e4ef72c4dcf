// What the C functions of libmodsecurity do not tell. Its headers are read here alone: they are no
// C++23.
#pragma once

#include <cstdint>
#include <vector>

namespace modsecurity {
class Transaction;
}

namespace zona::net::detail {

/// The version of the library that this was built for: "3.0.9".
extern const char* const kModSecurityVersion;

/// The numbers of the rules that have matched so far, in their order.
std::vector<std::int64_t> matched_rules(const modsecurity::Transaction& transaction);

}  // namespace zona::net::detail
