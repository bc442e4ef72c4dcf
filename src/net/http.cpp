#include "net/http.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include <fmt/format.h>

#include "core/json.h"
#include "core/metrics.h"

namespace zona::net {
namespace {

constexpr std::array<std::string_view, 8> kMethodNames = {"GET",   "HEAD",   "POST",    "PUT",
                                                          "PATCH", "DELETE", "OPTIONS", "OTHER"};

/// A connection that waits for its next request holds no more body memory than this.
constexpr std::size_t kKeptBodyBytes = 16U << 10U;

constexpr std::string_view kJsonType = "application/json";

const Parameter* find_parameter(const std::vector<Parameter>& list, std::string_view name) {
    const auto found = std::ranges::find(list, name, &Parameter::name);
    return found == list.end() ? nullptr : &*found;
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
    if (out.back() != '{') out += ',';
    out += '"';
    out += name;
    out += "\":";
    core::append_json_string(out, value);
}

void append_details(std::string& out, const std::vector<core::Detail>& details) {
    out += ",\"details\":[";
    for (const core::Detail& detail : details) {
        if (out.back() != '[') out += ',';
        out += '{';
        append_member(out, "where", detail.where);
        append_member(out, "problem", detail.problem);
        append_member(out, "hint", detail.hint);
        out += '}';
    }
    out += ']';
}

}  // namespace

std::string_view to_string(Method method) {
    return kMethodNames.at(static_cast<std::size_t>(method));
}

Method method_from(std::string_view name) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(Method::kOther); ++i) {
        if (kMethodNames.at(i) == name) return static_cast<Method>(i);
    }
    return Method::kOther;
}

std::string to_string(const Peer& peer) {
    if (const auto* local = std::get_if<UnixPeer>(&peer)) {
        return fmt::format("unix:uid={},gid={},pid={}", local->uid, local->gid, local->pid);
    }
    const auto& remote = std::get<TcpPeer>(peer);
    // In each line of the access log: no format string is parsed for it.
    const fmt::format_int port(remote.port);
    std::string out;
    out.reserve(remote.address.size() + 1 + port.size());
    out += remote.address;
    out += ':';
    out.append(port.data(), port.size());
    return out;
}

std::string_view to_string(Transfer::Outcome outcome) {
    switch (outcome) {
        case Transfer::Outcome::kComplete:
            return "complete";
        case Transfer::Outcome::kClientGone:
            return "client_gone";
        case Transfer::Outcome::kCut:
            return "cut";
    }
    return "cut";
}

const std::string& Request::parameter(std::string_view name) const {
    const Parameter* found = find_parameter(parameters, name);
    if (found == nullptr) {
        throw std::logic_error(fmt::format("route {} has no parameter {}", route, name));
    }
    return found->value;
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
    const Parameter* found = find_parameter(query, name);
    if (found == nullptr) return std::nullopt;
    return found->value;
}

std::vector<std::string_view> Request::query_values(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const Parameter& entry : query) {
        if (entry.name == name) values.push_back(entry.value);
    }
    return values;
}

void Request::clear() {
    method = Method::kOther;
    method_name.clear();
    target.clear();
    path.clear();
    segments.clear();
    query.clear();
    headers.clear();
    if (body.capacity() > kKeptBodyBytes) {
        body = std::string();
    } else {
        body.clear();
    }
    version = 11;
    over_tls = false;
    certificate.reset();
    principal.clear();
    may_change = false;
    tenant.clear();
    user.reset();
    permissions.reset();
    methods = 0;
    credential.reset();
    token.clear();
    correlation_id.clear();
    received = {};
    deadline = core::Deadline::never();
    bytes_in = {};
    fault.reset();
    matched = nullptr;
    handled = false;
    route.clear();
    parameters.clear();
    in_flight = {};
    held.clear();
}

Counted::Counted(core::Gauge& gauge) : gauge_(&gauge) {
    gauge.add(1);
}

Counted::~Counted() {
    if (gauge_ != nullptr) gauge_->add(-1);
}

Response Response::json(std::string text, int status) {
    Response out = Response::text(std::move(text), kJsonType);
    out.status = status;
    return out;
}

Response Response::success(std::string_view data, std::string_view meta, int status) {
    std::string out;
    out.reserve(data.size() + meta.size() + 40);
    out += R"({"success":true,"data":)";
    out += data;
    if (!meta.empty()) {
        out += R"(,"meta":)";
        out += meta;
    }
    out += '}';
    return json(std::move(out), status);
}

Response Response::text(std::string body, std::string_view content_type) {
    // What an answer gets on its way through the chain: grown bit by bit it would be taken five
    // times.
    constexpr std::size_t kUsualFields = 12;
    constexpr std::size_t kUsualBytes = 480;
    Response out;
    out.headers.reserve(kUsualFields, kUsualBytes);
    out.body = std::move(body);
    out.headers.add("Content-Type", content_type);
    return out;
}

Response Response::streaming(std::string_view content_type, StreamBody body, StreamEnd end) {
    Response out;
    out.headers.add("Content-Type", content_type);
    out.stream = std::move(body);
    out.stream_end = end;
    return out;
}

Response Response::websocket(WebSocketBody body, WebSocketOptions options) {
    constexpr int kSwitchingProtocols = 101;
    Response out;
    out.status = kSwitchingProtocols;
    out.upgrade = std::make_unique<WebSocketOffer>(std::move(body), std::move(options));
    return out;
}

Response Response::error(const core::Error& error, std::string_view correlation_id, int status) {
    const core::CodeInfo& row = core::info(error.code());
    std::string out = R"({"success":false,"error":{)";
    append_member(out, "code", row.name);
    append_member(out, "message", error.message());
    append_details(out, error.details());
    append_member(out, "correlation_id", correlation_id);
    out += "}}";
    return json(std::move(out), status == 0 ? row.http_status : status);
}

Response Response::failed(core::Error error, int status) {
    Response out;
    out.status = status == 0 ? core::info(error.code()).http_status : status;
    out.failure = Fault{std::move(error), status};
    return out;
}

}  // namespace zona::net
