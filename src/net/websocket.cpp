#include "net/websocket.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/text.h"
#include "net/detail/upgrade.h"
#include "net/http.h"

namespace zona::net {
namespace {

constexpr std::string_view kProtocolHeader = "Sec-WebSocket-Protocol";
constexpr std::string_view kVersion = "13";

bool any_has(const Headers& headers, std::string_view name, std::string_view token) {
    return std::ranges::any_of(headers.find_all(name),
                               [&](std::string_view value) { return list_has(value, token); });
}

/// 16 bytes as base64.
bool is_key(std::string_view text) {
    constexpr std::size_t kDigits = 22;
    const auto is_digit = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '+' || c == '/';
    };
    return text.size() == kDigits + 2 && text.ends_with("==") &&
           std::ranges::all_of(text.substr(0, kDigits), is_digit);
}

Response upgrade_required(std::string message) {
    constexpr int kUpgradeRequired = 426;
    Response out =
        Response::failed({core::Code::kInvalidArgument, std::move(message)}, kUpgradeRequired);
    out.headers.set("Upgrade", "websocket");
    return out;
}

}  // namespace

bool asks_for_websocket(const Request& request) {
    return request.method == Method::kGet && request.version >= 11 &&
           any_has(request.headers, "Upgrade", "websocket") &&
           any_has(request.headers, "Connection", "upgrade");
}

std::vector<std::string_view> offered_subprotocols(const Request& request) {
    std::vector<std::string_view> out;
    for (std::string_view list : request.headers.find_all(kProtocolHeader)) {
        while (!list.empty()) {
            const std::size_t comma = list.find(',');
            const std::string_view element = core::trimmed(list.substr(0, comma));
            if (!element.empty()) out.push_back(element);
            list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
        }
    }
    return out;
}

namespace detail {

std::optional<Response> refuse_upgrade(const Request& request) {
    if (!asks_for_websocket(request)) {
        return upgrade_required(
            "this address speaks WebSocket alone; send a GET of HTTP/1.1 with 'Upgrade: websocket' "
            "and 'Connection: Upgrade'");
    }
    const auto versions = request.headers.find_all("Sec-WebSocket-Version");
    if (versions.size() != 1 || versions.front() != kVersion) {
        Response out = upgrade_required(
            "the version of WebSocket spoken here is 13; send 'Sec-WebSocket-Version: 13'");
        out.headers.set("Sec-WebSocket-Version", kVersion);
        return out;
    }
    const auto keys = request.headers.find_all("Sec-WebSocket-Key");
    if (keys.size() != 1 || !is_key(keys.front())) {
        return Response::failed(
            {core::Code::kInvalidArgument,
             "malformed request: Sec-WebSocket-Key must be there once, 16 bytes in base64"});
    }
    return std::nullopt;
}

std::string choose_subprotocol(const Request& request, const std::vector<std::string>& known) {
    for (const std::string_view offered : offered_subprotocols(request)) {
        if (std::ranges::count(known, offered) > 0) return std::string(offered);
    }
    return {};
}

}  // namespace detail
}  // namespace zona::net
