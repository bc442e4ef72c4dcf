#include <algorithm>
#include <array>
#include <memory>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/verbs.h"
#include "os/terminal.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Deadline;
using core::Error;
using core::Result;
using std::chrono::milliseconds;

/// After such a pause the history is taken as complete, should no cursor have come.
constexpr milliseconds kQuiet{250};
/// How often the watcher is asked.
constexpr milliseconds kWatchEvery{250};
constexpr milliseconds kFirstPause{10};
constexpr milliseconds kLongestPause{500};

/// Why one connection's stream came to an end.
enum class StreamEnd : std::uint8_t { kProper, kBroken, kInterrupted, kWatcher, kOutput };

/// One following of a log, over all its connections.
class Follower {
  public:
    Follower(Context& context, const LogsOptions& options, LogPrinter& printer, LogWatcher* watcher)
        : context_(context), options_(options), printer_(printer), watcher_(watcher) {}

    Result<FollowEnd> run() {
        while (true) {
            ZONA_TRY(const StreamEnd end, one_connection());
            if (end == StreamEnd::kInterrupted) return FollowEnd::kInterrupted;
            if (end == StreamEnd::kOutput) return FollowEnd::kOutputClosed;
            if (end == StreamEnd::kWatcher) return FollowEnd::kEnded;
            if (end == StreamEnd::kProper && options_.follow == LogFollow::kNo) {
                return FollowEnd::kEnded;
            }
            if (stopped_) return FollowEnd::kZonaStopped;
            ZONA_TRY_VOID(prepare_next());
        }
    }

  private:
    Result<StreamEnd> one_connection() {
        auto connection = context_.session.open(get_logs(options_, printer_.cursor()), {"", 1, {}});
        if (!connection) return not_opened(connection.take_error());
        while (true) {
            auto bytes = (*connection)->read({next_look(), 1, {}});
            if (bytes && !bytes->has_value()) {
                printer_.release();
                context_.console.flush();
                return context_.console.broken() ? StreamEnd::kOutput : StreamEnd::kProper;
            }
            if (bytes) {
                failing_since_.reset();
                ZONA_TRY_VOID(printer_.feed(**bytes));
            } else if (bytes.error().code() == Code::kCancelled) {
                printer_.release();
                context_.console.flush();
                return StreamEnd::kInterrupted;
            } else if (bytes.error().code() == Code::kTimeout) {
                printer_.release();
                if (seen_enough_) {
                    context_.console.flush();
                    return StreamEnd::kWatcher;
                }
                // One more quiet wait: what ended may have written just before.
                seen_enough_ = watcher_ != nullptr && !watcher_->goes_on();
            } else {
                return StreamEnd::kBroken;
            }
            context_.console.flush();
            if (context_.console.broken()) return StreamEnd::kOutput;
        }
    }

    Deadline next_look() const {
        if (watcher_ != nullptr) return Deadline::after(context_.clock, kWatchEvery);
        return printer_.holds() ? Deadline::after(context_.clock, kQuiet) : Deadline::never();
    }

    Result<StreamEnd> not_opened(Error error) {
        if (error.code() == Code::kCancelled) return StreamEnd::kInterrupted;
        if (Session::says_not_running(error) && attempts_ > 0) {
            stopped_ = true;
            return StreamEnd::kBroken;
        }
        const bool broke = error.code() == Code::kUnavailable || error.code() == Code::kTimeout;
        if (!broke || Session::says_not_running(error)) return error;
        return StreamEnd::kBroken;
    }

    /// A pause that grows, then a new connection; gives up when none works for long.
    Result<void> prepare_next() {
        if (!failing_since_) {
            failing_since_ = context_.clock.steady();
            pause_ = kFirstPause;
        }
        if (context_.clock.steady() - *failing_since_ > Session::kRetryFor) {
            return Error(Code::kUnavailable, "the connection to zona broke and cannot be renewed");
        }
        if (options_.follow == LogFollow::kNo && !printer_.can_resume()) {
            return Error(Code::kUnavailable, "the connection to zona broke inside the log")
                .detail({"", "what stands above is not all of it", "give the command again"});
        }
        const std::array fds = {context_.interrupts.fd()};
        ZONA_TRY_VOID(os::wait_readable(fds, pause_));
        pause_ = std::min(pause_ * 2, kLongestPause);
        ++attempts_;
        printer_.begin_again();
        return {};
    }

    Context& context_;
    const LogsOptions& options_;
    LogPrinter& printer_;
    LogWatcher* watcher_;
    int attempts_ = 0;
    bool stopped_ = false;
    bool seen_enough_ = false;
    std::optional<core::SteadyTime> failing_since_;
    milliseconds pause_ = kFirstPause;
};

}  // namespace

Result<FollowEnd> follow(Context& context, const LogsOptions& options, LogPrinter& printer,
                         LogWatcher* watcher) {
    return Follower(context, options, printer, watcher).run();
}

Status logs(Context& context, const LogsOptions& options) {
    ZONA_TRY(const Answer answer,
             context.session.ask(get_selected("processes", options.selectors), {"", 1, {}}));
    ZONA_TRY(const json::value envelope, answer.parsed());
    const ProcessList list = read_process_list(envelope);
    if (list.processes.empty() && options.follow == LogFollow::kNo) {
        context.console.note("zona: there are no processes, so there are no logs\n");
        return kAllWell;
    }
    LogPrinter printer(options, context.global.format, list.processes, context.console);
    ZONA_TRY(const FollowEnd end, follow(context, options, printer, nullptr));
    if (end == FollowEnd::kZonaStopped) context.console.note("zona has been stopped\n");
    return kAllWell;
}

}  // namespace zona::cli
