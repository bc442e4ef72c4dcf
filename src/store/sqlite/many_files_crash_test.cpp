// Over many files that are closed and opened again for each other, no acknowledged write is lost:
// when the process dies, and when the power does. ZONA_TEST_KILLS=N and ZONA_TEST_CUTS=N make it
// longer.
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <future>
#include <map>
#include <mutex>

#include <gtest/gtest.h>

#include "core/random.h"
#include "os/fd.h"
#include "store/testing/child_process.h"
#include "store/testing/recording_vfs.h"
#include "store/testing/sqlite_files.h"

namespace zona::store {
namespace {

constexpr const char* kHome = "ZONA_TEST_MANY_FILES";
constexpr int kAcknowledgements = 3;  // the child's descriptor
constexpr int kFiles = 6;
constexpr int kClients = 8;
constexpr SqliteEngineOptions kFew{
    .writers = 4, .readers = 2, .checkpoints = 1, .open_files = 2, .idle_readers = 1};

/// Ids are file + kFiles * n, and count up.
int file_of(std::int64_t id) {
    return static_cast<int>(id % kFiles);
}

json::object content(std::int64_t id) {
    auto out = task("open", id % 100);
    out["text"] = std::string(static_cast<std::size_t>(200 + id * 7919 % 1000),
                              static_cast<char>('a' + id % 26));
    return out;
}

/// Two documents of each id, in one transaction.
Result<void> store_pair(Writer& w, const Collection& tasks, std::int64_t id) {
    ZONA_TRY(const Record one, w.insert(tasks, 2 * id, content(id)));
    ZONA_TRY(const Record two, w.insert(tasks, 2 * id + 1, content(id)));
    return {};
}

class ManyFiles : public testing::Test {
  protected:
    /// The highest id in the file, -1 for none.
    std::int64_t last_id(Database& database) {
        const Query last{.direction = Direction::kDescending};
        const auto found =
            read_and_wait(database, [&](Reader& r) { return r.find_one(tasks_, last); }).value();
        return found ? std::get<std::int64_t>(found->id) / 2 : -1;
    }

    /// Whether both documents of an id are there, neither (nullopt), or something else (false).
    Result<std::optional<bool>> pair_of(Reader& r, std::int64_t id) {
        ZONA_TRY(const auto one, r.find(tasks_, 2 * id));
        ZONA_TRY(const auto two, r.find(tasks_, 2 * id + 1));
        if (!one && !two) return std::nullopt;
        return one && two && *one->document == content(id) && *two->document == content(id);
    }

    static int number(const char* variable, int otherwise) {
        const char* const set = std::getenv(variable);
        return set == nullptr ? otherwise : std::atoi(set);
    }

