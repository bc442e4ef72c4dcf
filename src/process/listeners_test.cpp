#include "process/listeners.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "os/unix_socket.h"

namespace zona::process {
namespace {

using Held = std::vector<InheritedListener>;

/// What the keeper does with the messages about listeners; its memory between two daemons.
class FakeKeeper {
  public:
    FakeKeeper() {
        auto [ours, daemons] = os::seqpacket_pair().value();
        ours_ = std::move(ours);
        daemons_ = std::move(daemons);
        link_.emplace(daemons_.get());
    }

    KeeperLink& link() { return *link_; }
    /// As if it were dead.
    void die() { ours_.reset(); }

    /// What is held after all that the daemon has sent.
    const Held& held() {
        while (carry_out_next()) {
        }
        return held_;
    }
    /// What is held after the messages that were carried out so far.
    const Held& held_by_now() const { return held_; }
    /// For the next daemon: copies, as a fork makes them.
    Held inheritance() {
        Held out;
        for (const InheritedListener& listener : held())
            out.push_back({os::duplicate(listener.socket.get()).value(), listener.origin});
        return out;
    }
    /// How many messages came so far.
    std::size_t messages() {
        held();
        return messages_;
    }
    /// Carries out one message that was sent, if there is one.
    bool carry_out_next() {
        KeeperMessage message{};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        iovec bytes = {&message, sizeof message};
        msghdr header{};
        header.msg_iov = &bytes;
        header.msg_iovlen = 1;
        header.msg_control = control;
        header.msg_controllen = sizeof control;
        if (::recvmsg(ours_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) return false;
        ++messages_;
        if (message.verb == KeeperVerb::kKeepListener) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof fd);
            held_.push_back(
                {os::UniqueFd::adopt(fd), static_cast<ListenerOrigin>(message.argument)});
        }
        if (message.verb == KeeperVerb::kDropListeners) {
            Held left;
            for (std::size_t i = 0; i < held_.size(); ++i) {
                if ((message.argument >> i & 1U) == 0) left.push_back(std::move(held_[i]));
            }
            held_ = std::move(left);
        }
        return true;
    }

  private:
    os::UniqueFd ours_;
    os::UniqueFd daemons_;
    std::optional<KeeperLink> link_;
    Held held_;
    std::size_t messages_ = 0;
};

os::TcpAddress address(const std::string& text) {
    return os::TcpAddress::parse(text).value();
}

core::Result<void> anything(const os::TcpAddress&) {
    return {};
}

/// Which socket it is, whatever its descriptor.
ino_t identity(int fd) {
    struct stat s{};
    return ::fstat(fd, &s) == 0 ? s.st_ino : 0;
}

std::vector<std::string> addresses(const Held& held, ListenerOrigin origin) {
    std::vector<std::string> out;
    for (const InheritedListener& one : held) {
        if (one.origin == origin)
            out.push_back(os::local_address(one.socket.get()).value().to_string());
    }
    return out;
}

/// One keeper, and its daemons one after the other.
class ListenersTest : public testing::Test {
  protected:
    static constexpr const char* kAnyPort = "127.0.0.1:0";

    /// A daemon whose settings name these addresses, or that fails.
    std::unique_ptr<Listeners> start(const std::vector<std::string>& settings,
                                     const Listeners::Judge& may = anything) {
        auto daemon = std::make_unique<Listeners>(keeper_.inheritance());
        for (const std::string& setting : settings)
            bound_ = daemon->open(address(setting)).value();
        daemon->resume(may);
        EXPECT_TRUE(daemon->settle(keeper_.link()));
        return daemon;
    }
    std::string ask_for(Listeners& daemon, const std::string& wanted) {
        return daemon.add(address(wanted), keeper_.link()).value().address;
    }
    /// Whether somebody holds it, once the keeper has done all that it was told.
    bool answers(const std::string& where) {
        keeper_.held();
        return os::connect_tcp(address(where)).has_value();
    }

