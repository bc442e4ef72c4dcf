// A role as it is written down.
#include <algorithm>
#include <array>
#include <charconv>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "identity/access/roles.h"
#include "identity/detail/fields.h"

namespace zona::identity {

namespace json = boost::json;
using core::JsonReader;
using core::Result;

namespace {

constexpr std::array<std::string_view, 7> kWeekdays{"mon", "tue", "wed", "thu",
                                                    "fri", "sat", "sun"};
constexpr std::size_t kMostName = 64;
constexpr std::size_t kMostDescription = 500;
constexpr std::size_t kMostInherited = 32;
constexpr std::size_t kMostNetworks = 64;
constexpr std::string_view kNameLetters = "abcdefghijklmnopqrstuvwxyz0123456789_-";

bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= kMostName && name.front() != '-' &&
           name.front() != '_' && name.find_first_not_of(kNameLetters) == std::string_view::npos;
}

std::string time_text(std::chrono::minutes time) {
    const auto hours = std::chrono::floor<std::chrono::hours>(time);
    return fmt::format("{:02}:{:02}", hours.count(), (time - hours).count());
}

std::optional<int> two_digits(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.size() != 2 || value < 0)
        return std::nullopt;
    return value;
}

std::chrono::minutes read_time(const JsonReader& from, std::string_view key) {
    constexpr std::size_t kForm = 5;  // "22:00"
    constexpr int kHours = 24;
    constexpr int kMinutes = 60;
    const auto text = from.string(key);
    if (!text) return {};
    if (text->size() == kForm && (*text)[2] == ':') {
        const auto hour = two_digits(std::string_view(*text).substr(0, 2));
        const auto minute = two_digits(std::string_view(*text).substr(3));
        if (hour && minute && *hour < kHours && *minute < kMinutes)
            return std::chrono::hours(*hour) + std::chrono::minutes(*minute);
    }
    from.mistake(key, "is no time of the day", "write it as 08:00, in UTC");
    return {};
}

Conditions read_conditions(const JsonReader& from) {
    Conditions out;
    for (const std::string& day : from.strings("weekdays").value_or(std::vector<std::string>())) {
        const auto at = std::ranges::find(kWeekdays, day);
        if (at == kWeekdays.end()) {
            from.mistake("weekdays", "holds what is no day", "mon, tue, wed, thu, fri, sat, sun");
            break;
        }
        out.weekdays |= static_cast<std::uint8_t>(1U << (at - kWeekdays.begin()));
    }
    out.from = read_time(from, "from");
    out.until = read_time(from, "until");
    const auto networks = from.strings("networks").value_or(std::vector<std::string>());
    if (networks.size() > kMostNetworks)
        from.mistake("networks", fmt::format("has more than {} networks", kMostNetworks));
    for (const std::string& text : networks) {
        auto network = net::Network::parse(text);
        if (!network) {
            from.mistake("networks", network.error().message());
            break;
        }
        out.networks.push_back(*std::move(network));
    }
    return out;
}

std::vector<Grant> read_grants(const JsonReader& from) {
    std::vector<Grant> out;
    for (const auto& [name, extent] :
         from.string_map("grants").value_or(std::vector<std::pair<std::string, std::string>>())) {
        const auto permission = permission_from(name);
        const auto wanted = extent_from(extent);
        if (!permission) {
            from.mistake("grants", fmt::format("'{}' is no permission", name),
                         "RESOURCE:ACTION, as in utilities:read; docs/guides/roles.md has them");
        } else if (!wanted || *wanted == Extent::kNone) {
            from.mistake("grants",
                         fmt::format("{} is granted neither on 'own' nor on 'all'", name));
        } else {
            out.push_back({*permission, *wanted});
        }
    }
    return out;
}

json::object conditions_of(const Conditions& conditions) {
    json::object out;
    if (conditions.weekdays != 0) {
        json::array days;
        for (std::size_t day = 0; day < kWeekdays.size(); ++day) {
            if (((conditions.weekdays >> day) & 1U) != 0) days.emplace_back(kWeekdays.at(day));
        }
        out["weekdays"] = std::move(days);
    }
    if (conditions.from != conditions.until) {
        out["from"] = time_text(conditions.from);
        out["until"] = time_text(conditions.until);
    }
    if (!conditions.networks.empty()) {
        json::array networks;
        for (const net::Network& network : conditions.networks)
            networks.emplace_back(network.text());
        out["networks"] = std::move(networks);
    }
    return out;
}

}  // namespace

store::Document to_document(const Role& role) {
    json::object grants;
    for (const Grant& one : role.grants)
        grants[to_string(one.permission)] = to_string(one.extent);
    return {{"name", role.name},
            {"description", role.description},
            {"inherits", detail::to_field(role.inherits)},
            {"grants", std::move(grants)},
            {"conditions", conditions_of(role.conditions)}};
}

Result<Role> role_from(const store::Document& document) {
    const json::value root(document);
    const JsonReader from(root);
    Role out{.tenant = {}, .name = from.require_string("name")};
    if (!out.name.empty() && !is_name(out.name)) {
        from.mistake(
            "name", "is no name of a role",
            fmt::format("1 to {} of a-z, 0-9, _ and -, the first a letter or digit", kMostName));
    }
    out.description = from.string("description").value_or("");
    if (out.description.size() > kMostDescription)
        from.mistake("description", fmt::format("is longer than {} bytes", kMostDescription));
    out.inherits = from.strings("inherits").value_or(std::vector<std::string>());
    if (out.inherits.size() > kMostInherited)
        from.mistake("inherits", fmt::format("has more than {} roles", kMostInherited));
    out.grants = read_grants(from);
    if (const auto conditions = from.object("conditions"))
        out.conditions = read_conditions(*conditions);
    ZONA_TRY_VOID(from.finish("the role"));
    return out;
}

}  // namespace zona::identity