    const Collection tasks_{tasks_spec(), Scope::tenant("acme").value()};
};

ZONA_CHILD_TEST(ManyFiles, ChildWritesUntilItIsKilled) {
    SqliteFiles files(std::getenv(kHome));
    files.clock.set_system(core::RealClock().system());
    files.begin(kFew);
    std::int64_t first = 0;
    for (int i = 0; i < kFiles; ++i)
        first = std::max(first, last_id(files.open(i)) + 1);
    std::atomic<std::int64_t> next = first;
    std::function<void()> begin = [&] {
        const std::int64_t id = next++;
        files.clock.advance(std::chrono::microseconds(1));
        files.database(file_of(id))
            .submit_write([this, id](Writer& w) { return store_pair(w, tasks_, id); },
                          [&begin, id](const Result<void>& answer) {
                              if (!answer.has_value()) std::abort();
                              const std::string_view bytes(reinterpret_cast<const char*>(&id),
                                                           sizeof id);
                              if (!os::write_all(kAcknowledgements, bytes)) std::abort();
                              begin();
                          });
    };
    for (int i = 0; i < kClients; ++i)
        begin();
    std::promise<void>().get_future().wait();
}

/// Runs the child, kills it when it has acknowledged so many, and gives the acknowledged ids.
std::vector<std::int64_t> run_child(const std::string& home, std::size_t acknowledgements) {
    os::Pipe pipe = os::make_pipe().value();
    const ChildProcess child("ManyFiles.ChildWritesUntilItIsKilled",
                             {std::string(kHome) + "=" + home}, pipe.write.get());
    pipe.write.reset();
    std::vector<std::int64_t> out;
    while (true) {
        std::array<std::byte, sizeof(std::int64_t)> bytes;
        const auto count = os::read_some(pipe.read.get(), bytes).value().value();
        if (count < bytes.size()) break;
        std::int64_t id = 0;
        std::memcpy(&id, bytes.data(), bytes.size());
        out.push_back(id);
        if (out.size() == acknowledgements) child.kill();
    }
    const int status = child.wait();
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    return out;
}

TEST_F(ManyFiles, KeepEachAcknowledgedWriteWhenTheProcessIsKilled) {
    const core::TemporaryDirectory home;
    core::SeededRandom random(static_cast<std::uint64_t>(::getpid()));
    for (int i = 0; i < number("ZONA_TEST_KILLS", 5) && !HasFailure(); ++i) {
        const auto acknowledged = run_child(home.path(), 1 + random.below(600));
        SCOPED_TRACE(fmt::format("kill {} after {}", i, acknowledged.size()));
        SqliteFiles files(home.path());
        files.begin(kFew);
        for (int file = 0; file < kFiles; ++file)
            files.open(file);
        for (const std::int64_t id : acknowledged) {
            const auto pair = read_and_wait(files.database(file_of(id)),
                                            [&](Reader& r) { return pair_of(r, id); });
            EXPECT_EQ(pair.value(), true) << id;
        }
    }
}

struct Acknowledged {
    std::size_t moment = 0;
    std::int64_t id = 0;
};

class ManyFilesPowerLoss : public ManyFiles {
  protected:
    std::vector<Acknowledged> run(RecordingVfs& vfs, std::int64_t transactions) {
        SqliteFiles files;
        files.begin(kFew);
        for (int i = 0; i < kFiles; ++i) {
            SqliteOptions options = files.options(i);
            options.vfs = vfs.name();
            options.checkpoint_frames = 32;
            options.reset_frames = 64;
            files.open(options);
        }
        first_moment_ = vfs.moment();
        std::mutex mutex;
        std::vector<Acknowledged> acknowledged;
        core::SeededRandom random(5);
        for (std::int64_t id = 0; id < transactions;) {
            std::vector<std::future<void>> answered;
            // Not all files at one time, so that some are closed.
            for (std::uint64_t client = 1 + random.below(4); client > 0; --client, ++id) {
                auto answer = std::make_shared<std::promise<void>>();
                answered.push_back(answer->get_future());
                files.database(file_of(id))
                    .submit_write([this, id](Writer& w) { return store_pair(w, tasks_, id); },
                                  [&, answer, id](const Result<void>& done) {
                                      EXPECT_TRUE(done.has_value());
                                      const std::lock_guard lock(mutex);
                                      acknowledged.push_back({.moment = vfs.moment(), .id = id});
                                      answer->set_value();
                                  });
            }
            for (auto& one : answered)
                one.wait();
        }
        EXPECT_GT(files.engine().stats().closed_for_others, 20U);
        last_moment_ = vfs.moment();
        return acknowledged;
    }

    /// How many acknowledged transactions the files in `directory` lack or have in part.
    std::size_t lost(const std::string& directory, std::size_t moment,
                     const std::vector<Acknowledged>& acknowledged) {
        SqliteFiles files(directory);
        files.begin(kFew);
        std::map<int, std::unique_ptr<SqliteDatabase>> opened;
        for (int i = 0; i < kFiles; ++i) {
            auto database = files.engine().open(files.options(i));
            if (!database.has_value()) return 1;
            opened[i] = *std::move(database);
        }
        std::size_t lost = 0;
        for (const Acknowledged& one : acknowledged) {
            const auto pair = read_and_wait(*opened[file_of(one.id)],
                                            [&](Reader& r) { return pair_of(r, one.id); });
            const bool absent = pair.has_value() && !pair->has_value();
            const bool whole = pair.has_value() && *pair == true;
            if (!whole && (!absent || one.moment <= moment)) ++lost;
        }
        return lost;
    }

    std::size_t first_moment_ = 0;
    std::size_t last_moment_ = 0;
};

TEST_F(ManyFilesPowerLoss, LosesNoAcknowledgedWrite) {
    core::SeededRandom random(1);
    RecordingVfs vfs("zona-recording-many");
    const auto acknowledged = run(vfs, 240);

    const auto cut = [&](Syncs syncs) {
        const std::size_t moment = first_moment_ + random.below(last_moment_ - first_moment_);
        const core::TemporaryDirectory after;
        vfs.cut_power(moment, syncs, random, after.path());
        return lost(after.path(), moment, acknowledged);
    };
    for (int i = 0; i < number("ZONA_TEST_CUTS", 15); ++i)
        EXPECT_EQ(cut(Syncs::kHold), 0U) << i;
    // Were the disk to lie, this test would see it.
    std::size_t missed = 0;
    for (int i = 0; i < 3; ++i)
        missed += cut(Syncs::kLie);
    EXPECT_GT(missed, 0U);
}

}  // namespace
}  // namespace zona::store
