#include "backup_checks.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "core/cron.h"
#include "core/text.h"
#include "core/time_format.h"

namespace zona::daemon {
namespace {

using core::SystemTime;
using process::CheckStatus;
using process::degraded;
using process::HostCheck;
using process::ok;

/// What a run may be late, and take.
constexpr std::chrono::hours kSlack(12);
/// A pass comes by every minute; a large backup takes longer.
constexpr std::chrono::hours kCopySlack(1);

/// One job, whose last success must not be older than `wanted`, if that is said.
HostCheck check_job(std::string name, const jobs::JobView& job, std::optional<SystemTime> wanted,
                    const std::string& cure) {
    const auto& last = job.last;
    const bool has_failed = last && (last->outcome == jobs::Outcome::kFailed ||
                                     last->outcome == jobs::Outcome::kTimedOut);
    const std::string proven =
        job.last_success ? "the last success was at " + core::to_rfc3339(*job.last_success)
                         : "it has never succeeded";
    if (has_failed) {
        return degraded(std::move(name),
                        fmt::format("failed at {}: {}; {}", core::to_rfc3339(last->started_at),
                                    last->error, proven),
                        cure);
    }
    if (!job.last_success)
        return ok(std::move(name),
                  job.due ? "is due at " + core::to_rfc3339(*job.due) : "not asked for");
    if (wanted && *job.last_success < *wanted)
        return degraded(std::move(name), "is overdue: " + proven, cure);
    return ok(std::move(name), proven);
}

}  // namespace

std::vector<HostCheck> check_backup_jobs(const core::Settings& settings,
                                         std::span<const jobs::JobView> jobs, SystemTime now) {
    std::vector<HostCheck> out;
    const auto add = [&](std::string name, std::string_view job, std::optional<SystemTime> wanted,
                         const std::string& cure) {
        const auto found = std::ranges::find(jobs, job, &jobs::JobView::name);
        if (found != jobs.end()) out.push_back(check_job(std::move(name), *found, wanted, cure));
    };
    const auto backup = std::ranges::find(jobs, "backup", &jobs::JobView::name);
    const auto schedule = core::CronExpression::parse(settings.backup_schedule);
    std::optional<SystemTime> wanted;
    // As long as what should have come after the last one is not late.
    if (schedule && backup != jobs.end() && backup->last_success &&
        schedule->next(*backup->last_success) + kSlack < now)
        wanted = now;
    add("backups", "backup", wanted,
        "zona job show backup says why; zona backup create makes one at once");
    wanted.reset();
    if (settings.backup_check_interval.count() > 0)
        wanted = now - settings.backup_check_interval - kSlack;
    add("restore check", "restore-check", wanted,
        "zona job show restore-check says why; zona job run restore-check does it at once");
    add("backup copies", "backup-copy", now - kCopySlack,
        "zona job show backup-copy and zona's log say why; it is tried again every minute");
    return out;
}

}  // namespace zona::daemon
