// Copies of a file of one moment, while others write.
#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <thread>

#include <gmock/gmock.h>

#include "os/fd.h"
#include "store/testing/sqlite_file.h"

namespace zona::store {
namespace {

class SqliteImage : public testing::Test {
  protected:
    /// Writes an image to `path`, and says how many documents there were at its moment.
    Result<std::uint64_t> copy(SqliteDatabase& database, const std::string& path) {
        std::uint64_t documents = 0;
        ZONA_TRY(const auto writer, ImageWriter::create(path, ""));
        ZONA_TRY_VOID(database.with_image([&](Image& image) -> Result<void> {
            ZONA_TRY(documents, image.reader().count(tasks_, {}));
            std::vector<std::byte> pages(16 * image.page_bytes());
            for (std::uint64_t at = 0; at < image.bytes(); at += pages.size()) {
                const auto size = std::min<std::uint64_t>(pages.size(), image.bytes() - at);
                ZONA_TRY_VOID(image.read(std::span(pages).first(size), at));
                ZONA_TRY_VOID(writer->write(std::span(pages).first(size)));
            }
            return {};
        }));
        ZONA_TRY_VOID(writer->finish());
        return documents;
    }
    std::uint64_t count(Database& database) {
        return read_and_wait(database, [&](Reader& r) { return r.count(tasks_, {}); }).value();
    }
    static bool is_whole(SqliteDatabase& database) {
        std::promise<Result<void>> checked;
        database.check([&](Result<void> found) { checked.set_value(std::move(found)); });
        return checked.get_future().get().has_value();
    }
    /// Two documents in one transaction, one after the other, until somebody says that it is over.
    void write_pairs(Database& database, std::int64_t id) {
        write(
            database,
            [this, id](Writer& w) -> Result<std::int64_t> {
                auto document = task("open", id % 100);
                document["text"] = std::string(500, 'x');
                ZONA_TRY_VOID(w.insert(tasks_, 2 * id, document));
                ZONA_TRY_VOID(w.insert(tasks_, 2 * id + 1, document));
                return id;
            },
            [this, &database](const Result<std::int64_t>& id) {
                written_ = static_cast<std::uint64_t>(2 * (id.value() + 1));
                if (over_) {
                    last_.set_value();
                } else {
                    write_pairs(database, *id + 1);
                }
            });
    }

    SqliteFile file_;
    const Collection tasks_{tasks_spec(), Scope::tenant("acme").value()};
    std::atomic<bool> over_ = false;
    std::atomic<std::uint64_t> written_ = 0;
    std::promise<void> last_;
};

// REL-07, TEN-41
TEST_F(SqliteImage, IsOfOneMomentWhileWritesGoOn) {
    SqliteOptions options = file_.options();
    options.checkpoint_frames = 64;
    options.reset_frames = 256;
    const auto database = file_.open(options).value();
    write_pairs(*database, 0);
    for (int round = 0; round < 20; ++round) {
        const std::uint64_t before = written_;
        SqliteFile copied;

        const std::uint64_t documents = copy(*database, copied.path()).value();

        EXPECT_GE(documents, before) << "what was acknowledged is in it";
        EXPECT_EQ(documents % 2, 0U) << "no half transactions";
        const auto opened = copied.open();
        ASSERT_TRUE(opened.has_value()) << opened.error().message();
        EXPECT_EQ(count(**opened), documents);
        EXPECT_TRUE(is_whole(**opened));
    }
    over_ = true;
    last_.get_future().wait();
}

// REL-07
TEST_F(SqliteImage, WaitsForReadersThatBeganBeforeTheLastWrites) {
    const auto database = file_.open().value();
    const auto add = [&](std::int64_t id) {
        return write_and_wait(*database,
                              [&](Writer& w) { return w.insert(tasks_, id, task("open")); });
    };
    ASSERT_TRUE(add(1).has_value());
    SqliteFile copied;
    std::future<Result<std::uint64_t>> copying;

    const auto read = database->with_snapshot([&](Reader&) -> Result<void> {
        for (std::int64_t id = 2; id <= 200; ++id)
            EXPECT_TRUE(add(id).has_value());
        copying = std::async(std::launch::async, [&] { return copy(*database, copied.path()); });
        // Time enough for one that does not wait.
        copying.wait_for(std::chrono::milliseconds(300));
        // A copy that waits since then must not be of pages from before these.
        for (std::int64_t id = 201; id <= 400; ++id)
            EXPECT_TRUE(add(id).has_value());
        return {};
    });

    ASSERT_TRUE(read.has_value());
    const Result<std::uint64_t> documents = copying.get();
    ASSERT_TRUE(documents.has_value()) << documents.error().message();
    EXPECT_GE(*documents, 200U);
    EXPECT_LT(database->stats().transactions, 400U + 5U) << "those who write waited for nothing";
    const auto opened = copied.open();
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    EXPECT_EQ(count(**opened), *documents);
    EXPECT_TRUE(is_whole(**opened));
}

TEST_F(SqliteImage, SnapshotStaysAsItWas) {
    const auto database = file_.open().value();
    const auto add = [&](std::int64_t id) {
        return write_and_wait(*database,
                              [&](Writer& w) { return w.insert(tasks_, id, task("open")); });
    };
    ASSERT_TRUE(add(1).has_value());

    const auto read = database->with_snapshot([&](Reader& reader) -> Result<void> {
        EXPECT_EQ(reader.count(tasks_, {}).value(), 1U);
        EXPECT_TRUE(add(2).has_value());
        EXPECT_EQ(reader.count(tasks_, {}).value(), 1U);
        return {};
    });

    EXPECT_TRUE(read.has_value());
    EXPECT_EQ(count(*database), 2U);
}

TEST_F(SqliteImage, WriterTakesNothingThatIsNoDatabase) {
    const auto writer = ImageWriter::create(file_.path(), "").value();
    const std::vector<std::byte> zeros(4096);
    EXPECT_EQ(writer->write(zeros).error().code(), Code::kInvalidArgument);
    EXPECT_EQ(writer->finish().error().code(), Code::kConflict);
    EXPECT_EQ(ImageWriter::create(file_.path(), "").error().code(), Code::kConflict);
    EXPECT_EQ(ImageWriter::create(file_.path() + "2", "none").error().code(),
              Code::kInvalidArgument);
}

// TEN-11
TEST_F(SqliteImage, ScrubLeavesNothingOfWhatWasRemoved) {
    const auto database = file_.open().value();
    auto document = task("open");
    document["text"] = "a text that nobody may find";
    document["title"] = "nobodymayfindthisword";
    write_and_wait(*database, [&](Writer& w) { return w.insert(tasks_, 1, document); }).value();
    write_and_wait(*database, [&](Writer& w) { return w.remove(tasks_, 1); }).value();

    ASSERT_TRUE(database->scrub().has_value());

    for (const char* suffix : {"", "-wal"}) {
        const std::string bytes = os::read_file(file_.path() + suffix).value();
        EXPECT_EQ(bytes.find("nobody may find"), std::string::npos) << suffix;
        EXPECT_EQ(bytes.find("mayfindthisword"), std::string::npos) << suffix;
    }
}

}  // namespace
}  // namespace zona::store
