#include "tenancy/tenants.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <future>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "crypto/hash.h"
#include "os/fd.h"
#include "store/blocking.h"
#include "tenancy/compliance.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/core_host.h"
#include "tenancy/detail/login.h"
#include "tenancy/detail/tenants_files.h"
#include "tenancy/detail/wait.h"
#include "tenancy/detail/watched_databases.h"
#include "tenancy/operations/share_core.h"
#include "vault/data_keys.h"
#include "vault/key_ring.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

using detail::wait_for;

namespace {

/// How long tenants are looked at after one has changed: where the database has no transactions,
/// half of a change may be there before the other.
constexpr std::chrono::seconds kChangesSettle(60);

Error no_files(std::string_view code) {
    return Error(Code::kInvalidArgument,
                 fmt::format("the tenant {} cannot have its database in a file of one host: other "
                             "hosts have the same core database",
                             code))
        .detail({"db_host", "", "name mongodb://HOST, or nothing for the core database's"});
}

}  // namespace

/// What there is once the core database is open.
struct Tenants::Open {
    std::shared_ptr<store::Database> core;
    std::shared_ptr<store::Database> measured_core;  ///< the same, for whoever asks it
    std::shared_ptr<store::Database> shared;         ///< null unless kSingleTenant
    std::unique_ptr<TenantDatabases> databases;
    std::unique_ptr<TenantRegistry> registry;
    std::unique_ptr<SessionMap> sessions;
    core::Secret page_token_key;  ///< empty unless the core database is shared
    // Both under following_.
    std::optional<std::int64_t> seen;  ///< TenantRegistry::changes()
    core::SteadyTime look_until{};
    core::SteadyTime looked_at{};  ///< when they were last listed, before that
};

Tenants::Tenants(TenantsOptions options, TenantsDeps deps)
    : options_(std::move(options)), deps_(std::move(deps)), files_(std::make_shared<Files>(deps_)) {
    quotas_.set_usual(options_.storage_quota);
    if (deps_.metrics != nullptr) {
        queries_.emplace(tenant_collections(), *deps_.metrics, deps_.clock, deps_.log,
                         deps_.accesses);
        core_queries_.emplace(core_collections(), *deps_.metrics, deps_.clock, deps_.log,
                              deps_.accesses);
        pools_.emplace(*deps_.metrics);
    }
}

Tenants::~Tenants() {
    follower_ = {};
    std::vector<std::move_only_function<void()>> waiting;
    std::shared_ptr<Open> open;
    {
        const std::lock_guard lock(mutex_);
        open = std::move(open_);
        waiting = std::move(waiting_);
        phase_ = Phase::kFailed;
        problem_ = "zona is stopping";
        settled_.notify_all();
    }
    for (auto& ask : waiting)
        ask();
    open.reset();
    files_->wait_until_closed();
}

Result<void> Tenants::open() {
    auto made = try_to_open();
    if (made) watch_over(**made);
    std::vector<std::move_only_function<void()>> waiting;
    {
        const std::lock_guard lock(mutex_);
        phase_ = made ? Phase::kOpen : Phase::kFailed;
        if (made) {
            open_ = *made;
        } else {
            problem_ = fmt::format("the core database cannot be used: {}", made.error().message());
        }
        waiting = std::move(waiting_);
        waiting_.clear();
        settled_.notify_all();
    }
    for (auto& ask : waiting)
        ask();
    if (!made) return made.take_error();
    if (is_shared() && options_.follow_interval.count() > 0)
        follower_ = std::jthread([this](const std::stop_token& stop) { follow_until(stop); });
    deps_.log.info("the tenants' data is ready", {{"build_type", to_string(options_.build_type)}});
    // Who watches has seen nothing yet.
    if (deps_.changed) deps_.changed();
    return {};
}

void Tenants::watch_over(const Open& made) {
    if (!deps_.watch) return;
    deps_.watch(made.measured_core);
    deps_.log.info("the pools are watched");
}

