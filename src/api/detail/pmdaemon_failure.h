// Errors in PMDaemon's form.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"
#include "net/http.h"

namespace zona::api::pmdaemon {

/// PMDaemon's code for an error of a process's action where no path says more.
std::string_view code_of(core::Code code);

/// A failure of the operation itself: 400, as PMDaemon answers it.
net::Response operation_failed(std::string_view code, const std::string& message,
                               const std::string& reason);

}  // namespace zona::api::pmdaemon
