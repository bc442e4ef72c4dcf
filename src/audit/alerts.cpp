#include "audit/alerts.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <fmt/format.h>

namespace zona::audit {
namespace {

/// Keys of a tally; beyond them the one that was quiet the longest is forgotten.
constexpr std::size_t kMostKeys = 1024;
constexpr std::array<std::string_view, kPatterns> kNames = {
    "failures_of_address", "failures_of_name", "names_of_address",
    "foreign_tenants",     "attacks",          "new_place"};

std::uint64_t hash_of(std::string_view text) {
    return std::hash<std::string_view>()(text);
}

std::string words_for(Pattern pattern, std::size_t count, std::chrono::seconds window) {
    const auto minutes = std::chrono::ceil<std::chrono::minutes>(window).count();
    switch (pattern) {
        case Pattern::kFailuresOfAddress:
            return fmt::format("one address was refused {} times in {} min", count, minutes);
        case Pattern::kFailuresOfName:
            return fmt::format("one name was tried in vain {} times in {} min", count, minutes);
        case Pattern::kNamesOfAddress:
            return fmt::format("one address has tried {} names in {} min", count, minutes);
        case Pattern::kForeignTenants:
            return fmt::format(
                "one sender asked {} times in {} min for tenants that are not its own", count,
                minutes);
        case Pattern::kAttacks:
            return fmt::format("{} requests of one address in {} min look like attacks", count,
                               minutes);
        case Pattern::kNewPlace:
            break;
    }
    return "a user has signed in from a network for the first time";
}

}  // namespace

std::string_view to_string(Pattern pattern) {
    return kNames[static_cast<std::size_t>(pattern)];
}

Alerts::Alerts(AlertsDeps deps, AlertLimits limits) : deps_(std::move(deps)), limits_(limits) {}

void Alerts::set_limits(AlertLimits limits) {
    const std::scoped_lock lock(mutex_);
    limits_ = limits;
}

/// Notes a thing; whether there are `limit` different ones of the key, and it was not told in this
/// window. Under the lock.
bool Alerts::reaches(Tally& tally, const std::string& key, std::uint64_t thing, std::size_t limit) {
    if (limit == 0) return false;
    const auto now = deps_.clock.steady();
    if (tally.size() >= kMostKeys && !tally.contains(key)) {
        tally.erase(
            std::ranges::min_element(tally, {}, [](const auto& one) { return one.second.last; }));
    }
    Lately& lately = tally[key];
    lately.last = now;
    std::erase_if(lately.things,
                  [&](const auto& one) { return now - one.second >= limits_.window; });
    if (lately.told && now - *lately.told < limits_.window) return false;
    lately.things[thing] = now;
    if (lately.things.size() < limit) return false;
    lately.things.clear();
    lately.told = now;
    return true;
}

void Alerts::failed(std::string_view address, std::string_view tenant, std::string_view name) {
    const std::string from(address);
    const std::string whom = fmt::format("{}/{}", tenant, name);
    std::vector<std::pair<Pattern, std::size_t>> reached;
    {
        const std::scoped_lock lock(mutex_);
        const std::uint64_t thing = next_thing_++;
        const auto look = [&](Pattern pattern, Tally& tally, const std::string& key,
                              std::uint64_t what, std::size_t limit) {
            if (reaches(tally, key, what, limit)) reached.emplace_back(pattern, limit);
        };
        if (!from.empty()) {
            look(Pattern::kFailuresOfAddress, failures_of_address_, from, thing,
                 limits_.failures_of_address);
        }
        if (!name.empty()) {
            look(Pattern::kFailuresOfName, failures_of_name_, whom, thing,
                 limits_.failures_of_name);
        }
        if (!from.empty() && !name.empty()) {
            look(Pattern::kNamesOfAddress, names_of_address_, from, hash_of(whom),
                 limits_.names_of_address);
        }
    }
    for (const auto& [pattern, count] : reached) {
        Actor who{.kind = "anonymous", .address = from};
        if (pattern == Pattern::kFailuresOfName) who.name = name;
        raise(pattern, std::move(who), tenant, count);
    }
}

void Alerts::reached_out(const Actor& who, std::string_view tenant) {
    std::size_t limit = 0;
    {
        const std::scoped_lock lock(mutex_);
        limit = limits_.foreign_tenants;
        if (!reaches(foreign_tenants_, who.subject(), next_thing_++, limit)) return;
    }
    raise(Pattern::kForeignTenants, who, tenant, limit);
}

void Alerts::attacked(std::string_view address) {
    std::size_t limit = 0;
    {
        const std::scoped_lock lock(mutex_);
        limit = limits_.attacks;
        if (!reaches(attacks_, std::string(address), next_thing_++, limit)) return;
    }
    raise(Pattern::kAttacks, {.kind = "anonymous", .address = std::string(address)}, {}, limit);
}

void Alerts::came_from_new_place(const Actor& who, std::string_view tenant) {
    {
        const std::scoped_lock lock(mutex_);
        if (!limits_.new_places) return;
    }
    raise(Pattern::kNewPlace, who, tenant, 1);
}

void Alerts::raise(Pattern pattern, Actor who, std::string_view tenant, std::size_t count) {
    Entry entry = new_entry(deps_.clock, deps_.random);
    {
        const std::scoped_lock lock(mutex_);
        Raised& raised = raised_[static_cast<std::size_t>(pattern)];
        ++raised.count;
        raised.last = entry.at;
        entry.details = words_for(pattern, count, limits_.window);
    }
    deps_.metrics
        .counter("zona_alerts_total", "Patterns of attacks that were seen.",
                 {{"pattern", std::string(to_string(pattern))}})
        .add();
    deps_.log.warn("alert: " + entry.details, {{"pattern", to_string(pattern)},
                                               {"tenant", tenant},
                                               {"actor", who.subject()},
                                               {"address", who.address}});
    entry.category = Category::kSecurity;
    entry.outcome = pattern == Pattern::kNewPlace ? Outcome::kSuccess : Outcome::kRefused;
    entry.action = "alert";
    entry.resource = to_string(pattern);
    entry.tenant = tenant;
    entry.actor = std::move(who);
    deps_.record(entry);
}

std::array<Raised, kPatterns> Alerts::raised() const {
    const std::scoped_lock lock(mutex_);
    return raised_;
}

}  // namespace zona::audit
