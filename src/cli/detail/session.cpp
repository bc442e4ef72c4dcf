#include "cli/detail/session.h"

#include <algorithm>
#include <array>
#include <limits>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/model.h"
#include "core/json.h"
#include "os/terminal.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Deadline;
using core::Error;
using core::Result;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kReadLimit{10};
constexpr milliseconds kProgressEvery{1000};
constexpr milliseconds kFirstPause{1};
constexpr milliseconds kLongestPause{250};
constexpr std::string_view kNotRunning = "zona is not running";

Error not_running() {
    return Error(Code::kUnavailable, std::string(kNotRunning))
        .detail({"", "", "`zona start ...` or `zona resurrect` starts it"});
}

/// What a change whose answer did not come leaves behind.
Error outcome_unknown(Error error) {
    return std::move(error).detail(
        {"", "whether it was done is unknown", "`zona list` shows what runs"});
}

}  // namespace

/// The error that an answer without success carries.
Error Session::error_of(const ApiResponse& response) const {
    const auto envelope = core::parse_json(response.body);
    if (envelope && envelope->is_object()) return read_error(*envelope);
    const bool here = parts_.label.empty();
    return Error(Code::kInternal, fmt::format("{} answered with status {} and no JSON",
                                              here ? "zona" : parts_.label, response.status))
        .detail({"", "",
                 here ? "is another program listening on api.sock?"
                      : "is that another program, or does a proxy stand before it?"});
}

Result<boost::json::value> Answer::parsed() const {
    core::JsonLimits limits;
    limits.max_bytes = core::ByteCount(std::numeric_limits<std::int64_t>::max());
    auto value = core::parse_json(body, limits);
    if (!value) return value.take_error().recode(Code::kInternal).context("zona's answer");
    return value;
}

Result<boost::json::value> Answer::data() const {
    ZONA_TRY(boost::json::value envelope, parsed());
    boost::json::object* object = envelope.if_object();
    boost::json::value* data = object != nullptr ? object->if_contains("data") : nullptr;
    if (data == nullptr) return boost::json::value();
    return std::move(*data);
}

bool Session::says_not_running(const Error& error) {
    return error.code() == Code::kUnavailable && error.message() == kNotRunning;
}

Result<void> Session::ensure_daemon() {
    if (met_) return not_running();
    // Keeper and daemon are dead, but what they looked after is not: it is taken up again first.
    if (need_ == DaemonNeed::kNeverStarts && !parts_.starter.has_orphans()) return not_running();
    met_ = true;
    auto start = parts_.starter.start();
    if (!start) {
        start_failure_ = start.error();
        return start.take_error();
    }
    started_daemon_ = *start == DaemonStart::kStarted;
    joins_other_start_ = !started_daemon_;
    return {};
}

ApiWait Session::wait_for(const ApiRequest& request, const Patience& patience) const {
    ApiWait wait;
    wait.interrupts = patience.interrupts;
    if (patience.deadline) {
        wait.deadline = *patience.deadline;
    } else if (timeout_) {
        wait.deadline = Deadline::after(parts_.clock, *timeout_);
    } else if (request.is_idempotent()) {
        wait.deadline = Deadline::after(parts_.clock, kReadLimit);
    }
    const core::SteadyTime since = parts_.clock.steady();
    const std::string doing = patience.doing.empty() ? "waiting for zona" : patience.doing;
    wait.quiet = kProgressEvery;
    wait.on_quiet = [this, since, doing]() -> Result<std::chrono::nanoseconds> {
        const auto passed = parts_.clock.steady() - since;
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(passed).count();
        parts_.console.progress(fmt::format("{} ... {} s", doing, seconds));
        return kProgressEvery;
    };
    return wait;
}

Result<ApiResponse> Session::exchange(const ApiRequest& request, const Patience& patience) {
    // A keeper that could not start may still be leaving its socket: no request goes there.
    if (start_failure_) return *start_failure_;
    const Deadline retry_until = Deadline::after(parts_.clock, kRetryFor);
    const ApiWait wait = wait_for(request, patience);
    milliseconds pause = kFirstPause;
    while (true) {
        ZONA_TRY_VOID(parts_.api.reach(wait.deadline));
        auto response = parts_.api.exchange(request, wait);
        parts_.console.end_progress();
        if (response) {
            last_status_ = response->status;
            met_ = true;
            joins_other_start_ = false;
            return response;
        }
        const Code code = response.error().code();
        const bool in_time =
            !retry_until.expired(parts_.clock) && !wait.deadline.expired(parts_.clock);
        if (code == Code::kNotFound) {
            // Whoever was faster may hold the lock and not listen yet.
            if (!joins_other_start_ || !in_time) {
                ZONA_TRY_VOID(ensure_daemon());
                continue;
            }
        } else {
            if (code != Code::kUnavailable && code != Code::kTimeout) return response;
            const bool acted =
                code == Code::kTimeout || parts_.api.may_have_acted(response.error());
            if (acted && !request.is_idempotent()) return outcome_unknown(response.take_error());
            if (code == Code::kTimeout || !in_time) return response;
        }
        const std::array fds = {parts_.interrupts.fd()};
        ZONA_TRY_VOID(os::wait_readable(fds, pause));
        pause = std::min(pause * 2, kLongestPause);
    }
}

Result<Answer> Session::ask(const ApiRequest& request, const Patience& patience) {
    ZONA_TRY(ApiResponse response, exchange(request, patience));
    if (!response.succeeded()) return error_of(response);
    return Answer{std::move(response.body)};
}

Result<void> Session::stream(const ApiRequest& request, const ApiSink& sink, const ApiWait& wait) {
    auto response = parts_.api.stream(request, sink, wait);
    if (!response && response.error().code() == Code::kNotFound) return not_running();
    if (!response) return response.take_error();
    last_status_ = response->status;
    if (!response->succeeded()) return error_of(*response);
    return {};
}

}  // namespace zona::cli
