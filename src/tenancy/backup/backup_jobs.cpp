#include "tenancy/backup/backup_jobs.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "core/progress.h"
#include "jobs/context.h"
#include "tenancy/backup/backup_copies.h"
#include "tenancy/compliance.h"
#include "tenancy/detail/wait.h"
#include "tenancy/detail/whole_parts.h"
#include "tenancy/operations/tenant_operations.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;
using jobs::Context;
using jobs::Definition;
using jobs::Schedule;

namespace {

/// Between two passes of the log while no tenant changes anything.
constexpr std::chrono::hours kIdle(1);
/// Between two passes of the copies while nothing is written or removed: what is kept for a time
/// goes with one, and copies that somebody has removed come back.
constexpr std::chrono::minutes kCopyIdle(30);

/// `planned`, or `idle` after `last` if that is later.
SystemTime rested(SystemTime planned, SystemTime last, std::chrono::minutes idle, SystemTime now) {
    // A clock that was set back says nothing of how long ago that was.
    return last > now ? planned : std::max(planned, last + idle);
}

double seconds_of(SystemTime time) {
    return std::chrono::duration<double>(time.time_since_epoch()).count();
}

/// A run that has made a backup without some tenants has failed; the backup stays.
Error incomplete(const WholeBackup& whole) {
    std::string names;
    for (const MissingTenant& one : whole.missing)
        names += fmt::format("{}{}: {}", names.empty() ? "" : "; ", one.tenant, one.reason);
    return Error(Code::kUnavailable, fmt::format("the backup {} has all but {} of {} tenants: {}",
                                                 whole.uuid.to_string(), whole.missing.size(),
                                                 whole.missing.size() + whole.tenants, names));
}

Result<void> back_up_all(const Context& context, const BackupJobsDeps& deps) {
    const core::SteadyTime begun = deps.clock.steady();
    ZONA_TRY(const WholeBackup whole, deps.operations.back_up_all());
    const std::chrono::duration<double> took = deps.clock.steady() - begun;
    context.count("tenants", static_cast<std::int64_t>(whole.tenants));
    context.count("documents", static_cast<std::int64_t>(whole.documents));
    context.count("bytes", static_cast<std::int64_t>(whole.bytes));
    context.count("missing", static_cast<std::int64_t>(whole.missing.size()));
    deps.metrics
        .gauge("zona_backup_missing_tenants",
               "Tenants that the last scheduled backup of everything has not.")
        .set(static_cast<double>(whole.missing.size()));
    deps.metrics.gauge("zona_backup_bytes", "Size of the last scheduled backup of everything.")
        .set(static_cast<double>(whole.bytes));
    deps.metrics
        .gauge("zona_backup_duration_seconds",
               "Time that the last scheduled backup of everything took.")
        .set(took.count());
    if (!whole.missing.empty()) return incomplete(whole);
    deps.metrics
        .gauge("zona_backup_last_success_timestamp_seconds",
               "When the last scheduled backup of everything was made that misses no tenant.")
        .set(seconds_of(whole.made_at));
    return {};
}

Definition backup(const BackupJobsOptions& options, const BackupJobsDeps& deps) {
    return {
        .name = "backup",
        .summary = "Makes a backup of the core database, all tenants and their keys.",
        .schedule = options.schedule ? Schedule::cron(*options.schedule) : Schedule::when_asked(),
        .time_limit = std::chrono::hours(12),
        // What fails now fails in some minutes, too, and one without a tenant takes as much room
        // as the next one with it.
        .retries = {.attempts = 0},
        .work = [deps](Context& context) { return back_up_all(context, deps); }};
}

Result<void> back_up_if_due(const Context& context, const BackupJobsDeps& deps,
                            const Tenant& tenant) {
    auto wanted = Compliance::parse(*tenant.compliance_settings);
    if (!wanted) return wanted.take_error();
    if (!wanted->backup_schedule) return {};
    ZONA_TRY(const auto all, deps.operations.backups(tenant.code));
    const SystemTime last = all.empty() ? tenant.created_at : all.front().made_at;
    if (wanted->backup_schedule->next(last) > deps.clock.system()) return {};
    ZONA_TRY(const BackupRecord made, deps.operations.back_up_tenant(tenant.code));
    context.count("backups");
    context.count("bytes", static_cast<std::int64_t>(made.bytes));
    return {};
}

Result<void> back_up_tenants(const Context& context, const BackupJobsDeps& deps) {
    ZONA_TRY(const auto tenants, detail::wait_for<std::vector<Tenant>>(
                                     [&](auto done) { deps.tenants.list(std::move(done)); }));
    std::optional<Error> failed;
    for (const Tenant& tenant : tenants) {
        ZONA_TRY_VOID(context.go_on());
        // Who is being worked on has the next minute.
        if (tenant.status != TenantStatus::kActive || deps.operations.is_busy(tenant.code))
            continue;
        auto done = back_up_if_due(context, deps, tenant);
        if (done) continue;
        context.count("failed");
        if (!failed) failed = done.take_error().context(tenant.code);
    }
    if (failed) return *std::move(failed);
    return {};
}

Definition tenant_backups(const BackupJobsDeps& deps) {
    return {.name = "backup-tenants",
            .summary = "Makes a backup of each tenant with a schedule of its own, when it is due.",
            .schedule = Schedule::every(std::chrono::minutes(1)),
            .time_limit = std::chrono::hours(12),
            .retries = {.attempts = 0},
            .work = [deps](Context& context) { return back_up_tenants(context, deps); },
            .due =
                [tenants = &deps.tenants](std::optional<SystemTime> planned) {
                    return tenants->has_backup_schedules() ? planned : std::nullopt;
                }};
}

Result<LogReport> log_changes(const Context& context, const BackupJobsDeps& deps) {
    ZONA_TRY(LogReport report, deps.operations.log_changes());
    context.count("written", static_cast<std::int64_t>(report.written));
    context.count("unchanged", static_cast<std::int64_t>(report.unchanged));
    context.count("begun", static_cast<std::int64_t>(report.begun));
    context.count("bytes", static_cast<std::int64_t>(report.bytes));
    for (const auto& [owner, until] : report.until) {
        deps.metrics
            .gauge("zona_backup_restorable_timestamp_seconds",
                   "Up to when its documents can be restored by the log.", {{"owner", owner}})
            .set(seconds_of(until));
    }
    return report;
}

/// Whether there may be something for the log. Any thread.
class LogPace {
  public:
    LogPace(const BackupJobsOptions& options, const BackupJobsDeps& deps)
        : tenants_(deps.tenants), clock_(deps.clock), last_(clock_.system()) {
        std::error_code none;
        const auto wholes = options.directory + "/" + std::string(kAllBackups);
        left_behind_ = !std::filesystem::is_empty(wholes, none) && !none;
    }
    /// A machine on which nothing happens is left alone: the run itself is noted in the core
    /// database, and would be the next one's only reason.
    std::optional<SystemTime> due(std::optional<SystemTime> planned) const {
        if (!planned || left_behind_ || tenants_.has_changes()) return planned;
        return rested(*planned, last_, kIdle, clock_.system());
    }
    Result<void> pass(const std::function<Result<LogReport>()>& log) {
        // What comes after this may be in this one, and is looked at again.
        tenants_.forget_changes();
        auto done = log();
        if (!done || done->has_skipped) tenants_.note_change();
        if (!done) return done.take_error();
        if (done->has_skipped) return {};
        left_behind_ = false;
        last_ = clock_.system();
        return {};
    }

