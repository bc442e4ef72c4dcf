#include "core/config.h"

#include <array>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "core/detail/config_loader.h"

namespace zona::core {
namespace {

using std::chrono::milliseconds;

bool same_value(const SettingValue& a, const SettingValue& b) {
    const auto* secret = std::get_if<Secret>(&a);
    const auto* other = std::get_if<Secret>(&b);
    if (secret != nullptr || other != nullptr) {
        return secret != nullptr && other != nullptr && secret->same_as(*other);
    }
    return a.index() == b.index() && show_value(a) == show_value(b);
}

using Items = std::map<std::string, ConfigSnapshot::Item>;

const ConfigSnapshot::Item* find(const Items& items, const std::string& key) {
    const auto found = items.find(key);
    return found == items.end() ? nullptr : &found->second;
}

/// What is in effect for one key after a reload; nothing if the key is gone.
std::optional<ConfigSnapshot::Item> merge_item(const SettingTable& table, const std::string& key,
                                               const ConfigSnapshot::Item* before,
                                               const ConfigSnapshot::Item* now,
                                               ReloadReport& report) {
    if (before != nullptr && now != nullptr && same_value(before->value, now->value)) return *now;
    report.changed.push_back(key);
    if (table.find(key)->reload == ReloadMode::kHot) {
        return now != nullptr ? std::optional(*now) : std::nullopt;
    }
    report.needs_restart.push_back(key);
    if (before == nullptr) return std::nullopt;
    ConfigSnapshot::Item kept = *before;
    kept.pending = now != nullptr ? now->value : SettingValue(std::string());
    return kept;
}

}  // namespace

std::string_view to_string(ConfigSource source) {
    constexpr std::array<std::string_view, 5> kNames = {"default", "profile", "file", "environment",
                                                        "flag"};
    return kNames.at(static_cast<std::size_t>(source));
}

ConfigSnapshot::ConfigSnapshot(Items items, std::string file, std::vector<Detail> warnings)
    : items_(std::move(items)), file_(std::move(file)), warnings_(std::move(warnings)) {}

template <class T>
const T& ConfigSnapshot::get(std::string_view key) const {
    const auto found = items_.find(std::string(key));
    const T* value = found == items_.end() ? nullptr : std::get_if<T>(&found->second.value);
    if (value == nullptr) {
        throw std::invalid_argument(fmt::format("no setting {} of the type asked for", key));
    }
    return *value;
}

const std::string& ConfigSnapshot::text(std::string_view key) const {
    return get<std::string>(key);
}
bool ConfigSnapshot::boolean(std::string_view key) const {
    return get<bool>(key);
}
std::int64_t ConfigSnapshot::integer(std::string_view key) const {
    return get<std::int64_t>(key);
}
milliseconds ConfigSnapshot::duration(std::string_view key) const {
    return get<milliseconds>(key);
}
ByteCount ConfigSnapshot::size(std::string_view key) const {
    return get<ByteCount>(key);
}
const Secret& ConfigSnapshot::secret(std::string_view key) const {
    return get<Secret>(key);
}

std::map<std::string, std::string> ConfigSnapshot::family(std::string_view section) const {
    std::map<std::string, std::string> members;
    const std::string start = fmt::format("{}.", section);
    for (auto at = items_.lower_bound(start); at != items_.end() && at->first.starts_with(start);
         ++at) {
        members.emplace(at->first.substr(start.size()), show_value(at->second.value));
    }
    return members;
}

std::vector<ConfigEntry> ConfigSnapshot::entries() const {
    std::vector<ConfigEntry> result;
    for (const auto& [key, item] : items_) {
        std::optional<std::string> pending;
        if (item.pending) pending = show_value(*item.pending);
        result.push_back({key, show_value(item.value), item.source, item.file, item.line, pending});
    }
    return result;
}

Config::Config(const SettingTable& table, ConfigInputs inputs,
               std::shared_ptr<const ConfigSnapshot> snapshot)
    : table_(table), inputs_(std::move(inputs)), snapshot_(std::move(snapshot)) {}

Result<std::unique_ptr<Config>> Config::load(const SettingTable& table, ConfigInputs inputs) {
    ZONA_TRY(auto snapshot, detail::ConfigLoader(table, inputs).load());
    return std::unique_ptr<Config>(new Config(table, std::move(inputs), std::move(snapshot)));
}

std::shared_ptr<const ConfigSnapshot> Config::snapshot() const {
    const std::lock_guard lock(mutex_);
    return snapshot_;
}

Result<ReloadReport> Config::reload() {
    const std::lock_guard reload_lock(reload_mutex_);
    ZONA_TRY(const auto fresh, detail::ConfigLoader(table_, inputs_).load());
    const std::shared_ptr<const ConfigSnapshot> old = snapshot();
    ReloadReport report;
    Items keys = old->items();
    keys.insert(fresh->items().begin(), fresh->items().end());
    Items merged;
    for (const auto& [key, unused] : keys) {
        std::optional<ConfigSnapshot::Item> item =
            merge_item(table_, key, find(old->items(), key), find(fresh->items(), key), report);
        if (item) merged.emplace(key, std::move(*item));
    }
    auto next =
        std::make_shared<const ConfigSnapshot>(std::move(merged), fresh->file(), fresh->warnings());
    const std::lock_guard lock(mutex_);
    snapshot_ = std::move(next);
    return report;
}

}  // namespace zona::core
