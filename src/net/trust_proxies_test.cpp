#include "net/trust_proxies.h"

#include <gtest/gtest.h>

#include "net/testing/middleware_fixture.h"

namespace zona::net {
namespace {

class TrustProxiesTest : public MiddlewareTest {
  protected:
    /// Which address a request from `peer` with these fields has.
    std::string client(const std::string& peer, const std::vector<std::string>& fields) {
        request_.clear();
        request_.peer = TcpPeer{.address = peer, .port = 4711, .to_port = 8063};
        for (const std::string& field : fields)
            request_.headers.add("X-Forwarded-For", field);
        run(trust_proxies(
            NetworkSet::parse(std::vector<std::string>{"10.0.0.0/8", "fd00::/8"}).value()));
        const auto& client = std::get<TcpPeer>(request_.peer);
        EXPECT_EQ(client.to_port, 8063) << "the listener stays the same";
        return client.address;
    }
};

// SEC-16, SEC-15
TEST_F(TrustProxiesTest, TheLastAddressThatIsNoProxysIsTheClients) {
    struct Row {
        const char* peer;
        std::vector<std::string> fields;
        const char* client;
    };
    const Row rows[] = {
        {"10.0.0.1", {"192.0.2.7"}, "192.0.2.7"},
        {"::ffff:10.0.0.1", {"192.0.2.7"}, "192.0.2.7"},
        {"10.0.0.1", {"203.0.113.9, 192.0.2.7"}, "192.0.2.7"},
        {"10.0.0.1", {"203.0.113.9, 192.0.2.7, 10.0.0.2, fd00::2"}, "192.0.2.7"},
        {"10.0.0.1", {"203.0.113.9", "192.0.2.7", "10.0.0.2"}, "192.0.2.7"},
        {"10.0.0.1", {"192.0.2.7:4711"}, "192.0.2.7"},
        {"10.0.0.1", {"[2001:db8::7]:4711"}, "2001:db8::7"},
        {"10.0.0.1", {"2001:db8::7"}, "2001:db8::7"},
        {"10.0.0.1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
        {"10.0.0.1", {"192.0.2.7, unknown"}, "10.0.0.1"},
        {"10.0.0.1", {"192.0.2.7, unknown, 10.0.0.2"}, "10.0.0.2"},
        {"10.0.0.1", {}, "10.0.0.1"},
        {"10.0.0.1", {"[", "", ","}, "10.0.0.1"},
        {"192.0.2.9", {"127.0.0.1"}, "192.0.2.9"},
    };
    for (const Row& row : rows)
        EXPECT_EQ(client(row.peer, row.fields), row.client) << fmt::format("{}", row.client);
}

// SEC-16
TEST_F(TrustProxiesTest, TheProxySaysWhetherTheClientSpeaksTls) {
    const auto over_tls = [&](const std::string& peer, const std::string& scheme) {
        request_.clear();
        request_.peer = TcpPeer{.address = peer, .port = 4711};
        request_.headers.add("X-Forwarded-Proto", scheme);
        run(trust_proxies(NetworkSet::parse(std::vector<std::string>{"10.0.0.0/8"}).value()));
        return request_.over_tls;
    };
    EXPECT_TRUE(over_tls("10.0.0.1", "https"));
    EXPECT_FALSE(over_tls("10.0.0.1", "http"));
    EXPECT_FALSE(over_tls("192.0.2.9", "https"));
}

}  // namespace
}  // namespace zona::net
