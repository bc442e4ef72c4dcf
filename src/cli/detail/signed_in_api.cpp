#include "cli/detail/signed_in_api.h"

#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/model.h"
#include "cli/detail/text.h"
#include "core/json.h"

namespace zona::cli {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr int kUnauthenticated = 401;

Error error_in(const ApiResponse& response) {
    const auto envelope = core::parse_json(response.body);
    if (envelope && envelope->is_object()) return read_error(*envelope);
    return {Code::kInternal, fmt::format("status {} and no JSON", response.status)};
}

/// Whether the token was refused, and not something that the request is about.
bool refuses_token(const ApiResponse& response) {
    if (response.status != kUnauthenticated) return false;
    const Code code = error_in(response).code();
    return code == Code::kInvalidToken || code == Code::kUnknownToken ||
           code == Code::kTokenExpired;
}

}  // namespace

template <class Ask>
Result<ApiResponse> SignedInApi::ask_with_token(ApiRequest request, Ask ask) {
    const bool is_due = login_.access_end <= clock_.system() + kEarly;
    if (is_due) ZONA_TRY_VOID(renew());
    request.token = login_.access;
    auto response = ask(std::as_const(request));
    if (!response || !refuses_token(*response)) return response;
    if (is_due) return over();
    ZONA_TRY_VOID(renew());
    request.token = login_.access;
    response = ask(std::as_const(request));
    if (response && refuses_token(*response)) return over();
    return response;
}

Result<ApiResponse> SignedInApi::exchange(const ApiRequest& request, const ApiWait& wait) {
    return ask_with_token(request,
                          [&](const ApiRequest& shown) { return api_->exchange(shown, wait); });
}

Result<ApiResponse> SignedInApi::stream(const ApiRequest& request, const ApiSink& sink,
                                        const ApiWait& wait) {
    return ask_with_token(request,
                          [&](const ApiRequest& shown) { return api_->stream(shown, sink, wait); });
}

Result<void> SignedInApi::renew() {
    ZONA_TRY(Logins::Change change, logins_.change(clock_));
    ZONA_TRY(std::optional<Login> stored, logins_.find(login_.url));
    if (!stored) return over();
    const bool is_another = !stored->access.same_as(login_.access);
    login_ = *std::move(stored);
    if (is_another && login_.access_end > clock_.system() + kEarly) return {};
    ApiWait wait;
    wait.deadline = core::Deadline::after(clock_, kRenewalLimit);
    ZONA_TRY(const ApiResponse response, api_->exchange(renew_session(login_.refresh), wait));
    if (refuses_token(response)) {
        ZONA_TRY_VOID(change.remove(login_.url));
        return over();
    }
    if (!response.succeeded()) return error_in(response).context("the session cannot be renewed");
    ZONA_TRY(Login renewed, login_from(login_.url, response.body));
    ZONA_TRY_VOID(change.put(renewed));
    login_ = std::move(renewed);
    return {};
}

Error SignedInApi::over() const {
    return Error(Code::kUnauthenticated,
                 fmt::format("the session of {} of {} at {} is over", escape_control(login_.user),
                             escape_control(login_.tenant), login_.url))
        .detail({"", "", fmt::format("`zona login --host {}` begins another one", login_.url)});
}

}  // namespace zona::cli
