#include "net/compress.h"

#include <string>

#include <gtest/gtest.h>
#include <zlib.h>

#include "net/conditional.h"
#include "net/testing/middleware_fixture.h"

namespace zona::net {
namespace {

std::string inflated(std::string packed) {
    z_stream state{};
    EXPECT_EQ(inflateInit2(&state, 15 + 16), Z_OK);
    std::string out(1U << 24U, '\0');
    state.next_in = reinterpret_cast<Bytef*>(packed.data());
    state.avail_in = static_cast<uInt>(packed.size());
    state.next_out = reinterpret_cast<Bytef*>(out.data());
    state.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflate(&state, Z_FINISH), Z_STREAM_END);
    EXPECT_EQ(state.avail_in, 0U);
    out.resize(out.size() - state.avail_out);
    inflateEnd(&state);
    return out;
}

class CompressTest : public MiddlewareTest {
  protected:
    CompressTest() {
        request_.method = Method::kGet;
        request_.peer = TcpPeer{"127.0.0.1", 40000};
        request_.headers.add("Accept-Encoding", "gzip");
        answer_ = [this] {
            Response response = Response::text(body_, type_);
            for (const auto& [name, value] : more_)
                response.headers.add(name, value);
            response.status = status_;
            return response;
        };
    }
    bool compressed() { return run(compress(options_)).headers.has("Content-Encoding"); }

    CompressOptions options_;
    std::string body_ = std::string(5000, 'a');
    std::string type_ = "application/json";
    int status_ = 200;
    std::vector<std::pair<std::string, std::string>> more_;
};

// HTTP-18
TEST_F(CompressTest, EncodesALargeTextForAClientThatTakesIt) {
    for (int i = 0; i < 1000; ++i)
        body_ += std::to_string(i * 7919);

    const Response response = run(compress({}));

    EXPECT_EQ(response.headers.find("Content-Encoding"), "gzip");
    EXPECT_EQ(response.headers.find("Vary"), "Accept-Encoding");
    EXPECT_LT(response.body.size(), body_.size());
    EXPECT_EQ(inflated(response.body), body_);
}

// HTTP-18
TEST_F(CompressTest, LeavesSmallBodiesAlone) {
    body_.assign(4096, 'a');
    EXPECT_FALSE(compressed());
    body_ += 'a';
    EXPECT_TRUE(compressed());
    options_.above = core::ByteCount(0);
    EXPECT_FALSE(compressed()) << "zero switches it off";
}

TEST_F(CompressTest, LeavesHugeBodiesAlone) {
    options_.most = core::ByteCount(6000);
    body_.assign(6001, 'a');
    EXPECT_FALSE(compressed());
}

TEST_F(CompressTest, SaysThatTheEncodingDependsOnTheRequestEvenWhereItIsPlain) {
    request_.headers.clear();

    const Response response = run(compress({}));

    EXPECT_FALSE(response.headers.has("Content-Encoding"));
    EXPECT_EQ(response.headers.find("Vary"), "Accept-Encoding");
    EXPECT_EQ(response.body, body_);
}

TEST_F(CompressTest, EncodesTextsOnly) {
    for (const char* text : {"application/json; charset=utf-8", "text/html", "Application/JSON",
                             "application/problem+json", "image/svg+xml"}) {
        type_ = text;
        EXPECT_TRUE(compressed()) << text;
    }
    for (const char* other :
         {"application/octet-stream", "image/png", "text/event-stream", "application/zip", ""}) {
        type_ = other;
        EXPECT_FALSE(compressed()) << other;
    }
}

TEST_F(CompressTest, LeavesAloneWhatMustStayAsItIs) {
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
             {"Content-Encoding", "br"}, {"Cache-Control", "no-store, no-transform"}}) {
        more_ = {{name, value}};
        const Response response = run(compress({}));
        EXPECT_EQ(response.body, body_) << name;
        EXPECT_NE(response.headers.find("Content-Encoding"), "gzip");
    }
    more_.clear();
    status_ = 206;
    EXPECT_FALSE(compressed());
}

TEST_F(CompressTest, LeavesStreamsAlone) {
    for (const StreamEnd end : {StreamEnd::kOnDrain, StreamEnd::kByItself}) {
        answer_ = [&] {
            Response response = Response::streaming(
                "application/x-ndjson",
                [](BodyWriter&) -> asio::awaitable<core::Result<void>> {
                    co_return core::Result<void>();
                },
                end);
            response.body = body_;
            return response;
        };
        EXPECT_FALSE(compressed());
    }
}

TEST_F(CompressTest, SendsABodyThatDoesNotShrinkAsItIs) {
    core::SeededRandom random(7);
    body_.clear();
    while (body_.size() < 5000)
        body_ += static_cast<char>(random.next() & 0xffU);

    const Response response = run(compress({}));

    EXPECT_FALSE(response.headers.has("Content-Encoding"));
    EXPECT_EQ(response.body, body_);
}

TEST_F(CompressTest, LeavesTheUnixSocketAlone) {
    request_.peer = UnixPeer{};

    const Response response = run(compress({}));

    EXPECT_FALSE(response.headers.has("Content-Encoding"));
    EXPECT_FALSE(response.headers.has("Vary"));
}

TEST_F(CompressTest, MakesAStrongTagWeakAndKeepsAWeakOne) {
    more_ = {{"ETag", "\"abc\""}};
    EXPECT_EQ(run(compress({})).headers.find("ETag"), "W/\"abc\"");
    more_ = {{"ETag", "W/\"abc\""}};
    EXPECT_EQ(run(compress({})).headers.find("ETag"), "W/\"abc\"");
    request_.headers.clear();
    more_ = {{"ETag", "\"abc\""}};
    EXPECT_EQ(run(compress({})).headers.find("ETag"), "\"abc\"") << "the plain bytes keep theirs";
}

// HTTP-18
TEST_F(CompressTest, ATagOfACompressedAnswerIsKnownAgain) {
    const auto both = [] {
        std::vector<Middleware> all;
        all.push_back(compress({}));
        all.push_back(conditional());
        return all;
    };
    const std::string tag(*run(both()).headers.find("ETag"));
    ASSERT_TRUE(tag.starts_with("W/"));
    request_.headers.add("If-None-Match", tag);

    const Response response = run(both());

    EXPECT_EQ(response.status, 304);
    EXPECT_TRUE(response.body.empty());
    EXPECT_EQ(response.headers.find("ETag"), tag);
    EXPECT_EQ(response.headers.find("Vary"), "Accept-Encoding");
    EXPECT_FALSE(response.headers.has("Content-Encoding"));
}

}  // namespace
}  // namespace zona::net
