// What zona says in SAML: who it is, and that somebody is to sign in. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"

namespace zona::identity::detail {

/// Where a tenant's provider finds zona, which is another service provider for each.
struct ServiceProvider {
    std::string entity_id;      ///< also where its metadata are
    std::string answers;        ///< the assertion consumer service
    std::string certificate{};  ///< to whose key is encrypted, base64; empty: nothing is

    /// `public_url` is where browsers find zona, without a slash at its end.
    static ServiceProvider of(std::string_view public_url, std::string_view tenant,
                              std::string_view provider);
};

/// An EntityDescriptor.
std::string metadata_of(const ServiceProvider& us);

/// `sign_in_url` with a request of this id and a relay state (SAML bindings, section 3.4).
std::string request_url(const ServiceProvider& us, std::string_view sign_in_url,
                        std::string_view id, std::string_view relay_state, core::SystemTime now);

}  // namespace zona::identity::detail
