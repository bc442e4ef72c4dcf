#include "net/trust_proxies.h"

#include <memory>
#include <ranges>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "net/origin.h"

namespace zona::net {
namespace {

constexpr std::string_view kForwardedFor = "X-Forwarded-For";
constexpr std::string_view kForwardedProto = "X-Forwarded-Proto";

/// Some proxies add a port: "192.0.2.7:4711", "[2001:db8::7]:4711".
std::string_view without_port(std::string_view entry) {
    if (entry.starts_with('[')) return entry.substr(1, entry.find(']') - 1);
    const std::size_t colon = entry.find(':');
    return entry.find(':', colon + 1) == std::string_view::npos ? entry.substr(0, colon) : entry;
}

class TrustProxies {
  public:
    explicit TrustProxies(NetworkSet proxies)
        : proxies_(std::make_shared<const NetworkSet>(std::move(proxies))) {}

    Decision operator()(Request& request) const {
        auto* remote = std::get_if<TcpPeer>(&request.peer);
        if (remote == nullptr || !proxies_->contains(remote->address)) return {};
        if (request.headers.find(kForwardedProto) == "https") request.over_tls = true;
        std::vector<std::string> hops;
        for (const std::string_view value : request.headers.find_all(kForwardedFor)) {
            for (std::string& hop : split_list(value))
                hops.push_back(std::move(hop));
        }
        for (const std::string& hop : hops | std::views::reverse) {
            const std::string_view address = without_port(hop);
            if (!address_bits(address)) return {};
            remote->address = address;
            remote->port = 0;
            if (!proxies_->contains(address)) return {};
        }
        return {};
    }

  private:
    std::shared_ptr<const NetworkSet> proxies_;  // std::function wants copies
};

}  // namespace

Middleware trust_proxies(NetworkSet proxies) {
    return TrustProxies(std::move(proxies));
}

}  // namespace zona::net
