#include "net/detail/response_parser.h"

#include <string>

#include <gtest/gtest.h>

namespace zona::net::detail {
namespace {

struct Parsed {
    int status = 0;
    std::string body;
    bool done = false;
    bool keep_alive = false;
    std::size_t used = 0;
    core::Code error = core::Code::kCancelled;  ///< kCancelled: none
};

Parsed parse(std::string_view text, std::string_view method = "GET",
             std::size_t piece = 1U << 20U) {
    Parsed out;
    ResponseParser parser(method);
    const auto sink = [&out](std::string_view part) {
        out.body += part;
        return true;
    };
    while (!text.empty() && !parser.done()) {
        const auto used = parser.feed(text.substr(0, piece), sink);
        if (!used.has_value()) {
            out.error = used.error().code();
            return out;
        }
        text.remove_prefix(*used);
        out.used += *used;
    }
    out.status = parser.status();
    out.done = parser.done();
    out.keep_alive = parser.done() && parser.keep_alive();
    return out;
}

TEST(ResponseParser, ReadsALengthAndStopsBehindIt) {
    const std::string text = "HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc";

    const Parsed parsed = parse(text + "HTTP/1.1 200 OK\r\n");

    EXPECT_EQ(parsed.status, 201);
    EXPECT_EQ(parsed.body, "abc");
    EXPECT_TRUE(parsed.done);
    EXPECT_TRUE(parsed.keep_alive);
    EXPECT_EQ(parsed.used, text.size());
}

TEST(ResponseParser, ReadsChunksInAnyPieces) {
    const std::string text =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n"
        "0\r\nTrailer: t\r\n\r\n";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        const Parsed parsed = parse(text, "GET", piece);

        EXPECT_EQ(parsed.body, "abc0123456789");
        EXPECT_TRUE(parsed.done) << piece;
        EXPECT_EQ(parsed.used, text.size());
    }
}

TEST(ResponseParser, SkipsInterimAnswers) {
    const Parsed parsed = parse(
        "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: "
        "close\r\n\r\n");

    EXPECT_EQ(parsed.status, 204);
    EXPECT_TRUE(parsed.done);
    EXPECT_FALSE(parsed.keep_alive);
}

TEST(ResponseParser, TakesNoBodyForHead) {
    EXPECT_TRUE(parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "HEAD").done);
}

TEST(ResponseParser, ReadsToTheEndWithoutAFraming) {
    ResponseParser parser("GET");
    std::string body;
    const auto sink = [&body](std::string_view part) {
        body += part;
        return true;
    };
    ASSERT_TRUE(parser.feed("HTTP/1.1 200 OK\r\n\r\nabc", sink).has_value());
    ASSERT_FALSE(parser.done());

    EXPECT_TRUE(parser.end_of_input().has_value());
    EXPECT_TRUE(parser.done());
    EXPECT_FALSE(parser.keep_alive());
    EXPECT_EQ(body, "abc");
}

TEST(ResponseParser, TellsAnEndInTheMiddle) {
    for (const std::string_view text :
         {"", "HTTP", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
          "HTTP/1.1 100 Continue\r\n\r\n"}) {
        ResponseParser parser("GET");
        ASSERT_TRUE(parser.feed(text, [](std::string_view) { return true; }).has_value());

        const auto ended = parser.end_of_input();

        ASSERT_FALSE(ended.has_value()) << text;
        EXPECT_EQ(ended.error().code(), core::Code::kUnavailable);
    }
}

TEST(ResponseParser, RefusesWhatIsNotHttp) {
    for (const std::string_view text :
         {"220 ftp ready\r\n",
          "HTTP/2.0 200 OK\r\n",
          "HTTP/1.1 2x0 OK\r\n",
          "HTTP/1.1 20\r\n",
          "HTTP/1.1 200OK\r\n",
          "HTTP/1.1 200 OK\n",
          "HTTP/1.1 099 X\r\n",
          "HTTP/1.1 200 OK\r\nA b\r\n",
          "HTTP/1.1 200 OK\r\n: b\r\n",
          "HTTP/1.1 200 OK\r\nA : b\r\n",
          "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n",
          "HTTP/1.1 200 OK\r\nA: \x01\r\n",
          "HTTP/1.1 101 Switching\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"}) {
        EXPECT_EQ(parse(text).error, core::Code::kInternal) << text;
    }
}

TEST(ResponseParser, BoundsTheHead) {
    EXPECT_EQ(parse("HTTP/1.1 200 OK\r\nA: " + std::string(70000, 'a')).error,
              core::Code::kTooLarge);
}

TEST(ResponseParser, StopsWhenTheSinkHasEnough) {
    ResponseParser parser("GET");
    int pieces = 0;

    const auto used = parser.feed(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
        [&pieces](std::string_view) {
            ++pieces;
            return false;
        });

    EXPECT_TRUE(used.has_value());
    EXPECT_EQ(pieces, 1);
    EXPECT_TRUE(parser.stopped());
    EXPECT_FALSE(parser.done());
}

}  // namespace
}  // namespace zona::net::detail
