/// @file
/// LicenseIssuer: somebody whose licences a test trusts.
#pragma once

#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "core/json.h"
#include "core/time_format.h"
#include "identity/tokens/jws.h"
#include "tenancy/limits/license.h"

namespace zona::tenancy {

class LicenseIssuer {
  public:
    LicenseKeys keys() const { return LicenseKeys::parse("", public_key()).value(); }
    std::string public_key() const {
        return std::string(key_.verification_key().to_jwk().at("x").as_string());
    }
    /// Signs what the claims say, over those of an enterprise licence of 2026; null takes one away.
    std::string issue(const boost::json::object& claims = {},
                      std::string_view type = kLicenseTyp) const {
        boost::json::object all = {{"id", "2026-0017"},
                                   {"type", "enterprise"},
                                   {"holder", "Acme Ltd."},
                                   {"issued_at", "1970-01-01T00:00:00Z"}};
        for (const auto& claim : claims) {
            if (claim.value().is_null()) {
                all.erase(claim.key());
            } else {
                all[claim.key()] = claim.value();
            }
        }
        return sign(core::to_json(all), type);
    }
    std::string sign(std::string_view payload, std::string_view type = kLicenseTyp) const {
        return identity::sign_jws(payload, key_, type);
    }

  private:
    identity::SigningKey key_ = identity::SigningKey::generate(identity::SigningAlgorithm::kEdDsa);
};

}  // namespace zona::tenancy
