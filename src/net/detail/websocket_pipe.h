/// @file
/// WebSocketPipe: the bytes below a WebSocket. It reads what the connection has read ahead first,
/// counts, meters, gives each write its time, and puts one close frame on the wire, not two.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

#include "core/byte_count.h"
#include "core/clock.h"
#include "net/detail/condition.h"
#include "net/detail/deadline_queue.h"
#include "net/detail/frame_meter.h"
#include "net/detail/stream.h"

namespace zona::net::detail {

/// A deadline with what it does.
class Alarm final : private DeadlineQueue::Entry {
  public:
    Alarm(std::shared_ptr<DeadlineQueue> queue, std::function<void()> act)
        : Entry(std::move(queue)), act_(std::move(act)) {}
    void set(core::SteadyTime moment) { set_deadline(moment); }
    void unset() { set_deadline(kNone); }

  private:
    void on_deadline() override { act_(); }
    std::function<void()> act_;
};

/// What a socket stands on. The stream outlives it.
struct WebSocketLink {
    asio::any_io_executor executor;
    std::shared_ptr<DeadlineQueue> deadlines;
    const core::Clock& clock;
    Stream& stream;
    std::chrono::milliseconds write_time;
    std::string ahead;  ///< read already
};

class WebSocketPipe {
  public:
    /// How much was moved, as the library wants to hear it.
    struct Moved {
        boost::system::error_code error;
        std::size_t count = 0;
    };

    /// `on_excess` is called when the client exceeds one of `limits`; nothing more is read then.
    WebSocketPipe(WebSocketLink link, const FrameMeter::Limits& limits,
                  std::function<void(FrameMeter::Excess)> on_excess);

    asio::awaitable<Moved> read(std::span<char> into);
    /// Of the bytes that follow a close frame nothing is sent; they count as moved.
    asio::awaitable<Moved> write(std::span<const std::string_view> pieces);
    /// Sends a close frame, unless one was sent.
    asio::awaitable<void> write_close(std::uint16_t code, std::string_view reason);

    /// Ends reading, as if the client had ended its sending.
    void stop_reading();

    /// While a message of ours is on its way: a write is then no frame of the library's own.
    void set_in_message(bool in_message) { in_message_ = in_message; }

    const std::shared_ptr<DeadlineQueue>& deadlines() const { return link_.deadlines; }
    bool close_sent() const { return close_sent_; }
    core::SteadyTime last_input() const { return last_input_; }
    core::ByteCount received() const { return received_; }
    core::ByteCount sent() const { return sent_; }

  private:
    asio::awaitable<Moved> read_more(std::span<char> into);
    asio::awaitable<Moved> write_all(std::span<const std::string_view> pieces);

    WebSocketLink link_;
    FrameMeter meter_;
    std::function<void(FrameMeter::Excess)> on_excess_;
    Alarm late_;
    Condition freed_;    ///< writing_ has become false
    Condition stopped_;  ///< reading_ has become false
    bool writing_ = false;
    bool reading_ = true;
    bool in_message_ = false;
    bool close_sent_ = false;
    core::SteadyTime last_input_;
    core::ByteCount received_;
    core::ByteCount sent_;
};

}  // namespace zona::net::detail
