// The tenants' data: opened beside supervision, which does not wait for it; jobs look after it.
#include <algorithm>
#include <iterator>
#include <utility>

#include <boost/asio/post.hpp>

#include "alert_settings.h"
#include "core/text.h"
#include "daemon.h"
#include "data_settings.h"
#include "license_settings.h"
#include "tenancy/audit_retention.h"
#include "tenancy/backup/backup_jobs.h"
#include "tenancy/compliance.h"
#include "tenancy/keys/shared_ring.h"
#include "tenancy/tenant_jobs.h"

namespace zona::daemon {
namespace {

/// The longest pause between two tries of a core database that cannot be used for now.
constexpr std::chrono::seconds kReopenAfterAtMost(60);
/// How long a role that another instance has changed may hold on here.
constexpr std::chrono::milliseconds kRolesOfOthers(500);
/// Of a call while somebody waits to be let in.
constexpr int kCallAttempts = 3;

}  // namespace

core::Result<void> Daemon::build_tenants() {
    ZONA_TRY_VOID(set_token_environment(settings_.root_key));
    ZONA_TRY(const tenancy::BuildType type, tenancy::parse_build_type(settings_.build_type));
    ZONA_TRY(
        tenancy::Placement placement,
        tenancy::Placement::parse(settings_.placement, {.host = {},
                                                        .name = {},
                                                        .username = settings_.mongo.username,
                                                        .password = settings_.mongo.password}));
    ZONA_TRY(core_, core_options(settings_, random_, end_));
    ZONA_TRY(instance_, instance_of(home_, random_));
    admission_.hold();
    ZONA_TRY_VOID(build_licensing());
    root_keys_ = root_key_providers(settings_.root_key, random_);
    ZONA_TRY(sqlite_, store::SqliteProcess::begin(logging_.logger("sqlite")));
    tenants_.emplace(tenancy::TenantsOptions{.directory = home_ + "/state",
                                             .build_type = type,
                                             .storage_quota = static_cast<std::uint64_t>(
                                                 settings_.tenant_storage.bytes()),
                                             .mongo = mongo_options(settings_.mongo, random_, end_),
                                             .placement = std::move(placement),
                                             .core = core_,
                                             .instance = instance_,
                                             .follow_interval = tenancy::kFollowInterval,
                                             .license_keys = license_keys_},
                     tenancy::TenantsDeps{
                         .clock = clock_,
                         .random = random_,
                         .log = logging_.logger("tenancy"),
                         .accesses = logging_.logger("store.access"),
                         .open_files = [this](tenancy::RingPlace ring) { return open_files(ring); },
                         .run_blocking =
                             [this](std::move_only_function<void()> work) {
                                 asio::post(*blocking_, std::move(work));
                             },
                         .hook = {},
                         .metrics = &metrics_,
                         .tenant_changed =
                             [this](const tenancy::Tenant& tenant) {
                                 admission_.set_quota(tenant.code, tenant.quota);
                                 note_methods(tenant);
                             },
                         .tenant_held =
                             [this](const std::string& code) {
                                 // A Redis that is away is told when it is back.
                                 cache_->invalidate_tenant(code, [](const core::Result<void>&) {});
                             },
                         .changed = [this] { jobs_->poke(); },
                         .watch =
                             [this](std::shared_ptr<store::Database> core) {
                                 begin_with_core(std::move(core));
                             }});
    tenants_->set_slow_query(settings_.slow_query);
    ZONA_TRY_VOID(build_operations());
    build_identity();
    ZONA_TRY_VOID(build_audit());
    return build_jobs();
}

/// What works with the core database alone.
void Daemon::begin_with_core(std::shared_ptr<store::Database> core) {
    begin_sessions(core);
    licensing_->start(core);
    tasks_->start(core);
    jobs_->start(std::move(core));
}

/// What a newer zona has written there and this one does not know nobody can show.
void Daemon::note_methods(const tenancy::Tenant& tenant) {
    auto wanted = tenancy::Compliance::parse(*tenant.compliance_settings);
    if (!wanted)
        logging_.logger("tenancy").report("a tenant's rules are not known here", wanted.error());
    methods_.set(tenant.code, wanted ? std::move(wanted->required_methods)
                                     : identity::RequiredMethods::impossible());
}

core::Result<void> Daemon::build_licensing() {
    ZONA_TRY(tenancy::LicensingOptions options, licensing_options(settings_.license));
    license_keys_ = options.keys;
    licensing_.emplace(
        std::move(options),
        tenancy::LicensingDeps{.clock = clock_,
                               .log = logging_.logger("license"),
                               .metrics = metrics_,
                               .record = [this](std::string_view action, const std::string& id,
                                                const std::string& details) {
                                   audit::Entry entry = recorder_->begin();
                                   entry.category = audit::Category::kCompliance;
                                   entry.action = action;
                                   entry.resource = "/api/v1/license/" + id;
                                   entry.details = details;
                                   recorder_->record(store::Scope::core().code(), entry);
                               }});
    return {};
}

void Daemon::build_identity() {
    const auto core = [this] { return tenants_->core(); };
    hasher_.emplace(identity::kProductionCost, kHashesAtOnce, random_, metrics_);
    roles_.emplace(identity::RolesDeps{.core = core, .changed = [this](const std::string& tenant) {
                                           permissions_->forget(tenant);
                                       }});
    const bool is_shared = !core_.uri.empty();
    permissions_.emplace(*roles_, clock_,
                         is_shared ? kRolesOfOthers : std::chrono::milliseconds(0));
    users_.emplace(identity::UsersDeps{
                       .core = core,
                       .fields = [this](const std::string& tenant) { return fields_of(tenant); },
                       .run_blocking =
                           [this](std::move_only_function<void()> work) {
                               asio::post(*hashing_, std::move(work));
                           },
                       .roles = *roles_,
                       .hasher = *hasher_,
                       .clock = clock_,
                       .random = random_,
                       .log = logging_.logger("security"),
                       .metrics = metrics_,
                       .changed =
                           [this](const std::string& tenant, std::int64_t id,
                                  std::move_only_function<void()> then) {
                               end_sessions_of(tenant, id, std::move(then));
                           }},
                   password_rules(settings_));
    invitations_.emplace(*users_);
    build_federation();
}

void Daemon::build_federation() {
    const core::Settings::Federation& settings = settings_.federation;
    const auto fields = [this](const std::string& tenant) { return fields_of(tenant); };
    caller_.emplace(net::OutgoingOptions{.ca_file = settings.ca_file,
                                         .reach = settings.local_providers ? net::Reach::kThisHost
                                                                           : net::Reach::kNetwork,
                                         .attempts = kCallAttempts},
                    clock_, random_, metrics_);
    providers_.emplace(
        identity::ProvidersDeps{.core = [this] { return tenants_->core(); }, .fields = fields});
    federation_.emplace(identity::FederationOptions{.redirect_uri = settings.redirect_uri,
                                                    .public_url = std::string(
                                                        core::trimmed(settings.public_url, "/"))},
                        identity::FederationDeps{.providers = *providers_,
                                                 .users = *users_,
                                                 .caller = *caller_,
                                                 .fields = [fields] { return fields({}); },
                                                 .run_blocking =
                                                     [this](std::move_only_function<void()> work) {
                                                         asio::post(*calling_, std::move(work));
                                                     },
                                                 .clock = clock_,
                                                 .random = random_});
}

core::Result<std::shared_ptr<const vault::FieldSealer>> Daemon::fields_of(
    const std::string& tenant) const {
    const auto files = tenants_->files();
    if (!files) return core::Error(core::Code::kUnavailable, "the keys are not open yet");
    return files->fields(tenant.empty() ? tenancy::kCoreOwner : tenant);
}

core::Result<void> Daemon::build_operations() {
    ZONA_TRY(copies_, tenancy::BackupCopies::open(copy_options(settings_, home_),
                                                  {.clock = clock_,
                                                   .helpers = helpers_,
                                                   .log = logging_.logger("backup"),
                                                   .changed = [this] { jobs_->poke(); }}));
    operations_.emplace(
        tenancy::OperationsOptions{
            .backups = settings_.backup_directory,
            .zona = ZONA_VERSION,
            .keep = static_cast<std::size_t>(settings_.backups_kept),
            .log = core_.uri.empty() && settings_.backup_log_interval.count() > 0
                       ? tenancy::Log::kOn
                       : tenancy::Log::kOff},
        tenancy::OperationsDeps{.tenants = *tenants_,
                                .clock = clock_,
                                .random = random_,
                                .log = logging_.logger("tenancy"),
                                .copies = copies_.get()});
    rotation_.emplace(tenancy::KeyRotationDeps{
        .tenants = *tenants_,
        .clock = clock_,
        .log = logging_.logger("vault"),
        .needs_key = [this](const std::string& owner, vault::KeyId key) -> core::Result<bool> {
            ZONA_TRY(const bool is_needed, has_backups(owner));
            if (is_needed || owner == tenancy::kCoreOwner) return is_needed;
            ZONA_TRY(const auto scope, store::Scope::tenant(owner));
            return archives_->needs_key(*books_, scope, key);
        }});
    return {};
}

/// Records from here on; what is recorded waits until the tenants' data is open.
core::Result<void> Daemon::build_audit() {
    const core::Logger log = logging_.logger("audit");
    ZONA_TRY(std::unique_ptr<audit::Spool> spool,
             audit::Spool::open({.directory = home_ + "/state/audit-spool"}, random_, log));
    books_.emplace(*tenants_, log);
    archives_.emplace(home_ + "/state/audit", *tenants_, random_);
    turn_.emplace(*tenants_, clock_, random_, instance_);
    recorder_.emplace(
        std::move(spool),
        audit::RecorderDeps{.clock = clock_, .random = random_, .log = log, .metrics = metrics_});
    alerts_.emplace(audit::AlertsDeps{.record =
                                          [this](const audit::Entry& entry) {
                                              recorder_->record(store::Scope::core().code(), entry);
                                          },
                                      .clock = clock_,
                                      .random = random_,
                                      .log = logging_.logger("security"),
                                      .metrics = metrics_},
                    alert_limits(settings_.alerts));
    trail_.emplace(*recorder_, *alerts_, clock_);
    return {};
}

core::Result<std::unique_ptr<tenancy::EncryptedFiles>> Daemon::open_files(tenancy::RingPlace ring) {
    std::unique_ptr<vault::RingStorage> shared_ring;
    if (ring == tenancy::RingPlace::kCoreDatabase) {
        ZONA_TRY(shared_ring, tenancy::open_shared_ring(core_, clock_, logging_.logger("vault")));
    }
    return tenancy::EncryptedFiles::open({.ring = home_ + "/state/keys.json",
                                          .root_keys = *root_keys_,
                                          .clock = clock_,
                                          .random = random_,
                                          .log = logging_.logger("store"),
                                          .page_token_key = new_page_token_key(random_),
                                          .open_files = budget_.databases,
                                          .shared_ring = std::move(shared_ring)});
}

/// On the blocking thread. Without the core database supervision goes on.
void Daemon::open_tenants() {
    auto opened = tenants_->open();
    // By now every quota is known; or there is no data to get.
    admission_.release();
    if (!opened) {
        logging_.logger("tenancy").report("tenants cannot be served", opened.error());
        if (keys_) keys_->settle();
        // A lock that somebody holds, a token that is gone, a full disk: that may pass.
        const core::Code code = opened.error().code();
        if (code == core::Code::kUnavailable || code == core::Code::kResourceExhausted)
            asio::post(supervision_, [this] { open_tenants_later(); });
        return;
    }
    constexpr std::chrono::seconds kLookAround{60};
    recorder_->start(
        *books_, [this] { return (*turn_)(); },
        tenants_->is_shared() ? kLookAround : std::chrono::seconds(0),
        tenancy::spool_seal(*tenants_, recorder_->spool()));
    asio::post(*long_, [this] {
        if (auto resumed = operations_->resume(); !resumed)
            logging_.logger("tenancy").report("unfinished work stays", resumed.error());
        allow_tasks();
    });
}

/// What was begun by an earlier life is finished or taken away by now, or the routes say how tasks
/// are done: the second of both.
void Daemon::allow_tasks() {
    if (tasks_wait_for_.fetch_sub(1) == 1) tasks_->release();
}

void Daemon::open_tenants_later() {
    reopen_.expires_after(reopen_after_);
    reopen_after_ = std::min(2 * reopen_after_, kReopenAfterAtMost);
    reopen_.async_wait([this](const boost::system::error_code& error) {
        if (!error) asio::post(*blocking_, [this] { open_tenants(); });
    });
}

core::Result<void> Daemon::build_jobs() {
    const core::Settings::Jobs& wanted = settings_.jobs;
    ZONA_TRY(auto wanted_backups, backup_options(settings_));
    // Whole backups and their log are of files.
    if (tenants_->is_shared()) {
        wanted_backups.schedule.reset();
        wanted_backups.log_interval = wanted_backups.check_interval = std::chrono::milliseconds(0);
    }
    std::vector<jobs::Definition> definitions =
        tenancy::tenant_jobs({.purge_interval = wanted.purge_interval,
                              .key_age = wanted.key_age,
                              .check_interval = wanted.check_interval,
                              .health_interval = wanted.health_interval},
                             {.tenants = *tenants_,
                              .clock = clock_,
                              .metrics = metrics_,
                              .rotation = *rotation_,
                              .recorder = *recorder_});
    std::ranges::move(tenancy::backup_jobs(wanted_backups, {.tenants = *tenants_,
                                                            .operations = *operations_,
                                                            .copies = copies_.get(),
                                                            .clock = clock_,
                                                            .metrics = metrics_}),
                      std::back_inserter(definitions));
    definitions.push_back(session_cleanup());
    definitions.push_back(signing_key_rotation());
    definitions.push_back(tenancy::license_check(*licensing_, settings_.license.check_interval));
    definitions.push_back(api_key_check());
    definitions.push_back(tenancy::audit_retention({.tenants = *tenants_,
                                                    .books = *books_,
                                                    .recorder = *recorder_,
                                                    .random = random_,
                                                    .archives = *archives_}));
    jobs_.emplace(
        jobs::SchedulerOptions{.instance = instance_,
                               .keep_runs = static_cast<std::size_t>(wanted.history_runs)},
        jobs::SchedulerDeps{.clock = clock_,
                            .random = random_,
                            .log = logging_.logger("jobs"),
                            .metrics = metrics_,
                            .tenants = [this] { return tenants_->active(); }},
        std::move(definitions));
    constexpr std::chrono::seconds kLookForTasks{10};
    tasks_.emplace(jobs::QueueOptions{.instance = instance_,
                                      .look_around = core_.uri.empty() ? std::chrono::seconds(0)
                                                                       : kLookForTasks},
                   jobs::QueueDeps{.clock = clock_,
                                   .random = random_,
                                   .log = logging_.logger("jobs"),
                                   .metrics = metrics_,
                                   .fields = [this] { return fields_of({}); }});
    return {};
}

/// Whether there is a backup that the owner's keys open.
core::Result<bool> Daemon::has_backups(const std::string& owner) {
    ZONA_TRY(const auto whole, operations_->whole_backups());
    if (!whole.empty() || owner == tenancy::kCoreOwner) return !whole.empty();
    ZONA_TRY(const auto own, operations_->backups(owner));
    return !own.empty();
}

}  // namespace zona::daemon