    FakeKeeper keeper_;
    std::string bound_;  ///< by the last setting
};

// REL-20
TEST_F(ListenersTest, GoesOnWhereItWasAskedToListenThoughNoSettingSaysSo) {
    auto first = start({kAnyPort});
    const std::string asked = ask_for(*first, kAnyPort);
    const ino_t socket = identity(first->held().back().fd);
    first.reset();
    EXPECT_TRUE(answers(asked)) << "the keeper holds it while no daemon lives";

    const auto second = start({kAnyPort});

    EXPECT_EQ(second->requested(), std::vector<std::string>{asked});
    EXPECT_EQ(identity(second->held().back().fd), socket) << "the same socket, with its queue";
    EXPECT_EQ(second->held().back().origin, ListenerOrigin::kRequest);
    EXPECT_EQ(second->copies().value().size(), 2U);
    EXPECT_EQ(addresses(keeper_.held(), ListenerOrigin::kRequest), std::vector<std::string>{asked});
}

// REL-20
TEST_F(ListenersTest, ASocketOfAnOldSettingIsNotTakenForOneThatWasAskedFor) {
    auto first = start({kAnyPort});
    const std::string old = bound_;
    const std::string asked = ask_for(*first, kAnyPort);
    first.reset();

    const auto second = start({});

    EXPECT_FALSE(answers(old));
    EXPECT_TRUE(answers(asked));
    EXPECT_EQ(second->requested(), std::vector<std::string>{asked});
    EXPECT_TRUE(addresses(keeper_.held(), ListenerOrigin::kSetting).empty());
}

TEST_F(ListenersTest, WhatWasAskedForAndBecomesASettingEndsWithTheSetting) {
    auto daemon = start({});
    const std::string asked = ask_for(*daemon, kAnyPort);
    const ino_t socket = identity(daemon->held().back().fd);
    daemon.reset();

    daemon = start({asked});
    EXPECT_EQ(identity(daemon->held().front().fd), socket);
    EXPECT_TRUE(daemon->requested().empty());
    daemon.reset();
    EXPECT_EQ(addresses(keeper_.held(), ListenerOrigin::kSetting), std::vector<std::string>{asked});

    daemon = start({});
    EXPECT_FALSE(answers(asked));
    EXPECT_TRUE(keeper_.held().empty());
}

TEST_F(ListenersTest, AnyPortOfASettingIsNoPortThatWasAskedFor) {
    auto first = start({});
    const std::string asked = ask_for(*first, kAnyPort);
    first.reset();

    const auto second = start({kAnyPort});

    EXPECT_NE(bound_, asked);
    EXPECT_EQ(second->requested(), std::vector<std::string>{asked});
}

// PM-52
TEST_F(ListenersTest, WhatTheRulesForbidByNowIsClosedAndTheRestGoesOn) {
    auto first = start({});
    const std::string forbidden = ask_for(*first, kAnyPort);
    const std::string allowed = ask_for(*first, kAnyPort);
    first.reset();

    const auto second = start({}, [&](const os::TcpAddress& wanted) -> core::Result<void> {
        if (wanted.to_string() != forbidden) return {};
        return core::Error(core::Code::kInvalidArgument, "not without TLS");
    });

    EXPECT_EQ(second->requested(), std::vector<std::string>{allowed});
    EXPECT_FALSE(answers(forbidden));
    EXPECT_TRUE(answers(allowed));
}

// REL-20
TEST_F(ListenersTest, NothingThatGoesOnIsLostWhicheverMessageIsTheLastOfADaemon) {
    auto first = start({kAnyPort});
    const std::string old = bound_;
    const std::string asked = ask_for(*first, kAnyPort);
    first.reset();
    Listeners second(keeper_.inheritance());
    const std::string setting = second.open(address("127.0.0.1:0")).value();
    ASSERT_EQ(setting, old);
    const std::string added = second.open(address("127.0.0.2:0")).value();
    second.resume(anything);

    ASSERT_TRUE(second.settle(keeper_.link()));

    do {
        std::vector<std::string> all;
        for (const auto origin : {ListenerOrigin::kSetting, ListenerOrigin::kRequest})
            std::ranges::copy(addresses(keeper_.held_by_now(), origin), std::back_inserter(all));
        EXPECT_NE(std::ranges::find(all, setting), all.end());
        EXPECT_NE(std::ranges::find(all, asked), all.end());
    } while (keeper_.carry_out_next());
    EXPECT_EQ(addresses(keeper_.held(), ListenerOrigin::kSetting),
              (std::vector<std::string>{setting, added}));
}

TEST_F(ListenersTest, ADaemonThatChangesNothingSaysNothing) {
    auto first = start({kAnyPort});
    ask_for(*first, kAnyPort);
    first.reset();
    const std::size_t before = keeper_.messages();

    const auto second = start({kAnyPort});

    EXPECT_EQ(keeper_.messages(), before);
}

TEST_F(ListenersTest, AskingAgainChangesNothing) {
    const auto daemon = start({kAnyPort});
    const std::string asked = ask_for(*daemon, kAnyPort);

    for (const std::string& there : {bound_, asked}) {
        const auto again = daemon->add(address(there), keeper_.link());
        ASSERT_TRUE(again);
        EXPECT_EQ(again->address, there);
        EXPECT_FALSE(again->socket);
    }
    EXPECT_EQ(keeper_.held().size(), 2U);
    EXPECT_EQ(daemon->requested(), std::vector<std::string>{asked}) << "the setting's stays its";
}

TEST_F(ListenersTest, SaysThatThereAreAsManyAsMayBeAndLeavesRoomForSettings) {
    auto daemon = start({});
    for (unsigned i = 0; i < kMostRequestedListeners; ++i)
        ask_for(*daemon, kAnyPort);

    const auto more = daemon->add(address(kAnyPort), keeper_.link());

    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().code(), core::Code::kConflict);
    EXPECT_NE(more.error().message().find("listens on 30 addresses"), std::string::npos)
        << more.error().message();
    daemon = start({kAnyPort, "127.0.0.2:0"});
    EXPECT_EQ(keeper_.held().size(), kMostListeners);
    EXPECT_EQ(daemon->requested().size(), kMostRequestedListeners);
}

