/// @file
/// Progress: how far a piece of work is that takes long. Value type; whoever does the work tells it
/// to a sink that somebody else gave, from the thread that works.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace zona::core {

/// Where a piece of work is.
struct Progress {
    std::string step;         ///< for people, in a few words: "copy tasks"
    std::size_t number = 1;   ///< of this step, from 1
    std::size_t steps = 1;    ///< how many there are
    std::uint64_t done = 0;   ///< of this step
    std::uint64_t total = 0;  ///< of this step; 0: not known
    std::string_view unit;    ///< what is counted: "bytes", "documents"; a constant

    /// All of it, 0 to 100, as if each step took as long as the others.
    unsigned percent() const {
        const double part =
            total == 0 ? 0.0 : static_cast<double>(done) / static_cast<double>(total);
        const double all = static_cast<double>(number - 1) + (part > 1.0 ? 1.0 : part);
        return static_cast<unsigned>(100.0 * all / static_cast<double>(steps));
    }
};

/// Is told now and then. Must be short. Empty ones are not called.
using ProgressSink = std::function<void(const Progress&)>;

}  // namespace zona::core
