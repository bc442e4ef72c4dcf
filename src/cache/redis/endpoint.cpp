#include "cache/redis/endpoint.h"

#include <charconv>

#include <fmt/format.h>

namespace zona::cache::redis {
namespace {

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' '))
        text.remove_prefix(1);
    while (text.ends_with(' '))
        text.remove_suffix(1);
    return text;
}

/// What stands before an @ may be a password: it is not shown.
core::Error no_endpoint(std::string_view text) {
    const std::size_t at = text.rfind('@');
    return {core::Code::kInvalidArgument,
            fmt::format("'{}' is not the address of a Redis: it looks like redis.example:6379 or "
                        "[::1]:6379",
                        at == text.npos ? text : text.substr(at))};
}

}  // namespace

core::Result<Endpoint> Endpoint::parse(std::string_view text) {
    const std::string_view whole = trimmed(text);
    std::string_view host = whole;
    std::string_view port;
    if (whole.starts_with('[')) {
        const std::size_t end = whole.find(']');
        if (end == whole.npos) return no_endpoint(text);
        host = whole.substr(1, end - 1);
        const std::string_view rest = whole.substr(end + 1);
        if (!rest.empty() && !rest.starts_with(':')) return no_endpoint(text);
        if (!rest.empty()) port = rest.substr(1);
        if (!rest.empty() && port.empty()) return no_endpoint(text);
    } else if (const std::size_t colon = whole.find(':'); colon != whole.npos) {
        host = whole.substr(0, colon);
        port = whole.substr(colon + 1);
        if (port.empty()) return no_endpoint(text);
    }
    Endpoint out{.host = std::string(host)};
    if (host.empty() || host.find_first_of(" /@,") != host.npos) return no_endpoint(text);
    if (port.empty()) return out;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc() || end != port.data() + port.size() || out.port == 0)
        return no_endpoint(text);
    return out;
}

core::Result<std::vector<Endpoint>> Endpoint::parse_list(std::string_view text) {
    std::vector<Endpoint> out;
    while (!trimmed(text).empty()) {
        const std::size_t comma = text.find(',');
        ZONA_TRY(Endpoint one, parse(text.substr(0, comma)));
        out.push_back(std::move(one));
        text = comma == text.npos ? std::string_view() : text.substr(comma + 1);
    }
    return out;
}

std::string Endpoint::to_string() const {
    return host.find(':') == host.npos ? fmt::format("{}:{}", host, port)
                                       : fmt::format("[{}]:{}", host, port);
}

}  // namespace zona::cache::redis
