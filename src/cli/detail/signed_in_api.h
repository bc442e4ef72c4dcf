/// @file
/// The API of another zona, asked as somebody who has signed in there.
#pragma once

#include <memory>
#include <string>

#include "cli/detail/api_client.h"
#include "cli/detail/logins.h"
#include "core/clock.h"

namespace zona::cli {

/// Shows the access token of a login with every request, and gets another one when its time is
/// over, or when the zona takes it no more: once for a request, which had no effect then. What it
/// gets goes into the file before it is used; of several commands one renews, and the others take
/// what it has got. One thread.
///
/// Errors besides those of Api: kUnauthenticated: the session is over, and its login was taken out
/// of the file; those of Logins.
class SignedInApi final : public Api {
  public:
    /// A token is renewed so long before its end: a request has to arrive with it.
    static constexpr std::chrono::seconds kEarly{20};
    /// For a renewal, whatever the request that needs it may take.
    static constexpr std::chrono::seconds kRenewalLimit{30};

    /// `api` shows no key of its own; `logins` and `clock` outlive this.
    SignedInApi(std::unique_ptr<Api> api, const Logins& logins, Login login,
                const core::Clock& clock)
        : api_(std::move(api)), logins_(logins), login_(std::move(login)), clock_(clock) {}

    core::Result<void> reach(core::Deadline deadline) override { return api_->reach(deadline); }
    bool may_have_acted(const core::Error& error) const override {
        return api_->may_have_acted(error);
    }
    core::Result<ApiResponse> exchange(const ApiRequest& request, const ApiWait& wait) override;
    core::Result<ApiResponse> stream(const ApiRequest& request, const ApiSink& sink,
                                     const ApiWait& wait) override;

  private:
    template <class Ask>
    core::Result<ApiResponse> ask_with_token(ApiRequest request, Ask ask);
    core::Result<void> renew();
    core::Error over() const;

    std::unique_ptr<Api> api_;
    const Logins& logins_;
    Login login_;
    const core::Clock& clock_;
};

}  // namespace zona::cli
