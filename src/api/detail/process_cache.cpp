#include "api/detail/process_cache.h"

#include <algorithm>

#include <fmt/format.h>

#include "api/detail/render.h"
#include "core/json.h"

namespace zona::api {
namespace {

/// Ids, names and UUIDs of as many processes as there can be; whoever asks for more begins anew.
constexpr std::size_t kMostIds = 50'000;

}  // namespace

RenderedProcess::RenderedProcess(const process::ProcessView& process)
    : version_(process.version), lasts_(process.survivors.empty()) {
    const std::string text = core::to_json(render(process));
    // In a string of the document its first quote would be escaped.
    constexpr std::string_view kUptime = "\"uptime_ms\":";
    uptime_ = text.find(kUptime) + kUptime.size();
    const std::size_t behind = text.find_first_not_of("0123456789", uptime_);
    text_.reserve(uptime_ + text.size() - behind);
    text_.append(text, 0, uptime_).append(text, behind);
    if (process.pid != 0) running_since_ = process.started_at;
}

void RenderedProcess::append_to(std::string& out, core::SystemTime now) const {
    using std::chrono::milliseconds;
    milliseconds uptime(0);
    if (running_since_)
        uptime = std::max(uptime, std::chrono::duration_cast<milliseconds>(now - *running_since_));
    out.append(text_, 0, uptime_);
    const fmt::format_int text(uptime.count());
    out.append(text.data(), text.size());
    out.append(text_, uptime_);
}

bool ProcessCache::holds(const RenderedProcess& known) const {
    return versions_.holds(known.version());
}

std::shared_ptr<const RenderedProcess> ProcessCache::find(const std::string& id) const {
    std::shared_lock lock(mutex_);
    const auto found = by_id_.find(id);
    auto known = found == by_id_.end() ? nullptr : found->second;
    lock.unlock();
    return known && holds(*known) ? known : nullptr;
}

std::shared_ptr<const RenderedProcess> ProcessCache::add(const std::string& id,
                                                         const process::ProcessView& process) {
    auto rendered = std::make_shared<const RenderedProcess>(process);
    if (!rendered->lasts()) return rendered;
    const std::scoped_lock lock(mutex_);
    if (by_id_.size() >= kMostIds) by_id_.clear();
    by_id_.insert_or_assign(id, rendered);
    return rendered;
}

std::shared_ptr<const ProcessList> ProcessCache::list() const {
    std::shared_lock lock(mutex_);
    auto known = list_;
    lock.unlock();
    const bool good = known && known->version == versions_.list() &&
                      std::ranges::all_of(known->processes, [this](const auto& one) {
                          return one->lasts() && holds(*one);
                      });
    return good ? known : nullptr;
}

std::shared_ptr<const ProcessList> ProcessCache::add_list(
    std::uint64_t version, std::size_t killed, const std::vector<process::ProcessView>& processes) {
    std::shared_lock lock(mutex_);
    const auto before = list_;
    lock.unlock();
    auto now = std::make_shared<ProcessList>();
    now->killed = killed;
    now->version = version;
    now->processes.reserve(processes.size());
    for (std::size_t i = 0; i < processes.size(); ++i) {
        const auto known = before && i < before->processes.size() ? before->processes[i] : nullptr;
        const bool same = known && known->lasts() && known->version() == processes[i].version;
        now->processes.push_back(same ? known
                                      : std::make_shared<const RenderedProcess>(processes[i]));
    }
    const std::scoped_lock change(mutex_);
    list_ = now;
    return now;
}

}  // namespace zona::api
