/// @file
/// The log of zona's own programs: lines of JSON with a level, a category and fields.
///
/// A composition root makes one Logging, adds sinks, and hands Logger values down; there is no
/// global logger. A line is written before the call returns, by the caller's thread and under a
/// lock that is held for the writing alone, so that no thread wakes up for it and nothing is lost
/// when the process dies; a LogBatch gathers lines where there are too many for that. A call below
/// the level of its category costs one relaxed atomic load (and the evaluation of its arguments:
/// ask enabled() before expensive ones). All members may be called from any thread. Source: OBS-15,
/// OBS-19.
///
///     Logging logging(clock);
///     logging.add_sink(make_file_sink(path).value());
///     const Logger log = logging.logger("process");
///     log.info("started", {{"pm_id", 3}, {"pid", pid}});
///     const Logger request_log = log.with("correlation_id", id);
///
/// gives
/// {"time":"2026-03-09T07:12:44.031Z","level":"info","category":"process","message":"started",
/// "pm_id":3,"pid":4711} on one line.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/log_level.h"
#include "core/result.h"
#include "core/secret.h"

namespace zona::core {

/// The value of a field. Refers to its text; lives no longer than the call that it is written in.
class LogValue {
  public:
    /// What a text, number or flag becomes.
    using Variant = std::variant<std::int64_t, std::uint64_t, double, bool, std::string_view>;

    /// @{
    /// The value as it is; of a secret "***".
    template <std::signed_integral T>
    LogValue(T number) : value_(static_cast<std::int64_t>(number)) {}
    template <std::unsigned_integral T>
        requires(!std::same_as<T, bool>)
    LogValue(T number) : value_(static_cast<std::uint64_t>(number)) {}
    LogValue(double number) : value_(number) {}
    LogValue(bool flag) : value_(flag) {}
    LogValue(std::string_view text) : value_(text) {}
    LogValue(const std::string& text) : value_(std::string_view(text)) {}
    LogValue(const char* text) : value_(std::string_view(text)) {}
    LogValue(const Secret&) : value_(std::string_view("***")) {}
    /// @}
    /// The number of milliseconds: let the key end in "_ms".
    LogValue(std::chrono::milliseconds duration) : value_(std::int64_t{duration.count()}) {}
    /// A StrongId.
    template <class Id>
        requires requires { typename Id::Value; }
    LogValue(const Id& id) : LogValue(id.value()) {}

    const Variant& variant() const { return value_; }

  private:
    Variant value_;
};

/// One key and value. The keys time, level, category and message are taken: a field of such a name
/// gets an underscore behind it.
struct LogField {
    std::string_view key;
    LogValue value;
};

/// One line before it is text. Of two fields with one key the last counts.
struct LogRecord {
    SystemTime time;
    LogLevel level;
    std::string_view category;
    std::string_view message;
    std::span<const LogField> context;  ///< from Logger::with
    std::span<const LogField> fields;   ///< from the call
};

/// Appends `record` to `out` as one JSON object and a newline, the only one in it; valid JSON and
/// UTF-8 for any bytes.
void append_line(std::string& out, const LogRecord& record);

/// Where lines go. Called under Logging's lock, one call at a time; must not log.
class LogSink {
  public:
    LogSink() = default;
    LogSink(const LogSink&) = delete;
    LogSink& operator=(const LogSink&) = delete;
    virtual ~LogSink() = default;

    /// Writes whole lines, each with its newline, and says how many bytes of them it took: the
    /// lines that end behind those count as lost.
    virtual std::size_t write(std::string_view lines) = 0;
    /// Opens its file again by name, after a rotation. Errors: the old file stays in use.
    virtual Result<void> reopen() { return {}; }
};

/// Appends lines to `path`, created with mode 0640; what is written together is one write(2) at the
/// end of the file, so several processes may share it. Errors: as open(2), the path named.
Result<std::unique_ptr<LogSink>> make_file_sink(std::string path);

/// Gives `sink` only the lines of these categories and of those below them. Source: SEC-24.
std::unique_ptr<LogSink> make_category_sink(std::unique_ptr<LogSink> sink,
                                            std::vector<std::string> categories);

class Logging;

/// A category with its threshold; belongs to a Logging and lives as long.
struct LogCategory {
    std::string name;
    Logging* logging;
    std::atomic<LogLevel> threshold;
};

/// A handle to one category, with the fields that all its lines carry. Cheap to copy. The Logging
/// it came from must outlive it; a default-made Logger writes nothing.
class Logger {
  public:
    Logger() = default;

    /// Whether a line of this level would be written now.
    bool enabled(LogLevel level) const {
        return category_ != nullptr &&
               level >= category_->threshold.load(std::memory_order_relaxed);
    }

