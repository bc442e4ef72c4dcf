/// @file
/// Progress: how far a piece of work is that takes long. Value type; whoever does the work tells it
/// to a sink that somebody else gave, from the thread that works, and asks it whether to go on.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <utility>

namespace zona::core {

/// Where a piece of work is.
struct Progress {
    std::string step;         ///< for people, in a few words: "copy tasks"
    std::size_t number = 1;   ///< of this step, from 1
    std::size_t steps = 1;    ///< how many there are
    std::uint64_t done = 0;   ///< of this step
    std::uint64_t total = 0;  ///< of this step; 0: not known
    std::string unit;         ///< what is counted: "bytes", "documents"

    /// All of it, 0 to 100, as if each step took as long as the others.
    unsigned percent() const {
        const double part =
            total == 0 ? 0.0 : static_cast<double>(done) / static_cast<double>(total);
        const double all = static_cast<double>(number - 1) + (part > 1.0 ? 1.0 : part);
        return static_cast<unsigned>(100.0 * all / static_cast<double>(steps));
    }
};

/// Is told now and then. Cheap to copy.
class ProgressSink {
  public:
    /// Nobody listens, and nobody ends it.
    ProgressSink() = default;
    /// `tell` must be short; `stop` says when the work should end.
    template <class Tell>
        requires std::invocable<Tell&, const Progress&>
    ProgressSink(Tell tell, std::stop_token stop = {})
        : tell_(std::move(tell)), stop_(std::move(stop)) {}

    void operator()(const Progress& progress) const {
        if (tell_) tell_(progress);
    }
    bool stop_requested() const { return stop_.stop_requested(); }
    const std::stop_token& stop_token() const { return stop_; }

  private:
    std::function<void(const Progress&)> tell_;
    std::stop_token stop_;
};

}  // namespace zona::core
