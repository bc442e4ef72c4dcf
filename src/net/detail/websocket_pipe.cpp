#include "net/detail/websocket_pipe.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/asio/error.hpp>

namespace zona::net::detail {
namespace {

/// So much is given to the stream at a time, each part with its own write_time.
constexpr std::size_t kSlice = 256U << 10U;
constexpr unsigned char kCloseFrame = 0x88;
constexpr std::size_t kMaxReason = 123;

core::ByteCount bytes(std::size_t count) {
    return core::ByteCount(static_cast<std::int64_t>(count));
}

/// At most `most` bytes of `text`, no character of which is cut.
std::string_view cut_at_character(std::string_view text, std::size_t most) {
    if (text.size() <= most) return text;
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0U) == 0x80U)
        --most;
    return text.substr(0, most);
}

}  // namespace

WebSocketPipe::WebSocketPipe(WebSocketLink link, const FrameMeter::Limits& limits,
                             std::function<void(FrameMeter::Excess)> on_excess)
    : link_(std::move(link)),
      meter_(limits),
      on_excess_(std::move(on_excess)),
      late_(link_.deadlines, [this] { link_.stream.close(); }),
      freed_(link_.executor),
      stopped_(link_.executor),
      last_input_(link_.clock.steady()) {}

asio::awaitable<WebSocketPipe::Moved> WebSocketPipe::read(std::span<char> into) {
    Moved moved;
    if (reading_) moved = co_await read_more(into);
    if (moved.error || moved.count == 0) {
        co_return Moved{moved.error ? moved.error : asio::error::eof, 0};
    }
    last_input_ = link_.clock.steady();
    received_ += bytes(moved.count);
    const auto excess = meter_.take({into.data(), moved.count}, last_input_);
    if (excess == FrameMeter::Excess::kNone) co_return moved;
    on_excess_(excess);
    while (reading_)
        co_await stopped_.wait();
    co_return Moved{asio::error::eof, 0};
}

asio::awaitable<WebSocketPipe::Moved> WebSocketPipe::read_more(std::span<char> into) {
    if (!link_.ahead.empty()) {
        const std::size_t count = std::min(into.size(), link_.ahead.size());
        std::copy_n(link_.ahead.data(), count, into.data());
        link_.ahead.erase(0, count);
        co_return Moved{{}, count};
    }
    const core::Result<std::size_t> count = co_await link_.stream.read_some(into);
    if (!count.has_value()) co_return Moved{asio::error::connection_reset, 0};
    co_return Moved{{}, *count};
}

void WebSocketPipe::stop_reading() {
    reading_ = false;
    stopped_.notify();
}

asio::awaitable<WebSocketPipe::Moved> WebSocketPipe::write(
    std::span<const std::string_view> pieces) {
    while (writing_)
        co_await freed_.wait();
    std::size_t total = 0;
    for (const std::string_view piece : pieces)
        total += piece.size();
    if (close_sent_ || total == 0) co_return Moved{{}, total};
    if (!in_message_ && static_cast<unsigned char>(pieces.front().front()) == kCloseFrame) {
        close_sent_ = true;
    }
    writing_ = true;
    const Moved moved = co_await write_all(pieces);
    writing_ = false;
    freed_.notify();
    co_return moved;
}

asio::awaitable<WebSocketPipe::Moved> WebSocketPipe::write_all(
    std::span<const std::string_view> pieces) {
    Moved moved;
    std::array<std::string_view, 4> slice;  // as many as a stream takes at once
    std::size_t next = 0;
    std::string_view rest;
    while (next < pieces.size() || !rest.empty()) {
        std::size_t count = 0;
        std::size_t size = 0;
        while (count < slice.size() && size < kSlice) {
            if (rest.empty() && next == pieces.size()) break;
            if (rest.empty()) rest = pieces[next++];
            slice.at(count) = rest.substr(0, kSlice - size);
            rest.remove_prefix(slice.at(count).size());
            size += slice.at(count++).size();
        }
        const std::span<const std::string_view> all(slice.data(), count);
        if (link_.write_time > link_.write_time.zero()) {
            late_.set(link_.clock.steady() + link_.write_time);
        }
        const core::Result<void> taken = co_await link_.stream.write(all);
        late_.unset();
        if (!taken.has_value()) {
            moved.error = asio::error::broken_pipe;
            co_return moved;
        }
        moved.count += size;
        sent_ += bytes(size);
    }
    co_return moved;
}

asio::awaitable<void> WebSocketPipe::write_close(std::uint16_t code, std::string_view reason) {
    const std::string_view kept = cut_at_character(reason, kMaxReason);
    std::string frame;
    frame += static_cast<char>(kCloseFrame);
    frame += static_cast<char>(sizeof(code) + kept.size());
    frame += static_cast<char>(code >> 8U);
    frame += static_cast<char>(code & 0xffU);
    frame += kept;
    const std::array<std::string_view, 1> pieces = {frame};
    const std::span<const std::string_view> all(pieces);
    co_await write(all);
}

}  // namespace zona::net::detail
