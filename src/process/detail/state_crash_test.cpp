#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include "core/random.h"
#include "process/detail/state_testing.h"

namespace zona::process {
namespace {

using Texts = std::vector<std::string>;

/// What should be there, kept in the simplest way.
struct Reference {
    std::map<core::Uuid, StoredProcess> processes;
    std::vector<StoredProcess> killed;

    Texts contents() const {
        Texts out;
        for (const auto& [id, process] : processes)
            out.push_back(describe(process));
        std::ranges::sort(out);
        for (const StoredProcess& process : killed)
            out.push_back("killed " + describe(process));
        return out;
    }
};

Texts contents(const LoadedState& loaded) {
    Texts out = describe_all(loaded.processes);
    std::ranges::sort(out);
    for (const StoredProcess& process : loaded.killed)
        out.push_back("killed " + describe(process));
    return out;
}

/// Random changes of a store and of the reference. The same seed gives the same changes.
class Changes {
  public:
    explicit Changes(std::uint64_t seed) : random_(seed) {}

    /// One change that writes at most one record, in the store (if there is one) as well.
    void step(StateStore* store, Reference& reference) {
        const std::uint64_t kind = random_.below(20);
        auto& processes = reference.processes;
        if (kind < 8 || processes.empty()) {
            const StoredProcess process = make_process(next_++);
            processes[process.id] = process;
            if (store != nullptr) ASSERT_TRUE(store->put(process).has_value());
            return;
        }
        auto chosen = processes.begin();
        std::advance(chosen, static_cast<std::ptrdiff_t>(random_.below(processes.size())));
        if (kind < 13) {
            Desired& desired = chosen->second.desired;
            desired = desired == Desired::kRunning ? Desired::kStopped : Desired::kRunning;
            if (store != nullptr) {
                ASSERT_TRUE(store->set_desired(chosen->first, desired).has_value());
            }
        } else if (kind < 18) {
            if (store != nullptr) ASSERT_TRUE(store->remove(chosen->first).has_value());
            processes.erase(chosen);
        } else if (kind == 18) {
            reference.killed.clear();
            if (store != nullptr) ASSERT_TRUE(store->save(EmptySave::kAllow).has_value());
        } else {
            kill(reference);
            if (store != nullptr) ASSERT_TRUE(store->mark_killed().has_value());
        }
    }

    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

  private:
    /// No two processes here are of one app, so nothing is replaced.
    static void kill(Reference& reference) {
        std::vector<StoredProcess> by_pm_id;
        for (const auto& [id, process] : reference.processes)
            by_pm_id.push_back(process);
        std::ranges::sort(by_pm_id, {}, &StoredProcess::pm_id);
        std::ranges::move(by_pm_id, std::back_inserter(reference.killed));
        reference.processes.clear();
    }

    core::SeededRandom random_;
    std::uint32_t next_ = 0;
};

constexpr core::ByteCount kSmallJournal(4000);

class StateCrash : public StateFiles {
  protected:
    /// Some committed changes, then some that are not; appends the states they lead to. Returns the
    /// segment in use at the commit and how much of it is safe since.
    std::pair<std::string, std::size_t> run(Changes& changes, std::vector<Reference>& states) {
        Reference reference = states.back();
        const auto store = open({.journal_size = kSmallJournal});
        EXPECT_EQ(contents(store->take_loaded()), reference.contents());
        const std::uint64_t committed = changes.below(12);
        for (std::uint64_t i = 0; i < committed; ++i)
            changes.step(store.get(), reference);
        EXPECT_TRUE(commit(*store).has_value());
        states = {reference};
        std::string segment = last_segment();
        const std::size_t safe_bytes = text(segment).size();
        const std::uint64_t uncommitted = changes.below(6);
        for (std::uint64_t i = 0; i < uncommitted; ++i) {
            changes.step(store.get(), reference);
            states.push_back(reference);
        }
        return {std::move(segment), safe_bytes};
    }

