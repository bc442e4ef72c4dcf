/// @file
/// Becoming another program without losing children, FIFOs and sockets.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/error.h"

namespace zona::os {

/// execve(2) into `program`; returns only the error if it fails.
///
/// This process becomes a subreaper first; its children, zombies included, stay its children. Open
/// stay: all FIFOs, those of `kept`, which keep their numbers, and the standard streams. The number
/// of the highest open descriptor is appended to the arguments. The signal mask stays as it is, so
/// that nothing that is pending can end this process in between; ignored signals become default.
/// Nor can another thread whose exception nobody catches, as that of a thread that cannot be made:
/// clone(2) fails while another thread is in execve(2). If that fails, such a thread does not go
/// on. Source: execve(2), prctl(2) PR_SET_CHILD_SUBREAPER.
core::Error become_program(const std::string& program, std::vector<std::string> arguments,
                           std::span<const int> kept);

/// execve(2) into `program` with these arguments, the name first, and exactly these variables;
/// returns only the error if it fails. Descriptors, signal mask and ignored signals are inherited
/// as ever. Source: execve(2).
core::Error execute(const std::string& program, std::vector<std::string> arguments,
                    std::vector<std::string> environment);

}  // namespace zona::os
