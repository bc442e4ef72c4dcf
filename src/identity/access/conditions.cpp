#include "identity/access/conditions.h"

#include <algorithm>

namespace zona::identity {

bool Conditions::hold(const Context& context) const {
    using std::chrono::days;
    if (!networks.empty() && !context.address.empty()) {
        const auto in = [&](const net::Network& network) {
            return network.contains(context.address);
        };
        if (std::ranges::none_of(networks, in)) return false;
    }
    auto day = std::chrono::floor<days>(context.time);
    const auto minute = std::chrono::floor<std::chrono::minutes>(context.time - day);
    const bool over_midnight = until < from;
    if (over_midnight) {
        if (minute < from && minute >= until) return false;
        if (minute < until) day -= days(1);  // it began yesterday
    } else if (from != until && (minute < from || minute >= until)) {
        return false;
    }
    const unsigned weekday = std::chrono::weekday(day).iso_encoding() - 1;
    return weekdays == 0 || ((weekdays >> weekday) & 1U) != 0;
}

}  // namespace zona::identity
