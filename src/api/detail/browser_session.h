// What browsers keep for pages: the cookies of a session, of a visitor, and of a sign-in elsewhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "net/cookie.h"
#include "net/http.h"

namespace zona::api {

/// The session's token against forged requests, for scripts of zona's own pages.
inline constexpr std::string_view kCsrfCookie = "zona_csrf";

/// Where to go after a sign-in: `next`, if that is a path of zona's own, which no browser takes for
/// another host, and else the page of the session.
std::string local_path(std::string_view next);

/// On to a place, by GET.
net::Response see_other(std::string location);

/// The cookies of a session that has begun, and on to `next`.
net::Response in_cookies(const net::Request& request, const core::Secret& session,
                         std::string_view next);
/// Takes them back.
void forget_session(const net::Request& request, net::Response& response);

/// @{
/// Before there is a session a form belongs to a *visitor*: nobody but a browser that was given the
/// form can send it, so no page signs somebody in as somebody else. The cookie is kept until there
/// is a session; several windows share it.
class Visitor {
  public:
    /// The one that the request names, or another, whom the answer gives a cookie.
    static Visitor of(const net::Request& request, core::Random& random);
    /// None if the request names none.
    static std::optional<Visitor> known(const net::Request& request);
    /// For its forms.
    std::string csrf_token() const;
    /// Gives the cookie, if it is new.
    void remember(const net::Request& request, net::Response& response) const;

  private:
    Visitor(std::string cookie, bool is_new) : cookie_(std::move(cookie)), is_new_(is_new) {}
    std::string cookie_;
    bool is_new_;
};
/// Errors: kCsrf: the form is not of the visitor who sends it.
core::Result<void> check_visitor(const net::Request& request);
/// @}

/// A sign-in by an identity provider that was begun in this browser.
struct BrowserAttempt {
    core::Secret attempt;  ///< as Federation::begin() gave it; empty: there is none
    std::string next;      ///< of local_path()
};
/// Keeps one for ten minutes. For a provider that sends people back by POST it has to be kNone.
void keep_attempt(const net::Request& request, net::Response& response,
                  const BrowserAttempt& attempt, net::SameSite same_site = net::SameSite::kLax);
/// The one that was kept.
BrowserAttempt kept_attempt(const net::Request& request);
/// Takes it back.
void forget_attempt(const net::Request& request, net::Response& response);

}  // namespace zona::api
