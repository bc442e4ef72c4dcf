#include "net/server.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/testing/test_server.h"
#include "os/resources.h"

namespace zona::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr std::string_view kPing = "GET /ping HTTP/1.1\r\nHost: zona\r\n\r\n";

core::Result<Response> pong(Request&) {
    return Response::success("\"pong\"");
}
core::Result<Response> echo(Request& request) {
    return Response::json(request.body);
}

/// A server with /ping and /echo.
class HttpServer : public testing::TestWithParam<Transport> {
  protected:
    void start(const ServerOptions& options = patient_options()) {
        server_ = std::make_unique<TestServer>(options, GetParam());
        server_->route(Method::kGet, "/ping", pong);
        server_->route(Method::kPost, "/echo", echo);
        server_->start();
    }
    RawClient client() { return RawClient(server_->endpoint()); }

    /// One refusal: its answer, its access line, and that the connection ends.
    void expect_refusal(std::string_view request, int status, std::string_view code) {
        RawClient raw = client();
        const RawResponse response = raw.ask(request);
        EXPECT_EQ(response.status, status) << request;
        EXPECT_EQ(response.header("Content-Type"), "application/json");
        EXPECT_EQ(response.header("Connection"), "close");
        EXPECT_EQ(response.header("X-Content-Type-Options"), "nosniff");
        EXPECT_TRUE(response.body.contains("\"success\":false")) << response.body;
        EXPECT_TRUE(response.body.contains(std::string("\"code\":\"") + std::string(code) + "\""))
            << response.body;
        const std::string id = response.header("X-Correlation-Id");
        EXPECT_TRUE(response.body.contains("\"correlation_id\":\"" + id + "\""));
        raw.end_output();
        EXPECT_TRUE(raw.closed_silently()) << request;
        EXPECT_EQ(server_->wait_for_lines("\"correlation_id\":\"" + id + "\"", 2).size(), 2U)
            << "one access line and one line of the error";
    }

    std::unique_ptr<TestServer> server_;
};

INSTANTIATE_TEST_SUITE_P(Over, HttpServer,
                         testing::Values(Transport::kUnix, Transport::kTcp, Transport::kTls),
                         name_of_transport);

TEST_P(HttpServer, AnswersARequest) {
    start();
    RawClient raw = client();

    const RawResponse response = raw.ask(kPing);

    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, R"({"success":true,"data":"pong"})");
    EXPECT_EQ(response.header("Content-Length"), std::to_string(response.body.size()));
    EXPECT_EQ(response.header("Date").size(), 29U);
}

// HTTP-07
TEST_P(HttpServer, PutsSecurityHeadersOnEveryAnswer) {
    start();
    RawClient raw = client();
    for (const std::string_view request :
         {kPing, std::string_view("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"),
          std::string_view("DELETE /ping HTTP/1.1\r\nHost: x\r\n\r\n"),
          std::string_view("OPTIONS /ping HTTP/1.1\r\nHost: x\r\n\r\n"),
          std::string_view("BROKEN\r\n\r\n")}) {
        const RawResponse response = raw.ask(request);

        EXPECT_EQ(response.header("X-Content-Type-Options"), "nosniff") << request;
        EXPECT_EQ(response.header("X-Frame-Options"), "DENY");
        EXPECT_EQ(response.header("Referrer-Policy"), "no-referrer");
        EXPECT_EQ(response.header("Cache-Control"), "no-store");
        EXPECT_TRUE(response.header("Content-Security-Policy").starts_with("default-src 'none';"));
        EXPECT_NE(response.header("X-Correlation-Id"), "(none)");
    }
}

// HTTP-02
TEST_P(HttpServer, AnswersAnUnknownPathWith404InTheEnvelope) {
    start();
    RawClient raw = client();

    const RawResponse response =
        raw.ask("GET /nowhere HTTP/1.1\r\nHost: x\r\nX-Correlation-Id: abc.1\r\n\r\n");

    EXPECT_EQ(response.status, 404);
    EXPECT_EQ(response.body,
              R"({"success":false,"error":{"code":"NOT_FOUND","message":"there is no GET /nowhere")"
              R"(,"details":[],"correlation_id":"abc.1"}})");
    EXPECT_EQ(raw.ask(kPing).status, 200) << "the connection goes on";
}

