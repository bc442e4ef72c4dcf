/// @file
/// Where a browser comes back to the command from an identity provider: one address of this host.
#pragma once

#include <string>

#include "core/clock.h"
#include "core/deadline.h"
#include "core/result.h"
#include "core/secret.h"
#include "os/fd.h"

namespace zona::cli {

/// What the provider gave the browser for whoever began.
struct ProviderReturn {
    std::string state;
    core::Secret code;
    std::string issuer;  ///< `iss`; may be empty
    std::string error;   ///< instead of a code
};

/// Listens on a free port of 127.0.0.1 from open() until it goes. What other programs and pages of
/// this host send there does not end the wait: only an answer with the state that was given away
/// counts. One thread. Source: AUTH-26, RFC 8252 section 7.3.
class ReturnAddress {
  public:
    /// Errors: from errno.
    static core::Result<ReturnAddress> open();

    /// "http://127.0.0.1:PORT/back".
    const std::string& uri() const { return uri_; }
    /// Waits for the answer with this state, and tells the browser that it may be closed.
    /// Errors: kTimeout: none came until `deadline`; from errno.
    core::Result<ProviderReturn> wait(const std::string& state, core::Deadline deadline,
                                      const core::Clock& clock) const;

  private:
    ReturnAddress(os::UniqueFd listening, std::string uri)
        : listening_(std::move(listening)), uri_(std::move(uri)) {}

    os::UniqueFd listening_;
    std::string uri_;
};

}  // namespace zona::cli
