#include "tenancy/tenants.h"

#include <array>
#include <condition_variable>
#include <future>

#include <fmt/format.h>

#include "os/fd.h"
#include "tenancy/core_collections.h"
#include "tenancy/tenant_settings.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

/// Whose keys the core database is encrypted under, and the shared one.
constexpr std::string_view kCore = "core";

/// The answer of a call with a callback, for start-up.
template <class T, class Ask>
Result<T> wait_for(Ask ask) {
    std::promise<Result<T>> answer;
    auto future = answer.get_future();
    ask(store::Callback<T>([&answer](Result<T> result) { answer.set_value(std::move(result)); }));
    return future.get();
}

}  // namespace

std::vector<const store::CollectionSpec*> tenant_collections() {
    static const std::array<store::CollectionSpec, 5> kSpecs = [] {
        std::array<store::CollectionSpec, 5> specs;
        constexpr std::array kNames = {"integrations", "tasks", "active_instances", "events",
                                       "execution_history"};
        for (std::size_t i = 0; i < specs.size(); ++i)
            specs[i] = {.name = kNames[i], .indexes = {{.name = "by_created"}}};
        // What an integration's definition flags as secret (GAP-18).
        const store::FieldSpec secrets{.path = "secret_fields",
                                       .type = store::FieldType::kObject,
                                       .protection = store::Protection::kEncrypted};
        specs[0].fields = {secrets};
        specs[2].fields = {secrets};
        return specs;
    }();
    std::vector<const store::CollectionSpec*> out;
    for (const store::CollectionSpec& spec : kSpecs)
        out.push_back(&spec);
    out.push_back(&tenant_settings_spec());
    return out;
}

/// The databases that are open. Closing one waits for its threads, and the last to let go of it may
/// be one of these: so it is closed on a thread for that.
class Tenants::Files : public std::enable_shared_from_this<Files> {
  public:
    explicit Files(const TenantsDeps& deps) : deps_(deps) {}

    /// Before the first open(). Errors: those of EncryptedFiles.
    Result<const vault::FieldSealer*> begin() {
        ZONA_TRY(std::shared_ptr<EncryptedFiles> files, deps_.open_files());
        const std::lock_guard lock(mutex_);
        files_ = std::move(files);
        return &files_->core_fields();
    }

    Result<std::shared_ptr<const vault::FieldSealer>> fields(std::string_view owner) {
        return files()->fields(owner);
    }

    std::shared_ptr<EncryptedFiles> files() {
        const std::lock_guard lock(mutex_);
        return files_;
    }

    Result<std::shared_ptr<store::Database>> open(
        const std::string& path, std::string_view owner,
        const std::vector<const store::CollectionSpec*>& collections) {
        std::shared_ptr<EncryptedFiles> files = this->files();
        ZONA_TRY(std::shared_ptr<store::Database> database,
                 files->open_database(path, owner, collections));
        {
            const std::lock_guard lock(mutex_);
            ++open_;
        }
        store::Database* const shown = database.get();
        auto close = [self = shared_from_this(), files = std::move(files),
                      database = std::move(database)](store::Database*) mutable {
            auto& run_blocking = self->deps_.run_blocking;
            run_blocking([self = std::move(self), files = std::move(files),
                          database = std::move(database)]() mutable {
                database.reset();
                files.reset();
                self->closed();
            });
        };
        return std::shared_ptr<store::Database>(shown, std::move(close));
    }

    void wait_until_closed() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return open_ == 0; });
        files_.reset();
    }

  private:
    void closed() {
        const std::lock_guard lock(mutex_);
        --open_;
        changed_.notify_all();
    }

    const TenantsDeps& deps_;
    std::mutex mutex_;
    std::condition_variable changed_;
    // All guarded by mutex_.
    std::shared_ptr<EncryptedFiles> files_;
    std::size_t open_ = 0;
};

/// What there is once the core database is open.
struct Tenants::Open {
    std::shared_ptr<store::Database> core;
    std::unique_ptr<TenantDatabases> databases;
    std::unique_ptr<TenantRegistry> registry;
    std::unique_ptr<SessionMap> sessions;
};

Tenants::Tenants(TenantsOptions options, TenantsDeps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      files_(std::make_shared<Files>(deps_)) {}

Tenants::~Tenants() {
    std::vector<std::move_only_function<void()>> waiting;
    std::shared_ptr<Open> open;
    {
        const std::lock_guard lock(mutex_);
        open = std::move(open_);
        waiting = std::move(waiting_);
        phase_ = Phase::kFailed;
        problem_ = "zona is stopping";
    }
    for (auto& ask : waiting)
        ask();
    open.reset();
    files_->wait_until_closed();
}

Result<void> Tenants::open() {
    auto made = try_to_open();
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
    }
    for (auto& ask : waiting)
        ask();
    if (!made) return made.take_error();
    return {};
}

