/// @file
/// SharedText: bytes that many connections send and nobody changes. A broadcast is serialised once
/// and its one buffer is written to every client without a copy. Source: PM-69.
#pragma once

#include <memory>
#include <string>
#include <utility>

namespace zona::net {

/// Owned by all who still have to send it; any thread.
using SharedText = std::shared_ptr<const std::string>;

/// Moves `text` into a shared buffer.
inline SharedText share(std::string text) {
    return std::make_shared<const std::string>(std::move(text));
}

}  // namespace zona::net
