#include <map>

#include <gtest/gtest.h>

#include "cache/redis/reply.h"
#include "cache/redis/slots.h"

namespace zona::cache::redis {
namespace {

using Kind = Reply::Kind;

Reply text(std::string value) {
    return {.kind = Kind::kText, .text = std::move(value), .elements = {}};
}

TEST(CommandTest, CountsItsWordsAndTheirBytes) {
    EXPECT_EQ(command({"GET", "ä"}), "*2\r\n$3\r\nGET\r\n$2\r\nä\r\n");
    EXPECT_EQ(command({"PING"}), "*1\r\n$4\r\nPING\r\n");
}

TEST(ReplyReaderTest, ReadsEveryKindHoweverItIsCut) {
    const std::string wire =
        "+OK\r\n-ERR no\r\n:-7\r\n$-1\r\n$1\r\na\r\n*3\r\n:1\r\n*1\r\n$0\r\n\r\n*-1\r\n*0\r\n";
    for (std::size_t piece = 1; piece <= wire.size(); ++piece) {
        ReplyReader reader;
        std::vector<Reply> got;
        for (std::size_t at = 0; at < wire.size(); at += piece) {
            ASSERT_TRUE(reader.feed(std::string_view(wire).substr(at, piece)));
            while (auto reply = reader.next().value())
                got.push_back(*reply);
        }
        ASSERT_EQ(got.size(), 7U) << piece;
        EXPECT_EQ(got[0].text, "OK");
        EXPECT_TRUE(got[1].is_error());
        EXPECT_EQ(got[2].integer, -7);
        EXPECT_TRUE(got[3].is_nil());
        EXPECT_EQ(got[4], text("a"));
        EXPECT_EQ(got[5].elements.size(), 3U);
        EXPECT_EQ(got[5].elements[1].elements[0], text(""));
        EXPECT_TRUE(got[5].elements[2].is_nil());
        EXPECT_EQ(got[6].kind, Kind::kArray);
    }
}

TEST(ReplyReaderTest, RefusesWhatIsNoProtocol) {
    for (const std::string_view wire :
         {"HTTP/1.1 200 OK\r\n", "*2000000000\r\n", ":12x\r\n", "$-7\r\n", "*-3\r\n"}) {
        ReplyReader reader;
        ASSERT_TRUE(reader.feed(wire));
        EXPECT_FALSE(reader.next()) << wire;
    }
}

TEST(ReplyReaderTest, AnnouncedElementsTakeNoMemoryBeforeTheyCome) {
    ReplyReader reader;
    ASSERT_TRUE(reader.feed("*65537\r\n"));
    EXPECT_FALSE(reader.next());
}

TEST(SlotTest, IsThatOfTheSpecification) {
    EXPECT_EQ(slot_of("123456789"), 0x31C3 & 0x3FFF);
    EXPECT_EQ(slot_of("user1000"), 3443);
}

TEST(RedirectTest, ReadsWhatRedisSays) {
    Redirect out;
    ASSERT_TRUE(Redirect::parse("MOVED 3999 127.0.0.1:6381", out));
    EXPECT_FALSE(out.is_ask);
    EXPECT_EQ(out.slot, 3999);
    EXPECT_EQ(out.to, (Endpoint{.host = "127.0.0.1", .port = 6381}));
    ASSERT_TRUE(Redirect::parse("ASK 1 ::1:7000", out));
    EXPECT_TRUE(out.is_ask);
    EXPECT_EQ(out.to.host, "::1");
    ASSERT_TRUE(Redirect::parse("MOVED 3999 :6381", out));
    EXPECT_EQ(out.to.host, "");
    for (const std::string_view text :
         {"MOVED", "MOVED 1", "MOVED 99999 a:1", "MOVED 1 a", "MOVED 1 a:0", "ERR x"})
        EXPECT_FALSE(Redirect::parse(text, out)) << text;
}

std::vector<Endpoint> servers(int count) {
    std::vector<Endpoint> out;
    for (int i = 0; i < count; ++i)
        out.push_back({.host = "redis-" + std::to_string(i)});
    return out;
}

// CACHE-15
TEST(RingTest, SharesKeysEvenly) {
    const Ring ring(servers(3));
    std::map<std::size_t, int> shares;
    for (int i = 0; i < 30'000; ++i)
        ++shares[ring.find("tenant-" + std::to_string(i))];
    for (const auto& [server, share] : shares)
        EXPECT_NEAR(share, 10'000, 2000) << server;
    EXPECT_EQ(shares.size(), 3U);
}

// CACHE-15
TEST(RingTest, AServerThatJoinsTakesItsShareAloneAndOrderDoesNotMatter) {
    const std::vector<Endpoint> four = servers(4);
    const Ring before(servers(3));
    const Ring after(four);
    const std::vector<Endpoint> reversed(four.rbegin(), four.rend());
    const Ring other_order(reversed);
    int moved = 0;
    for (int i = 0; i < 10'000; ++i) {
        const std::string tag = "tenant-" + std::to_string(i);
        EXPECT_EQ(reversed[other_order.find(tag)], four[after.find(tag)]);
        if (before.find(tag) == after.find(tag)) continue;
        EXPECT_EQ(after.find(tag), 3U);
        ++moved;
    }
    EXPECT_NEAR(moved, 2500, 600);
}

TEST(EndpointTest, ReadsNamesAndAddresses) {
    EXPECT_EQ(Endpoint::parse("redis.example")->port, 6379);
    EXPECT_EQ(Endpoint::parse(" [::1]:7000 ")->host, "::1");
    EXPECT_EQ(Endpoint::parse("[::1]:7000")->to_string(), "[::1]:7000");
    EXPECT_EQ(Endpoint::parse_list("a:1, b:2")->size(), 2U);
    EXPECT_TRUE(Endpoint::parse_list("")->empty());
    for (const std::string_view text :
         {"", "a:", "a:0", "a:70000", "a:1x", "[::1", "[::1]x", "user@a:1", "redis://a:1"})
        EXPECT_FALSE(Endpoint::parse(text)) << text;
    const auto with_password = Endpoint::parse("redis://zona:secret@redis.example:6379");
    ASSERT_FALSE(with_password);
    EXPECT_TRUE(with_password.error().message().contains("'@redis.example:6379'"));
    EXPECT_FALSE(with_password.error().message().contains("secret"));
}

}  // namespace
}  // namespace zona::cache::redis
