#include "core/fault.h"

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>

namespace zona::core {
namespace {

#ifdef ZONA_FAULTS

void pass(int times) {
    for (int i = 0; i < times; ++i)
        ZONA_FAULT("test.point");
}

// The variable is read at the first point, so each case lives in a process of its own.
TEST(FaultPointDeathTest, KillsAtTheNthHitOfItsLabel) {
    EXPECT_EXIT(
        {
            ::setenv("ZONA_FAULT", "other.point:1,test.point:3", 1);
            pass(2);
            ::setenv("ZONA_FAULT", "", 1);
            pass(1);
            std::exit(7);
        },
        testing::KilledBySignal(SIGKILL), "");
}

TEST(FaultPointDeathTest, DoesNothingBeforeTheNthHitAndForOtherLabels) {
    EXPECT_EXIT(
        {
            ::setenv("ZONA_FAULT", "other.point:1,test.point:3,nonsense,:,test.point:x", 1);
            pass(2);
            std::exit(7);
        },
        testing::ExitedWithCode(7), "");
}

#endif

}  // namespace
}  // namespace zona::core