Result<std::shared_ptr<Tenants::Open>> Tenants::try_to_open() {
    auto made = std::make_shared<Open>();
    ZONA_TRY_VOID(os::make_directories(options_.directory, 0700));
    ZONA_TRY_VOID(detail::check_core_host(options_));
    if (is_shared()) ZONA_TRY_VOID(take_file_along());
    const RingPlace ring = is_shared() ? RingPlace::kCoreDatabase : RingPlace::kFile;
    ZONA_TRY(const vault::FieldSealer* const sealer, files_->begin(ring));
    ZONA_TRY(made->core, open_core(*made));
    if (pools_) made->core = pools_->watch("core", std::move(made->core));
    deps_.log.info("the core database is open");
    made->measured_core = core_queries_ ? core_queries_->measure(made->core) : made->core;
    made->registry = std::make_unique<TenantRegistry>(made->measured_core, deps_.clock, sealer,
                                                      options_.license_keys);
    const std::string folder = options_.directory + "/tenants";
    ZONA_TRY_VOID(os::make_directories(folder, 0700));
    ZONA_TRY_VOID(settle_type(*made->measured_core, *made->registry, folder));
    deps_.log.info("the build type is settled", {{"build_type", to_string(options_.build_type)}});
    ZONA_TRY_VOID(open_databases(*made, folder));
    made->sessions = std::make_unique<SessionMap>(
        SessionDeps{.databases = *made->databases,
                    .clock = deps_.clock,
                    .random = deps_.random,
                    .log = deps_.log,
                    .run_blocking = deps_.run_blocking,
                    .connection_changed =
                        [this, registry = made->registry.get()](const std::string& code,
                                                                ConnectionStatus status) {
                            registry->set_connection(
                                code, status, [log = deps_.log](const Result<Tenant>& kept) {
                                    if (!kept) log.report("a connection's state", kept.error());
                                });
                            const bool down = status != ConnectionStatus::kConnected;
                            if (down && deps_.changed) deps_.changed();
                        },
                    .opened = deps_.changed,
                    .held = deps_.tenant_held,
                    .hook = deps_.hook,
                    .fields = [files = files_.get()](
                                  const std::string& code) { return files->fields(code); },
                    .quota = [this](const std::string& code) { return quotas_.of(code); },
                    .meter = [this](const std::string& code) { return meter_of(code); }},
        options_.backoff);
    ZONA_TRY_VOID(take_all_in(*made));
    return made;
}

/// A core database that was a file until now goes to the place that the setting names.
Result<void> Tenants::take_file_along() const {
    ZONA_TRY(const auto there, os::stat_path(options_.directory + "/core.db"));
    if (!there) return put_core_aside(options_.directory);
    ZONA_TRY_VOID(note_place());
    ZONA_TRY(const auto files, deps_.open_files(RingPlace::kFile));
    return share_core(*files, {.directory = options_.directory,
                               .core = options_.core,
                               .instance = options_.instance,
                               .build_type = options_.build_type,
                               .clock = deps_.clock,
                               .log = deps_.log});
}

/// What it says counts once there is no file any more.
Result<void> Tenants::note_place() const {
    return os::replace_file(detail::core_host_file(options_.directory),
                            fmt::format("{} {}", options_.core.uri, options_.core.database), 0600);
}

Result<std::shared_ptr<store::Database>> Tenants::open_core(Open& made) {
    if (!is_shared())
        return files_->open(options_.directory + "/core.db", kCoreOwner, core_collections());
    ZONA_TRY(const auto keys, files_->files()->keys(kPageTokenOwner));
    ZONA_TRY(const vault::KeyId id, keys->current());
    ZONA_TRY(const crypto::Key key, keys->get(id));
    const crypto::Key derived = crypto::derive_key(key, {}, "zona page tokens 1");
    const auto* const bytes = reinterpret_cast<const char*>(derived.reveal().data());
    made.page_token_key = core::Secret(std::string(bytes, crypto::kKeySize));
    store::MongoOptions options = options_.core;
    options.page_token_key = made.page_token_key;
    options.read_preference = store::ReadPreference::kPrimary;
    ZONA_TRY(auto core, files_->open(options, core_collections()));
    ZONA_TRY_VOID(note_place());
    return core;
}

