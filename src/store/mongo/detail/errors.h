/// @file
/// The driver's and the server's errors in our codes and words. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include <mongoc/mongoc.h>

#include "core/result.h"
#include "store/mongo/detail/client.h"

namespace zona::store::mongo {

/// What can be done about it; the labels of `reply`, which may be null, have a say.
Failure failure_of(const bson_error_t& error, const bson_t* reply);

/// For people. `said`: the driver's message, scrubbed.
core::Error error_of(const bson_error_t& error, const Failure& failure, const std::string& said);

/// Whether the server or driver says so with this code.
bool says_not_found(int code);  ///< a collection or index
bool says_not_authorised(int code);

/// The name of the index that a message of the server's about a duplicate key names; empty: none.
std::string index_in(std::string_view message);

/// `text` without `password`, as it is or percent-encoded, and without what stands before the `@`
/// of a URI.
std::string scrub(std::string text, std::string_view password);

}  // namespace zona::store::mongo
