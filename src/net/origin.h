/// @file
/// Origins and hosts: who a request says that it is for (Host) and which page sent it (Origin).
///
/// Values without state; any thread. Source: RFC 9110 section 4.3, RFC 6454, Fetch standard
/// (Origin).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace zona::net {

/// The host and port of a Host header or of a URL.
struct Authority {
    std::string host;  ///< lower case, without a dot at its end; IPv6 in brackets, shortest form
    std::optional<std::uint16_t> port;

    /// "localhost:8063", "[::1]", "192.0.2.1:80", "zona.example".
    /// Errors: kInvalidArgument for anything else: an empty host, a character outside of
    /// [A-Za-z0-9._-], brackets around no IPv6 address, a port over 65535, user names.
    static core::Result<Authority> parse(std::string_view text);

    /// Whether the host is an address, which no name server can change.
    bool is_address() const;
    bool operator==(const Authority&) const = default;
};

/// A page's origin. Two are the same when all three parts are.
struct Origin {
    std::string scheme;  ///< http or https
    std::string host;    ///< as in Authority
    std::uint16_t port = 0;

    /// "https://panel.example", "http://localhost:5173"; the port of the scheme where none is
    /// given. Errors: kInvalidArgument for another scheme, a path (also "/"), "null".
    static core::Result<Origin> parse(std::string_view text);
    bool operator==(const Origin&) const = default;
};

/// The origins that may use the API from a browser. Empty: none.
class OriginList {
  public:
    OriginList() = default;

    /// Each an origin, or "*" alone for all of them. That one is safe because zona never answers
    /// with Access-Control-Allow-Credentials: a page can use only a key that it was given.
    /// Errors: kInvalidArgument with one detail for every entry that is wrong, and for "*" beside
    /// others.
    static core::Result<OriginList> parse(std::span<const std::string> entries);

    bool empty() const { return !any_ && origins_.empty(); }
    bool any() const { return any_; }
    /// Whether the value of an Origin header is one of them. "null" never is, also for "*": every
    /// sandboxed frame and local file is that.
    bool allows(std::string_view origin) const;

  private:
    std::vector<Origin> origins_;
    bool any_ = false;
};

/// The names under which a server is asked for. IP addresses, localhost and what ends in
/// ".localhost" always belong to it: no name server can make them point elsewhere.
class HostList {
  public:
    HostList() = default;

    /// Each a name without a port. Errors: kInvalidArgument with one detail for every wrong one.
    static core::Result<HostList> parse(std::span<const std::string> entries);

    /// Whether a request for this authority is meant for us.
    bool serves(const Authority& authority) const;

  private:
    std::vector<std::string> hosts_;
};

/// The elements of a comma-separated setting, without spaces around them; empty ones are left out.
std::vector<std::string> split_list(std::string_view text);

}  // namespace zona::net