  private:
    Tenants& tenants_;
    const core::Clock& clock_;
    std::atomic<bool> left_behind_ = false;  ///< by an earlier process, perhaps
    std::atomic<SystemTime> last_;
};

Definition backup_log(const BackupJobsOptions& options, const BackupJobsDeps& deps) {
    auto pace = std::make_shared<LogPace>(options, deps);
    return {.name = "backup-log",
            .summary = "Writes what has changed beside the latest whole backup.",
            .schedule = Schedule::every(options.log_interval),
            .time_limit = std::chrono::hours(1),
            .retries = {.attempts = 0},
            .work =
                [deps, pace](Context& context) {
                    return pace->pass([&] { return log_changes(context, deps); });
                },
            .due = [pace](std::optional<SystemTime> planned) { return pace->due(planned); }};
}

Result<void> copy_all(const Context& context, const BackupJobsDeps& deps) {
    ZONA_TRY(const CopyReport report,
             deps.copies->pass([&] { return context.go_on(); }, context.stop_token()));
    context.count("files", static_cast<std::int64_t>(report.files));
    context.count("copied", static_cast<std::int64_t>(report.copied));
    context.count("removed", static_cast<std::int64_t>(report.removed));
    context.count("bytes", static_cast<std::int64_t>(report.bytes));
    deps.metrics
        .gauge("zona_backup_copy_timestamp_seconds",
               "When all that is finished was last seen in the other places.")
        .set(seconds_of(deps.clock.system()));
    return {};
}

Definition backup_copy(const BackupJobsDeps& deps) {
    auto last = std::make_shared<std::atomic<SystemTime>>();
    return {.name = "backup-copy",
            .summary = "Copies backups and logs that are finished to other places.",
            .schedule = Schedule::every(std::chrono::minutes(1)),
            .time_limit = std::chrono::hours(12),
            .retries = {.attempts = 0},
            .work = [deps, last](Context& context) -> Result<void> {
                ZONA_TRY_VOID(copy_all(context, deps));
                *last = deps.clock.system();
                return {};
            },
            .due = [deps, last](std::optional<SystemTime> planned) -> std::optional<SystemTime> {
                if (!planned || deps.copies->has_news()) return planned;
                return rested(*planned, *last, kCopyIdle, deps.clock.system());
            }};
}

Result<void> check_restore(const Context& context, const BackupJobsDeps& deps) {
    const auto failing = [&](double value) {
        deps.metrics
            .gauge("zona_restore_check_failed",
                   "Whether the latest whole backup could not be restored: 1 or 0.")
            .set(value);
    };
    auto checked = deps.operations.check_restore();
    if (!checked) {
        if (checked.error().code() != Code::kCancelled) failing(1);
        return checked.take_error();
    }
    if (!*checked) {
        context.count("without_backup");
        return {};
    }
    const WholeBackup& whole = **checked;
    context.count("tenants", static_cast<std::int64_t>(whole.tenants));
    context.count("documents", static_cast<std::int64_t>(whole.documents));
    context.count("missing", static_cast<std::int64_t>(whole.missing.size()));
    failing(0);
    deps.metrics
        .gauge("zona_restore_check_timestamp_seconds",
               "When the latest whole backup was last restored and compared.")
        .set(seconds_of(deps.clock.system()));
    return {};
}

Definition restore_check(const BackupJobsOptions& options, const BackupJobsDeps& deps) {
    return {.name = "restore-check",
            .summary =
                "Restores the latest whole backup with its log into a scratch directory, and "
                "compares.",
            .schedule = options.check_interval.count() == 0
                            ? Schedule::when_asked()
                            : Schedule::every(options.check_interval),
            .time_limit = std::chrono::hours(12),
            .work = [deps](Context& context) { return check_restore(context, deps); }};
}

}  // namespace

std::vector<Definition> backup_jobs(const BackupJobsOptions& options, const BackupJobsDeps& deps) {
    std::vector<Definition> out = {backup(options, deps), tenant_backups(deps),
                                   restore_check(options, deps)};
    if (options.log_interval.count() > 0) out.push_back(backup_log(options, deps));
    if (deps.copies != nullptr && deps.copies->is_wanted()) out.push_back(backup_copy(deps));
    return out;
}

}  // namespace zona::tenancy
