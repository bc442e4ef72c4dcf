// Any bytes as a licence, and any bytes that somebody trusted has signed as what one says: refused,
// or read as a licence that keeps its own rules.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "core/json.h"
#include "identity/tokens/jws.h"
#include "tenancy/limits/license.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona;
    using identity::SigningAlgorithm;
    static const auto key = identity::SigningKey::generate(SigningAlgorithm::kEdDsa);
    static const auto keys = [] {
        const auto jwk = key.verification_key().to_jwk();
        auto parsed = tenancy::LicenseKeys::parse("", std::string(jwk.at("x").as_string()));
        if (!parsed) std::abort();
        return *std::move(parsed);
    }();
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    // Nobody has signed it.
    if (tenancy::parse_license(text, keys)) std::abort();
    const auto read =
        tenancy::parse_license(identity::sign_jws(text, key, tenancy::kLicenseTyp), keys);
    if (!read) return 0;
    if (read->id.empty() || read->holder.empty()) std::abort();
    if (read->expiry_date && *read->expiry_date <= read->not_before) std::abort();
    if (read->type == tenancy::LicenseType::kTrial && !read->expiry_date) std::abort();
    if (!read->tenants.empty() && read->max_tenants) std::abort();
    if (read->max_tenants.value_or(0) < 0 || read->max_integrations.value_or(0) < 0) std::abort();
    const tenancy::License chosen = tenancy::governing({*read}, "", read->not_before);
    if (read->tenants.empty() != (chosen.id == read->id)) std::abort();
    return 0;
}
