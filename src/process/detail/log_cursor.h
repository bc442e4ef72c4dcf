/// @file
/// The text form of a LogReader's position.
///
/// base64url without padding of: version 1 | number of files (varint) | per file: 6 bytes of the
/// path's hash, inode (varint), offset (varint), 4 bytes of the content's hash | 4 bytes of
/// checksum over all before.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "process/detail/log_file.h"

namespace zona::process::detail {

std::string format_log_cursor(const std::vector<LogFilePosition>& positions);

/// Errors: kInvalidArgument for any other text.
core::Result<std::vector<LogFilePosition>> parse_log_cursor(std::string_view text);

}  // namespace zona::process::detail
