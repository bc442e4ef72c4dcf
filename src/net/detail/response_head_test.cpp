#include "net/detail/response_head.h"

#include <string>

#include <gtest/gtest.h>

namespace zona::net::detail {
namespace {

using namespace std::string_literals;

TEST(ResponseHead, WritesStatusFieldsAndFraming) {
    const Response response = Response::json("{}", 201);
    std::string out;

    append_head(out, response, {Framing::kLength, true, "DATE"});

    EXPECT_EQ(out,
              "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
              "Date: DATE\r\n\r\n");
}

TEST(ResponseHead, NamesChunksAndTheEndOfTheConnection) {
    std::string out;

    append_head(out, Response(), {Framing::kChunked, false, "DATE"});

    EXPECT_EQ(out,
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nDate: "
              "DATE\r\n\r\n");
}

TEST(ResponseHead, LetsNoValueStartALine) {
    Response response;
    response.headers.add("X-Value", "a\r\nSet-Cookie: b\0\x7f\tc"s);
    response.headers.add("Bad Name", "x");
    response.headers.add("Bad\r\nName", "x");
    std::string out;

    append_head(out, response, {Framing::kNone, true, "DATE"});

    EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nX-Value: a  Set-Cookie: b  \tc\r\nDate: DATE\r\n\r\n");
}

TEST(ResponseHead, DropsTheFieldsThatItWritesItself) {
    Response response;
    response.headers.add("content-length", "99");
    response.headers.add("Transfer-Encoding", "chunked");
    response.headers.add("Connection", "upgrade");
    response.headers.add("date", "x");
    response.status = 599;
    std::string out;

    append_head(out, response, {Framing::kLength, true, "DATE"});

    EXPECT_EQ(out, "HTTP/1.1 599 Unknown\r\nContent-Length: 0\r\nDate: DATE\r\n\r\n");
}

TEST(DateCache, WritesTheDateOfHttpAndRenewsItBySeconds) {
    DateCache cache;
    const core::SystemTime moment(std::chrono::seconds(784111777));

    EXPECT_EQ(cache.at(moment), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(cache.at(moment + std::chrono::milliseconds(999)), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(cache.at(moment + std::chrono::seconds(1)), "Sun, 06 Nov 1994 08:49:38 GMT");
}

TEST(ReasonOf, KnowsTheStatusOfEveryCode) {
    for (const core::CodeInfo& row : core::all_codes()) {
        EXPECT_NE(reason_of(row.http_status), "Unknown") << row.http_status;
    }
}

}  // namespace
}  // namespace zona::net::detail
