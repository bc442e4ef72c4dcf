/// @file
/// MemoryStream: a Stream whose input is a text and whose output is kept. Reads bring the pieces
/// that they are told to; the input then ends, and the peer stays until it is cancelled.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/detail/stream.h"

namespace zona::net {

class MemoryStream final : public detail::Stream {
  public:
    /// What the test looks at; outlives the stream.
    struct Wire {
        std::string input;
        std::vector<std::size_t> pieces;  ///< sizes of the reads, repeated; empty: as much as fits
        std::string output;
        bool closed = false;
    };

    MemoryStream(const boost::asio::any_io_executor& executor, Wire& wire)
        : wire_(wire), never_(executor) {
        never_.expires_at(boost::asio::steady_timer::time_point::max());
    }

    detail::asio::awaitable<core::Result<std::size_t>> read_some(std::span<char> into) override {
        std::size_t count = std::min(into.size(), wire_.input.size() - at_);
        if (!wire_.pieces.empty()) {
            const std::size_t piece = wire_.pieces[reads_++ % wire_.pieces.size()];
            count = std::min(count, std::max<std::size_t>(piece, 1));
        }
        std::copy_n(wire_.input.data() + at_, count, into.data());
        at_ += count;
        co_return count;
    }
    detail::asio::awaitable<core::Result<void>> write(
        std::span<const std::string_view> pieces) override {
        if (wire_.closed) co_return core::Error(core::Code::kCancelled, "closed");
        for (const std::string_view piece : pieces)
            wire_.output += piece;
        co_return core::Result<void>();
    }
    detail::asio::awaitable<void> wait_hangup() override {
        co_await never_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    void end_output() override {}
    void cancel() override { never_.cancel(); }
    void close() override {
        wire_.closed = true;
        never_.cancel();
    }

  private:
    Wire& wire_;
    boost::asio::steady_timer never_;
    std::size_t at_ = 0;
    std::size_t reads_ = 0;
};

}  // namespace zona::net
