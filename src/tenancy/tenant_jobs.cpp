#include "tenancy/tenant_jobs.h"

#include <algorithm>
#include <future>

#include "jobs/context.h"
#include "tenancy/detail/purge.h"
#include "tenancy/detail/wait.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/keys/key_rotation.h"
#include "tenancy/tenants.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;
using jobs::Context;
using jobs::Definition;
using jobs::Instances;
using jobs::Schedule;

namespace {

/// A database that has not answered a small read by then counts as gone.
constexpr std::chrono::seconds kAnswerTime(10);
/// It is looked at least as often whether a key is old.
constexpr std::chrono::milliseconds kDay = std::chrono::hours(24);

Definition retry(const TenantJobsDeps& deps) {
    Tenants* const tenants = &deps.tenants;
    return {.name = "tenant-retry",
            .summary =
                "Tries again the tenants whose databases could not be had, when their time "
                "comes.",
            .schedule = Schedule::when_asked(),
            .instances = Instances::kEach,
            .retries = {.attempts = 0},
            .work = [tenants](Context& context) -> Result<void> {
                const std::size_t before = tenants->report().outages.size();
                tenants->retry_due();
                const std::size_t after = tenants->report().outages.size();
                context.count("unreachable", static_cast<std::int64_t>(after));
                context.count("back", static_cast<std::int64_t>(before - std::min(before, after)));
                return {};
            },
            .due = [tenants](auto) { return tenants->next_retry(); }};
}

Definition purge(const TenantJobsOptions& options, const TenantJobsDeps& deps) {
    return {.name = "purge",
            .summary = "Removes documents that are older than their collection keeps them.",
            .schedule = Schedule::every(options.purge_interval),
            .work = [&tenants = deps.tenants, &recorder = deps.recorder](Context& context) {
                return detail::purge_all(context, tenants, recorder);
            }};
}

Result<void> rotate_keys(const Context& context, KeyRotation& rotation,
                         std::chrono::milliseconds age) {
    ZONA_TRY(const KeyRotation::Turn turn, rotation.begin());
    ZONA_TRY(const std::vector<std::string> owners, turn.owners());
    RotationPlan plan{.age = age, .go_on = [&] { return context.go_on(); }};
    if (context.trigger() == jobs::Trigger::kManual) plan.age.reset();
    return jobs::for_each_part(context, owners, [&](const std::string& owner) -> Result<void> {
        ZONA_TRY(const Rotated done, turn.rotate(owner, plan));
        const std::pair<std::string_view, std::uint64_t> counters[] = {
            {"rotated", done.rotated},
            {"retired", done.retired},
            {"waiting", done.waiting},
            {"passwords", done.passwords},
            {"resealed", done.resealed}};
        for (const auto& [name, count] : counters)
            if (count > 0) context.count(name, static_cast<std::int64_t>(count));
        return {};
    });
}

Definition key_rotation(const TenantJobsOptions& options, const TenantJobsDeps& deps) {
    return {.name = "key-rotation",
            .summary =
                "Gives owners of old data keys new ones, encrypts their files anew, and "
                "forgets the old keys.",
            .schedule = Schedule::every(std::min(options.key_age, kDay)),
            // The ring belongs to one host, or to all.
            .instances = deps.tenants.is_shared() ? Instances::kOne : Instances::kEach,
            .time_limit = std::chrono::hours(12),
            .work = [rotation = &deps.rotation, age = options.key_age](Context& context) {
                return rotate_keys(context, *rotation, age);
            }};
}

/// One owner's files.
Result<void> check_files(const Context& context, Tenants& tenants, const std::string& owner) {
    const std::shared_ptr<EncryptedFiles> files = tenants.files();
    if (!files) return Error(Code::kUnavailable, "the databases are not open");
    ZONA_TRY(const std::vector<Tenants::File> open, tenants.files_of(owner));
    for (const Tenants::File& file : open) {
        ZONA_TRY_VOID(context.go_on());
        ZONA_TRY_VOID(files->check(file.path));
        context.count("files");
    }
    return {};
}

Definition store_check(const TenantJobsOptions& options, const TenantJobsDeps& deps) {
    Tenants* const tenants = &deps.tenants;
    return {.name = "store-check",
            .summary = "Holds each database file against its own structure.",
            .schedule = Schedule::every(options.check_interval),
            .instances = Instances::kEach,
            .time_limit = std::chrono::hours(12),
            .work = [tenants](Context& context) -> Result<void> {
                ZONA_TRY(std::vector<std::string> owners, tenants->active());
                owners.insert(owners.begin(), std::string(kCoreOwner));
                return jobs::for_each_part(context, owners, [&](const std::string& owner) {
                    return check_files(context, *tenants, owner);
                });
            }};
}

/// A small read of a database that is open.
Result<void> ask(Tenants& tenants, const std::string& code) {
    // Shared with an answer that comes too late.
    auto answer = std::make_shared<std::promise<Result<bool>>>();
    auto future = answer->get_future();
    auto read = [answer](Result<TenantData> data) {
        if (!data) return answer->set_value(data.take_error());
        const store::Collection any = data->collection(*tenant_collections().front());
        data->read(
            [any](store::Reader& reader) -> Result<bool> {
                ZONA_TRY(const auto found, reader.find(any, "zona.health"));
                return found.has_value();
            },
            [answer](Result<bool> found) { answer->set_value(std::move(found)); });
    };
    tenants.data_of(code, std::move(read));
    if (future.wait_for(kAnswerTime) != std::future_status::ready)
        return Error(Code::kUnavailable, "the database has not answered within 10 s");
    auto found = future.get();
    if (!found) return found.take_error();
    return {};
}

/// Says nothing about the database: so much waits for it that no more is taken, or it is closed.
bool is_busy(const Result<void>& answered) {
    if (answered) return false;
    const Code code = answered.error().code();
    return code == Code::kTooManyRequests || code == Code::kCancelled;
}

/// A database that cannot tell is asked again with the next look.
void measure_storage(const TenantJobsDeps& deps, const std::string& code) {
    auto show = [metrics = &deps.metrics, code](const Result<store::StorageUse>& use) {
        if (!use) return;
        metrics
            ->gauge("zona_tenant_storage_bytes",
                    "What the tenant's documents take, as its storage quota counts.",
                    {{"tenant", code}})
            .set(static_cast<double>(use->bytes));
    };
    deps.tenants.data_of(code, [show = std::move(show)](Result<TenantData> data) mutable {
        if (data) data->storage_use(std::move(show));
    });
}

Result<void> look_after(const Context& context, const TenantJobsDeps& deps) {
    for (const std::string& code : deps.tenants.in_use()) {
        ZONA_TRY_VOID(context.go_on());
        const core::SteadyTime before = deps.clock.steady();
        const Result<void> answered = ask(deps.tenants, code);
        const std::chrono::duration<double> took = deps.clock.steady() - before;
        if (is_busy(answered)) {
            context.count("busy");
            continue;
        }
        const core::Labels labels{{"tenant", code}};
        deps.metrics
            .gauge("zona_tenant_connected", "Whether the tenant's database answered last: 1 or 0.",
                   labels)
            .set(answered ? 1 : 0);
        deps.metrics
            .gauge("zona_tenant_response_seconds", "How long its last answer to a small read took.",
                   labels)
            .set(took.count());
        if (answered) measure_storage(deps, code);
        deps.tenants.note(code, answered);
        context.count(answered ? "answered" : "failed");
    }
    return {};
}

Definition pool_health(const TenantJobsOptions& options, const TenantJobsDeps& deps) {
    return {.name = "pool-health",
            .summary = "Tries the tenants' databases that are open, and measures their answers.",
            .schedule = Schedule::every(options.health_interval),
            .instances = Instances::kEach,
            .retries = {.attempts = 0},
            .work = [deps](Context& context) { return look_after(context, deps); },
            .due =
                [tenants = &deps.tenants](std::optional<SystemTime> planned) {
                    return tenants->in_use().empty() ? std::nullopt : planned;
                }};
}

}  // namespace

std::vector<Definition> tenant_jobs(const TenantJobsOptions& options, const TenantJobsDeps& deps) {
    return {retry(deps), purge(options, deps), key_rotation(options, deps),
            store_check(options, deps), pool_health(options, deps)};
}

}  // namespace zona::tenancy
