#include "api/detail/pmdaemon_failure.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>

#include "api/detail/pmdaemon_render.h"
#include "api/detail/render.h"
#include "api/pmdaemon.h"
#include "core/json.h"

namespace zona::api {

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

bool is_pmdaemons(const Request& request) {
    constexpr std::array<std::string_view, 4> kSecond = {"processes", "logs", "system", "status"};
    const std::vector<std::string>& parts = request.segments;
    return parts.size() >= 2 && parts[0] == "api" &&
           std::ranges::find(kSecond, parts[1]) != kSecond.end();
}

}  // namespace

std::string_view code_of(core::Code code) {
    switch (code) {
        case core::Code::kInvalidArgument:
            return "INVALID_CONFIGURATION";
        case core::Code::kNotFound:
            return "PROCESS_NOT_FOUND";
        case core::Code::kForbidden:
        case core::Code::kAccessDenied:
            return "PERMISSION_DENIED";
        default:
            return "OPERATION_FAILED";
    }
}

Response operation_failed(std::string_view code, const std::string& message,
                          const std::string& reason) {
    return Response::json(core::to_json(failure(code, message, {{"reason", reason}})), kBadRequest);
}

}  // namespace pmdaemon

std::optional<Response> pmdaemon_error(const Request& request, const core::Error& shown,
                                       int status) {
    const bool unknown_path = status == pmdaemon::kNotFound && request.route.empty();
    const bool documented =
        std::ranges::find(pmdaemon::kDocumented, status) != pmdaemon::kDocumented.end();
    if (!documented || unknown_path || !pmdaemon::is_pmdaemons(request)) return std::nullopt;
    json::object details = pmdaemon::details_for(request);
    details["problems"] = render(shown).as_object().at("details");
    details["suggestion"] = core::info(shown.code()).cure;
    details["correlation_id"] = request.correlation_id;
    const json::object body =
        pmdaemon::failure(pmdaemon::code_for(request, status), shown.message(), std::move(details));
    return Response::json(core::to_json(body), status);
}

}  // namespace zona::api