TEST_P(HttpServer, AnswersAWrongMethodWith405AndAllow) {
    start();
    RawClient raw = client();

    const RawResponse response = raw.ask("DELETE /ping HTTP/1.1\r\nHost: x\r\n\r\n");

    EXPECT_EQ(response.status, 405);
    EXPECT_EQ(response.header("Allow"), "GET, HEAD, OPTIONS");
    EXPECT_TRUE(response.body.contains("METHOD_NOT_ALLOWED"));
}

TEST_P(HttpServer, AnswersHeadWithoutABodyAndKeepsTheLength) {
    start();
    RawClient raw = client();

    const RawResponse response = raw.ask("HEAD /ping HTTP/1.1\r\nHost: x\r\n\r\n", "HEAD");

    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.header("Content-Length"), "30");
    EXPECT_EQ(raw.ask(kPing).status, 200);
}

// HTTP-04, GAP-56
TEST_P(HttpServer, RefusesMalformedRequestsWith400) {
    start();
    for (const std::string_view request : std::initializer_list<std::string_view>{
             "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
             "GET\r\n\r\n",
             "GET /ping\r\n\r\n",
             "GET  /ping HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /ping HTTP/1.1 \r\nHost: x\r\n\r\n",
             "GET /ping HTTQ/1.1\r\nHost: x\r\n\r\n",
             "GET /ping http/1.1\r\nHost: x\r\n\r\n",
             " GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
             "G@T /ping HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /ping HTTP/1.1\nHost: x\n\n",
             "GET /ping HTTP/1.1\r\nHost: x\n\r\n",
             "GET /ping HTTP/1.1\r\nHost: x\rY: z\r\n\r\n",
             "GET /ping HTTP/1.1\r\nHost : x\r\n\r\n",
             "GET /ping HTTP/1.1\r\n: x\r\n\r\n",
             "GET /ping HTTP/1.1\r\nHost x\r\n\r\n",
             "GET /ping HTTP/1.1\r\nHost: x\r\nA: b\x01\r\n\r\n",
             "GET /ping HTTP/1.1\r\nHost: x\r\nA: b\x7f\r\n\r\n",
             "GET /ping HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n",
             "GET /ping HTTP/1.1\r\nHost: x\r\nA:\r\n folded\r\n\r\n",
             "GET /ping HTTP/1.1\r\nHost: x\r\nA: b\r\n\tfolded\r\n\r\n",
             "GET /ping HTTP/1.1\r\n\r\n",
             "GET /ping HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
             "GET /ping HTTP/1.1\r\nHost: x y\r\n\r\n",
             "GET /ping HTTP/1.1\r\nHost: x/../y\r\n\r\n",
             "GET ping HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /p%zz HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /p% HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /p%00 HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /p%0a HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /p%ff HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /p\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /a/../ping HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /a/%2e%2e/ping HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /ping#top HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET /ping?a=%4 HTTP/1.1\r\nHost: x\r\n\r\n",
             "GET ftp://x/ping HTTP/1.1\r\nHost: x\r\n\r\n",
             "CONNECT x:443 HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
             "GET * HTTP/1.1\r\nHost: x\r\n\r\n"}) {
        expect_refusal(request, 400, "INVALID_ARGUMENT");
    }
}

TEST_P(HttpServer, RefusesBytesThatAreNotHttp) {
    start();
    const std::string hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s;

    expect_refusal(hello, 400, "INVALID_ARGUMENT");
    expect_refusal("GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n"s, 400, "INVALID_ARGUMENT");
    expect_refusal("GET /a HTTP/1.1\r\nHost: x\0\r\n\r\n"s, 400, "INVALID_ARGUMENT");
}

// HTTP-04
TEST_P(HttpServer, RefusesEveryAmbiguousFraming) {
    start();
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    for (const std::string_view framing : std::initializer_list<std::string_view>{
             "Content-Length: 2\r\nContent-Length: 2\r\n",
             "Content-Length: 2\r\nContent-Length: 3\r\n", "Content-Length: 2, 2\r\n",
             "Content-Length: +2\r\n", "Content-Length: -2\r\n", "Content-Length: 0x2\r\n",
             "Content-Length: 2 2\r\n", "Content-Length: \r\n",
             "Content-Length: 99999999999999999999\r\n",
             "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
             "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
             "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
             "Transfer-Encoding: identity\r\n", "Transfer-Encoding: chunked, identity\r\n",
             "Transfer-Encoding: chunked, chunked\r\n", "Transfer-Encoding: xchunked\r\n",
             "Transfer-Encoding: \"chunked\"\r\n", "Transfer-Encoding:\r\n"}) {
        expect_refusal(head + std::string(framing) + "\r\n0\r\n\r\n", 400, "INVALID_ARGUMENT");
    }
    expect_refusal("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400,
                   "INVALID_ARGUMENT");
    expect_refusal(head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "UNSUPPORTED");
}

