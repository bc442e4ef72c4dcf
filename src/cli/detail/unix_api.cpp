#include "cli/detail/unix_api.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "cli/detail/http_response.h"
#include "os/fd.h"
#include "os/terminal.h"
#include "os/unix_socket.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Deadline;
using core::Error;
using core::Result;
using std::chrono::nanoseconds;

constexpr std::size_t kReadBytes = 64U << 10U;
/// Over this an answer is refused: nothing that zona answers whole comes near.
constexpr std::size_t kLargestAnswer = 512U << 20U;

std::string text_of(const ApiRequest& request) {
    std::string text =
        fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: zona/" ZONA_VERSION
                    "\r\nConnection: close\r\n",
                    request.method, request.target);
    if (request.method != "GET") {
        text += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n",
                            request.body.size());
    }
    return text + "\r\n" + request.body;
}

Error broken(Error cause) {
    return std::move(cause).recode(Code::kUnavailable).context("the connection to zona broke");
}

class UnixConnection final : public ApiConnection {
  public:
    UnixConnection(os::UniqueFd socket, const core::Clock& clock, Interrupts& interrupts)
        : socket_(std::move(socket)), clock_(clock), interrupts_(interrupts) {}

    Result<ApiResponse> exchange(const ApiRequest& request, const ApiWait& wait) override {
        ZONA_TRY_VOID(send(request));
        return read_whole(wait);
    }

    Result<ApiResponse> open_stream(const ApiRequest& request, const ApiWait& wait) override {
        ZONA_TRY_VOID(send(request));
        while (!reader_.has_head())
            ZONA_TRY_VOID(read_more(wait));
        ApiResponse head{reader_.status(), {}};
        if (head.succeeded()) return head;
        return read_whole(wait);
    }

    Result<std::optional<std::string>> read(const ApiWait& wait) override {
        while (reader_.body_size() == 0 && !reader_.finished())
            ZONA_TRY_VOID(read_more(wait));
        if (reader_.body_size() == 0) return std::optional<std::string>();
        return std::optional(reader_.take_body());
    }

  private:
    Result<void> send(const ApiRequest& request) {
        auto sent = os::write_all(socket_.get(), text_of(request));
        // A server may answer and close before it has read all: the answer counts.
        if (!sent && sent.error().code() != Code::kUnavailable) return broken(sent.take_error());
        return {};
    }

    Result<ApiResponse> read_whole(const ApiWait& wait) {
        while (!reader_.finished()) {
            ZONA_TRY_VOID(read_more(wait));
            if (reader_.body_size() > kLargestAnswer) {
                return Error(Code::kInternal, "zona's answer is larger than any can be");
            }
        }
        return ApiResponse{reader_.status(), reader_.take_body()};
    }

    /// Waits for bytes and feeds them to the reader.
    Result<void> read_more(const ApiWait& wait) {
        ZONA_TRY_VOID(await(wait));
        std::array<std::byte, kReadBytes> buffer;
        auto size = os::read_some(socket_.get(), buffer);
        if (!size) return broken(size.take_error());
        if (size->value_or(0) == 0) return reader_.end_of_input();
        return reader_.feed({reinterpret_cast<const char*>(buffer.data()), **size});
    }

    /// Waits until the socket is readable.
    Result<void> await(const ApiWait& wait) {
        while (true) {
            const std::array fds = {socket_.get(), wait.interrupts > 0 ? interrupts_.fd() : -1};
            ZONA_TRY(const auto which, os::wait_readable(fds, slice_of(wait)));
            if (which == std::size_t{0}) return {};
            if (wait.interrupts > 0 && interrupts_.count() >= wait.interrupts) {
                return Error(Code::kCancelled, "interrupted");
            }
            if (wait.deadline.expired(clock_)) {
                return Error(Code::kTimeout, "zona did not answer in time");
            }
            if (!which && wait.each_second) wait.each_second();
        }
    }

    std::optional<nanoseconds> slice_of(const ApiWait& wait) const {
        if (wait.each_second) {
            return std::min<nanoseconds>(wait.deadline.remaining(clock_), std::chrono::seconds(1));
        }
        if (wait.deadline.is_never()) return std::nullopt;
        return wait.deadline.remaining(clock_);
    }

    os::UniqueFd socket_;
    const core::Clock& clock_;
    Interrupts& interrupts_;
    HttpResponseReader reader_;
};

}  // namespace

Result<std::unique_ptr<ApiConnection>> UnixApi::connect() {
    ZONA_TRY(os::UniqueFd socket, os::connect_unix(path_));
    return std::make_unique<UnixConnection>(std::move(socket), clock_, interrupts_);
}

}  // namespace zona::cli
