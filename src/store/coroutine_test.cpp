#include "store/coroutine.h"

#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "store/testing/sqlite_file.h"

namespace zona::store {
namespace {

namespace asio = boost::asio;

/// What a controller does: writes, reads what it wrote, and stays on its own thread.
asio::awaitable<void> converse(Database& database, Collection tasks, int id, int& good) {
    const auto thread = std::this_thread::get_id();
    const json::object document = task("open", id);
    auto insert = [&](Writer& w) { return w.insert(tasks, id, document); };
    const Result<Record> stored = co_await async_write(database, insert);
    EXPECT_TRUE(stored.has_value());
    EXPECT_EQ(std::this_thread::get_id(), thread);
    auto find = [&](Reader& r) { return r.find(tasks, id); };
    const auto found = co_await async_read(database, find);
    EXPECT_EQ(std::this_thread::get_id(), thread);
    const Result<Record> refused = co_await async_write(database, insert);
    EXPECT_FALSE(refused.has_value());
    if (found.has_value() && found->has_value() && (*found)->id == Id(id)) ++good;
}

void run(Database& database) {
    const Collection tasks(tasks_spec(), Scope::tenant("acme").value());
    asio::io_context loop(1);
    int good = 0;
    for (int id = 0; id < 20; ++id)
        asio::co_spawn(loop, converse(database, tasks, id, good), asio::detached);

    loop.run();

    EXPECT_EQ(good, 20);
}

TEST(StoreCoroutine, GoesOnOnItsOwnThread) {
    SqliteFile file;
    run(*file.open().value());
}

// The model answers before the initiation returns.
TEST(StoreCoroutine, TakesAnAnswerThatComesAtOnce) {
    const auto backend = make_memory_backend();
    run(backend->database());
}

}  // namespace
}  // namespace zona::store
