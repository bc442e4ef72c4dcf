#include "os/resources.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <sched.h>
#include <sys/resource.h>

#include "os/fd.h"

namespace zona::os {
namespace {

double number_in(const std::string& path) {
    const auto text = read_file(path, 4096);
    return text ? std::atof(text->c_str()) : 0;
}

/// CPUs' worth of quota; 0 is no limit.
double quota(const std::string& root) {
    if (const auto v2 = read_file(root + "/cpu.max", 4096)) {
        const auto space = v2->find(' ');
        const double period = space == std::string::npos ? 0 : std::atof(v2->c_str() + space);
        const double limit = std::atof(v2->c_str());  // "max" reads as 0
        return period > 0 ? limit / period : 0;
    }
    const double limit = number_in(root + "/cpu/cpu.cfs_quota_us");
    const double period = number_in(root + "/cpu/cpu.cfs_period_us");
    return limit > 0 && period > 0 ? limit / period : 0;
}

}  // namespace

FdLimits fd_limits() {
    struct rlimit limit;
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0) return {};
    return {limit.rlim_cur, limit.rlim_max};
}

std::uint64_t raise_fd_limit(std::uint64_t wanted) {
    const FdLimits now = fd_limits();
    if (now.hard < wanted) {
        const struct rlimit higher = {.rlim_cur = wanted, .rlim_max = wanted};
        if (::setrlimit(RLIMIT_NOFILE, &higher) == 0) return wanted;
    }
    const struct rlimit raised = {.rlim_cur = std::min<rlim_t>(now.hard, wanted),
                                  .rlim_max = now.hard};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) return raised.rlim_cur;
    return now.soft;
}

FdLimits leave_no_core_dumps() {
    constexpr rlim_t kNone = 1;
    struct rlimit limit;
    if (::getrlimit(RLIMIT_CORE, &limit) < 0) return {};
    const FdLimits before{limit.rlim_cur == kNone ? 0 : limit.rlim_cur, limit.rlim_max};
    limit.rlim_cur = std::min(kNone, limit.rlim_max);
    // Lowering a soft limit is never refused.
    ::setrlimit(RLIMIT_CORE, &limit);
    return before;
}

int usable_cpus(const std::string& cgroup_root) {
    cpu_set_t set;
    CPU_ZERO(&set);
    int cpus = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    const double limit = quota(cgroup_root);
    if (limit > 0) cpus = std::min(cpus, static_cast<int>(std::ceil(limit)));
    return std::max(cpus, 1);
}

}  // namespace zona::os