    /// Never fails: a line that a sink cannot take is counted (Logging::lost_lines) and reported by
    /// that sink's next line.
    void log(LogLevel level, std::string_view message,
             std::initializer_list<LogField> fields = {}) const {
        if (enabled(level)) write(level, message, fields);
    }
    /// Keys with values, in the order in which they are written.
    using Fields = std::initializer_list<LogField>;
    /// @{
    /// log() at the level of the name.
    void trace(std::string_view text, Fields f = {}) const { log(LogLevel::kTrace, text, f); }
    void debug(std::string_view text, Fields f = {}) const { log(LogLevel::kDebug, text, f); }
    void info(std::string_view text, Fields f = {}) const { log(LogLevel::kInfo, text, f); }
    void warn(std::string_view text, Fields f = {}) const { log(LogLevel::kWarn, text, f); }
    void error(std::string_view text, Fields f = {}) const { log(LogLevel::kError, text, f); }
    /// @}
    /// For the last words before an exit; does not end the process.
    void fatal(std::string_view text, Fields f = {}) const { log(LogLevel::kFatal, text, f); }

    /// A handled error: at the level that the table of codes gives it, with the fields `error` (its
    /// message), `code`, `errno` (if it came from one) and `at` (file:line it was made at). Source:
    /// HTTP-15.
    void report(std::string_view message, const Error& error, Fields fields = {}) const;

    /// The same category with one more field on every line; an older field of this key is replaced.
    /// The usual one is "correlation_id".
    Logger with(std::string_view key, const LogValue& value) const;

  private:
    friend class Logging;
    friend class LogBatch;
    struct Context;
    explicit Logger(const LogCategory* category) : category_(category) {}
    void append(std::string& out, LogLevel level, std::string_view message,
                std::span<const LogField> fields) const;
    void write(LogLevel level, std::string_view message, std::span<const LogField> fields) const;

    const LogCategory* category_ = nullptr;
    // Shared by the copies of this handle, which nobody counts.
    std::shared_ptr<const Context> context_;
};

/// The log of one program: its sinks, its categories and their levels.
///
/// Categories are dotted paths. The level of "process.capture" is its own, else that of "process",
/// else the default (info at first).
class Logging {
  public:
    /// `clock` stamps the lines and must outlive this.
    explicit Logging(const Clock& clock);
    ~Logging();
    Logging(const Logging&) = delete;
    Logging& operator=(const Logging&) = delete;

    /// Lines from now on go there too. Before other threads log.
    void add_sink(std::unique_ptr<LogSink> sink);

    /// The handle of a category, made on its first use. Keep it: the look-up takes a lock.
    Logger logger(std::string_view category);

    /// The level of all categories without one of their own.
    void set_default_level(LogLevel level);

    /// The level of `category` and those below it; nullopt takes it back. Takes effect on the next
    /// call of every Logger. A category that has no line yet is accepted. Errors: kInvalidArgument
    /// for a name that is not [a-z0-9_.-]{1,64} or is "default"; kTooManyRequests over 256
    /// categories with a level of their own. Nothing has changed then.
    Result<void> set_level(std::string_view category, std::optional<LogLevel> level);

    /// Replaces the default and all levels of categories in one step, as a reload of the
    /// configuration wants it. Errors: as set_level; nothing has changed then.
    Result<void> set_levels(LogLevel default_level,
                            const std::map<std::string, LogLevel>& by_category);

    /// Level by category: "default", every category in use, every one with a level of its own.
    std::map<std::string, LogLevel> levels() const;

    /// Reopens all sinks. Errors: the first one met; the others were reopened all the same.
    Result<void> reopen();

    /// How many lines some sink could not take since the start.
    std::uint64_t lost_lines() const;

  private:
    friend class Logger;
    friend class LogBatch;
    struct State;
    void write(std::string_view lines);

    std::unique_ptr<State> state_;
};

/// Lines that are written together, with one turn of the lock and one system call: for those who
/// log thousands a second. What is not flushed when the process dies is lost. For one thread at a
/// time; lines of others may be written between the making of a line and its writing.
class LogBatch {
  public:
    /// The lines are `logger`'s, whose Logging must outlive this.
    explicit LogBatch(Logger logger) : logger_(std::move(logger)) {}
    /// flush()
    ~LogBatch() { flush(); }
    LogBatch(const LogBatch&) = delete;
    LogBatch& operator=(const LogBatch&) = delete;

    /// Whether a line of this level would be kept now.
    bool enabled(LogLevel level) const { return logger_.enabled(level); }
    /// Keeps a line; what exceeds 64 kB is written at once.
    void log(LogLevel level, std::string_view message, Logger::Fields fields = {});
    /// Nothing is kept.
    bool empty() const { return lines_.empty(); }
    /// Writes what is kept; never fails, as Logger::log().
    void flush();

  private:
    Logger logger_;
    std::string lines_;
};

}  // namespace zona::core
