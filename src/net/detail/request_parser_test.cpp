#include "net/detail/request_parser.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace zona::net::detail {
namespace {

using State = RequestParser::State;

struct Parsed {
    Request request;
    State state = State::kHead;
    std::size_t used = 0;
    bool keep_alive = false;
    int status = 0;  ///< of the fault
};

/// Shows `text` in pieces, each with what was not consumed before, as a connection does.
Parsed parse(std::string_view text, std::size_t piece) {
    Parsed out;
    RequestParser parser({core::ByteCount(1000), 10});
    parser.begin(out.request);
    std::size_t shown = 0;
    while (shown < text.size() && parser.state() != State::kDone &&
           parser.state() != State::kFault) {
        shown = std::min(text.size(), shown + piece);
        while (true) {
            const State before = parser.state();
            const std::size_t used = parser.feed(text.substr(out.used, shown - out.used));
            out.used += used;
            if (before == State::kHead && parser.state() == State::kBody) {
                parser.limit_body(core::ByteCount(100));
            }
            if (used == 0 || out.used == shown || parser.state() == State::kDone) break;
        }
    }
    out.state = parser.state();
    out.keep_alive = parser.keep_alive();
    if (out.state == State::kFault) {
        const Fault fault = parser.take_fault();
        out.status = fault.status == 0 ? core::info(fault.error.code()).http_status : fault.status;
    }
    return out;
}

TEST(RequestParser, ReadsTheSameInAnyPieces) {
    const std::string text =
        "POST /a%20b?c=d HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nX-Two:  b c \t\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5;x=\"y z\"\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        const Parsed parsed = parse(text + "GET", piece);

        ASSERT_EQ(parsed.state, State::kDone) << piece;
        EXPECT_EQ(parsed.used, text.size());
        EXPECT_EQ(parsed.request.path, "/a b");
        EXPECT_EQ(parsed.request.body, "hello!");
        EXPECT_EQ(parsed.request.headers.find("x-empty"), "");
        EXPECT_EQ(parsed.request.headers.find("X-Two"), "b c");
        EXPECT_FALSE(parsed.request.headers.has("A")) << "trailers are dropped";
        EXPECT_TRUE(parsed.keep_alive);
    }
}

TEST(RequestParser, StopsBehindABodyWithALength) {
    const std::string text = "PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        const Parsed parsed = parse(text + "more", piece);

        ASSERT_EQ(parsed.state, State::kDone) << piece;
        EXPECT_EQ(parsed.used, text.size());
        EXPECT_EQ(parsed.request.body, "abc");
    }
}

TEST(RequestParser, FindsTheSameFaultInAnyPieces) {
    struct Case {
        std::string text;
        int status;
    };
    const std::string post = "POST /a HTTP/1.1\r\nHost: x\r\n";
    for (const Case& entry : std::initializer_list<Case>{
             {"GET /a HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400},
             {"GET /a HTTP/1.1\r\nHost: x\r\nA:\r\n \r\n\r\n", 400},
             {"GET /a HTTP/1.1\r\nHost: x\r\nA: b\nB: c\r\n\r\n", 400},
             {"GET /a HTTP/1.1\r\nHost: x\r\n\n", 400},
             {"GET /a HTTP/1.1\r\nHost: x\n\n", 400},
             {post + "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n", 400},
             {post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n", 400},
             {post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\n\n", 400},
             {post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\n", 400},
             {post + "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n", 400},
             {post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
             {post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400},
             {post + "Transfer-Encoding: chunked\r\n\r\n65\r\n", 413},
             {post + "Content-Length: 101\r\n\r\n", 413},
             {"GET /a HTTP/1.1\r\nHost: x\r\nA: " + std::string(1000, 'a') + "\r\n\r\n", 431},
             {"GET /a HTTP/3.0\r\n\r\n", 505}}) {
        for (std::size_t piece = 1; piece <= entry.text.size(); ++piece) {
            const Parsed parsed = parse(entry.text, piece);

            ASSERT_EQ(parsed.state, State::kFault) << entry.text << piece;
            EXPECT_EQ(parsed.status, entry.status) << entry.text << piece;
            EXPECT_FALSE(parsed.keep_alive);
        }
    }
}

}  // namespace
}  // namespace zona::net::detail
