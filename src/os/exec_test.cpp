#include "os/exec.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace zona::os {
namespace {

/// What waitpid(2) says of a process that makes threads all the time and becomes `program`.
int end_of_one_that_becomes(const char* program) {
    const pid_t child = ::fork();
    if (child == 0) {
        std::atomic<bool> has_begun = false;
        std::thread([&has_begun] {
            while (true) {
                std::thread([] {}).join();
                has_begun = true;
            }
        }).detach();
        while (!has_begun)
            std::this_thread::yield();
        const core::Error failed = become_program(program, {program}, {});
        ::_exit(failed.code() == core::Code::kNotFound ? 99 : 98);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
}

// REL-20
TEST(BecomeProgram, NoOtherThreadEndsTheProcessMeanwhile) {
    for (int i = 0; i < 200; ++i) {
        const int status = end_of_one_that_becomes("/bin/true");
        ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status) << ", try " << i;
        ASSERT_EQ(WEXITSTATUS(status), 0);
    }
}

TEST(BecomeProgram, SaysWhyItCannot) {
    const int status = end_of_one_that_becomes("/nonexistent/program");
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 99);
}

}  // namespace
}  // namespace zona::os