Result<std::shared_ptr<Tenants::Open>> Tenants::try_to_open() {
    auto made = std::make_shared<Open>();
    ZONA_TRY_VOID(os::make_directories(options_.directory, 0700));
    ZONA_TRY(const vault::FieldSealer* const sealer, files_->begin());
    ZONA_TRY(made->core, files_->open(options_.directory + "/core.db", kCore, core_collections()));
    made->registry = std::make_unique<TenantRegistry>(made->core, deps_.clock, sealer);
    auto settled = wait_for<BuildType>([&](auto done) {
        made->registry->settle_build_type(options_.build_type, std::move(done));
    });
    if (!settled) return settled.take_error();
    const std::string folder = options_.directory + "/tenants";
    ZONA_TRY_VOID(os::make_directories(folder, 0700));
    if (options_.build_type == BuildType::kMssp) {
        made->databases = separate_databases(
            folder, [files = files_.get()](const auto& path, std::string_view code) {
                return files->open(path, code, tenant_collections());
            });
    } else {
        ZONA_TRY(auto shared, files_->open(folder + "/shared.db", kCore, tenant_collections()));
        made->databases = shared_database(std::move(shared));
    }
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
                            if (down && deps_.outage) deps_.outage();
                        },
                    .hook = deps_.hook,
                    .fields = [files = files_.get()](
                                  const std::string& code) { return files->fields(code); }},
        options_.backoff);
    ZONA_TRY_VOID(take_all_in(*made));
    return made;
}

Result<void> Tenants::take_all_in(Open& open) {
    auto first = wait_for<std::optional<Tenant>>(
        [&](auto done) { open.registry->find(std::string(kDefaultTenant), std::move(done)); });
    if (!first) return first.take_error();
    if (!first->has_value()) {
        NewTenant wanted{.code = std::string(kDefaultTenant), .name = {}};
        wanted.database.host = kEmbedded;
        auto made = wait_for<Tenant>(
            [&](auto done) { open.registry->create(std::move(wanted), std::move(done)); });
        if (!made) return made.take_error();
    }
    auto all =
        wait_for<std::vector<Tenant>>([&](auto done) { open.registry->list(std::move(done)); });
    if (!all) return all.take_error();
    for (const Tenant& tenant : *all) {
        if (deps_.tenant_changed) deps_.tenant_changed(tenant);
        open.sessions->put(tenant);
    }
    const SessionReport report = open.sessions->report();
    deps_.log.info("the tenants' data is open",
                   {{"build_type", to_string(options_.build_type)},
                    {"ready", static_cast<std::int64_t>(report.ready)},
                    {"failed", static_cast<std::int64_t>(report.outages.size())}});
    return {};
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
    if (wanted.database.host.empty()) wanted.database.host = kEmbedded;
    auto use = [this, wanted = std::move(wanted)](const std::shared_ptr<Open>& open,
                                                  store::Callback<Tenant> answer) mutable {
        auto made = [this, open, answer = std::move(answer)](Result<Tenant> tenant) mutable {
            if (!tenant) return answer(tenant.take_error());
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
        auto changed = [this, answer = std::move(answer)](Result<Tenant> tenant) mutable {
            if (tenant && deps_.tenant_changed) deps_.tenant_changed(*tenant);
            answer(std::move(tenant));
        };
        open->registry->update(code, std::move(change), std::move(changed));
    };
    with_open(std::move(done), std::move(use));
}

void Tenants::set_status(const std::string& code, TenantStatus status,
                         store::Callback<Tenant> done) {
    auto use = [this, code, status](const std::shared_ptr<Open>& open,
                                    store::Callback<Tenant> answer) {
        auto kept = [this, open, answer = std::move(answer)](Result<Tenant> tenant) mutable {
            if (!tenant) return answer(tenant.take_error());
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
    auto use = [code = std::string(code)](const std::shared_ptr<Open>& open,
                                          store::Callback<TenantData> answer) {
        open->sessions->find(code, std::move(answer));
    };
    with_open(std::move(done), std::move(use));
}

std::optional<std::string> Tenants::problem() const {
    const std::lock_guard lock(mutex_);
    return open_ ? std::nullopt : std::optional(problem_);
}

SessionReport Tenants::report() const {
    const auto open = opened();
    return open ? open->sessions->report() : SessionReport();
}

void Tenants::retry_due() {
    if (const auto open = opened()) open->sessions->retry_due();
}

}  // namespace zona::tenancy
