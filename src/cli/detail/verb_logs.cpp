#include <algorithm>
#include <array>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/verbs.h"
#include "os/terminal.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// After such a pause the history is taken as complete, should no cursor have come, and the watcher
/// is asked.
constexpr milliseconds kQuiet{250};
constexpr milliseconds kFirstPause{1};
constexpr milliseconds kLongestPause{500};
/// For how long a connection to another host is tried anew: over its restart, or a lost network.
constexpr std::chrono::seconds kRetryElsewhere{60};

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
            // A way that leads nowhere looks at no interrupt.
            if (context_.interrupts.count() > 0) return FollowEnd::kInterrupted;
        }
    }

  private:
    Result<StreamEnd> one_connection() {
        ApiWait wait;
        wait.interrupts = 1;
        wait.quiet = kQuiet;
        wait.on_quiet = [this] { return quiet(); };
        const auto sink = [this](std::string_view bytes) { return take(bytes); };
        auto streamed = context_.session.stream(get_logs(options_, printer_.cursor()), sink, wait);
        if (!streamed && end_ != StreamEnd::kWatcher) return broken(streamed.take_error());
        printer_.release();
        context_.console.flush();
        if (context_.console.broken()) return StreamEnd::kOutput;
        return end_;
    }

    Result<void> take(std::string_view bytes) {
        failing_since_.reset();
        ZONA_TRY_VOID(printer_.feed(bytes));
        context_.console.flush();
        if (!context_.console.broken()) return {};
        return Error(Code::kCancelled, "nobody reads the output");
    }

    /// Nothing has arrived for a while: the history is complete, and the watcher may look.
    Result<nanoseconds> quiet() {
        printer_.release();
        context_.console.flush();
        if (seen_enough_) {
            end_ = StreamEnd::kWatcher;
            return Error(Code::kCancelled, "all that was to be seen has been seen");
        }
        if (watcher_ == nullptr) return ApiWait::kNever;
        // One more quiet wait after the watcher's word: what ended may have written just before.
        seen_enough_ = !watcher_->goes_on();
        return kQuiet;
    }

    Result<StreamEnd> broken(Error error) {
        const Code code = error.code();
        if (context_.console.broken()) return StreamEnd::kOutput;
        if (code == Code::kCancelled) {
            printer_.release();
            context_.console.flush();
            return StreamEnd::kInterrupted;
        }
        if (Session::says_not_running(error)) {
            if (attempts_ == 0) return error;
            stopped_ = true;
            return StreamEnd::kBroken;
        }
        if (code == Code::kUnavailable || code == Code::kTimeout) return StreamEnd::kBroken;
        return error;
    }

    /// A pause that grows, then a new connection; gives up when none works for long.
    Result<void> prepare_next() {
        if (!failing_since_) {
            failing_since_ = context_.clock.steady();
            pause_ = kFirstPause;
        }
        const auto patience = context_.remote != nullptr ? kRetryElsewhere : Session::kRetryFor;
        if (context_.clock.steady() - *failing_since_ > patience) {
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
    StreamEnd end_ = StreamEnd::kProper;
    std::optional<core::SteadyTime> failing_since_;
    milliseconds pause_ = kFirstPause;
};

}  // namespace

Result<FollowEnd> follow(Context& context, const LogsOptions& options, LogPrinter& printer,
                         LogWatcher* watcher) {
    return Follower(context, options, printer, watcher).run();
}

Status logs(Context& context, const LogsOptions& options) {
    const auto answer =
        context.session.ask(get_selected("processes", options.selectors), {"", 1, {}});
    if (!answer && answer.error().code() == Code::kCancelled) return kAllWell;
    if (!answer) return answer.error();
    ZONA_TRY(const json::value envelope, answer->parsed());
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
