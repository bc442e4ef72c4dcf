/// @file
/// Reads small files that administrators name: configuration and secrets.
#pragma once

#include <string>

#include "core/byte_count.h"
#include "core/result.h"

namespace zona::core::detail {

/// The whole content of a regular file.
/// Errors: as open(2) and read(2), the path named; kInvalidArgument for anything but a regular file
/// (a FIFO is not waited for); kTooLarge over `limit`.
Result<std::string> read_file(const std::string& path, ByteCount limit);

}  // namespace zona::core::detail
