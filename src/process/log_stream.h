/// @file
/// LogStream: which of its two outputs a process wrote a line to.
#pragma once

#include <cstdint>
#include <string_view>

namespace zona::process {

/// Standard output or standard error.
enum class LogStream : std::uint8_t { kOut, kErr };

/// "out" or "err", as the API and the names of FIFOs spell it.
constexpr std::string_view to_string(LogStream stream) {
    return stream == LogStream::kOut ? "out" : "err";
}

}  // namespace zona::process