TEST_P(HttpServer, RefusesBrokenChunks) {
    start();
    const std::string head =
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n";
    const std::string extensions = "1;a=\"" + std::string(6000, 'x') + "\"\r\na\r\n0\r\n\r\n";
    for (const std::string& body : std::initializer_list<std::string>{
             "zz\r\nab\r\n0\r\n\r\n", "-1\r\nab\r\n0\r\n\r\n", "2\nab\r\n0\r\n\r\n",
             "2\r\nabc\r\n0\r\n\r\n", "2 \r\nab\r\n0\r\n\r\n", " 2\r\nab\r\n0\r\n\r\n",
             "ffffffffffffffffff\r\nab\r\n0\r\n\r\n", "2;=\r\nab\r\n0\r\n\r\n",
             "2\r\nab\r\n0\r\nContent-Length: 2\r\n\r\n", "2\r\nab\r\n0\r\nA b\r\n\r\n",
             "2\r\nab\r\n0\r\nA: b\r\n folded\r\n\r\n", "0x2\r\nab\r\n0\r\n\r\n",
             std::string(9000, '1'), extensions}) {
        expect_refusal(head + body, 400, "INVALID_ARGUMENT");
    }
}

TEST_P(HttpServer, TakesAChunkedBodyInAnyPieces) {
    start();
    const std::string request =
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
        "4;name=value\r\n[1,2\r\nA\r\n,3,4,5,6,7\r\n1\r\n]\r\n0\r\nTrailer: dropped\r\n\r\n";
    RawClient raw = client();

    EXPECT_EQ(raw.ask(request).body, "[1,2,3,4,5,6,7]");
    for (const char byte : request)
        raw.send({&byte, 1});
    EXPECT_EQ(raw.read().body, "[1,2,3,4,5,6,7]");
}

TEST_P(HttpServer, TakesAnEmptyChunkedBodyInAnyPieces) {
    start();
    const std::string request =
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    RawClient raw = client();

    for (const char byte : request)
        raw.send({&byte, 1});
    const RawResponse response = raw.read();

    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "");
}

TEST_P(HttpServer, RefusesATooLargeHeadWith431) {
    ServerOptions options = patient_options();
    options.head = core::ByteCount(1000);
    options.head_fields = 10;
    start(options);
    std::string fields = "GET /ping HTTP/1.1\r\nHost: x\r\n";
    for (int i = 0; i < 10; ++i)
        fields += "A" + std::to_string(i) + ": b\r\n";

    expect_refusal("GET /" + std::string(1000, 'a'), 431, "HEADER_TOO_LARGE");
    expect_refusal("GET /ping HTTP/1.1\r\nHost: x\r\nA: " + std::string(1000, 'a'), 431,
                   "HEADER_TOO_LARGE");
    expect_refusal("GET /ping HTTP/1.1\r\nHost: x\r\nA: " + std::string(970, 'a') + "\r\n\r\n", 431,
                   "HEADER_TOO_LARGE");
    expect_refusal(fields + "\r\n", 431, "HEADER_TOO_LARGE");
}

TEST_P(HttpServer, TakesAHeadOfExactlyTheLimit) {
    ServerOptions options = patient_options();
    options.head = core::ByteCount(200);
    start(options);
    std::string request = "GET /ping HTTP/1.1\r\nHost: x\r\nA: \r\n\r\n";
    request.insert(request.size() - 4, 200 - request.size(), 'a');
    RawClient raw = client();

    EXPECT_EQ(raw.ask(request).status, 200);
    request.insert(request.size() - 4, 1, 'a');
    expect_refusal(request, 431, "HEADER_TOO_LARGE");
}

// GAP-57
TEST_P(HttpServer, RefusesATooLargeBodyWith413BeforeItIsSent) {
    ServerOptions options = patient_options();
    options.body = core::ByteCount(100);
    start(options);
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

    expect_refusal(head + "Content-Length: 101\r\n\r\n", 413, "TOO_LARGE");
    expect_refusal(head + "Content-Length: 5000000000\r\nExpect: 100-continue\r\n\r\n", 413,
                   "TOO_LARGE");
    expect_refusal(head + "Transfer-Encoding: chunked\r\n\r\n65\r\n", 413, "TOO_LARGE");
    expect_refusal(
        head + "Transfer-Encoding: chunked\r\n\r\n40\r\n" + std::string(64, ' ') + "\r\n25\r\n",
        413, "TOO_LARGE");
}

