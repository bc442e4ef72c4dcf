#include "os/tcp_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/listening_socket.h"
#include "os/unix_socket.h"

namespace zona::os {
namespace {

using core::Code;

TEST(TcpAddress, ReadsNumericAddressesWithAPort) {
    EXPECT_EQ(*TcpAddress::parse("127.0.0.1:8063"), (TcpAddress{"127.0.0.1", 8063}));
    EXPECT_EQ(*TcpAddress::parse("[::1]:1"), (TcpAddress{"::1", 1}));
    for (const char* text : {"0.0.0.0:0", "[fe80::1]:65535", "10.1.2.3:80"})
        EXPECT_EQ(TcpAddress::parse(text)->to_string(), text);
}

TEST(TcpAddress, RefusesEverythingElseAndSaysWhatIsWanted) {
    for (const char* text : {"", ":", "8063", "localhost:8063", "127.0.0.1", "127.0.0.1:", ":8063",
                             "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80x", "::1:80", "[::1]",
                             "[127.0.0.1]:80", "1.2.3:80", "127.0.0.1 :80", "[::1%lo]:80"}) {
        const auto parsed = TcpAddress::parse(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code(), Code::kInvalidArgument);
        EXPECT_NE(parsed.error().message().find("127.0.0.1:8063"), std::string::npos);
    }
}

TEST(TcpAddress, KnowsWhatOnlyThisHostReaches) {
    for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"})
        EXPECT_TRUE(TcpAddress::parse(text)->is_loopback()) << text;
    for (const char* text :
         {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1", "128.0.0.1:1"})
        EXPECT_FALSE(TcpAddress::parse(text)->is_loopback()) << text;
}

TEST(TcpSocket, ListensOnAFreePortAndTellsWho) {
    const auto listening = listen_tcp({"127.0.0.1", 0}, 8);
    ASSERT_TRUE(listening) << listening.error().message();
    const TcpAddress address = *local_address(listening->get());
    EXPECT_EQ(address.host, "127.0.0.1");
    ASSERT_NE(address.port, 0);
    ASSERT_TRUE(set_nonblocking(listening->get()));
    EXPECT_FALSE(*accept_connection(listening->get()));

    const UniqueFd client = *connect_tcp(address);
    const auto accepted = *accept_connection(listening->get());
    ASSERT_TRUE(accepted);
    EXPECT_TRUE(prepare_connection(accepted->get()));
    EXPECT_EQ(*peer_address(accepted->get()), *local_address(client.get()));
}

TEST(TcpSocket, SaysWhoseAddressIsTaken) {
    const auto first = listen_tcp({"127.0.0.1", 0}, 8);
    const TcpAddress address = *local_address(first->get());

    const auto second = listen_tcp(address, 8);

    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code(), Code::kConflict);
    EXPECT_NE(second.error().message().find(address.to_string()), std::string::npos);
    const auto elsewhere = listen_tcp({"203.0.113.1", 8063}, 8);
    ASSERT_FALSE(elsewhere);
    EXPECT_NE(elsewhere.error().message().find("203.0.113.1:8063"), std::string::npos);
}

TEST(TcpSocket, OtherSocketsHaveNoAddress) {
    const auto pair = *seqpacket_pair();
    EXPECT_EQ(peer_address(pair.first.get()).error().code(), Code::kUnsupported);
    const auto listening = listen_tcp({"127.0.0.1", 0}, 8);
    EXPECT_EQ(peer_address(listening->get()).error().code(), Code::kUnavailable);
    EXPECT_FALSE(local_address(-1));
}

}  // namespace
}  // namespace zona::os
