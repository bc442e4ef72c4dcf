// Errors in PMDaemon's form.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"
#include "net/http.h"

namespace zona::api::pmdaemon {

/// Whether the error is one that PMDaemon's documents have a code for, and the status that says it.
bool is_documented(int status);

/// PMDaemon's code for an error of a process's action where no path says more.
std::string_view code_of(core::Code code);

/// The response for `error`, whose code is documented. Paths are stripped for clients over TCP.
net::Response failed(const net::Request& request, const core::Error& error);

/// A failure of the operation itself: 400, as PMDaemon answers it.
net::Response operation_failed(std::string_view code, const std::string& message,
                               const std::string& reason);

}  // namespace zona::api::pmdaemon