/// Where a new tenant's database is made, if nobody says.
DatabaseAddress Tenants::place_of(const std::string& code) const {
    DatabaseAddress place = options_.placement.address_of(code);
    const bool is_own = options_.build_type == BuildType::kMssp;
    if (!is_shared() || !is_own || is_mongo_host(place.host)) return place;
    return {.host = options_.core.uri,
            .name = {},
            .username = options_.core.username,
            .password = options_.core.password};
}

Result<void> Tenants::check_shared(const std::string& code, const DatabaseAddress& address) const {
    if (!is_shared()) return {};
    if (options_.build_type == BuildType::kMssp && address.host == kEmbedded) return no_files(code);
    const bool is_core =
        address.host == options_.core.uri && database_name(code, address) == options_.core.database;
    if (!is_core) return {};
    return Error(Code::kConflict,
                 fmt::format("the database {} there is the core database", options_.core.database))
        .detail({"db_name", "", "name another one: each tenant has its own"});
}

std::optional<Error> Tenants::left_behind() const {
    if (!is_shared()) return std::nullopt;
    const auto since = deps_.clock.steady() - followed_at_.load();
    if (since <= kFollowTrust) return std::nullopt;
    return Error(Code::kUnavailable,
                 fmt::format("the core database has not answered for {} s: whether a tenant is "
                             "still to be served is not known",
                             std::chrono::duration_cast<std::chrono::seconds>(since).count()));
}

Result<void> Tenants::follow() {
    const auto open = opened();
    if (!open || !is_shared()) return {};
    const std::lock_guard turn(following_);
    const core::SteadyTime begun = deps_.clock.steady();
    ZONA_TRY_VOID(follow_tenants(open));
    followed_at_ = begun;
    ZONA_TRY_VOID(files_->files()->key_ring().follow());
    return {};
}

Result<void> Tenants::follow_tenants(const std::shared_ptr<Open>& open) {
    auto changes =
        wait_for<std::int64_t>([&](auto done) { open->registry->changes(std::move(done)); });
    if (!changes) return changes.take_error();
    const core::SteadyTime now = deps_.clock.steady();
    if (std::exchange(open->seen, *changes) != *changes) open->look_until = now + kChangesSettle;
    // However long the database did not answer, or this did not ask: the last look is after that.
    if (open->looked_at >= open->look_until) return {};
    auto all =
        wait_for<std::vector<Tenant>>([&](auto done) { open->registry->list(std::move(done)); });
    if (!all) return all.take_error();
    open->looked_at = now;
    for (Tenant& tenant : *all) {
        const News news = open->sessions->follow(tenant);
        if (news == News::kNothingNew) continue;
        heard_of(tenant);
        if (news == News::kTaken) continue;
        deps_.run_blocking([open, tenant = std::move(tenant)] { open->sessions->put(tenant); });
    }
    return {};
}

void Tenants::follow_until(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any woken;
    bool failed = false;
    while (!stop.stop_requested()) {
        auto followed = follow();
        if (!followed && !failed)
            deps_.log.report("what other hosts have changed is not known", followed.error());
        if (followed && failed) deps_.log.info("what other hosts have changed is known again");
        failed = !followed;
        std::unique_lock lock(mutex);
        woken.wait_for(lock, stop, options_.follow_interval, [] { return false; });
    }
}

