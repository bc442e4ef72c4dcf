#include "net/origin.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

#include "core/text.h"

namespace zona::net {
namespace {

constexpr std::size_t kMaxHost = 253;  // RFC 1035 section 2.3.4
constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;
/// What of a wrong text is quoted.
constexpr std::size_t kMaxQuoted = 100;

core::Error wrong(std::string_view what, std::string_view text, std::string_view hint) {
    const std::string shown = core::to_valid_utf8(text.substr(0, kMaxQuoted));
    core::Error error(core::Code::kInvalidArgument, fmt::format("'{}' is no {}", shown, what));
    return std::move(error).detail({shown, fmt::format("is no {}", what), std::string(hint)});
}

core::Result<std::string> host_of(std::string_view text) {
    const auto no_host = [&] {
        return wrong("host", text, "write a name or an address, as in zona.example or [::1]");
    };
    if (text.starts_with('[')) {
        if (!text.ends_with(']') || text.contains('%')) return no_host();
        boost::system::error_code error;
        const auto address =
            boost::asio::ip::make_address_v6(std::string(text.substr(1, text.size() - 2)), error);
        if (error) return no_host();
        return fmt::format("[{}]", address.to_string());
    }
    if (text.ends_with('.')) text.remove_suffix(1);
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
    };
    std::string host = core::lower_ascii(text);
    const bool fits = !host.empty() && host.size() <= kMaxHost && host.front() != '.';
    if (!fits || !std::ranges::all_of(host, allowed)) return no_host();
    return host;
}

/// The errors of all entries as the details of one.
class Mistakes {
  public:
    void add(const core::Error& error) {
        for (const core::Detail& detail : error.details())
            details_.push_back(detail);
    }
    template <class T>
    core::Result<T> or_value(T value, std::string_view what) {
        if (details_.empty()) return value;
        core::Error error(core::Code::kInvalidArgument,
                          fmt::format("'{}' is no {}", details_.front().where, what));
        for (core::Detail& detail : details_)
            error.detail(std::move(detail));
        return error;
    }

  private:
    std::vector<core::Detail> details_;
};

}  // namespace

core::Result<Authority> Authority::parse(std::string_view text) {
    std::string_view host = text;
    Authority out;
    const std::size_t colon = text.rfind(':');
    const std::size_t bracket = text.rfind(']');
    const bool bracket_behind = bracket != std::string_view::npos && bracket > colon;
    if (colon != std::string_view::npos && !bracket_behind) {
        host = text.substr(0, colon);
        const std::string_view digits = text.substr(colon + 1);
        if (!digits.empty()) {  // RFC 3986 section 3.2.3: "host:" is without a port
            std::uint16_t port = 0;
            const auto [end, error] =
                std::from_chars(digits.data(), digits.data() + digits.size(), port);
            if (error != std::errc() || end != digits.data() + digits.size())
                return wrong("host with a port", text, "a port is a number up to 65535");
            out.port = port;
        }
    }
    ZONA_TRY(out.host, host_of(host));
    return out;
}

bool Authority::is_address() const {
    if (host.starts_with('[')) return true;
    boost::system::error_code error;
    boost::asio::ip::make_address_v4(host, error);
    return !error;
}

core::Result<Origin> Origin::parse(std::string_view text) {
    const std::size_t end = text.find("://");
    const std::string scheme = core::lower_ascii(text.substr(0, end));
    const bool known = scheme == "http" || scheme == "https";
    constexpr std::string_view kHint =
        "write scheme, host and port alone, as in https://ui.example";
    if (end == std::string_view::npos || !known) return wrong("origin", text, kHint);
    auto authority = Authority::parse(text.substr(end + 3));
    if (!authority.has_value()) return wrong("origin", text, kHint);
    const std::uint16_t usual = scheme == "http" ? kHttpPort : kHttpsPort;
    return Origin{scheme, std::move(authority->host), authority->port.value_or(usual)};
}

core::Result<OriginList> OriginList::parse(std::span<const std::string> entries) {
    OriginList out;
    Mistakes mistakes;
    for (const std::string& entry : entries) {
        if (entry == "*") {
            out.any_ = true;
            if (entries.size() > 1)
                mistakes.add(wrong("entry beside others", entry, "it already means all origins"));
            continue;
        }
        auto origin = Origin::parse(entry);
        if (origin.has_value()) {
            out.origins_.push_back(std::move(*origin));
        } else {
            mistakes.add(origin.error());
        }
    }
    return mistakes.or_value(std::move(out), "usable origin");
}

bool OriginList::allows(std::string_view origin) const {
    if (origin == "null" || empty()) return false;
    const auto parsed = Origin::parse(origin);
    if (!parsed.has_value()) return false;
    return any_ || std::ranges::find(origins_, *parsed) != origins_.end();
}

core::Result<HostList> HostList::parse(std::span<const std::string> entries) {
    HostList out;
    Mistakes mistakes;
    for (const std::string& entry : entries) {
        auto authority = Authority::parse(entry);
        if (!authority.has_value()) {
            mistakes.add(authority.error());
        } else if (authority->port.has_value()) {
            mistakes.add(wrong("host name", entry, "leave the port out: any is taken"));
        } else {
            out.hosts_.push_back(std::move(authority->host));
        }
    }
    return mistakes.or_value(std::move(out), "host name");
}

bool HostList::serves(const Authority& authority) const {
    const std::string& host = authority.host;
    return host == "localhost" || host.ends_with(".localhost") || authority.is_address() ||
           std::ranges::find(hosts_, host) != hosts_.end();
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::size_t comma = std::min(text.find(','), text.size());
        const std::string_view part = core::trimmed(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
        if (!part.empty()) out.emplace_back(part);
    }
    return out;
}

}  // namespace zona::net
