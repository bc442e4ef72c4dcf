/// @file
/// The operations of docs/api.md: everything that the command can ask of the daemon.
///
/// Controllers only: they parse, call the supervisor, and render. No rule about processes is made
/// here.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/service.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/random.h"
#include "core/result.h"
#include "process/supervisor.h"

namespace zona::core {
class Config;
}

namespace zona::audit {
class Recorder;
}

namespace zona::cache {
class Cache;
}

namespace zona::identity {
class ApiKeys;
class Invitations;
class Roles;
class IdentityProviders;
class Federation;
class Sessions;
struct SignedIn;
class Users;
}  // namespace zona::identity

namespace zona::jobs {
struct JobView;
class Queue;
class Scheduler;
}  // namespace zona::jobs

namespace zona::tenancy {
class AuditArchives;
class KeyRotation;
class Licensing;
class TenantOperations;
class Tenants;
}  // namespace zona::tenancy

namespace zona::process {
class Capture;
struct HostCheck;
}  // namespace zona::process

namespace zona::api {

/// Who answers.
struct DaemonInfo {
    std::int32_t pid = 0;
    std::string version;
    core::SystemTime started_at{};
    int cpus = 1;  ///< what `instances: max` means
};

/// Where the API is reached beside the unix socket.
struct Network {
    std::string address{};   ///< "127.0.0.1:8063"; empty: nowhere
    bool tls = false;        ///< it speaks HTTPS wherever it listens
    std::string problem{};   ///< why not there where it should be; empty: none
    std::string pmdaemon{};  ///< where PMDaemon's clients look; empty: nowhere
};

/// What /api/v1/keys works with.
struct KeyDeps {
    identity::ApiKeys* keys = nullptr;  ///< null: they cannot be used, see `problem`
    std::string problem;
    const core::Clock& clock;
    std::int64_t requests_per_second = 0;  ///< of a new key without a rate; 0: any number
};

/// What the routes of users, invitations and roles work with.
struct IdentityDeps {
    identity::Users* users = nullptr;
    identity::Invitations* invitations = nullptr;
    identity::Roles* roles = nullptr;
    identity::IdentityProviders* providers = nullptr;
    identity::Federation* federation = nullptr;
    /// Null while the core database is not open.
    std::function<std::shared_ptr<identity::Sessions>()> sessions = {};
    /// Told of who has signed in from where they never have (identity::SignedIn::from_new_place).
    std::function<void(const net::Request&, const identity::SignedIn&)> came_from_new_place = {};
};

/// What the routes work with; all outlive the router that they are added to.
struct DaemonApiDeps {
    process::Supervisor& supervisor;
    process::Capture& capture;
    core::Logging& logging;
    core::MetricRegistry& metrics;
    core::Config& config;
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    KeyDeps keys;
    IdentityDeps identity;
    tenancy::Tenants& tenants;
    jobs::Scheduler& jobs;
    jobs::Queue& tasks;  ///< not released yet
    tenancy::TenantOperations& operations;
    tenancy::KeyRotation& rotation;
    cache::Cache& cache;
    audit::Recorder& audit;
    const tenancy::AuditArchives& archives;  ///< of records
    tenancy::Licensing& licensing;
    /// Runs what takes seconds or more on a thread for that, which `operations` may block.
    std::function<void(std::move_only_function<void()>)> run_long;
    std::function<void()> settings_changed;  ///< after a reload that changed something
    std::function<std::int32_t()> keeper_pid;
    std::function<Network()> network;
    /// Listens on one more address until zona ends, and returns it. Any thread. Errors:
    /// kInvalidArgument for what is no address or may not be listened on, kConflict for one that is
    /// taken, when there are as many as may be, when no keys are known or TLS cannot be used;
    /// kUnavailable when the keeper has just gone; those of the system.
    std::function<core::Result<std::string>(const std::string& address)> listen;
    /// Why no request should come yet or any more; nothing once recovery is done. Any thread.
    std::function<std::optional<std::string>()> not_ready;
    /// `jobs`: what is known of them; empty while the core database is not open.
    std::function<std::vector<process::HostCheck>(std::span<const jobs::JobView> jobs)> host_checks;
    /// Begins the ordered end of the program; `begun` gets the number of processes to stop.
    std::function<void(std::move_only_function<void(std::size_t)> begun)> shutdown;
};

/// Adds all operations, and the documents about them. The handlers run on the server's executor and
/// wait for the supervisor without blocking it. Errors: those of Service::add, a mistake in this
/// program.
core::Result<void> add_daemon_routes(Service& service, DaemonInfo info, DaemonApiDeps deps);

/// The same without anything that could answer: for documents and tests. No request may come.
core::Result<void> declare_daemon_routes(Service& service);

/// Whether forms come there from pages of others: an identity provider's. As net::PathTest.
bool takes_forms_of_others(std::string_view target);

}  // namespace zona::api