TEST_P(HttpServer, TakesABodyOfExactlyTheLimit) {
    ServerOptions options = patient_options();
    options.body = core::ByteCount(100);
    start(options);
    const std::string head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    const std::string body(100, ' ');
    RawClient raw = client();

    EXPECT_EQ(raw.ask(head + "Content-Length: 100\r\n\r\n" + body).body, body);
    EXPECT_EQ(
        raw.ask(head + "Transfer-Encoding: chunked\r\n\r\n64\r\n" + body + "\r\n0\r\n\r\n").body,
        body);
}

TEST_P(HttpServer, LetsTheClientReadTheRefusalOfABodyThatItStillSends) {
    ServerOptions options = patient_options();
    options.body = core::ByteCount(100);
    start(options);
    RawClient raw = client();

    raw.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n");
    const bool sent = raw.send(std::string(3'000'000, 'x'));
    const RawResponse response = raw.read();

    EXPECT_TRUE(sent);
    EXPECT_EQ(response.status, 413);
    EXPECT_TRUE(response.complete);
}

TEST_P(HttpServer, AppliesTheLimitsOfTheRoute) {
    server_ = std::make_unique<TestServer>();
    RouteOptions options;
    options.limits.body = core::ByteCount(5);
    server_->route(Method::kPost, "/small", echo, options);
    server_->start();

    expect_refusal("POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n", 413,
                   "TOO_LARGE");
}

TEST_P(HttpServer, SendsContinueOnceTheHeadIsAccepted) {
    start();
    RawClient raw = client();

    raw.send(
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    const std::string interim = raw.read_until("\r\n\r\n");
    const RawResponse response = raw.ask("{}");

    EXPECT_EQ(interim, "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "{}");
}

TEST_P(HttpServer, RefusesWhatItCannotSpeak) {
    start();

    expect_refusal("GET /ping HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n", 417,
                   "INVALID_ARGUMENT");
    expect_refusal("BREW /ping HTTP/1.1\r\nHost: x\r\n\r\n", 501, "UNSUPPORTED");
    expect_refusal("CONNECT /ping HTTP/1.1\r\nHost: x\r\n\r\n", 501, "UNSUPPORTED");
    expect_refusal("GET /ping HTTP/2.0\r\nHost: x\r\n\r\n", 505, "UNSUPPORTED");
    expect_refusal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "UNSUPPORTED");
    expect_refusal("GET /ping HTTP/0.9\r\n\r\n", 505, "UNSUPPORTED");
}

TEST_P(HttpServer, ServesHttp10AndCloses) {
    start();
    RawClient raw = client();

    const RawResponse response = raw.ask("GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");

    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.header("Connection"), "close");
    EXPECT_TRUE(raw.closed_silently());
}

TEST_P(HttpServer, ClosesWhenTheClientAsksForIt) {
    start();
    RawClient raw = client();

    const RawResponse response =
        raw.ask("GET /ping HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n");

    EXPECT_EQ(response.header("Connection"), "close");
    EXPECT_TRUE(raw.closed_silently());
}