Result<void> Tenants::open_databases(Open& made, const std::string& folder) {
    store::MongoOptions mongo = options_.mongo;
    if (!made.page_token_key.empty()) mongo.page_token_key = made.page_token_key;
    const auto open_mongo = [files = files_.get()](const store::MongoOptions& options) {
        return files->open(options, tenant_collections());
    };
    if (options_.build_type == BuildType::kMssp) {
        made.databases = separate_databases(
            folder,
            [this](const auto& path,
                   std::string_view code) -> Result<std::shared_ptr<store::Database>> {
                if (is_shared()) return no_files(code);
                return files_->open(path, code, tenant_collections());
            },
            {.probe = store::probe_mongo, .open = open_mongo, .defaults = std::move(mongo)});
        if (pools_) made.databases = detail::watched_databases(std::move(made.databases), *pools_);
        return {};
    }
    std::shared_ptr<store::Database> shared;
    if (mongo.uri.empty()) {
        ZONA_TRY(shared, files_->open(folder + "/shared.db", kCoreOwner, tenant_collections()));
    } else {
        ZONA_TRY(shared, open_mongo(mongo));
    }
    if (pools_) shared = pools_->watch("shared", std::move(shared));
    made.shared = shared;
    made.databases = shared_database(std::move(shared));
    return {};
}

/// Its quotas hold before anybody gets its data; the jobs hear of its schedule.
void Tenants::heard_of(const Tenant& tenant) {
    quotas_.set_own(tenant.code, tenant.quota.storage_bytes);
    if (deps_.tenant_changed) deps_.tenant_changed(tenant);
    const auto wanted = Compliance::parse(*tenant.compliance_settings);
    // What cannot be read is for the job to name.
    const bool has_schedule = !wanted || wanted->backup_schedule;
    {
        const std::lock_guard lock(mutex_);
        if (has_schedule == backup_schedules_.contains(tenant.code)) return;
        if (has_schedule)
            backup_schedules_.insert(tenant.code);
        else
            backup_schedules_.erase(tenant.code);
    }
    if (deps_.changed) deps_.changed();
}

void Tenants::note_change() {
    if (!changes_.load(std::memory_order_relaxed) && !changes_.exchange(true) && deps_.changed)
        deps_.changed();
}

bool Tenants::has_backup_schedules() const {
    const std::lock_guard lock(mutex_);
    return !backup_schedules_.empty();
}

std::shared_ptr<const TenantMeter> Tenants::meter_of(const std::string& code) {
    if (!queries_) return nullptr;
    const auto counter = [&](const char* outcome) -> core::Counter& {
        return deps_.metrics->counter("zona_tenant_transactions_total",
                                      "Transactions on tenants' documents.",
                                      {{"tenant", code}, {"outcome", outcome}});
    };
    return std::make_shared<const TenantMeter>(TenantMeter{.queries = *queries_,
                                                           .committed = counter("committed"),
                                                           .failed = counter("failed"),
                                                           .changed = [this] { note_change(); }});
}

/// Several at a time: a host that does not answer takes its whole time-out.
void Tenants::take_in(Open& open, const std::vector<Tenant>& all) {
    std::atomic<std::size_t> next = 0;
    const auto take = [&] {
        for (std::size_t at = next++; at < all.size(); at = next++)
            open.sessions->put(all[at]);
    };
    for (const Tenant& tenant : all)
        heard_of(tenant);
    const auto elsewhere = std::ranges::count_if(
        all, [](const Tenant& tenant) { return is_mongo_host(tenant.database.host); });
    std::vector<std::jthread> others;
    while (others.size() + 1 < std::min(static_cast<std::size_t>(elsewhere), kProbesAtOnce))
        others.emplace_back(take);
    take();
}

Result<void> Tenants::take_all_in(Open& open) {
    auto first = wait_for<std::optional<Tenant>>(
        [&](auto done) { open.registry->find(std::string(kDefaultTenant), std::move(done)); });
    if (!first) return first.take_error();
    if (!first->has_value()) ZONA_TRY_VOID(make_default(open));
    const core::SteadyTime begun = deps_.clock.steady();
    auto all =
        wait_for<std::vector<Tenant>>([&](auto done) { open.registry->list(std::move(done)); });
    if (!all) return all.take_error();
    const auto count = static_cast<std::int64_t>(all->size());
    deps_.log.info("the tenants are listed", {{"tenants", count}});
    deps_.log.info("the connections are set", {{"tenants", count}});
    take_in(open, *all);
    const SessionReport report = open.sessions->report();
    deps_.log.info("the connections were tried",
                   {{"ready", static_cast<std::int64_t>(report.ready)},
                    {"failed", static_cast<std::int64_t>(report.outages.size())}});
    followed_at_ = begun;
    return {};
}

