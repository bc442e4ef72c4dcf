/// @file
/// The requests of docs/api.md, built from options. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/detail/options.h"
#include "cli/detail/provider_return.h"
#include "core/result.h"
#include "core/secret.h"

namespace zona::cli {

/// A request as it goes to the API.
struct ApiRequest {
    std::string method;    ///< GET, POST, PUT
    std::string target;    ///< path and query
    std::string body;      ///< JSON; empty for GET
    core::Secret token{};  ///< shown with it; empty: the way's own key, if it has one
    bool is_idempotent() const { return method == "GET" || method == "PUT"; }
};

/// Who types the command, as far as the daemon has to know.
struct Caller {
    std::string cwd;
    std::vector<std::string> environment;  ///< "NAME=value"
};

/// The environment as a request can carry it: a variable that is not UTF-8 cannot go into JSON and
/// is left out; `left_out` names it.
struct SentEnvironment {
    std::vector<std::pair<std::string, std::string>> variables;
    std::vector<std::string> left_out;
};
SentEnvironment sent_environment(std::span<const std::string> environment);

ApiRequest get(std::string target);
/// A path below /api/v1 with one `select` per selector, percent-encoded.
ApiRequest get_selected(std::string_view path, std::span<const std::string> selectors);
/// /api/v1/processes/{id}/TAIL for a selector of one process.
ApiRequest get_of_process(std::string_view id, std::string_view tail);

/// POST /api/v1/processes for scripts that were named on the command line, one app each.
ApiRequest start_scripts(const StartOptions& options, std::span<const std::string> scripts,
                         const Caller& caller);

/// An ecosystem file that was read.
struct FileContent {
    std::string name;       ///< as typed
    std::string directory;  ///< absolute, where the apps run: what its relative paths start from
    std::string content;
};
/// POST /api/v1/processes for the apps of a file.
ApiRequest start_file(const FileContent& file, std::span<const std::string> only, Wait wait,
                      const Caller& caller);

/// POST /api/v1/operations for start, stop, restart, delete and reset.
ApiRequest operate(std::string_view action, const SelectOptions& options, const Caller& caller);
ApiRequest operate(const ScaleOptions& options);
ApiRequest operate(const SignalOptions& options);
ApiRequest operate(const SendOptions& options);

/// GET /api/v1/logs; `cursor` not empty resumes there instead of at the last lines.
ApiRequest get_logs(const LogsOptions& options, std::string_view cursor);

ApiRequest save(const SaveOptions& options);
ApiRequest resurrect();
ApiRequest shut_down();
/// POST /api/v1/listeners.
ApiRequest listen_on(std::string_view address);
ApiRequest configure(const ConfigOptions& options);
/// GET /api/v1/executions, of one if `id` is not empty.
ApiRequest get_executions(std::string_view id);
/// POST /api/v1/executions/{id}/cancel or retry.
ApiRequest change_execution(std::string_view id, std::string_view change);
/// GET /api/v1/executions/{id}/events.
ApiRequest follow_execution(std::string_view id);
/// One of the operations on /api/v1/vault.
ApiRequest manage_vault(const VaultOptions& options);
/// One of the operations on /api/v1/tenants.
ApiRequest manage_tenants(const TenantOptions& options);
/// One of the operations on a tenant's users and invitations; those on one user by its `id`, which
/// find_user() asks for.
ApiRequest manage_users(const UserOptions& options);
/// The id of a user, by name.
ApiRequest find_user(std::string_view tenant, std::string_view name);
/// POST /api/v1/sessions: `login` with what was asked for.
ApiRequest begin_session(const LoginOptions& login);
/// POST /api/v1/sign-ins: by the provider of `login`, which sends people back to this address.
ApiRequest begin_sign_in(const LoginOptions& login, const std::string& redirect_uri);
/// POST /api/v1/sign-ins/completions.
ApiRequest finish_sign_in(const core::Secret& attempt, const ProviderReturn& back);
ApiRequest renew_session(const core::Secret& refresh_token);
/// POST /api/v1/passwords: `login` with the present password, and another one.
ApiRequest change_password(const LoginOptions& login, const core::Secret& wanted);
/// One's own second factor.
ApiRequest change_factor(const FactorOptions& options);
/// That of another user.
ApiRequest remove_factor(std::string_view tenant, std::string_view user_id);
ApiRequest list_sessions(std::string_view tenant);
/// Of a tenant, which is named; one's own session by its id, where it is not.
ApiRequest end_sessions(const SessionOptions& options, std::string_view user_id);
/// One of the operations on a tenant's identity providers.
ApiRequest manage_providers(const ProviderOptions& options);
/// One of the operations on a tenant's roles.
ApiRequest manage_roles(const RoleOptions& options);
/// One of the operations on a record.
ApiRequest ask_record(const AuditOptions& options);
/// One of the operations on /api/v1/jobs.
ApiRequest manage_jobs(const JobOptions& options);
/// One of those on /api/v1/cache.
ApiRequest manage_cache(const CacheOptions& options);
/// One of those on /api/v1/license, or that of a tenant.
ApiRequest manage_license(const LicenseOptions& options);
/// One of the operations on /api/v1/backups; not of kRestore, which asks no zona.
ApiRequest manage_backups(const BackupOptions& options);
/// POST /api/v1/checks or /api/v1/migrations, PUT /api/v1/build-type.
ApiRequest manage_store(const StoreOptions& options);
/// One of the operations on /api/v1/keys.
ApiRequest manage_keys(const KeyOptions& options);

/// Whether a target of `zona start` names an ecosystem file: it ends in .json, .yaml, .yml or
/// .toml, or its file name is ecosystem.* or zona.*.
bool names_a_file(std::string_view target);

/// Whether a target can only be a selector: a number, `all`, `ns:...`, a UUID, `/regex/`.
bool is_surely_a_selector(std::string_view target);

}  // namespace zona::cli
