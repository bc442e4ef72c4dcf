#include "process/lifecycle.h"

#include <fstream>
#include <random>
#include <sstream>

#include <gtest/gtest.h>

namespace zona::process {
namespace {

using namespace std::chrono_literals;

/// Follows one process as the supervisor would: carries actions out on an imaginary child.
class World {
  public:
    explicit World(RestartPolicy policy) : policy_(std::move(policy)) {}

    void feed(Event event) {
        const Transition t = transition(policy_, state_, event);
        state_ = t.state;
        held_ = t.held_because;
        for (const Action& a : t.actions)
            carry_out(a);
    }

    void start() { feed({.kind = EventKind::kStart}); }
    void stop() { feed({.kind = EventKind::kStop}); }
    void exit(int code, Milliseconds ran, bool tree_empty = true) {
        child_ = false;
        rest_of_tree_ = !tree_empty;
        last_ = {.kind = EventKind::kTreeEmpty, .ran = ran, .exit_code = code};
        feed({.kind = EventKind::kExited, .tree_empty = tree_empty, .ran = ran, .exit_code = code});
    }
    void rest_ends() {
        rest_of_tree_ = false;
        feed(last_);
    }

    const LifecycleState& state() const { return state_; }
    std::string_view held() const { return held_; }
    int spawns() const { return spawns_; }
    int signals() const { return signals_; }
    int kills() const { return kills_; }
    bool removed() const { return removed_; }
    bool child() const { return child_; }
    bool rest_of_tree() const { return rest_of_tree_; }
    std::optional<Milliseconds> delay() const { return delay_; }
    bool kill_timer() const { return kill_timer_; }

  private:
    void carry_out(const Action& a) {
        switch (a.kind) {
            case ActionKind::kSpawn:
                EXPECT_FALSE(child_) << "a second child";
                EXPECT_FALSE(rest_of_tree_) << "a child beside what is left of the last";
                EXPECT_FALSE(removed_);
                ++spawns_;
                delay_.reset();
                child_ = true;
                feed({.kind = EventKind::kSpawned});
                return;
            case ActionKind::kSignalMain:
                ++signals_;
                return;
            case ActionKind::kSignalTree:
                return;
            case ActionKind::kKillTree:
                ++kills_;
                return;
            case ActionKind::kWatchTree:
                return;
            case ActionKind::kArmKillTimer:
                kill_timer_ = true;
                return;
            case ActionKind::kArmRestartTimer:
                delay_ = a.delay;
                return;
            case ActionKind::kCancelTimers:
                kill_timer_ = false;
                delay_.reset();
                return;
            case ActionKind::kStopped:
                EXPECT_FALSE(child_) << "told to be at rest with a child";
                return;
            case ActionKind::kRemove:
                EXPECT_FALSE(child_);
                EXPECT_FALSE(rest_of_tree_);
                removed_ = true;
                return;
        }
    }

