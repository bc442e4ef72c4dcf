/// @file
/// The same as store::read() and store::write(), for a thread that has nothing else to do than to
/// wait: start-up, migrations, commands, tests. Never on a thread that serves requests, nor on one
/// of the database's own, where it would wait for itself.
#pragma once

#include <future>
#include <utility>

#include "store/database.h"

namespace zona::store {

/// The answer of `body(Reader&)`.
template <class Body>
auto read_and_wait(Database& database, Body body) {
    std::promise<std::invoke_result_t<Body&, Reader&>> answer;
    auto future = answer.get_future();
    read(database, std::move(body),
         [&answer](auto result) { answer.set_value(std::move(result)); });
    return future.get();
}

/// The answer of `body(Writer&)`, when it is durable.
template <class Body>
auto write_and_wait(Database& database, Body body) {
    std::promise<std::invoke_result_t<Body&, Writer&>> answer;
    auto future = answer.get_future();
    write(database, std::move(body),
          [&answer](auto result) { answer.set_value(std::move(result)); });
    return future.get();
}

}  // namespace zona::store
