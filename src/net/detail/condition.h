/// @file
/// Condition: something that coroutines of one executor wait for. It keeps no state: who waits
/// looks at what it waits for, before and after.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace zona::net::detail {

namespace asio = boost::asio;

/// All members on the executor.
class Condition {
  public:
    explicit Condition(const asio::any_io_executor& executor)
        : timer_(executor, asio::steady_timer::time_point::max()) {}

    /// Ends at the next notify() that follows, or when the coroutine is cancelled.
    asio::awaitable<void> wait() {
        co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    void notify() { timer_.cancel(); }

  private:
    asio::steady_timer timer_;
};

}  // namespace zona::net::detail