    RestartPolicy policy_;
    LifecycleState state_;
    std::string_view held_;
    Event last_{.kind = EventKind::kTreeEmpty};
    bool child_ = false;
    bool rest_of_tree_ = false;
    bool removed_ = false;
    bool kill_timer_ = false;
    int spawns_ = 0;
    int signals_ = 0;
    int kills_ = 0;
    std::optional<Milliseconds> delay_;
};

// PM-08, REL-20
TEST(Lifecycle, StartsAgainAtOnceWhenItEndsByItself) {
    World w({});
    w.start();
    w.exit(1, 5000ms);

    EXPECT_EQ(w.spawns(), 2);
    EXPECT_EQ(w.state().restarts, 1U);
    EXPECT_EQ(w.state().phase, Phase::kOnline);
}

TEST(Lifecycle, StartsAgainAfterExitZeroAsPm2Does) {
    World w({});
    w.start();
    w.exit(0, 5000ms);

    EXPECT_EQ(w.spawns(), 2);
}

TEST(Lifecycle, WaitsForTheDelayBeforeARestart) {
    World w({.restart_delay = 250ms});
    w.start();
    w.exit(1, 5000ms);
    EXPECT_EQ(w.state().phase, Phase::kWaiting);
    EXPECT_EQ(w.delay(), 250ms);
    EXPECT_EQ(w.spawns(), 1);

    w.feed({.kind = EventKind::kRestartDue});

    EXPECT_EQ(w.spawns(), 2);
}

TEST(Lifecycle, GivesUpAfterMaxRestartsShortRunsInARow) {
    World w({.max_restarts = 3});
    w.start();
    w.exit(1, 10ms);
    w.exit(1, 10ms);
    w.exit(1, 10ms);

    EXPECT_EQ(w.state().phase, Phase::kErrored);
    EXPECT_EQ(w.spawns(), 3);
    EXPECT_FALSE(w.held().empty());
}

TEST(Lifecycle, ForgetsShortRunsAfterALongOne) {
    World w({.max_restarts = 3});
    w.start();
    w.exit(1, 10ms);
    w.exit(1, 10ms);
    w.exit(1, 1000ms);
    w.exit(1, 10ms);
    w.exit(1, 10ms);

    EXPECT_EQ(w.state().phase, Phase::kOnline);
}

TEST(Lifecycle, BackoffGrowsByHalfToItsLimitAndBeginsAnewAfterAStableRun) {
    World w({.max_restarts = 100, .backoff_first = 100ms});
    w.start();
    std::vector<std::int64_t> delays;
    for (int i = 0; i < 15; ++i) {
        w.exit(1, 10ms);
        delays.push_back(w.delay()->count());
        w.feed({.kind = EventKind::kRestartDue});
    }
    EXPECT_EQ((std::vector<std::int64_t>(delays.begin(), delays.begin() + 6)),
              (std::vector<std::int64_t>{100, 150, 225, 337, 505, 757}));
    EXPECT_EQ(delays.back(), 15000);

    w.exit(1, 30001ms);

    EXPECT_EQ(w.delay(), 100ms);
}

TEST(Lifecycle, DoesNotRestartWithoutAutorestartOrAfterAStopCode) {
    World off({.autorestart = false});
    off.start();
    off.exit(1, 5000ms);
    EXPECT_EQ(off.state().phase, Phase::kStopped);
    EXPECT_FALSE(off.held().empty());

    World code({.stop_exit_codes = {0, 42}});
    code.start();
    code.exit(42, 5000ms);
    EXPECT_EQ(code.state().phase, Phase::kStopped);
}

TEST(Lifecycle, ASignalIsNotAStopCode) {
    World w({.stop_exit_codes = {0}});
    w.start();
    w.exit(-1, 5000ms);

    EXPECT_EQ(w.state().phase, Phase::kOnline);
}

// PM-03
TEST(Lifecycle, StopSignalsThenKillsWhatIsLeftWhenTheGraceIsOver) {
    World w({});
    w.start();
    w.stop();
    EXPECT_EQ(w.signals(), 1);
    EXPECT_TRUE(w.kill_timer());
    EXPECT_EQ(w.kills(), 0);

    w.feed({.kind = EventKind::kKillTimeout});
    EXPECT_EQ(w.kills(), 1);
    w.exit(-1, 5000ms);

    EXPECT_EQ(w.state().phase, Phase::kStopped);
    EXPECT_EQ(w.spawns(), 1);
}

TEST(Lifecycle, StopIsNotDoneWhileSomethingOfTheTreeLives) {
    World w({});
    w.start();
    w.stop();
    w.exit(0, 5000ms, false);
    EXPECT_EQ(w.state().phase, Phase::kStopping);

    w.rest_ends();

    EXPECT_EQ(w.state().phase, Phase::kStopped);
}

TEST(Lifecycle, StopWithoutGraceKillsAtOnce) {
    World w({.kill_timeout = 0ms});
    w.start();
    w.stop();

    EXPECT_EQ(w.signals(), 0);
    EXPECT_EQ(w.kills(), 1);
}

TEST(Lifecycle, TheSuccessorWaitsUntilTheRestOfACrashedTreeIsGone) {
    World w({});
    w.start();
    w.exit(1, 5000ms, false);
    EXPECT_EQ(w.spawns(), 1);

    w.rest_ends();

    EXPECT_EQ(w.spawns(), 2);
}

// PM-04
TEST(Lifecycle, RestartReplacesTheChildAndCounts) {
    World w({});
    w.start();
    w.feed({.kind = EventKind::kRestart});
    w.exit(0, 5000ms);

    EXPECT_EQ(w.spawns(), 2);
    EXPECT_EQ(w.state().restarts, 1U);
}

TEST(Lifecycle, AStopDuringARestartWins) {
    World w({});
    w.start();
    w.feed({.kind = EventKind::kRestart});
    w.stop();
    w.exit(0, 5000ms);

    EXPECT_EQ(w.state().phase, Phase::kStopped);
    EXPECT_EQ(w.spawns(), 1);
}

TEST(Lifecycle, NothingTakesADeletionBack) {
    World w({});
    w.start();
    w.feed({.kind = EventKind::kDelete});
    w.start();
    w.stop();
    w.exit(0, 5000ms);

    EXPECT_TRUE(w.removed());
    EXPECT_EQ(w.spawns(), 1);
}

TEST(Lifecycle, StartLeavesErroredAndBeginsTheCountAnew) {
    World w({.max_restarts = 1});
    w.start();
    w.exit(1, 1ms);
    ASSERT_EQ(w.state().phase, Phase::kErrored);

    w.start();

    EXPECT_EQ(w.state().phase, Phase::kOnline);
    EXPECT_EQ(w.state().unstable_restarts, 0U);
}

TEST(Lifecycle, AProgramThatCannotBeExecutedIsTriedAgainNotInATightLoop) {
    const LifecycleState launching{.phase = Phase::kLaunching};

    const Transition t = transition({}, launching, {.kind = EventKind::kSpawnFailed});

    EXPECT_EQ(t.state.phase, Phase::kWaiting);
    EXPECT_TRUE(t.actions.has(ActionKind::kArmRestartTimer));
}

// Random histories: never two children, never a start after a stop or a deletion, never more
// actions than fit. PM-08, PM-03
TEST(Lifecycle, HoldsItsPromisesInRandomHistories) {
    for (unsigned seed = 1; seed <= 300; ++seed) {
        std::mt19937 random(seed);
        World w({.max_restarts = 4,
                 .restart_delay = Milliseconds(random() % 2 * 10),
                 .backoff_first = Milliseconds(random() % 3 == 0 ? 5 : 0),
                 .kill_timeout = Milliseconds(random() % 4 == 0 ? 0 : 100)});
        bool wanted = false;
        for (int step = 0; step < 200 && !w.removed(); ++step) {
            SCOPED_TRACE(testing::Message() << "seed " << seed << " step " << step);
            const int before = w.spawns();
            const unsigned choice = random() % 9;
            const bool asks = choice <= 1;
            if (choice == 0) w.start(), wanted = true;
            if (choice == 1) w.feed({.kind = EventKind::kRestart}), wanted = true;
            if (choice == 2) w.stop(), wanted = false;
            if (choice == 3 && random() % 20 == 0)
                w.feed({.kind = EventKind::kDelete}), wanted = false;
            if (choice == 4 && w.delay()) w.feed({.kind = EventKind::kRestartDue});
            if (choice == 5 && w.kill_timer()) w.feed({.kind = EventKind::kKillTimeout});
            if (choice >= 6 && w.child()) {
                w.exit(static_cast<int>(random() % 3), Milliseconds(random() % 3000),
                       random() % 3 != 0);
            } else if (choice >= 6 && w.rest_of_tree()) {
                w.rest_ends();
            }
            if (!wanted && !asks) {
                EXPECT_EQ(w.spawns(), before) << "started though nobody wants it";
            }
            EXPECT_EQ(w.state().child_alive, w.child());
        }
    }
}

TEST(Lifecycle, EveryEventInEveryPhaseHasAnAnswer) {
    for (const Phase phase : kPhases) {
        for (const Goal goal : {Goal::kNone, Goal::kStop, Goal::kRestart, Goal::kDelete}) {
            for (const EventKind kind : kEventKinds) {
                for (const bool empty : {false, true}) {
                    const Transition t = transition({}, {.phase = phase, .goal = goal},
                                                    {.kind = kind, .tree_empty = empty});
                    EXPECT_LE(t.actions.size(), kMostActions);
                }
            }
        }
    }
}

TEST(Lifecycle, TheTableOfTheDocumentIsTheOneInForce) {
    std::ifstream file(std::string(ZONA_SOURCE_DIR) + "/docs/lifecycle.md");
    std::stringstream text;
    text << file.rdbuf();

    EXPECT_NE(text.str().find(lifecycle_table()), std::string::npos)
        << "docs/lifecycle.md does not hold this table:\n"
        << lifecycle_table();
}

}  // namespace
}  // namespace zona::process
