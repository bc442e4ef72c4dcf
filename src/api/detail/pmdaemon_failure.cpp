#include "api/detail/pmdaemon_failure.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>

#include "api/detail/pmdaemon_render.h"
#include "api/pmdaemon.h"
#include "core/json.h"
#include "net/public_error.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using net::Request;
using net::Response;

namespace pmdaemon {
namespace {

constexpr int kBadRequest = 400;
constexpr int kNotFound = 404;
constexpr int kConflict = 409;
constexpr std::array kDocumented = {kBadRequest, 401, 403, kNotFound, kConflict};

std::string_view code_for(const Request& request, int status) {
    switch (status) {
        case 401:
            return "UNAUTHENTICATED";
        case 403:
            return "PERMISSION_DENIED";
        case kNotFound:
            return "PROCESS_NOT_FOUND";
        case kConflict:
            if (request.route.ends_with("/start")) return "PROCESS_ALREADY_RUNNING";
            return request.route == "/api/processes" ? "PROCESS_ALREADY_EXISTS"
                                                     : "OPERATION_FAILED";
        default:
            return "INVALID_CONFIGURATION";
    }
}

json::object details_for(const Request& request) {
    json::object out;
    for (const net::Parameter& parameter : request.parameters) {
        if (parameter.name == "id") out["requested_id"] = parameter.value;
    }
    return out;
}

}  // namespace

bool is_documented(int status) {
    return std::ranges::find(kDocumented, status) != kDocumented.end();
}

std::string_view code_of(core::Code code) {
    switch (code) {
        case core::Code::kInvalidArgument:
            return "INVALID_CONFIGURATION";
        case core::Code::kNotFound:
            return "PROCESS_NOT_FOUND";
        case core::Code::kForbidden:
            return "PERMISSION_DENIED";
        default:
            return "OPERATION_FAILED";
    }
}

Response failed(const Request& request, const core::Error& error) {
    const core::Error shown = net::shown_to(request, error);
    const core::CodeInfo& info = core::info(error.code());
    json::object details = details_for(request);
    json::array problems;
    for (const core::Detail& detail : shown.details()) {
        problems.push_back(json::object{
            {"where", detail.where}, {"problem", detail.problem}, {"hint", detail.hint}});
    }
    if (!problems.empty()) details["problems"] = std::move(problems);
    details["suggestion"] = info.cure;
    return Response::json(core::to_json(failure(code_for(request, info.http_status),
                                                shown.message(), std::move(details))),
                          info.http_status);
}

Response operation_failed(std::string_view code, const std::string& message,
                          const std::string& reason) {
    return Response::json(core::to_json(failure(code, message, {{"reason", reason}})), kBadRequest);
}

namespace {

bool is_pmdaemons(const Request& request) {
    constexpr std::array<std::string_view, 4> kSecond = {"processes", "logs", "system", "status"};
    const std::vector<std::string>& parts = request.segments;
    return parts.size() >= 2 && parts[0] == "api" &&
           std::ranges::find(kSecond, parts[1]) != kSecond.end();
}

/// The answer with zona's envelope in PMDaemon's form; as it is if it has that already.
Response translated(const Request& request, Response response) {
    const auto parsed = core::parse_json(response.body);
    const json::object* body = parsed ? parsed->if_object() : nullptr;
    if (body == nullptr || body->contains("message") || !body->contains("error")) return response;
    const json::object* error = body->at("error").if_object();
    const bool unknown_path = response.status == kNotFound && request.route.empty();
    if (error == nullptr || unknown_path) return response;
    json::object details = details_for(request);
    details["problems"] = error->at("details");
    details["correlation_id"] = error->at("correlation_id");
    const json::string& message = error->at("message").as_string();
    response.body =
        core::to_json(failure(code_for(request, response.status), message, std::move(details)));
    return response;
}

asio::awaitable<Response> translate(Request& request, net::Next next) {
    Response response = co_await next(request);
    if (is_documented(response.status) && is_pmdaemons(request) && !response.stream)
        co_return translated(request, std::move(response));
    co_return response;
}

}  // namespace
}  // namespace pmdaemon

net::Middleware render_pmdaemon_errors() {
    return pmdaemon::translate;
}

}  // namespace zona::api
