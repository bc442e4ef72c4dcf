#include "alert_settings.h"

#include <string>

#include <fmt/format.h>

#include "core/time_format.h"

namespace zona::daemon {

audit::AlertLimits alert_limits(const core::Settings::Alerts& settings) {
    return {.window = std::chrono::duration_cast<std::chrono::seconds>(settings.window),
            .failures_of_address = static_cast<std::size_t>(settings.failures_of_address),
            .failures_of_name = static_cast<std::size_t>(settings.failures_of_name),
            .names_of_address = static_cast<std::size_t>(settings.names_of_address),
            .foreign_tenants = static_cast<std::size_t>(settings.foreign_tenants),
            .attacks = static_cast<std::size_t>(settings.attacks),
            .new_places = settings.new_places};
}

process::HostCheck check_alerts(const std::array<audit::Raised, audit::kPatterns>& raised,
                                core::SystemTime now) {
    constexpr std::chrono::hours kDay(24);
    std::string recent;
    for (std::size_t i = 0; i < raised.size(); ++i) {
        if (!raised[i].last || now - *raised[i].last >= kDay) continue;
        recent += fmt::format("{}{}: {} since the start, the last at {}",
                              recent.empty() ? "" : "; ", to_string(static_cast<audit::Pattern>(i)),
                              raised[i].count, core::to_rfc3339(*raised[i].last));
    }
    if (recent.empty()) return process::ok("alerts", "none in the last day");
    return process::degraded("alerts", recent,
                             "`zona audit list --action alert` says more of each");
}

}  // namespace zona::daemon
