#include "core/log.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace zona::core {
namespace {

constexpr std::size_t kMostOwnLevels = 256;
constexpr std::size_t kMostKept = 64U << 10U;

Result<void> check_category(std::string_view name) {
    constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
    if (!name.empty() && name.size() <= 64 && name != "default" &&
        name.find_first_not_of(kAllowed) == std::string_view::npos) {
        return {};
    }
    return Error(Code::kInvalidArgument,
                 "not a log category; write 1 to 64 of a-z, 0-9, '_', '.', '-'");
}

Error too_many_levels() {
    return Error(
        Code::kTooManyRequests,
        fmt::format("more than {} log categories with a level of their own", kMostOwnLevels));
}

}  // namespace

struct Logger::Context {
    struct Entry {
        std::string key;
        std::string text;  // backs `value` if that is a text
        LogValue value;
    };
    std::vector<Entry> entries;
};

struct Logging::State {
    struct Output {
        std::unique_ptr<LogSink> sink;
        std::uint64_t unreported = 0;
    };

    explicit State(const Clock& the_clock) : clock(the_clock) {}

    const Clock& clock;
    mutable std::mutex output_mutex;
    std::vector<Output> outputs;  // guarded by output_mutex
    std::atomic<std::uint64_t> lost{0};

    mutable std::mutex level_mutex;
    LogLevel default_level = LogLevel::kInfo;  // guarded by level_mutex
    std::map<std::string, std::unique_ptr<LogCategory>, std::less<>>
        categories;                                           // guarded by level_mutex
    std::map<std::string, LogLevel, std::less<>> own_levels;  // guarded by level_mutex

    /// Precondition: level_mutex is held.
    LogLevel level_of(std::string_view category) const {
        for (;;) {
            if (const auto found = own_levels.find(category); found != own_levels.end()) {
                return found->second;
            }
            const std::size_t dot = category.rfind('.');
            if (dot == std::string_view::npos) return default_level;
            category = category.substr(0, dot);
        }
    }

    /// Precondition: level_mutex is held.
    void apply_levels() {
        for (auto& [name, category] : categories) {
            category->threshold.store(level_of(name), std::memory_order_relaxed);
        }
    }
};

void Logger::append(std::string& out, LogLevel level, std::string_view message,
                    std::span<const LogField> fields) const {
    std::vector<LogField> context;
    if (context_) {
        context.reserve(context_->entries.size());
        for (const Context::Entry& entry : context_->entries) {
            const bool is_text = std::holds_alternative<std::string_view>(entry.value.variant());
            context.push_back({entry.key, is_text ? LogValue(entry.text) : entry.value});
        }
    }
    append_line(out, {category_->logging->state_->clock.system(), level, category_->name, message,
                      context, fields});
}

void Logger::write(LogLevel level, std::string_view message,
                   std::span<const LogField> fields) const {
    std::string line;
    append(line, level, message, fields);
    category_->logging->write(line);
}

void Logger::report(std::string_view message, const Error& error, Fields fields) const {
    const CodeInfo& row = core::info(error.code());
    if (!enabled(row.log_level)) return;
    std::vector<LogField> all(fields);
    const std::string at = fmt::format("{}:{}", error.where().file_name(), error.where().line());
    all.push_back({"error", error.message()});
    all.push_back({"code", row.name});
    if (error.system_error() != 0) all.push_back({"errno", error.system_error()});
    all.push_back({"at", at});
    write(row.log_level, message, all);
}

Logger Logger::with(std::string_view key, const LogValue& value) const {
    auto next = context_ ? std::make_shared<Context>(*context_) : std::make_shared<Context>();
    std::erase_if(next->entries, [key](const Context::Entry& entry) { return entry.key == key; });
    const auto* text = std::get_if<std::string_view>(&value.variant());
    next->entries.push_back({std::string(key), text ? std::string(*text) : std::string(),
                             text ? LogValue(std::string_view()) : value});
    Logger child(category_);
    child.context_ = std::move(next);
    return child;
}

