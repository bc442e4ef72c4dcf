#include "process/detail/containment_host.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace zona::process::detail {
namespace {

constexpr std::size_t kMaxUuid = 64;

bool is_uuid(std::string_view text) {
    return !text.empty() && text.size() <= kMaxUuid &&
           text.find_first_not_of("0123456789abcdefABCDEF-") == std::string_view::npos;
}

}  // namespace

std::string ContainmentHost::base_name() const {
    return fmt::format("{}{:016x}", kBase, stable_hash(home));
}

std::optional<OomKills> ContainmentHost::shared_oom_kills() const {
    if (const auto count = oom_counter ? oom_counter->kills() : std::nullopt) {
        return OomKills{.count = *count, .scope = OomKills::Scope::kDaemon};
    }
    const auto count = proc.oom_kills().value_or(std::nullopt);
    if (!count) return std::nullopt;
    return OomKills{.count = *count, .scope = OomKills::Scope::kHost};
}

std::string group_name(const TreeId& id) {
    return fmt::format("{}-{}", id.slot, id.uuid);
}

std::optional<TreeId> parse_group_name(std::string_view name) {
    TreeId out;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), out.slot);
    name.remove_prefix(static_cast<std::size_t>(end - name.data()));
    if (error != std::errc() || !name.starts_with('-') || !is_uuid(name.substr(1)))
        return std::nullopt;
    out.uuid = name.substr(1);
    return out;
}

core::Result<void> check_id(const TreeId& id) {
    if (is_uuid(id.uuid)) return {};
    return core::Error(
        core::Code::kInvalidArgument,
        fmt::format("'{}' is not the UUID of a process (1 to {} hexadecimal digits and '-')",
                    id.uuid, kMaxUuid));
}

core::Result<std::vector<os::ProcessRef>> running(const os::ProcFs& proc,
                                                  const std::vector<pid_t>& pids) {
    std::vector<os::ProcessRef> out;
    for (const pid_t pid : pids) {
        ZONA_TRY(const auto entry, proc.stat(pid));
        if (entry && !entry->is_dead()) out.push_back(entry->ref());
    }
    return out;
}

}  // namespace zona::process::detail