Result<void> Tenants::make_default(Open& open) {
    NewTenant wanted{.code = std::string(kDefaultTenant), .name = {}};
    wanted.database.host = kEmbedded;
    if (is_shared()) wanted.database = place_of(wanted.code);
    auto made = wait_for<Tenant>(
        [&](auto done) { open.registry->create(std::move(wanted), std::move(done)); });
    // Another host may have been quicker.
    if (made || (is_shared() && made.error().code() == Code::kConflict)) return {};
    return made.take_error();
}

std::shared_ptr<Tenants::Open> Tenants::opened() const {
    const std::lock_guard lock(mutex_);
    return open_;
}

template <class T, class Use>
void Tenants::with_open(store::Callback<T> done, Use use) {
    std::unique_lock lock(mutex_);
    if (phase_ == Phase::kOpening) {
        waiting_.push_back([this, done = std::move(done), use = std::move(use)]() mutable {
            with_open(std::move(done), std::move(use));
        });
        return;
    }
    const std::shared_ptr<Open> open = open_;
    const std::string problem = problem_;
    lock.unlock();
    if (!open) return done(Error(Code::kUnavailable, problem));
    use(open, std::move(done));
}

void Tenants::create(NewTenant wanted, store::Callback<Tenant> done) {
    auto scope = scope_of(wanted.code);
    if (!scope) return done(scope.take_error());
    // One tenant has one place, however its code is typed.
    wanted.code = scope->code();
    const bool is_placed = options_.build_type == BuildType::kMssp;
    if (wanted.database.host.empty()) {
        DatabaseAddress place = place_of(is_placed ? wanted.code : "");
        place.name = std::move(wanted.database.name);
        wanted.database = std::move(place);
    }
    if (auto fits = check_shared(wanted.code, wanted.database); !fits)
        return done(fits.take_error());
    if (is_mongo_host(wanted.database.host)) {
        // It would be stored and shown as it is.
        const Tenant probed{.code = wanted.code, .database = wanted.database};
        if (auto options = mongo_options_of(probed, options_.mongo); !options)
            return done(options.take_error());
    }
    auto use = [this, wanted = std::move(wanted)](const std::shared_ptr<Open>& open,
                                                  store::Callback<Tenant> answer) mutable {
        auto made = [this, open, answer = std::move(answer)](Result<Tenant> tenant) mutable {
            if (!tenant) return answer(tenant.take_error());
            heard_of(*tenant);
            note_change();
            serve(open, *std::move(tenant), std::move(answer));
        };
        open->registry->create(std::move(wanted), std::move(made));
    };
    with_open(std::move(done), std::move(use));
}

/// Its database is made now, so that what is wrong with it is found now; the answer says so.
void Tenants::serve(const std::shared_ptr<Open>& open, Tenant tenant,
                    store::Callback<Tenant> done) {
    auto answer = [open, code = tenant.code,
                   done = std::move(done)](ConnectionStatus status) mutable {
        open->registry->set_connection(code, status, std::move(done));
    };
    deps_.run_blocking([open, tenant = std::move(tenant), answer = std::move(answer)]() mutable {
        const ConnectionStatus probed = open->sessions->put(tenant);
        if (probed != ConnectionStatus::kConnected) return answer(probed);
        auto used = [answer = std::move(answer)](const Result<TenantData>& data) mutable {
            answer(data ? ConnectionStatus::kConnected : ConnectionStatus::kError);
        };
        open->sessions->find(tenant.code, std::move(used));
    });
}

