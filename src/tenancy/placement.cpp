#include "tenancy/placement.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/text.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "tenancy/tenant_databases.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

constexpr std::string_view kFirstCharacters = "0123456789abcdefghijklmnopqrstuvwxyz";
constexpr const char* kForm = "write `A-G: mongodb://HOST/; other: embedded`, or `hash: HOST HOST`";

Error wrong(std::string message) {
    return Error(Code::kInvalidArgument, "tenancy.placement: " + std::move(message))
        .detail({"tenancy.placement", "", kForm});
}

/// The place of a code's first character.
std::size_t first_of(char c) {
    return kFirstCharacters.find(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
}

/// The parts of a text, without blanks around them; empty ones are left out.
std::vector<std::string_view> split(std::string_view text, std::string_view at) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const auto end = std::min(text.find_first_of(at), text.size());
        if (const auto part = core::trimmed(text.substr(0, end), kBlanks); !part.empty())
            out.push_back(part);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

}  // namespace

Result<std::vector<std::string>> Placement::hosts_in(std::string_view text) {
    std::vector<std::string> out;
    for (const std::string_view host : split(text, " \t\r\n")) {
        if (host.contains('@'))
            return wrong("a host holds a user name or password: see mongo.username");
        if (host != kEmbedded && !is_mongo_host(host))
            return wrong(fmt::format("'{}' is no host: there are `{}` and `mongodb://HOST`", host,
                                     kEmbedded));
        if (std::ranges::find(out, host) != out.end())
            return wrong(fmt::format("the host {} is named twice", host));
        out.emplace_back(host);
    }
    return out;
}

Result<void> Placement::add_range(std::string_view range, const std::string& host) {
    const std::string_view low = core::trimmed(range.substr(0, range.find('-')));
    const std::string_view high =
        range.contains('-') ? core::trimmed(range.substr(range.find('-') + 1)) : low;
    const auto from = low.size() == 1 ? first_of(low[0]) : std::string_view::npos;
    const auto to = high.size() == 1 ? first_of(high[0]) : std::string_view::npos;
    if (from >= kFirsts || to >= kFirsts || from > to || (from < 10) != (to < 10))
        return wrong(fmt::format("'{}' is no range of letters or digits", range));
    for (std::size_t i = from; i <= to; ++i) {
        if (!ranges_.at(i).empty())
            return wrong(fmt::format("two ranges have '{}'", kFirstCharacters[i]));
        ranges_.at(i) = host;
    }
    return {};
}

Result<Placement> Placement::parse(std::string_view table, const DatabaseAddress& login) {
    Placement out;
    out.login_ = login;
    std::string other;
    const auto entries = split(table, ";");
    for (const std::string_view entry : entries) {
        const auto colon = entry.find(':');
        if (colon == std::string_view::npos)
            return wrong(fmt::format("'{}' has no `:` behind its range", entry));
        const std::string_view range = core::trimmed(entry.substr(0, colon), kBlanks);
        ZONA_TRY(std::vector<std::string> hosts, hosts_in(entry.substr(colon + 1)));
        if (range == "hash") {
            if (entries.size() > 1) return wrong("`hash` stands alone");
            if (hosts.empty()) return wrong("`hash` names no host");
            out.hashed_ = std::move(hosts);
            return out;
        }
        if (hosts.size() != 1)
            return wrong(fmt::format("'{}' has {} hosts, and one is wanted", range, hosts.size()));
        if (range == "other") {
            if (!other.empty()) return wrong("`other` is there twice");
            other = hosts[0];
        } else {
            ZONA_TRY_VOID(out.add_range(range, hosts[0]));
        }
    }
    if (entries.empty()) return out;
    std::string missing;
    for (std::size_t i = 0; i < kFirsts; ++i) {
        if (out.ranges_.at(i).empty()) out.ranges_.at(i) = other;
        if (out.ranges_.at(i).empty()) missing += kFirstCharacters[i];
    }
    if (missing.empty()) return out;
    return wrong(
        fmt::format("no range has what begins with one of {}: add `other: HOST`", missing));
}

std::set<std::string> Placement::hosts() const {
    std::set<std::string> out(hashed_.begin(), hashed_.end());
    out.insert(ranges_.begin(), ranges_.end());
    out.erase("");
    return out;
}

/// Of several hosts the one whose hash together with the code is the highest.
const std::string& Placement::host_of(std::string_view code) const {
    if (hashed_.empty()) return ranges_.at(std::min(first_of(code[0]), kFirsts - 1));
    const auto weight = [&](const std::string& host) {
        crypto::Sha256 hash;
        hash.add(fmt::format("{} {}", host, code));
        return crypto::hex(hash.finish());
    };
    return *std::ranges::max_element(hashed_, {}, weight);
}

DatabaseAddress Placement::address_of(std::string_view code) const {
    DatabaseAddress out{.host = code.empty() ? std::string() : host_of(code)};
    if (out.host.empty()) out.host = kEmbedded;
    if (!is_mongo_host(out.host)) return out;
    out.username = login_.username;
    out.password = login_.password;
    return out;
}

}  // namespace zona::tenancy
