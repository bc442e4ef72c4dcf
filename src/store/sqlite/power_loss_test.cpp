// What a power cut leaves at any moment of a run holds every write that was acknowledged before it.
// ZONA_TEST_CUTS=N makes it longer, ZONA_TEST_SEED=N repeats one.
#include <cstdlib>
#include <future>
#include <mutex>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/random.h"
#include "store/testing/recording_vfs.h"
#include "store/testing/sqlite_file.h"

namespace zona::store {
namespace {

struct Acknowledged {
    std::size_t moment = 0;
    std::int64_t id = 0;
};

class PowerLoss : public testing::Test {
  protected:
    /// Eight clients insert pairs; checkpoints run and the log begins anew on the way.
    std::vector<Acknowledged> run(RecordingVfs& vfs, std::int64_t transactions) {
        SqliteFile file;
        SqliteOptions options = file.options();
        options.vfs = vfs.name();
        options.checkpoint_frames = 32;
        options.reset_frames = 128;
        std::mutex mutex;
        std::vector<Acknowledged> acknowledged;
        const auto database = file.open(options).value();
        for (std::int64_t id = 0; id < transactions;) {
            std::vector<std::future<void>> answered;
            for (int client = 0; client < 8; ++client, ++id) {
                auto answer = std::make_shared<std::promise<void>>();
                answered.push_back(answer->get_future());
                database->submit_write(
                    [this, id](Writer& w) -> Result<void> {
                        ZONA_TRY(const Record one, w.insert(tasks_, 2 * id, content(id)));
                        ZONA_TRY(const Record two, w.insert(tasks_, 2 * id + 1, content(id)));
                        return {};
                    },
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
        EXPECT_GT(database->stats().checkpoints, 3U);
        // A cut during the orderly end is another test's.
        last_moment_ = vfs.moment();
        return acknowledged;
    }

    static json::object content(std::int64_t id) {
        auto out = task("open", id);
        out["text"] = json::string(700, static_cast<char>('a' + id % 26));
        return out;
    }

    /// How many acknowledged transactions the files in `directory` lack; a transaction that is
    /// there in part, or a damaged file, counts as one.
    std::size_t lost(const std::string& directory, std::size_t moment,
                     const std::vector<Acknowledged>& acknowledged) {
        SqliteFile file(directory);
        const auto database = file.open();
        if (!database.has_value()) return 1;
        std::promise<Result<void>> checked;
        (*database)->check([&](Result<void> answer) { checked.set_value(std::move(answer)); });
        std::size_t lost = checked.get_future().get().has_value() ? 0 : 1;
        const auto done = read_and_wait(**database, [&](Reader& r) -> Result<int> {
            for (const Acknowledged& one : acknowledged) {
                ZONA_TRY(const auto first, r.find(tasks_, 2 * one.id));
                ZONA_TRY(const auto second, r.find(tasks_, 2 * one.id + 1));
                const bool whole = first && second && *first->document == content(one.id) &&
                                   *second->document == content(one.id);
                const bool absent = !first && !second;
                if (!whole && (!absent || one.moment <= moment)) ++lost;
            }
            return 0;
        });
        return done.has_value() ? lost : lost + 1;
    }

    const Collection tasks_{tasks_spec(), Scope::tenant("acme").value()};
    std::size_t last_moment_ = 0;
};

TEST_F(PowerLoss, LosesNoAcknowledgedWrite) {
    const char* wanted = std::getenv("ZONA_TEST_CUTS");
    const int cuts = wanted == nullptr ? 25 : std::atoi(wanted);
    const char* seed = std::getenv("ZONA_TEST_SEED");
    core::SeededRandom random(seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10));
    RecordingVfs vfs("zona-recording");
    const auto acknowledged = run(vfs, 400);
    // The first answer comes when the tables are made.
    const std::size_t first = acknowledged.front().moment;

    for (int i = 0; i < cuts; ++i) {
        const std::size_t moment = first + random.below(last_moment_ - first);
        const core::TemporaryDirectory after;
        vfs.cut_power(moment, Syncs::kHold, random, after.path());
        EXPECT_EQ(lost(after.path(), moment, acknowledged), 0U) << "cut at " << moment;
    }

    // Were the disk to lie, this test would see it.
    std::size_t missed = 0;
    for (int i = 0; i < 5; ++i) {
        const std::size_t moment = first + random.below(last_moment_ - first);
        const core::TemporaryDirectory after;
        vfs.cut_power(moment, Syncs::kLie, random, after.path());
        missed += lost(after.path(), moment, acknowledged);
    }
    EXPECT_GT(missed, 0U);
}

}  // namespace
}  // namespace zona::store