TEST_F(ListenersTest, TakesRequestsFromSeveralThreadsWhileOthersRead) {
    const auto daemon = start({kAnyPort});
    constexpr std::size_t kThreads = 4;
    constexpr std::size_t kEach = 5;
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < kThreads; ++i) {
            threads.emplace_back([&] {
                for (std::size_t n = 0; n < kEach; ++n) {
                    EXPECT_TRUE(daemon->add(address(kAnyPort), keeper_.link()));
                    EXPECT_LE(daemon->requested().size(), daemon->held().size());
                }
            });
        }
    }

    EXPECT_EQ(daemon->requested().size(), kThreads * kEach);
    EXPECT_EQ(addresses(keeper_.held(), ListenerOrigin::kRequest), daemon->requested());
}

TEST_F(ListenersTest, NothingIsListenedOnThatNoKeeperHolds) {
    const auto daemon = start({});
    keeper_.die();

    const auto refused = daemon->add(address(kAnyPort), keeper_.link());

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), core::Code::kUnavailable);
    EXPECT_TRUE(daemon->requested().empty());
    EXPECT_TRUE(daemon->held().empty());
}

TEST(InheritedListeners, KnowsWhichWereAskedFor) {
    // Descriptors that nobody closes: these are none of this test's.
    auto inherited = inherited_listeners(3, 0b101);
    ASSERT_EQ(inherited.size(), 3U);
    std::vector<ListenerOrigin> origins;
    for (InheritedListener& one : inherited) {
        origins.push_back(one.origin);
        EXPECT_EQ(std::move(one.socket).release(),
                  kFdFirstListener + static_cast<int>(origins.size()) - 1);
    }
    EXPECT_EQ(origins, (std::vector{ListenerOrigin::kRequest, ListenerOrigin::kSetting,
                                    ListenerOrigin::kRequest}));
}

}  // namespace
}  // namespace zona::process
