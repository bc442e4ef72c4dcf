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

    Result<void> write(const LogRecord& record) override {
        const std::lock_guard lock(lines_.mutex);
        if (lines_.refuse_next > 0) {
            --lines_.refuse_next;
            return Error(Code::kResourceExhausted, "the memory sink was told to refuse");
        }
        lines_.lines.push_back(render_json(record));
        return {};
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
