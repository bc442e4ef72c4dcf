/// @file
/// A Logging whose lines a test can read, as JSON text. Thread-safe.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/log.h"
#include "core/testing/fake_clock.h"

namespace zona::core {

/// Keeps lines; belongs to a MemoryLog or to a Logging under test.
class MemorySink final : public LogSink {
  public:
    struct Lines {
        mutable std::mutex mutex;
        std::vector<std::string> lines;  // guarded by mutex
        int refuse_next = 0;             // guarded by mutex; so many writes fail
    };
    explicit MemorySink(Lines& lines) : lines_(lines) {}

    std::size_t write(std::string_view lines) override {
        const std::lock_guard lock(lines_.mutex);
        if (lines_.refuse_next > 0) {
            --lines_.refuse_next;
            return 0;
        }
        for (std::size_t at = 0; at < lines.size();) {
            const std::size_t end = lines.find('\n', at);
            lines_.lines.emplace_back(lines.substr(at, end - at));
            at = end + 1;
        }
        return lines.size();
    }

  private:
    Lines& lines_;
};

/// All levels are on.
class MemoryLog {
  public:
    MemoryLog() : logging_(clock_) {
        logging_.set_default_level(LogLevel::kTrace);
        logging_.add_sink(std::make_unique<MemorySink>(kept_));
    }

    Logging& logging() { return logging_; }
    FakeClock& clock() { return clock_; }
    Logger logger(std::string_view category = "test") { return logging_.logger(category); }

    std::vector<std::string> lines() const {
        const std::lock_guard lock(kept_.mutex);
        return kept_.lines;
    }

    /// Whether some line holds `text`.
    bool has(std::string_view text) const {
        for (const std::string& line : lines()) {
            if (line.find(text) != std::string::npos) return true;
        }
        return false;
    }

    /// The next `count` lines are lost.
    void refuse(int count) {
        const std::lock_guard lock(kept_.mutex);
        kept_.refuse_next = count;
    }

  private:
    FakeClock clock_;
    MemorySink::Lines kept_;
    Logging logging_;
};

}  // namespace zona::core
