// The keys of clients and sessions of users: there once the core database is open, gone before it
// is closed.
#include <chrono>
#include <future>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/pipeline.h"
#include "daemon.h"
#include "jobs/context.h"

namespace zona::daemon {
namespace {

constexpr std::chrono::hours kCleanupInterval(1);
constexpr std::chrono::hours kKeyInterval(24);

identity::SessionOptions session_options(const core::Settings::Sessions& settings, bool is_shared) {
    return {.limits = {.access = settings.access_lifetime,
                       .refresh = settings.refresh_lifetime,
                       .idle = settings.idle_timeout,
                       .absolute = settings.absolute_timeout,
                       .per_user = static_cast<std::size_t>(settings.per_user),
                       .over = settings.over_limit == "refuse" ? identity::OverLimit::kRefuse
                                                               : identity::OverLimit::kEndOldest},
            .parties = {.issuer = settings.issuer, .audience = settings.audience},
            .is_shared = is_shared};
}

/// The answer that `ask` gives to the callback it is called with.
template <class T, class Ask>
core::Result<T> wait_for(Ask ask) {
    std::promise<core::Result<T>> answer;
    auto future = answer.get_future();
    ask(store::Callback<T>(
        [&answer](core::Result<T> result) { answer.set_value(std::move(result)); }));
    return future.get();
}

/// For whom there may be tokens: neither signing in nor a renewal needs the tenant's database, but
/// both that it is served.
core::Result<std::optional<identity::UserNow>> find_user(const tenancy::Tenants& tenants,
                                                         store::Reader& reader,
                                                         const identity::UserKey& user) {
    if (!user.tenant.empty()) {
        const auto served = tenants.check(user.tenant);
        if (!served && (served.error().code() == core::Code::kInvalidTenant ||
                        served.error().code() == core::Code::kTenantInactive))
            return served.error();
    }
    return identity::Users::find_now(reader, user);
}

core::Error not_open() {
    return {core::Code::kUnavailable, "the core database is not open"};
}

}  // namespace

void Daemon::begin_sessions(std::shared_ptr<store::Database> core) {
    if (keys_) keys_->begin(core, {.is_shared = tenants_->is_shared()});
    using Files = std::shared_ptr<tenancy::EncryptedFiles>;
    tenants_->with_files([this, core = std::move(core)](core::Result<Files> files) {
        const core::Logger log = logging_.logger("security");
        if (!files) return log.report("there are no sessions", files.error());
        const vault::FieldSealer* const fields = &(*files)->core_fields();
        const bool is_shared = tenants_->is_shared();
        const auto algorithm =
            identity::signing_algorithm_from(settings_.sessions.signing_algorithm);
        auto keys = identity::SigningKeys::make(
            {.core = core,
             .fields = std::shared_ptr<const vault::FieldSealer>(std::move(*files), fields),
             .clock = clock_,
             .log = log,
             .algorithm = algorithm.value_or(identity::SigningAlgorithm::kEdDsa),
             .is_shared = is_shared});
        auto made = identity::Sessions::make(
            session_options(settings_.sessions, is_shared),
            {.core = core,
             .keys = std::move(keys),
             .clock = clock_,
             .random = random_,
             .log = log,
             .metrics = metrics_,
             .find_user =
                 [&tenants = *tenants_](store::Reader& reader, const identity::UserKey& user) {
                     return find_user(tenants, reader, user);
                 },
             .kept = [this] { poke_loops(); }});
        const std::lock_guard lock(sessions_mutex_);
        sessions_ = std::move(made);
    });
}

std::shared_ptr<identity::Sessions> Daemon::sessions() const {
    const std::lock_guard lock(sessions_mutex_);
    return sessions_;
}

void Daemon::end_sessions() {
    if (keys_) keys_->end();
    std::shared_ptr<identity::Sessions> last;
    const std::lock_guard lock(sessions_mutex_);
    last.swap(sessions_);
}

void Daemon::end_sessions_of(const std::string& tenant, std::int64_t id,
                             std::move_only_function<void()> then) {
    const auto sessions = this->sessions();
    if (!sessions) return then();
    sessions->end({.tenant = tenant, .user = id, .session = {}}, "the user was changed",
                  [log = logging_.logger("security"),
                   then = std::move(then)](core::Result<std::size_t> ended) mutable {
                      if (!ended)
                          log.report("sessions of a changed user go on until they are renewed",
                                     ended.error());
                      then();
                  });
}

jobs::Definition Daemon::session_cleanup() {
    return {.name = "session-cleanup",
            .summary = "Removes sessions that are over.",
            .schedule = jobs::Schedule::every(kCleanupInterval),
            .work = [this](jobs::Context& context) -> core::Result<void> {
                const auto sessions = this->sessions();
                if (!sessions) return not_open();
                ZONA_TRY(const std::vector<tenancy::Tenant> tenants,
                         wait_for<std::vector<tenancy::Tenant>>(
                             [this](auto done) { tenants_->list(std::move(done)); }));
                std::vector<std::string> codes;
                for (const tenancy::Tenant& tenant : tenants)
                    codes.push_back(tenant.code);
                ZONA_TRY(const std::uint64_t removed, wait_for<std::uint64_t>([&](auto done) {
                             sessions->remove_over(std::move(codes), std::move(done));
                         }));
                context.count("sessions", static_cast<std::int64_t>(removed));
                return {};
            }};
}

jobs::Definition Daemon::signing_key_rotation() {
    return {.name = "signing-key-rotation",
            .summary = "Replaces the key that signs access tokens when it is old.",
            .schedule = jobs::Schedule::every(std::min<std::chrono::milliseconds>(
                settings_.sessions.signing_key_age, kKeyInterval)),
            .work = [this](jobs::Context& context) -> core::Result<void> {
                const auto sessions = this->sessions();
                if (!sessions) return not_open();
                // Who asks for it wants a new one.
                const bool is_asked = context.trigger() == jobs::Trigger::kManual;
                const auto age = is_asked ? std::chrono::seconds(0)
                                          : std::chrono::duration_cast<std::chrono::seconds>(
                                                settings_.sessions.signing_key_age);
                ZONA_TRY(const bool rotated, wait_for<bool>([&](auto done) {
                             sessions->keys()->rotate_if_older(age, std::move(done));
                         }));
                if (rotated) context.count("rotated");
                return {};
            }};
}

jobs::Definition Daemon::api_key_check() {
    return {.name = "api-key-check",
            .summary = "Says which API keys are due for a successor.",
            .schedule = jobs::Schedule::every(kCleanupInterval),
            .work = [this](jobs::Context& context) -> core::Result<void> {
                if (!keys_) return {};
                const std::vector<std::string> due = keys_->due();
                context.count("due", static_cast<std::int64_t>(due.size()));
                for (const std::string& name : due)
                    logging_.logger("security")
                        .warn("an API key is due for a successor, and ends without one",
                              {{"key", name}});
                return {};
            }};
}

process::HostCheck check_keys(const identity::ApiKeys* keys) {
    constexpr const char* kName = "API keys";
    if (keys == nullptr)
        return process::degraded(kName, "the list of keys cannot be used",
                                 "mend or remove state/api-keys.json, then restart zona");
    const std::vector<std::string> due = keys->due();
    if (due.empty()) return process::ok(kName, "none is due for a successor");
    return process::degraded(
        kName, fmt::format("due for a successor: {}", fmt::join(due, ", ")),
        "zona key rotate NAME, or let its client do it (zona key renew); it ends without");
}

process::HostCheck check_open_routes(const api::Service& service, std::string_view closed) {
    std::vector<std::string> open = api::open_operations(service);
    if (const auto names = api::parse_closed_routes(closed, service))
        std::erase_if(open, [&](const std::string& name) { return names->contains(name); });
    return process::ok("open routes", fmt::format("{} need neither key nor session: {}",
                                                  open.size(), fmt::join(open, ", ")));
}

}  // namespace zona::daemon
