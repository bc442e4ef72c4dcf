#include "process/detail/state_model.h"

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace zona::process::detail {
namespace {

std::size_t name_hash(const StoredApp& app) {
    const std::hash<std::string_view> hash;
    return hash(app.spec.name) * 31 + hash(app.spec.namespace_);
}

bool equal(const StoredApp& a, const StoredApp& b) {
    return a.spec == b.spec && a.caller_environment == b.caller_environment;
}

std::size_t bytes_of(const std::vector<std::string>& texts) {
    std::size_t bytes = 0;
    for (const std::string& text : texts)
        bytes += text.size() + 3;
    return bytes;
}

std::size_t bytes_of(const std::map<std::string, std::string>& texts) {
    std::size_t bytes = 0;
    for (const auto& [key, text] : texts)
        bytes += key.size() + text.size() + 6;
    return bytes;
}

bool by_pm_id(const ProcessPtr& a, const ProcessPtr& b) {
    return std::tie(a->pm_id, a->id) < std::tie(b->pm_id, b->id);
}

}  // namespace

std::size_t app_bytes(const StoredApp& app) {
    constexpr std::size_t kFixed = 700;  // names of all members, numbers, short texts
    const AppSpec& spec = app.spec;
    return kFixed + spec.script.size() + spec.cwd.size() + bytes_of(spec.args) +
           bytes_of(spec.interpreter_args) + bytes_of(spec.env) + bytes_of(app.caller_environment);
}

const AppTable::Entry* AppTable::find(const AppPtr& app) const {
    if (const auto known = by_pointer_.find(app.get()); known != by_pointer_.end()) {
        return find(known->second);
    }
    const auto [first, last] = by_name_.equal_range(name_hash(*app));
    for (auto candidate = first; candidate != last; ++candidate) {
        const Entry* entry = find(candidate->second);
        if (equal(*entry->app, *app)) return entry;
    }
    return nullptr;
}

const AppTable::Entry* AppTable::find(AppKey key) const {
    const auto entry = entries_.find(key);
    return entry == entries_.end() ? nullptr : &entry->second;
}

void AppTable::add(AppKey key, AppPtr app) {
    const StoredApp* const pointer = app.get();
    const std::size_t bytes = app_bytes(*app);
    entries_.emplace(key, Entry{std::move(app), key, 0, bytes});
    by_pointer_.emplace(pointer, key);
    by_name_.emplace(name_hash(*pointer), key);
    bytes_ += bytes;
}

void AppTable::use(const StoredApp* app) {
    ++entries_.at(by_pointer_.at(app)).uses;
}

void AppTable::release(const StoredApp* app) {
    const auto entry = entries_.find(by_pointer_.at(app));
    if (--entry->second.uses == 0) erase(entry);
}

void AppTable::drop_unused() {
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        const auto next = std::next(entry);
        if (entry->second.uses == 0) erase(entry);
        entry = next;
    }
}

void AppTable::erase(std::map<AppKey, Entry>::iterator entry) {
    const auto [first, last] = by_name_.equal_range(name_hash(*entry->second.app));
    by_name_.erase(
        std::find_if(first, last, [&](const auto& named) { return named.second == entry->first; }));
    by_pointer_.erase(entry->second.app.get());
    bytes_ -= entry->second.bytes;
    entries_.erase(entry);
}

void StateModel::put(ProcessPtr process) {
    constexpr std::uint32_t kHighest = std::numeric_limits<std::uint32_t>::max();
    apps_.use(process->app.get());  // before the release: it may be the same app
    next_pm_id_ = std::max(next_pm_id_, process->pm_id == kHighest ? kHighest : process->pm_id + 1);
    ProcessPtr& place = processes_[process->id];
    const ProcessPtr before = std::exchange(place, std::move(process));
    if (before != nullptr) apps_.release(before->app.get());
}

bool StateModel::remove(const core::Uuid& id) {
    const auto found = processes_.find(id);
    if (found == processes_.end()) return false;
    apps_.release(found->second->app.get());
    processes_.erase(found);
    if (processes_.empty()) next_pm_id_ = 0;
    return true;
}

bool StateModel::set_desired(const core::Uuid& id, Desired desired) {
    const auto found = processes_.find(id);
    if (found == processes_.end()) return false;
    auto changed = std::make_shared<StoredProcess>(*found->second);
    changed->desired = desired;
    found->second = std::move(changed);
    return true;
}

void StateModel::kill() {
    if (processes_.empty()) return;
    std::set<std::pair<std::string_view, std::string_view>> names;
    for (const auto& [id, process] : processes_) {
        names.emplace(process->app->spec.namespace_, process->app->spec.name);
    }
    std::vector<ProcessPtr> set_aside;
    for (ProcessPtr& process : killed_) {
        const AppSpec& spec = process->app->spec;
        if (processes_.contains(process->id) || names.contains({spec.namespace_, spec.name})) {
            apps_.release(process->app.get());
        } else {
            set_aside.push_back(std::move(process));
        }
    }
    for (ProcessPtr& process : in_order(processes_))
        set_aside.push_back(std::move(process));
    killed_ = std::move(set_aside);
    processes_.clear();
    next_pm_id_ = 0;
}

void StateModel::forget_killed() {
    for (const ProcessPtr& process : killed_)
        apps_.release(process->app.get());
    killed_.clear();
}

void StateModel::add_killed(ProcessPtr process) {
    apps_.use(process->app.get());
    killed_.push_back(std::move(process));
}

std::vector<ProcessPtr> in_order(const std::map<core::Uuid, ProcessPtr>& processes) {
    std::vector<ProcessPtr> out;
    out.reserve(processes.size());
    for (const auto& [id, process] : processes)
        out.push_back(process);
    std::ranges::sort(out, by_pm_id);
    return out;
}

}  // namespace zona::process::detail
