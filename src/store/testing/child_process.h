/// @file
/// This test program once more, as a process of its own that may be killed, and what it does there.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace zona::store {

inline constexpr const char* kChildVariable = "ZONA_TEST_CHILD";

/// What ZONA_CHILD_TEST is made of; whether this is a child.
template <class Make>
bool register_in_child(const char* suite, const char* name, const char* file, int line, Make make) {
    if (std::getenv(kChildVariable) == nullptr) return false;
    testing::RegisterTest(suite, name, nullptr, nullptr, file, line, make);
    return true;
}

/// A test that is there in a ChildProcess alone: elsewhere it would pass without doing anything. In
/// place of TEST_F.
#define ZONA_CHILD_TEST(Fixture, name)                                                           \
    class Fixture##_##name : public Fixture {                                                    \
        void TestBody() override;                                                                \
    };                                                                                           \
    [[maybe_unused]] const bool kIs##Fixture##name = ::zona::store::register_in_child(           \
        #Fixture, #name, __FILE__, __LINE__, []() -> Fixture* { return new Fixture##_##name; }); \
    void Fixture##_##name::TestBody()

class ChildProcess {
  public:
    /// Runs one ZONA_CHILD_TEST with more environment. `output` becomes its descriptor 3; -1: none.
    ChildProcess(const std::string& test, const std::vector<std::string>& environment,
                 int output = -1) {
        std::string filter = "--gtest_filter=" + test;
        std::string name = "store_test";
        const std::vector<char*> arguments = {name.data(), filter.data(), nullptr};
        std::vector<char*> variables;
        for (char** variable = environ; *variable != nullptr; ++variable) {
            if (!std::string_view(*variable).starts_with("GTEST_")) variables.push_back(*variable);
        }
        for (const std::string& variable : environment)
            variables.push_back(const_cast<char*>(variable.c_str()));
        std::string is_child = std::string(kChildVariable) + "=1";
        variables.push_back(is_child.data());
        variables.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        if (output >= 0) ::posix_spawn_file_actions_adddup2(&actions, output, 3);
        EXPECT_EQ(::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments.data(),
                                variables.data()),
                  0);
        ::posix_spawn_file_actions_destroy(&actions);
    }
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    ~ChildProcess() {
        if (pid_ <= 0 || is_reaped_) return;
        kill();
        wait();
    }

    void kill() const { ::kill(pid_, SIGKILL); }
    /// Its wait status.
    int wait() const {
        if (!is_reaped_) ::waitpid(pid_, &status_, 0);
        is_reaped_ = true;
        return status_;
    }
    /// Until `done`, which is asked again and again: a failure if it dies before, or takes longer
    /// than `limit`.
    testing::AssertionResult run_until(
        const std::function<bool()>& done,
        std::chrono::seconds limit = std::chrono::seconds(120)) const {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (!done()) {
            is_reaped_ = is_reaped_ || ::waitpid(pid_, &status_, WNOHANG) == pid_;
            if (is_reaped_)
                return testing::AssertionFailure() << "the child ended by itself: " << status_;
            if (std::chrono::steady_clock::now() > deadline)
                return testing::AssertionFailure() << "the child hangs";
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        return testing::AssertionSuccess();
    }

  private:
    pid_t pid_ = 0;
    mutable int status_ = -1;
    mutable bool is_reaped_ = false;
};

}  // namespace zona::store