Logging::Logging(const Clock& clock) : state_(std::make_unique<State>(clock)) {}
Logging::~Logging() = default;

void Logging::add_sink(std::unique_ptr<LogSink> sink) {
    const std::lock_guard lock(state_->output_mutex);
    state_->outputs.push_back({std::move(sink)});
}

Logger Logging::logger(std::string_view category) {
    const std::lock_guard lock(state_->level_mutex);
    auto found = state_->categories.find(category);
    if (found == state_->categories.end()) {
        std::string name(category);
        auto made = std::make_unique<LogCategory>(name, this, state_->level_of(category));
        found = state_->categories.emplace(std::move(name), std::move(made)).first;
    }
    return Logger(found->second.get());
}

void Logging::set_default_level(LogLevel level) {
    const std::lock_guard lock(state_->level_mutex);
    state_->default_level = level;
    state_->apply_levels();
}

Result<void> Logging::set_level(std::string_view category, std::optional<LogLevel> level) {
    ZONA_TRY_VOID(check_category(category));
    const std::lock_guard lock(state_->level_mutex);
    auto& own = state_->own_levels;
    if (!level) {
        if (const auto found = own.find(category); found != own.end()) own.erase(found);
    } else if (own.size() >= kMostOwnLevels && !own.contains(category)) {
        return too_many_levels();
    } else {
        own.insert_or_assign(std::string(category), *level);
    }
    state_->apply_levels();
    return {};
}

Result<void> Logging::set_levels(LogLevel default_level,
                                 const std::map<std::string, LogLevel>& by_category) {
    if (by_category.size() > kMostOwnLevels) return too_many_levels();
    for (const auto& [category, level] : by_category)
        ZONA_TRY_VOID(check_category(category));
    const std::lock_guard lock(state_->level_mutex);
    state_->default_level = default_level;
    state_->own_levels = {by_category.begin(), by_category.end()};
    state_->apply_levels();
    return {};
}

std::map<std::string, LogLevel> Logging::levels() const {
    const std::lock_guard lock(state_->level_mutex);
    std::map<std::string, LogLevel> result;
    result.emplace("default", state_->default_level);
    for (const auto& [name, category] : state_->categories) {
        result.emplace(name, category->threshold.load(std::memory_order_relaxed));
    }
    for (const auto& [name, level] : state_->own_levels)
        result.emplace(name, level);
    return result;
}

Result<void> Logging::reopen() {
    const std::lock_guard lock(state_->output_mutex);
    Result<void> first;
    for (State::Output& output : state_->outputs) {
        Result<void> result = output.sink->reopen();
        if (!result && first) first = std::move(result);
    }
    return first;
}

std::uint64_t Logging::lost_lines() const {
    return state_->lost.load(std::memory_order_relaxed);
}

void Logging::write(std::string_view lines) {
    const std::lock_guard lock(state_->output_mutex);
    for (State::Output& output : state_->outputs) {
        if (output.unreported > 0) {
            const LogField count{"lost_lines", output.unreported};
            std::string notice;
            append_line(notice, {state_->clock.system(),
                                 LogLevel::kWarn,
                                 "log",
                                 "log lines were lost",
                                 {},
                                 std::span(&count, 1)});
            if (output.sink->write(notice) == notice.size()) output.unreported = 0;
        }
        const std::size_t taken = output.unreported > 0 ? 0 : output.sink->write(lines);
        const auto lost = std::ranges::count(lines.substr(taken), '\n');
        output.unreported += static_cast<std::uint64_t>(lost);
        state_->lost.fetch_add(static_cast<std::uint64_t>(lost), std::memory_order_relaxed);
    }
}

void LogBatch::log(LogLevel level, std::string_view message, Logger::Fields fields) {
    if (!logger_.enabled(level)) return;
    logger_.append(lines_, level, message, fields);
    if (lines_.size() > kMostKept) flush();
}

void LogBatch::flush() {
    if (lines_.empty()) return;
    logger_.category_->logging->write(lines_);
    lines_.clear();
}

}  // namespace zona::core