TEST_P(HttpServer, TakesAbsoluteFormAndOneBlankLineBeforeARequest) {
    start();
    RawClient raw = client();

    EXPECT_EQ(raw.ask("GET http://zona/ping?x=1 HTTP/1.1\r\nHost: other\r\n\r\n").status, 200);
    EXPECT_EQ(raw.ask("\r\nGET /ping HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
    EXPECT_EQ(raw.ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").status, 204);
}

TEST_P(HttpServer, AnswersPipelinedRequestsInOrder) {
    start();
    RawClient raw = client();
    std::string requests;
    for (int i = 0; i < 200; ++i) {
        const std::string body = std::to_string(i);
        requests += "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
        requests += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }

    raw.send(requests);

    for (int i = 0; i < 200; ++i)
        EXPECT_EQ(raw.read().body, std::to_string(i));
}

TEST_P(HttpServer, AnswersWhatCameBeforeAMalformedRequest) {
    start();
    RawClient raw = client();

    raw.send(std::string(kPing) + "nonsense\r\n\r\n" + std::string(kPing));

    EXPECT_EQ(raw.read().status, 200);
    EXPECT_EQ(raw.read().status, 400);
    raw.end_output();
    EXPECT_TRUE(raw.closed_silently()) << "what follows a malformed request is not read";
}

TEST_P(HttpServer, RefusesARequestThatEndsHalfway) {
    start();
    for (const std::string_view part :
         {"G", "GET /ping HTTP/1.1\r\nHost: x\r\n",
          "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{}",
          "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}"}) {
        RawClient raw = client();
        raw.send(part);
        raw.end_output();

        const RawResponse response = raw.read();

        EXPECT_EQ(response.status, 400) << part;
        EXPECT_TRUE(response.body.contains("ends before it is complete"));
    }
}

TEST_P(HttpServer, AnswersAClientThatEndsItsSending) {
    start();
    RawClient raw = client();
    raw.send(kPing);
    raw.end_output();

    EXPECT_EQ(raw.read().status, 200);
    EXPECT_TRUE(raw.closed_silently());
}

TEST_P(HttpServer, ClosesAnIdleConnectionWithoutAWord) {
    ServerOptions options = patient_options();
    options.idle_time = 2ms;
    start(options);
    RawClient raw = client();

    EXPECT_TRUE(raw.closed_silently());
}

TEST_P(HttpServer, AnswersASlowHeadWith408) {
    ServerOptions options = patient_options();
    // A handshake has as long, and it is to succeed.
    options.head_time = GetParam() == Transport::kTls ? 1s : 2ms;
    start(options);

    expect_refusal("GET /ping HTTP/1.1\r\nHos", 408, "TIMEOUT");
}

TEST_P(HttpServer, AnswersASlowBodyWith408) {
    ServerOptions options = patient_options();
    options.request_time = 2ms;
    start(options);

    expect_refusal("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{", 408, "TIMEOUT");
}

TEST_P(HttpServer, EndsTheConnectionAfterItsLastRequest) {
    ServerOptions options = patient_options();
    options.requests_per_connection = 2;
    start(options);
    RawClient raw = client();

    EXPECT_EQ(raw.ask(kPing).header("Connection"), "(none)");
    EXPECT_EQ(raw.ask(kPing).header("Connection"), "close");
    EXPECT_TRUE(raw.closed_silently());
}

TEST_P(HttpServer, AnswersConnectionsOverTheLimitWith503) {
    ServerOptions options = patient_options();
    options.connections = 2;
    start(options);
    RawClient first = client();
    RawClient second = client();
    ASSERT_EQ(first.ask(kPing).status, 200);
    ASSERT_EQ(second.ask(kPing).status, 200);

    expect_refusal("", 503, "UNAVAILABLE");
    expect_refusal(kPing, 503, "UNAVAILABLE");

    first.close();
    EXPECT_TRUE(TestServer::eventually([&] { return client().ask(kPing).status == 200; }));
}

TEST_P(HttpServer, MakesAnExceptionA500WithoutItsText) {
    server_ = std::make_unique<TestServer>();
    server_->route(Method::kGet, "/throws", [](Request&) -> core::Result<Response> {
        throw std::runtime_error("secret detail");
    });
    server_->start();
    RawClient raw = client();

    const RawResponse response = raw.ask("GET /throws HTTP/1.1\r\nHost: x\r\n\r\n");

    EXPECT_EQ(response.status, 500);
    EXPECT_FALSE(response.body.contains("secret detail"));
    const auto lines = server_->wait_for_lines("secret detail", 1);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_TRUE(lines[0].contains(response.header("X-Correlation-Id")));
}

TEST_P(HttpServer, ServesAThousandConnections) {
    ASSERT_GT(os::raise_fd_limit(4096), 2200U)
        << "both ends of all connections are in this process";
    ServerOptions options = patient_options();
    options.connections = 1000;
    options.connections_per_address = 0;
    start(options);
    std::vector<RawClient> clients;
    clients.reserve(1000);
    for (int i = 0; i < 1000; ++i)
        clients.emplace_back(server_->endpoint());

    for (RawClient& raw : clients)
        raw.send(kPing);
    for (RawClient& raw : clients)
        ASSERT_EQ(raw.read().status, 200);
    for (RawClient& raw : clients)
        ASSERT_EQ(raw.ask(kPing).status, 200);

    clients.clear();
    EXPECT_TRUE(TestServer::eventually([&] {
        std::size_t open = 1;
        server_->on_server([&](Server& server) { open = server.connections(); });
        return open == 0;
    }));
}

}  // namespace
}  // namespace zona::net
