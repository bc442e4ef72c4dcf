/// @file
/// What the trees of all tiers share: the injected /proc, who may never be signalled, names and
/// marks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "core/result.h"
#include "os/cgroup.h"
#include "os/proc.h"
#include "process/containment.h"

namespace zona::process::detail {

constexpr std::string_view kVariable = "ZONA_PROCESS";
/// What the names of all homes' groups begin with.
constexpr std::string_view kBase = "zona-";

/// FNV-1a, 64 bit: names and marks must be the same in every build and after every restart.
constexpr std::uint64_t stable_hash(std::string_view text,
                                    std::uint64_t seed = 0xcbf29ce484222325U) {
    for (const char c : text) {
        seed ^= static_cast<unsigned char>(c);
        seed *= 0x100000001b3U;
    }
    return seed;
}

/// An inherited number in RLIMIT_LOCKS, a limit that Linux stores and shows but has not enforced
/// since 2.4.25. It survives fork, execve, setsid, a scrubbed environment and closed descriptors,
/// and takes one system call of half a microsecond to read. The upper 16 bits say "zona", so that a
/// foreign process is never taken for one of ours.
class Mark {
  public:
    enum class Match : std::uint8_t { kNone, kOther, kOurs };
    static constexpr std::uint64_t kTag = 0x1A0A;

    explicit constexpr Mark(std::uint64_t hash)
        : value_((kTag << 48U) | (hash & 0xFFFF'FFFF'FFFFU)) {}
    constexpr std::uint64_t value() const { return value_; }
    constexpr Match match(std::uint64_t limit) const {
        if (limit == value_) return Match::kOurs;
        return limit >> 48U == kTag ? Match::kOther : Match::kNone;
    }

  private:
    std::uint64_t value_;
};

/// Shared by reference; lives as long as the Containment.
struct ContainmentHost {
    os::ProcFs proc;
    std::string home;
    pid_t self = 0;
    pid_t keeper = 0;
    /// Whether a lower RLIMIT_LOCKS can be set here: our own must be above every mark.
    bool marks = false;
    /// Whether children can be born in a v2 group; else they enter by a write.
    bool birth = false;
    /// Out-of-memory kills in the group of the daemon: of trees without a count of their own.
    std::optional<os::OomCounter> oom_counter;
    /// Whether the groups of cgroup2 trees count for themselves; all do or none, as they are
    /// siblings. nullopt: no group has been seen yet.
    std::optional<bool> groups_count_oom;

    /// "zona-<hash of the home>": the group that holds this home's groups.
    std::string base_name() const;
    Mark mark_of(std::string_view uuid) const {
        return Mark(stable_hash(uuid, stable_hash(home + '\n')));
    }
    /// Never stopped, killed or descended from, wherever they were started.
    std::array<pid_t, 3> untouchable() const { return {1, self, keeper}; }
    std::optional<OomKills> shared_oom_kills() const;
};

/// "<slot>-<uuid>"
std::string group_name(const TreeId& id);
/// The reverse; nullopt for a name that is not of this form.
std::optional<TreeId> parse_group_name(std::string_view name);
core::Result<void> check_id(const TreeId& id);

/// The processes of `pids` that run, with their start times.
core::Result<std::vector<os::ProcessRef>> running(const os::ProcFs& proc,
                                                  const std::vector<pid_t>& pids);

}  // namespace zona::process::detail
