/// @file
/// What OpenSSL's queue of errors says.
#pragma once

#include <string>

namespace zona::net::detail {

/// The oldest error of this thread in words, without OpenSSL's numbers; the queue is empty then.
std::string last_tls_error();

}  // namespace zona::net::detail
