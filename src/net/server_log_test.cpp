// What a server leaves in its log and its metrics.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/server.h"
#include "net/testing/test_server.h"

namespace zona::net {
namespace {

core::Result<Response> pong(Request&) {
    return Response::success("\"pong\"");
}

/// A server with /ping.
class ServerLog : public testing::Test {
  protected:
    void start() {
        server_ = std::make_unique<TestServer>(patient_options());
        server_->route(Method::kGet, "/ping", pong);
        server_->start();
    }
    RawClient client() { return RawClient(server_->endpoint()); }

    std::unique_ptr<TestServer> server_;
};

// OBS-16
TEST_F(ServerLog, LogsOneLinePerRequest) {
    start();
    RawClient raw = client();

    raw.ask(
        "GET /ping?token=secret HTTP/1.1\r\nHost: x\r\nUser-Agent: probe/1\r\n"
        "X-Correlation-Id: my-id\r\n\r\n");
    raw.ask("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
    raw.ask("broken\r\n\r\n");

    const auto lines = server_->wait_for_lines("\"message\":\"request\"", 3);
    ASSERT_EQ(lines.size(), 3U);
    for (const std::string_view part :
         {"\"category\":\"http.access\"", "\"method\":\"GET\"", "\"path\":\"/ping\"",
          "\"route\":\"/ping\"", "\"status\":200", "\"bytes_in\":90", "\"bytes_out\":",
          "\"duration_us\":", "\"peer\":\"unix:uid=", "\"user_agent\":\"probe/1\"",
          "\"correlation_id\":\"my-id\"", "\"outcome\":\"complete\""}) {
        EXPECT_TRUE(lines[0].contains(part)) << part << " in " << lines[0];
    }
    EXPECT_FALSE(lines[0].contains("secret"));
    EXPECT_TRUE(lines[1].contains("\"status\":404")) << lines[1];
    EXPECT_TRUE(lines[2].contains("\"status\":400")) << lines[2];
}

// HTTP-13
TEST_F(ServerLog, CountsByRoutePattern) {
    server_ = std::make_unique<TestServer>();
    server_->route(Method::kGet, "/things/{id}", pong);
    server_->start();
    RawClient raw = client();

    raw.ask("GET /things/1 HTTP/1.1\r\nHost: x\r\n\r\n");
    raw.ask("GET /things/2 HTTP/1.1\r\nHost: x\r\n\r\n");
    raw.ask("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
    server_->wait_for_lines("\"message\":\"request\"", 3);

    const std::string text = server_->metrics().render_prometheus();
    EXPECT_TRUE(
        text.contains("zona_http_request_duration_seconds_count{method=\"GET\","
                      "route=\"/things/{id}\",status=\"200\"} 2"))
        << text;
    EXPECT_TRUE(text.contains("route=\"unmatched\",status=\"404\"} 1")) << text;
    EXPECT_TRUE(text.contains("zona_http_requests_in_flight 0")) << text;
    EXPECT_FALSE(text.contains("/things/1"));
}

TEST_F(ServerLog, KeepsTheLogFromBeingForged) {
    start();
    RawClient raw = client();

    raw.ask("GET /a%22%7D HTTP/1.1\r\nHost: x\r\nUser-Agent: \"},{\"x\r\n\r\n");

    const auto lines = server_->wait_for_lines("\"message\":\"request\"", 1);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_TRUE(lines[0].contains(R"("user_agent":"\"},{\"x")")) << lines[0];
}

}  // namespace
}  // namespace zona::net
