#include "api/detail/pmdaemon_body.h"

#include <charconv>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/request_body.h"
#include "core/text.h"

namespace zona::api::pmdaemon {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::size_t kMostQuoted = 64;
constexpr std::string_view kForms =
    "give a port like 3001 or \"3001\", or a range like \"4000-4003\" or [4000, 4003]";

Error no_port(std::string_view shown) {
    Error error(Code::kInvalidArgument,
                fmt::format("port: '{}' is neither a port nor a range of ports",
                            core::to_valid_utf8(shown.substr(0, kMostQuoted))));
    error.detail({"port", "is not understood", std::string(kForms)});
    return error;
}

std::optional<std::uint16_t> port_in(std::string_view text) {
    text = core::trimmed(text);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

std::optional<std::uint16_t> port_in(const json::value& value) {
    const std::int64_t* number = value.if_int64();
    if (number == nullptr || *number < 1 || *number > 65535) return std::nullopt;
    return static_cast<std::uint16_t>(*number);
}

Result<Ports> ports_between(std::optional<std::uint16_t> first, std::optional<std::uint16_t> last,
                            std::string_view shown) {
    if (!first || !last || *first > *last) return no_port(shown);
    return Ports{*first, *last};
}

Result<Ports> read_port_text(std::string_view whole) {
    const std::string_view text = core::trimmed(whole);
    if (text.starts_with("auto:")) {
        return Error(Code::kUnsupported,
                     fmt::format("port: '{}': zona does not look for free ports yet; {}",
                                 core::to_valid_utf8(text.substr(0, kMostQuoted)), kForms));
    }
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return ports_between(port_in(text), port_in(text), text);
    return ports_between(port_in(text.substr(0, dash)), port_in(text.substr(dash + 1)), text);
}

}  // namespace

Result<Ports> read_ports(const json::value& value) {
    if (const json::string* text = value.if_string()) return read_port_text(*text);
    if (const json::array* pair = value.if_array()) {
        if (pair->size() != 2) return no_port("a list");
        return ports_between(port_in((*pair)[0]), port_in((*pair)[1]), "a list");
    }
    return ports_between(port_in(value), port_in(value),
                         value.is_int64() ? fmt::format("{}", value.get_int64()) : "a value");
}

Result<std::optional<Ports>> read_restart(const json::value& body) {
    if (body.is_null()) return std::optional<Ports>();
    const json::object* object = body.if_object();
    if (object == nullptr) {
        return Error(Code::kInvalidArgument,
                     R"(the body is neither null nor an object like {"port": "3001"})");
    }
    if (object->contains("instances")) {
        return Error(Code::kUnsupported,
                     "instances: a restart does not change how many there are; scale does: "
                     "POST /api/v1/operations or `zona scale`");
    }
    for (const std::string_view key : {"port", "port_range"}) {
        const json::value* value = object->if_contains(key);
        if (value == nullptr || value->is_null()) continue;
        ZONA_TRY(const Ports ports, read_ports(*value));
        return std::optional<Ports>(ports);
    }
    return std::optional<Ports>();
}

Result<std::map<std::string, std::string>> with_port(const process::ProcessView& process,
                                                     const Ports& ports) {
    const process::StoredApp& app = *process.stored.app;
    if (app.spec.env.contains("PORT")) {
        return Error(Code::kConflict,
                     fmt::format("port: the settings of '{}' say PORT themselves, and they win; "
                                 "change them there",
                                 app.spec.name));
    }
    const std::uint32_t wanted = ports.first + process.stored.instance;
    if (ports.first != ports.last && wanted > ports.last) {
        return Error(Code::kInvalidArgument,
                     fmt::format("port: {}-{} has no port for instance {}", ports.first, ports.last,
                                 process.stored.instance));
    }
    std::map<std::string, std::string> environment = app.caller_environment;
    environment["PORT"] = fmt::format("{}", ports.first == ports.last ? ports.first : wanted);
    return environment;
}

Result<process::StartRequest> read_app(const json::value& body, int cpus) {
    const json::object* given = body.if_object();
    if (given == nullptr) return Error(Code::kInvalidArgument, "the body is not an app's object");
    json::object app = *given;
    const json::value* cwd = app.if_contains("cwd");
    json::object start = {{"cwd", cwd != nullptr && cwd->is_string() ? *cwd : json::value("/")}};
    std::optional<Ports> ports;
    if (const json::value* port = app.if_contains("port"); port != nullptr && !port->is_null()) {
        ZONA_TRY(ports, read_ports(*port));
        if (ports->first != ports->last) {
            return Error(Code::kUnsupported,
                         "port: a range is not dealt out at a start yet; start each instance with "
                         "its own port");
        }
    }
    app.erase("port");
    start["apps"] = json::array{std::move(app)};
    ZONA_TRY(StartBody read, read_start(start, cpus));
    // Not the app's own setting, so that a restart may tell it another one.
    if (ports) read.request.environment["PORT"] = fmt::format("{}", ports->first);
    return std::move(read.request);
}

}  // namespace zona::api::pmdaemon