void Tenants::find(const std::string& code, store::Callback<Tenant> done) {
    auto use = [code](const std::shared_ptr<Open>& open, store::Callback<Tenant> answer) {
        open->registry->find(
            code, [code, answer = std::move(answer)](Result<std::optional<Tenant>> found) mutable {
                if (!found) return answer(found.take_error());
                if (found->has_value()) return answer(**std::move(found));
                answer(Error(Code::kNotFound, fmt::format("there is no tenant '{}'", code)));
            });
    };
    with_open(std::move(done), std::move(use));
}

void Tenants::list(store::Callback<std::vector<Tenant>> done) {
    auto use = [](const std::shared_ptr<Open>& open, store::Callback<std::vector<Tenant>> answer) {
        open->registry->list(std::move(answer));
    };
    with_open(std::move(done), std::move(use));
}

void Tenants::history(const std::string& code, store::Callback<std::vector<Tenant>> done) {
    auto use = [code](const std::shared_ptr<Open>& open,
                      store::Callback<std::vector<Tenant>> answer) {
        open->registry->history(code, std::move(answer));
    };
    with_open(std::move(done), std::move(use));
}

void Tenants::update(const std::string& code, TenantChange change, store::Callback<Tenant> done) {
    auto use = [this, code, change = std::move(change)](const std::shared_ptr<Open>& open,
                                                        store::Callback<Tenant> answer) mutable {
        const bool has_login = change.database.has_value();
        auto changed = [this, open, has_login,
                        answer = std::move(answer)](Result<Tenant> tenant) mutable {
            if (!tenant) return answer(std::move(tenant));
            heard_of(*tenant);
            note_change();
            if (has_login) return serve(open, *std::move(tenant), std::move(answer));
            answer(std::move(tenant));
        };
        if (!has_login) return open->registry->update(code, std::move(change), std::move(changed));
        deps_.run_blocking([this, open, code, change = std::move(change),
                            changed = std::move(changed)]() mutable {
            const Tenant tried{.code = code, .database = *change.database};
            auto taken =
                detail::try_login(tried, options_.build_type, *open->sessions, *open->databases);
            if (!taken) return changed(taken.take_error());
            open->registry->update(code, std::move(change), std::move(changed));
        });
    };
    with_open(std::move(done), std::move(use));
}

void Tenants::set_status(const std::string& code, TenantStatus status,
                         store::Callback<Tenant> done) {
    auto use = [this, code, status](const std::shared_ptr<Open>& open,
                                    store::Callback<Tenant> answer) {
        auto kept = [this, open, answer = std::move(answer)](Result<Tenant> tenant) mutable {
            if (!tenant) return answer(tenant.take_error());
            note_change();
            serve(open, *std::move(tenant), std::move(answer));
        };
        open->registry->set_status(code, status, std::move(kept));
    };
    with_open(std::move(done), std::move(use));
}

void Tenants::with_files(
    std::move_only_function<void(Result<std::shared_ptr<EncryptedFiles>>)> use) {
    using Given = std::shared_ptr<EncryptedFiles>;
    auto done = [this, use = std::move(use)](Result<Given> files) mutable {
        deps_.run_blocking(
            [use = std::move(use), files = std::move(files)]() mutable { use(std::move(files)); });
    };
    with_open(store::Callback<Given>(std::move(done)),
              [this](const std::shared_ptr<Open>&, store::Callback<Given> answer) {
                  answer(files_->files());
              });
}

void Tenants::data_of(std::string_view code, store::Callback<TenantData> done) {
    auto use = [this, code = std::string(code)](const std::shared_ptr<Open>& open,
                                                store::Callback<TenantData> answer) {
        if (auto behind = left_behind()) return answer(*std::move(behind));
        open->sessions->find(code, std::move(answer));
    };
    with_open(std::move(done), std::move(use));
}

std::optional<std::string> Tenants::problem() const {
    const std::lock_guard lock(mutex_);
    if (!open_) return problem_;
    const auto behind = left_behind();
    return behind ? std::optional(behind->message()) : std::nullopt;
}

std::shared_ptr<store::Database> Tenants::core() const {
    const auto open = opened();
    return open ? open->measured_core : nullptr;
}

