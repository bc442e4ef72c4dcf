#include "api/detail/browser_session.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "api/pipeline/csrf.h"
#include "crypto/encoding.h"
#include "identity/caller.h"
#include "identity/federation/federation.h"

namespace zona::api {

using core::Code;
using core::Error;
using core::Result;
using net::Request;
using net::Response;

namespace {

constexpr std::string_view kAfterSignIn = "/account";
constexpr std::string_view kVisitorCookie = "zona_visitor";
constexpr std::string_view kAttemptCookie = "zona_attempt";
constexpr std::size_t kMostPath = 512;
constexpr std::size_t kVisitorBytes = 32;
constexpr std::size_t kVisitorCharacters = 43;
constexpr int kSeeOther = 303;
/// Stands in no attempt and in no path of local_path().
constexpr char kBetween = '|';

void set(const Request& request, Response& response, const net::Cookie& cookie) {
    response.headers.add("Set-Cookie", net::set_cookie(cookie, request));
}

void forget(const Request& request, Response& response, std::string_view name) {
    set(request, response, {.name = name, .value = "", .life = std::chrono::seconds(0)});
}

}  // namespace

std::string local_path(std::string_view next) {
    // Browsers read '\' as '/', and leave tabs and line ends out.
    const bool is_plain = std::ranges::all_of(next, [](char c) {
        return c > 0x20 && c < 0x7f && c != '\\' && c != '"' && c != kBetween && c != ';' &&
               c != ',';
    });
    const bool is_local = next.starts_with('/') && !next.starts_with("//");
    const bool is_good = is_plain && is_local && next.size() <= kMostPath;
    return std::string(is_good ? next : kAfterSignIn);
}

Response see_other(std::string location) {
    Response out;
    out.status = kSeeOther;
    out.headers.set("Location", location);
    return out;
}

Response in_cookies(const Request& request, const core::Secret& session, std::string_view next) {
    Response out = see_other(local_path(next));
    set(request, out, {.name = identity::kSessionCookie, .value = std::string(session.reveal())});
    set(request, out,
        {.name = kCsrfCookie,
         .value = csrf_token(session.reveal()),
         .same_site = net::SameSite::kStrict,
         .scripts = net::Scripts::kMayRead});
    forget(request, out, kVisitorCookie);
    return out;
}

void forget_session(const Request& request, Response& response) {
    forget(request, response, identity::kSessionCookie);
    forget(request, response, kCsrfCookie);
}

Visitor Visitor::of(const Request& request, core::Random& random) {
    if (auto found = known(request)) return *std::move(found);
    std::array<std::byte, kVisitorBytes> bytes{};
    random.fill(bytes);
    return {crypto::base64url(bytes), true};
}

std::optional<Visitor> Visitor::known(const Request& request) {
    const auto cookie = net::find_own_cookie(request, kVisitorCookie);
    if (!cookie || cookie->size() != kVisitorCharacters || !crypto::from_base64url(*cookie))
        return std::nullopt;
    return Visitor(std::string(*cookie), false);
}

std::string Visitor::csrf_token() const {
    return api::csrf_token(cookie_);
}

void Visitor::remember(const Request& request, Response& response) const {
    if (is_new_) set(request, response, {.name = kVisitorCookie, .value = cookie_});
}

Result<void> check_visitor(const Request& request) {
    const auto cookie = net::find_own_cookie(request, kVisitorCookie);
    const bool is_theirs = Visitor::known(request) && shows_csrf_token(request, *cookie);
    if (is_theirs) return {};
    return Error(Code::kCsrf,
                 "this form was not given to this browser, or it takes no cookies: begin anew");
}

void keep_attempt(const Request& request, Response& response, const BrowserAttempt& attempt,
                  net::SameSite same_site) {
    set(request, response,
        {.name = kAttemptCookie,
         .value =
             fmt::format("{}{}{}", attempt.attempt.reveal(), kBetween, local_path(attempt.next)),
         .same_site = same_site,
         .life = identity::kAttemptTime});
}

BrowserAttempt kept_attempt(const Request& request) {
    const std::string_view kept = net::find_own_cookie(request, kAttemptCookie).value_or("");
    const std::size_t end = std::min(kept.find(kBetween), kept.size());
    return {.attempt = core::Secret(std::string(kept.substr(0, end))),
            .next = local_path(kept.substr(std::min(end + 1, kept.size())))};
}

void forget_attempt(const Request& request, Response& response) {
    forget(request, response, kAttemptCookie);
}

}  // namespace zona::api
