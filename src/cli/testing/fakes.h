/// @file
/// Fakes for tests of the command: an API that answers by a script, a console that keeps what it is
/// given, a daemon that starts at once, interrupts on demand.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cli/detail/api_client.h"
#include "cli/detail/console.h"
#include "cli/detail/daemon_start.h"
#include "cli/detail/interrupts.h"

namespace zona::cli {

/// Keeps what was written to each output.
class RecordingConsole final : public Console {
  public:
    explicit RecordingConsole(Screen screen = {}, Talk talk = Talk::kNormal)
        : Console(screen, talk) {}
    /// What stands on stdout, flushed.
    const std::string& printed() {
        flush();
        return out_;
    }
    /// What stands on stderr.
    const std::string& told() const { return err_; }
    /// From now on writing to stdout fails.
    void close_out() { closed_ = true; }

  protected:
    core::Result<void> write(Output output, std::string_view text) override {
        if (output == Output::kOut && closed_) {
            return core::Error::from_errno(EPIPE, "cannot write the output");
        }
        (output == Output::kOut ? out_ : err_) += text;
        return {};
    }

  private:
    std::string out_;
    std::string err_;
    bool closed_ = false;
};

/// Interrupts that a test raises.
class FakeInterrupts final : public Interrupts {
  public:
    int count() override { return count_; }
    int fd() const override { return -1; }
    void raise() { ++count_; }

  private:
    int count_ = 0;
};

/// A daemon that is there as soon as it is started.
class FakeStarter final : public DaemonStarter {
  public:
    core::Result<DaemonStart> start() override {
        ++starts;
        if (error) return *error;
        return result;
    }
    bool has_orphans() const override { return orphans; }
    int starts = 0;
    bool orphans = false;
    DaemonStart result = DaemonStart::kStarted;
    std::optional<core::Error> error;
};

/// Answers requests in the order of its script and keeps them.
class FakeApi final : public Api {
  public:
    /// Nothing arrives for as long as it takes: on_quiet is called.
    struct Quiet {};
    /// Something happens between two pieces of a stream.
    using Happening = std::function<void()>;
    /// A stream: pieces of its body, then its proper end or an error.
    struct Stream {
        std::vector<std::variant<std::string, Quiet, Happening>> pieces;
        std::optional<core::Error> end;
    };
    using Reply = std::variant<ApiResponse, core::Error, Stream>;

    static constexpr std::string_view kUnread = "nobody read it";

    void will_answer(std::string body) { replies_.emplace_back(ApiResponse{200, std::move(body)}); }
    void will_refuse(int status, std::string body) {
        replies_.emplace_back(ApiResponse{status, std::move(body)});
    }
    void will_fail(core::Code code) { replies_.emplace_back(core::Error(code, "scripted")); }
    /// The connection breaks before the request is read.
    void will_lose_unread() {
        replies_.emplace_back(core::Error(core::Code::kUnavailable, std::string(kUnread)));
    }
    bool may_have_acted(const core::Error& error) const override {
        return error.message() != kUnread;
    }
    void will_stream(Stream stream) { replies_.emplace_back(std::move(stream)); }

    core::Result<void> reach(core::Deadline /*deadline*/) override {
        if (unreachable) return *unreachable;
        return {};
    }

    core::Result<ApiResponse> exchange(const ApiRequest& request, const ApiWait&) override {
        Reply reply = next(request);
        if (auto* error = std::get_if<core::Error>(&reply)) return std::move(*error);
        return std::get<ApiResponse>(std::move(reply));
    }

    core::Result<ApiResponse> stream(const ApiRequest& request, const ApiSink& sink,
                                     const ApiWait& wait) override {
        Reply reply = next(request);
        if (auto* error = std::get_if<core::Error>(&reply)) return std::move(*error);
        if (auto* whole = std::get_if<ApiResponse>(&reply)) return std::move(*whole);
        const Stream stream = std::get<Stream>(std::move(reply));
        for (const auto& piece : stream.pieces) {
            if (const auto* text = std::get_if<std::string>(&piece)) {
                ZONA_TRY_VOID(sink(*text));
            } else if (const auto* happening = std::get_if<Happening>(&piece)) {
                (*happening)();
            } else if (wait.on_quiet) {
                ZONA_TRY(const auto next_look, wait.on_quiet());
                quiets.push_back(next_look);
            }
        }
        if (stream.end) return *stream.end;
        return ApiResponse{200, {}};
    }

    std::optional<core::Error> unreachable;
    std::vector<ApiRequest> requests;
    std::vector<std::chrono::nanoseconds> quiets;
    /// Replies that nobody asked for.
    std::size_t left() const { return replies_.size(); }

  private:
    Reply next(const ApiRequest& request) {
        requests.push_back(request);
        if (replies_.empty()) {
            return core::Error(core::Code::kInternal, "no reply for " + request.target);
        }
        Reply reply = std::move(replies_.front());
        replies_.pop_front();
        return reply;
    }

    std::deque<Reply> replies_;
};

}  // namespace zona::cli