Result<std::vector<std::string>> Tenants::active() {
    auto all = wait_for<std::vector<Tenant>>([&](auto done) { list(std::move(done)); });
    if (!all) return all.take_error();
    std::vector<std::string> out;
    for (const Tenant& tenant : *all) {
        if (tenant.status == TenantStatus::kActive) out.push_back(tenant.code);
    }
    return out;
}

Result<std::vector<Tenants::File>> Tenants::files_of(const std::string& owner) {
    const auto open = opened();
    if (!open) return Error(Code::kUnavailable, "the core database is not open");
    std::vector<File> out;
    const auto add = [&out](std::string path, std::shared_ptr<store::Database> database) {
        auto settle = [database = std::move(database)]() -> Result<void> {
            auto settled =
                store::write_and_wait(*database, [](store::Writer&) { return Result<bool>(true); });
            if (!settled) return settled.take_error();
            return {};
        };
        out.push_back({std::move(path), std::move(settle)});
    };
    if (owner == kCoreOwner) {
        if (!is_shared()) add(options_.directory + "/core.db", open->core);
        const bool is_file = open->shared && options_.mongo.uri.empty();
        if (is_file) add(options_.directory + "/tenants/shared.db", open->shared);
        return out;
    }
    auto tenant = wait_for<Tenant>([&](auto done) { find(owner, std::move(done)); });
    if (!tenant) return tenant.take_error();
    if (open->shared || tenant->database.host != kEmbedded) return out;
    auto data = wait_for<TenantData>([&](auto done) { data_of(owner, std::move(done)); });
    if (!data) return data.take_error();
    auto settle = [data = *std::move(data)]() -> Result<void> {
        auto settled = wait_for<bool>([&](auto done) {
            data.write([](store::Writer&) { return Result<bool>(true); }, std::move(done));
        });
        if (!settled) return settled.take_error();
        return {};
    };
    // Restored or moved it has another place than at first.
    out.push_back({open->databases->directory_of(*tenant) + "/data.db", std::move(settle)});
    return out;
}

std::shared_ptr<EncryptedFiles> Tenants::files() const {
    return opened() ? files_->files() : nullptr;
}

std::vector<std::string> Tenants::in_use() const {
    const auto open = opened();
    return open ? open->sessions->in_use() : std::vector<std::string>();
}

void Tenants::note(std::string_view code, const Result<void>& used) {
    if (const auto open = opened()) open->sessions->note(code, used);
}

std::optional<core::SystemTime> Tenants::next_retry() const {
    const auto open = opened();
    return open ? open->sessions->next_retry() : std::nullopt;
}

SessionReport Tenants::report() const {
    const auto open = opened();
    return open ? open->sessions->report() : SessionReport();
}

Result<void> Tenants::check(std::string_view code) const {
    const auto open = opened();
    return open ? open->sessions->check(code) : Result<void>();
}

Result<Tenants::Parts> Tenants::parts() const {
    std::shared_ptr<Open> open;
    {
        std::unique_lock lock(mutex_);
        settled_.wait(lock, [this] { return phase_ != Phase::kOpening; });
        if (!open_) return Error(Code::kUnavailable, problem_);
        open = open_;
    }
    return Parts{.core = open->core,
                 .databases = open->databases.get(),
                 .registry = open->registry.get(),
                 .sessions = open->sessions.get(),
                 .files = files_->files(),
                 .open_file =
                     [files = files_](const std::string& path, std::string_view owner) {
                         return files->open(path, owner, tenant_collections());
                     },
                 .wait_until_closed =
                     [files = files_](const std::string& path) { files->wait_until_closed(path); },
                 .placement = &options_.placement,
                 .build_type = options_.build_type,
                 .directory = options_.directory,
                 .instance = is_shared() ? options_.instance : std::string(),
                 .others_time = options_.others_time,
                 .alive = open};
}

void Tenants::retry_due() {
    if (const auto open = opened()) open->sessions->retry_due();
}

}  // namespace zona::tenancy
