#include "license_settings.h"

#include <string>

#include <fmt/format.h>

#include "core/time_format.h"
#include "os/fd.h"

namespace zona::daemon {
namespace {

constexpr const char* kName = "licence";
constexpr const char* kRenew = "have it renewed, then: zona license install FILE";

}  // namespace

core::Result<tenancy::LicensingOptions> licensing_options(const core::Settings::License& settings) {
    tenancy::LicensingOptions out;
    ZONA_TRY(out.keys, tenancy::LicenseKeys::parse(ZONA_LICENSE_KEYS, settings.public_keys));
    ZONA_TRY(out.warn_days, tenancy::parse_warn_days(settings.warn_days));
    out.file = settings.file;
    return out;
}

process::HostCheck check_license(const tenancy::Licensing& licensing,
                                 const core::Settings::License& settings) {
    using tenancy::LicenseState;
    if (!licensing.takes_licenses()) {
        const auto there = os::stat_path(settings.file);
        if (there && *there) {
            return process::degraded(
                kName, fmt::format("{} is not installed: no public key is set", settings.file),
                "set license.public_keys to the key of who issues it");
        }
    }
    if (const std::string problem = licensing.file_problem(); !problem.empty()) {
        return process::degraded(kName, fmt::format("{}: {}", settings.file, problem),
                                 "put the file there as it was sent, or take it away");
    }
    const tenancy::License license = licensing.of({});
    const core::SystemTime now = licensing.now();
    std::string what(to_string(license.type));
    what += license.id.empty() ? ", built in" : " " + license.id + " of " + license.holder;
    if (license.state(now) != LicenseState::kValid) {
        return process::degraded(kName,
                                 what +
                                     " is not valid: tenants' data is read and exported, and "
                                     "not changed",
                                 kRenew);
    }
    if (!license.expiry_date) return process::ok(kName, std::move(what));
    what += fmt::format(", until {}", core::to_rfc3339(*license.expiry_date));
    if (license.days_left(now) > licensing.warns_from()) return process::ok(kName, std::move(what));
    return process::degraded(kName, std::move(what), kRenew);
}

}  // namespace zona::daemon
