/// @file
/// The last lines of a part of a log file, and a hint at what went wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "process/app_spec.h"

namespace zona::process {

struct ExitView;

/// The last `most` lines between two offsets of a file, oldest first, as valid UTF-8; at most 8 kB
/// are read, and a line is cut at 1,000 bytes. An unreadable file gives none.
std::vector<std::string> tail_lines(const std::string& path, std::uint64_t begin, std::uint64_t end,
                                    std::size_t most);

/// What to try after an early exit: one sentence, or empty when nothing fits. From the code (126,
/// 127, signals) and from what interpreters say (a missing module, an address in use, a
/// permission).
std::string hint_for(const AppSpec& spec, const ExitView& exit,
                     const std::vector<std::string>& stderr_tail);

}  // namespace zona::process