    std::string last_segment() const {
        std::uint64_t highest = 0;
        for (const std::string& name : os::list_directory(directory_).value()) {
            std::uint64_t number = 0;
            if (!name.starts_with("journal.")) continue;
            std::from_chars(name.data() + 8, name.data() + name.size(), number);
            highest = std::max(highest, number);
        }
        return fmt::format("journal.{}", highest);
    }
};

// REL-20, REL-21
TEST_F(StateCrash, KeepsAllThatWasCommittedWhereverThePowerIsCut) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        std::filesystem::remove_all(directory_);
        Changes changes(seed);
        // Every state from the last commit on: after the cut one of them has to be there.
        std::vector<Reference> states(1);
        for (int round = 0; round < 6; ++round) {
            SCOPED_TRACE(fmt::format("seed {}, round {}", seed, round));
            const auto [segment, safe_bytes] = run(changes, states);
            if (HasFatalFailure()) return;
            const std::string last = last_segment();
            const std::string written = text(last);
            // A segment that began later holds nothing that is known to be on the disk.
            const std::size_t safe = last == segment ? safe_bytes : 0;
            overwrite(last, written.substr(0, safe + changes.below(written.size() - safe + 1)));

            const Texts loaded = contents(load());

            const auto found = std::ranges::find(states, loaded, &Reference::contents);
            ASSERT_NE(found, states.end());
            states = {*found};
        }
    }
}

#ifdef ZONA_FAULTS

constexpr const char* kHome = "ZONA_TEST_STATE";
constexpr std::uint64_t kSeed = 77;
constexpr int kSteps = 150;

/// The changes of the test below, made in a process of its own, which kills itself on the way. The
/// file `acknowledged` gets a byte for every change that was committed. On its own it checks that
/// this does what the reference does.
TEST_F(StateCrash, ChildMakesChangesUntilItIsKilled) {
    if (const char* home = std::getenv(kHome)) directory_ = home;
    std::filesystem::create_directories(directory_);
    const os::UniqueFd acknowledged =
        os::open_file(path("acknowledged"), O_WRONLY | O_CREAT | O_APPEND).value();
    Reference reference;
    {
        const auto store = open({.journal_size = kSmallJournal});
        Changes changes(kSeed);
        for (int i = 0; i < kSteps; ++i) {
            changes.step(store.get(), reference);
            if (i % 3 == 0) ASSERT_TRUE(commit(*store).has_value());
            ASSERT_TRUE(os::write_all(acknowledged.get(), "x").has_value());
        }
    }

    EXPECT_EQ(contents(load()), reference.contents());
}

class StateKill : public StateCrash {
  protected:
    /// Runs the child with a fault; returns its wait status.
    int run_child(const std::string& fault) const {
        const std::string home = fmt::format("{}={}", kHome, directory_);
        const std::string faults = "ZONA_FAULT=" + fault;
        std::string filter = "--gtest_filter=StateCrash.ChildMakesChangesUntilItIsKilled";
        std::string name = "process_test";
        const std::array<char*, 3> arguments = {name.data(), filter.data(), nullptr};
        std::vector<char*> environment;
        for (char** variable = environ; *variable != nullptr; ++variable) {
            if (!std::string_view(*variable).starts_with("GTEST_"))
                environment.push_back(*variable);
        }
        environment.push_back(const_cast<char*>(home.c_str()));
        environment.push_back(const_cast<char*>(faults.c_str()));
        environment.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        pid_t pid = 0;
        const int spawned = ::posix_spawn(&pid, "/proc/self/exe", &actions, nullptr,
                                          arguments.data(), environment.data());
        ::posix_spawn_file_actions_destroy(&actions);
        int status = -1;
        if (spawned == 0) ::waitpid(pid, &status, 0);
        return status;
    }
};

// REL-20, REL-21
TEST_F(StateKill, LosesNoChangeWhenKilledAtAnyStep) {
    std::vector<Reference> states(1);
    Changes changes(kSeed);
    for (int i = 0; i < kSteps; ++i) {
        states.push_back(states.back());
        changes.step(nullptr, states.back());
    }
    for (const char* label :
         {"state.journal_created", "state.journal_before_write", "state.journal_after_write",
          "state.journal_before_sync", "state.journal_after_sync", "state.file_written",
          "state.file_synced", "state.file_previous", "state.file_renamed",
          "state.segment_removed"}) {
        for (const int hit : {1, 3}) {
            SCOPED_TRACE(fmt::format("{}:{}", label, hit));
            std::filesystem::remove_all(directory_);

            const int status = run_child(fmt::format("{}:{}", label, hit));

            ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
            const std::size_t acknowledged =
                exists("acknowledged") ? text("acknowledged").size() : 0;
            const LoadedState loaded = load();
            EXPECT_EQ(loaded.warnings, Texts());
            // The change that was under way may be there or not; every other is.
            const Texts found = contents(loaded);
            EXPECT_TRUE(found == states[acknowledged].contents() ||
                        found ==
                            states[std::min<std::size_t>(acknowledged + 1, kSteps)].contents());
        }
    }
}

#endif

}  // namespace
}  // namespace zona::process
