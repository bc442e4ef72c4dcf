#include "cli/detail/request.h"

#include <array>
#include <charconv>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/text.h"
#include "core/json.h"
#include "core/text.h"
#include "core/uri.h"

namespace zona::cli {
namespace {

namespace json = boost::json;

json::array array_of(std::span<const std::string> texts) {
    json::array array;
    array.reserve(texts.size());
    for (const std::string& text : texts)
        array.emplace_back(text);
    return array;
}

json::object environment_object(const Caller& caller) {
    json::object object;
    for (const auto& [name, value] : sent_environment(caller.environment).variables) {
        object[name] = value;
    }
    return object;
}

json::value value_of(const AppSetting& setting) {
    switch (setting.kind) {
        case AppSetting::Kind::kNumber:
            return setting.number;
        case AppSetting::Kind::kBoolean:
            return setting.number != 0;
        case AppSetting::Kind::kList:
            return array_of(setting.list);
        case AppSetting::Kind::kText:
            break;
    }
    return json::string(setting.text);
}

ApiRequest post(std::string target, const json::object& body) {
    return {"POST", std::move(target), core::to_json(body)};
}

json::object operation(std::string_view action, std::span<const std::string> selectors, Wait wait) {
    json::object body;
    body["action"] = action;
    body["select"] = array_of(selectors);
    body["wait"] = wait == Wait::kForEffect;
    return body;
}

void add_query(std::string& target, std::string_view key, std::string_view value) {
    target += target.find('?') == std::string::npos ? '?' : '&';
    target += fmt::format("{}={}", key, core::percent_encoded(value));
}

json::object start_body(std::span<const std::string> only, Wait wait, const Caller& caller) {
    json::object body;
    body["cwd"] = caller.cwd;
    body["env"] = environment_object(caller);
    if (!only.empty()) body["only"] = array_of(only);
    body["wait"] = wait == Wait::kForEffect;
    return body;
}

constexpr std::string_view kStreamNames[] = {"all", "out", "err"};
constexpr std::string_view kTargetNames[] = {"group", "process", "tree"};

}  // namespace

SentEnvironment sent_environment(std::span<const std::string> environment) {
    SentEnvironment sent;
    for (const std::string& entry : environment) {
        const std::size_t equals = entry.find('=');
        if (equals == std::string::npos || equals == 0) continue;
        if (core::is_valid_utf8(entry)) {
            sent.variables.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
        } else {
            sent.left_out.push_back(escape_control(entry.substr(0, equals)));
        }
    }
    return sent;
}

ApiRequest get(std::string target) {
    return {"GET", std::move(target), {}};
}

ApiRequest get_selected(std::string_view path, std::span<const std::string> selectors) {
    std::string target = fmt::format("/api/v1/{}", path);
    for (const std::string& selector : selectors)
        add_query(target, "select", selector);
    return get(std::move(target));
}

ApiRequest get_of_process(std::string_view id, std::string_view tail) {
    return get(fmt::format("/api/v1/processes/{}/{}", core::percent_encoded(id), tail));
}

ApiRequest start_scripts(const StartOptions& options, std::span<const std::string> scripts,
                         const Caller& caller) {
    json::array apps;
    for (const std::string& script : scripts) {
        json::object app;
        app["script"] = script;
        for (const AppSetting& setting : options.settings)
            app[setting.key] = value_of(setting);
        if (!options.arguments.empty()) app["args"] = array_of(options.arguments);
        if (!options.environment.empty()) {
            json::object variables;
            for (const auto& [name, value] : options.environment)
                variables[name] = value;
            app["env"] = std::move(variables);
        }
        apps.push_back(std::move(app));
    }
    json::object body;
    body["apps"] = std::move(apps);
    for (auto& [key, value] : start_body({}, options.wait, caller))
        body[key] = value;
    return post("/api/v1/processes", body);
}

ApiRequest start_file(const FileContent& file, std::span<const std::string> only, Wait wait,
                      const Caller& caller) {
    json::object body;
    body["file"] = {{"name", file.name}, {"content", file.content}};
    for (auto& [key, value] : start_body(only, wait, caller))
        body[key] = value;
    body["cwd"] = file.directory;
    return post("/api/v1/processes", body);
}

ApiRequest operate(std::string_view action, const SelectOptions& options, const Caller& caller) {
    json::object body = operation(action, options.selectors, options.wait);
    if (options.update_environment) {
        body["update_env"] = true;
        body["env"] = environment_object(caller);
        body["cwd"] = caller.cwd;
    }
    return post("/api/v1/operations", body);
}

ApiRequest operate(const ScaleOptions& options) {
    json::object body = operation("scale", std::array{options.app}, options.wait);
    if (options.instances[0] == '+' || options.instances[0] == '-') {
        body["instances"] = options.instances;
    } else {
        body["instances"] = core::parse_integer(options.instances).value_or(0);
    }
    return post("/api/v1/operations", body);
}

ApiRequest operate(const SignalOptions& options) {
    json::object body = operation("signal", options.selectors, Wait::kForEffect);
    body["signal"] = options.signal;
    body["target"] = kTargetNames[static_cast<std::size_t>(options.target)];
    return post("/api/v1/operations", body);
}

ApiRequest operate(const SendOptions& options) {
    json::object body = operation("send", std::array{options.selector}, Wait::kForEffect);
    body["line"] = options.line;
    return post("/api/v1/operations", body);
}

ApiRequest get_logs(const LogsOptions& options, std::string_view cursor) {
    ApiRequest request = get_selected("logs", options.selectors);
    add_query(request.target, "stream", kStreamNames[static_cast<std::size_t>(options.streams)]);
    add_query(request.target, "lines", std::to_string(options.lines));
    if (!options.since.empty()) add_query(request.target, "since", options.since);
    add_query(request.target, "follow", options.follow == LogFollow::kFollow ? "true" : "false");
    if (!cursor.empty()) add_query(request.target, "cursor", cursor);
    return request;
}

ApiRequest save(const SaveOptions& options) {
    return post("/api/v1/snapshots", {{"force", options.force}});
}

ApiRequest resurrect() {
    return post("/api/v1/snapshots/restore", {});
}

ApiRequest shut_down() {
    return post("/api/v1/shutdown", {});
}

ApiRequest listen_on(std::string_view address) {
    return post("/api/v1/listeners", {{"address", address}});
}

ApiRequest configure(const ConfigOptions& options) {
    switch (options.action) {
        case ConfigAction::kReload:
            return post("/api/v1/config/reload", {});
        case ConfigAction::kLogLevel: {
            if (options.category.empty()) return get("/api/v1/log-levels");
            const json::object body{{options.category, options.level}};
            return {"PUT", "/api/v1/log-levels", core::to_json(body)};
        }
        case ConfigAction::kShow:
            break;
    }
    return get("/api/v1/config");
}

ApiRequest get_executions(std::string_view id) {
    const std::string all = "/api/v1/executions";
    return get(id.empty() ? all : all + '/' + core::percent_encoded(id));
}

ApiRequest change_execution(std::string_view id, std::string_view change) {
    ApiRequest request = get_executions(id);
    request.method = "POST";
    request.target += '/';
    request.target += change;
    return request;
}

ApiRequest follow_execution(std::string_view id) {
    ApiRequest request = get_executions(id);
    request.target += "/events";
    return request;
}

/// What is no number is for the API to refuse.
json::value number_or_text(const std::string& text) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return number;
    return json::string(text);
}

void add_if(json::object& body, std::string_view key, std::string_view value) {
    if (!value.empty()) body[key] = value;
}

/// Who zona is there.
void add_login(json::object& body, const TenantOptions& options) {
    add_if(body, "db_username", options.db_username);
    add_if(body, "db_password", options.password.reveal());
}

/// Where a tenant's database is to be; `host_key` is what the operation calls the host.
void add_place(json::object& body, std::string_view host_key, const std::string& host,
               const TenantOptions& options) {
    add_if(body, host_key, host);
    add_if(body, "db_name", options.db_name);
    add_login(body, options);
}

json::object new_tenant(const TenantOptions& options) {
    json::object body = {{"code", options.code}};
    add_if(body, "name", options.name);
    add_if(body, "contact_email", options.email);
    add_place(body, "db_host", options.db_host, options);
    return body;
}

json::object restoration(const TenantOptions& options) {
    json::object body = {{"replace", options.replace}};
    add_if(body, "backup", options.what);
    add_if(body, "at", options.at);
    add_if(body, "of", options.of);
    return body;
}

json::object tenant_change(const TenantOptions& options) {
    json::object body;
    if (!options.name.empty()) body["name"] = options.name;
    if (!options.email.empty()) body["contact_email"] = options.email;
    add_login(body, options);
    json::object quotas;
    const auto add = [&quotas](std::string_view key, const std::string& text) {
        if (!text.empty()) quotas[key] = text == "default" ? json::value() : number_or_text(text);
    };
    add("requests_per_second", options.requests_per_second);
    add("concurrent_requests", options.concurrent_requests);
    add("storage_bytes", options.storage_bytes);
    if (!quotas.empty()) body["quotas"] = quotas;
    return body;
}

ApiRequest manage_tenants(const TenantOptions& options) {
    const std::string all = "/api/v1/tenants";
    const std::string one = all + '/' + core::percent_encoded(options.code);
    const auto set_status = [&](std::string_view status) {
        return ApiRequest{"PUT", one + "/status", core::to_json(json::object{{"status", status}})};
    };
    switch (options.action) {
        case TenantAction::kCreate:
            return post(all, new_tenant(options));
        case TenantAction::kUpdate:
            return {"PATCH", one, core::to_json(tenant_change(options))};
        case TenantAction::kActivate:
            return set_status("active");
        case TenantAction::kSuspend:
            return set_status("suspended");
        case TenantAction::kDeactivate:
            return set_status("inactive");
        case TenantAction::kShow:
            return get(one);
        case TenantAction::kStates:
            return get(one + "/states");
        case TenantAction::kDatabases:
            return get(one + "/databases");
        case TenantAction::kBackups:
            return get(one + "/backups");
        case TenantAction::kBackup:
            return {"POST", one + "/backups", {}};
        case TenantAction::kMove: {
            json::object body;
            add_place(body, "to", options.to, options);
            return post(one + "/moves", body);
        }
        case TenantAction::kVerify:
            return {"POST",
                    one + "/backups/" + core::percent_encoded(options.what) + "/verifications",
                    {}};
        case TenantAction::kDropBackup:
            return {"DELETE", one + "/backups/" + core::percent_encoded(options.what), {}};
        case TenantAction::kRestore:
            return post(one + "/restorations", restoration(options));
        case TenantAction::kExport:
            return post(one + "/exports",
                        {{"directory", options.what},
                         {"secret_fields", options.open_secrets ? "open" : "masked"}});
        case TenantAction::kErase:
            return post(one + "/erasures",
                        {{"code", options.confirm}, {"keep_backups", options.keep_backups}});
        case TenantAction::kList:
            break;
    }
    return get(all);
}

ApiRequest find_user(std::string_view tenant, std::string_view name) {
    return get(fmt::format("/api/v1/tenants/{}/users?name={}", core::percent_encoded(tenant),
                           core::percent_encoded(name)));
}

namespace {

json::object credentials_of(const LoginOptions& login) {
    json::object body{
        {"tenant", login.tenant}, {"name", login.user}, {"password", login.password.reveal()}};
    add_if(body, "code", login.code.reveal());
    return body;
}

}  // namespace

ApiRequest begin_session(const LoginOptions& login) {
    return post("/api/v1/sessions", credentials_of(login));
}

ApiRequest begin_sign_in(const LoginOptions& login, const std::string& redirect_uri) {
    return post(
        "/api/v1/sign-ins",
        {{"tenant", login.tenant}, {"provider", login.provider}, {"redirect_uri", redirect_uri}});
}

ApiRequest finish_sign_in(const core::Secret& attempt, const ProviderReturn& back) {
    json::object body{{"attempt", attempt.reveal()}, {"state", back.state}};
    add_if(body, "code", back.code.reveal());
    add_if(body, "iss", back.issuer);
    add_if(body, "error", back.error);
    return post("/api/v1/sign-ins/completions", body);
}

ApiRequest renew_session(const core::Secret& refresh_token) {
    return post("/api/v1/sessions/renewals", {{"refresh_token", refresh_token.reveal()}});
}

ApiRequest change_password(const LoginOptions& login, const core::Secret& wanted) {
    json::object body = credentials_of(login);
    body["new_password"] = wanted.reveal();
    return post("/api/v1/passwords", body);
}

ApiRequest change_factor(const FactorOptions& options) {
    json::object body;
    add_if(body, "password", options.password.reveal());
    add_if(body, "code", options.code.reveal());
    switch (options.action) {
        case FactorAction::kConfirm:
            return post("/api/v1/second-factor/confirmations", body);
        case FactorAction::kRemove:
            return post("/api/v1/second-factor/removals", body);
        case FactorAction::kEnrol:
            break;
    }
    return post("/api/v1/second-factor", body);
}

ApiRequest remove_factor(std::string_view tenant, std::string_view user_id) {
    return {"DELETE",
            fmt::format("/api/v1/tenants/{}/users/{}/second-factor", core::percent_encoded(tenant),
                        core::percent_encoded(user_id)),
            {}};
}

ApiRequest list_sessions(std::string_view tenant) {
    return get(fmt::format("/api/v1/tenants/{}/sessions", core::percent_encoded(tenant)));
}

ApiRequest end_sessions(const SessionOptions& options, std::string_view user_id) {
    if (options.tenant.empty())
        return {"DELETE", "/api/v1/sessions/" + core::percent_encoded(options.id), {}};
    std::string target =
        fmt::format("/api/v1/tenants/{}/sessions", core::percent_encoded(options.tenant));
    char before = '?';
    for (const auto& [name, value] :
         {std::pair<std::string_view, std::string_view>("user", user_id), {"id", options.id}}) {
        if (value.empty()) continue;
        target +=
            fmt::format("{}{}={}", std::exchange(before, '&'), name, core::percent_encoded(value));
    }
    return {"DELETE", std::move(target), {}};
}

ApiRequest manage_users(const UserOptions& options) {
    const std::string tenant = "/api/v1/tenants/" + core::percent_encoded(options.tenant);
    const std::string one = tenant + "/users/" + core::percent_encoded(options.id);
    const json::array roles(options.roles.begin(), options.roles.end());
    const auto patch = [&](const json::object& change) {
        return ApiRequest{"PATCH", one, json::serialize(change)};
    };
    json::object body;
    add_if(body, "email", options.email);
    add_if(body, "password", options.password.reveal());
    switch (options.action) {
        case UserAction::kShow:
            return get(one);
        case UserAction::kCreate:
            body["name"] = options.name;
            body["roles"] = roles;
            return post(tenant + "/users", body);
        case UserAction::kInvite:
            body["roles"] = roles;
            add_if(body, "expires_in", options.expires);
            return post(tenant + "/invitations", body);
        case UserAction::kChange:
            return patch(body);
        case UserAction::kDisable:
            return patch({{"status", "disabled"}});
        case UserAction::kEnable:
            return patch({{"status", "active"}});
        case UserAction::kRoles:
            return patch({{"roles", roles}});
        case UserAction::kRemove:
            return {"DELETE", one, {}};
        case UserAction::kList:
            break;
    }
    return get(tenant + "/users?limit=200");
}

ApiRequest manage_providers(const ProviderOptions& options) {
    const std::string all =
        fmt::format("/api/v1/tenants/{}/identity-providers", core::percent_encoded(options.tenant));
    const std::string one = all + '/' + core::percent_encoded(options.name);
    if (options.action == ProviderAction::kList) return get(all);
    if (options.action == ProviderAction::kShow) return get(one);
    if (options.action == ProviderAction::kRemove) return {"DELETE", one, {}};
    const auto list = [](const std::vector<std::string>& texts) {
        return json::array(texts.begin(), texts.end());
    };
    json::object roles;
    for (const std::string& group : options.groups) {
        const std::size_t equals = group.rfind('=');  // a group's name may have one, no role's
        roles[group.substr(0, equals)] = group.substr(equals + 1);
    }
    json::object claims;
    add_if(claims, "name", options.name_claim);
    add_if(claims, "groups", options.groups_claim);
    json::object body;
    add_if(body, "issuer", options.issuer);
    add_if(body, "client_id", options.client_id);
    if (!options.metadata.empty()) {
        body["kind"] = "saml";
        const bool is_file = !options.metadata_text.empty();
        body[is_file ? "metadata" : "metadata_url"] =
            is_file ? options.metadata_text : options.metadata;
    }
    body["roles"] = std::move(roles);
    body["default_roles"] = list(options.roles);
    body["newcomers"] = options.creates_users ? "create" : "existing";
    body["enabled"] = !options.is_off;
    add_if(body, "client_secret", options.secret.reveal());
    add_if(body, "display_name", options.display_name);
    if (!claims.empty()) body["claims"] = std::move(claims);
    if (!options.scopes.empty()) body["scopes"] = list(options.scopes);
    if (options.action == ProviderAction::kReplace) return {"PUT", one, core::to_json(body)};
    body["name"] = options.name;
    return post(all, body);
}

ApiRequest manage_roles(const RoleOptions& options) {
    const std::string all =
        fmt::format("/api/v1/tenants/{}/roles", core::percent_encoded(options.tenant));
    const std::string one = all + '/' + core::percent_encoded(options.name);
    if (options.action == RoleAction::kList) return get(all);
    if (options.action == RoleAction::kShow) return get(one);
    if (options.action == RoleAction::kRemove) return {"DELETE", one, {}};
    const auto list = [](const std::vector<std::string>& texts) {
        return json::array(texts.begin(), texts.end());
    };
    json::object grants;
    for (const std::string& grant : options.grants) {
        const std::size_t equals = grant.find('=');
        grants[grant.substr(0, equals)] = grant.substr(equals + 1);
    }
    json::object conditions;
    add_if(conditions, "from", options.from);
    add_if(conditions, "until", options.until);
    if (!options.weekdays.empty()) conditions["weekdays"] = list(options.weekdays);
    if (!options.networks.empty()) conditions["networks"] = list(options.networks);
    json::object body{{"name", options.name}, {"grants", std::move(grants)}};
    add_if(body, "description", options.description);
    if (!options.inherits.empty()) body["inherits"] = list(options.inherits);
    if (!conditions.empty()) body["conditions"] = std::move(conditions);
    return post(all, body);
}

ApiRequest manage_jobs(const JobOptions& options) {
    const std::string all = "/api/v1/jobs";
    const std::string one = all + '/' + core::percent_encoded(options.name);
    switch (options.action) {
        case JobAction::kShow:
            return get(one);
        case JobAction::kHistory:
            return get(options.cursor.empty()
                           ? one + "/runs"
                           : one + "/runs?cursor=" + core::percent_encoded(options.cursor));
        case JobAction::kRun:
            return {"POST", one + "/run", ""};
        case JobAction::kPause:
            return {"POST", one + "/pause", ""};
        case JobAction::kResume:
            return {"POST", one + "/resume", ""};
        case JobAction::kCancel:
            return {"POST", one + "/cancel", ""};
        case JobAction::kList:
            break;
    }
    return get(all);
}

ApiRequest manage_cache(const CacheOptions& options) {
    std::string path = "/api/v1/cache";
    if (options.action == CacheAction::kStats) return get(path);
    char before = '?';
    const auto add = [&](std::string_view name, const std::string& value) {
        if (value.empty()) return;
        path += before + std::string(name) + '=' + core::percent_encoded(value);
        before = '&';
    };
    add("tenant", options.tenant);
    add("entity", options.entity);
    add("pattern", options.pattern);
    add("tag", options.tag);
    return {"DELETE", path, {}};
}

ApiRequest manage_license(const LicenseOptions& options) {
    switch (options.action) {
        case LicenseAction::kInstall:
            return {"PUT", "/api/v1/license",
                    core::to_json(json::object{{"license", options.text}})};
        case LicenseAction::kReport:
            return get("/api/v1/license/usage");
        case LicenseAction::kShow:
            break;
    }
    if (options.tenant.empty()) return get("/api/v1/license");
    return get("/api/v1/tenants/" + core::percent_encoded(options.tenant) + "/license");
}

ApiRequest ask_record(const AuditOptions& options) {
    const std::string all =
        options.tenant.empty()
            ? "/api/v1/audit"
            : "/api/v1/tenants/" + core::percent_encoded(options.tenant) + "/audit";
    std::string query;
    for (const auto& [name, value] : options.query)
        query += (query.empty() ? '?' : '&') + name + '=' + core::percent_encoded(value);
    switch (options.action) {
        case AuditAction::kExport:
            return get(all + "/export" + query);
        case AuditAction::kArchives:
            return get(all + "/archives" + query);
        case AuditAction::kReport:
            return get(all + "/report" + query);
        case AuditAction::kErase:
            return {"DELETE", all + "/subjects/" + core::percent_encoded(options.subject), ""};
        case AuditAction::kVerify: {
            json::object body;
            if (const auto seq = core::parse_integer(options.seq)) body["seq"] = *seq;
            if (!options.hash.empty()) body["hash"] = options.hash;
            if (options.archives) body["archives"] = true;
            return post(all + "/verify", body);
        }
        case AuditAction::kUnmask: {
            json::array entries;
            for (const std::string& one : options.entries)
                entries.push_back(number_or_text(one));
            return post(all + "/unmaskings",
                        {{"entries", std::move(entries)}, {"reason", options.reason}});
        }
        case AuditAction::kList:
            break;
    }
    return get(all + query);
}

ApiRequest manage_vault(const VaultOptions& options) {
    const std::string all = "/api/v1/vault";
    json::object body;
    if (!options.owner.empty()) body["owner"] = options.owner;
    switch (options.action) {
        case VaultAction::kRotate:
            return post(all + "/rotations", body);
        case VaultAction::kRewrap:
            return {"POST", all + "/rewrappings", {}};
        case VaultAction::kRevoke:
            body["confirm"] = options.confirm;
            return post(all + "/revocations", body);
        case VaultAction::kStatus:
        case VaultAction::kKeys:
            break;
    }
    return get(all);
}

ApiRequest manage_backups(const BackupOptions& options) {
    const std::string all = "/api/v1/backups";
    const std::string one = all + '/' + core::percent_encoded(options.id);
    switch (options.action) {
        case BackupAction::kCreate:
            return {"POST", all, {}};
        case BackupAction::kVerify:
            return {"POST", one + "/verifications", {}};
        case BackupAction::kDelete:
            return {"DELETE", one, {}};
        case BackupAction::kList:
        case BackupAction::kShow:
        case BackupAction::kRestore:
        case BackupAction::kCheck:
            break;
    }
    return get(all);
}

ApiRequest manage_store(const StoreOptions& options) {
    if (options.action == StoreAction::kCheck) return {"POST", "/api/v1/checks", {}};
    if (!options.build_type.empty())
        return {"PUT", "/api/v1/build-type",
                core::to_json(json::object{{"build_type", options.build_type}})};
    json::object body;
    add_if(body, "to", options.to);
    add_if(body, "db_username", options.db_username);
    add_if(body, "db_password", options.password.reveal());
    return post("/api/v1/migrations", body);
}

ApiRequest manage_keys(const KeyOptions& options) {
    const std::string all =
        options.tenant.empty()
            ? "/api/v1/keys"
            : fmt::format("/api/v1/tenants/{}/keys", core::percent_encoded(options.tenant));
    const std::string one = all + "/" + core::percent_encoded(options.name);
    json::object body;
    const auto add = [&body](std::string_view key, const std::string& value) {
        if (!value.empty()) body[key] = value;
    };
    // What is no number goes as it was typed: the API says what is wrong with it.
    const auto add_number = [&](std::string_view key, const std::string& value) {
        if (const auto number = core::parse_integer(value)) {
            body[key] = *number;
        } else {
            add(key, value);
        }
    };
    switch (options.action) {
        case KeyAction::kCreate:
            body["name"] = options.name;
            add("scope", options.scope);
            add("certificate", options.certificate);
            add("expires_in", options.expires);
            add("rotate_every", options.rotate_every);
            if (!options.allow.empty())
                body["permissions"] = json::array(options.allow.begin(), options.allow.end());
            if (!options.roles.empty())
                body["roles"] = json::array(options.roles.begin(), options.roles.end());
            add_number("requests_per_second", options.rate);
            add_number("burst", options.burst);
            return post(all, body);
        case KeyAction::kShow:
            return get(one);
        case KeyAction::kRotate:
            add("overlap", options.overlap);
            add("certificate", options.certificate);
            return post(one + "/rotations", body);
        case KeyAction::kRenew:
            add("overlap", options.overlap);
            add("certificate", options.certificate);
            return post("/api/v1/whoami/rotations", body);
        case KeyAction::kRevoke:
            return {"DELETE", one, {}};
        case KeyAction::kList:
        case KeyAction::kExportShares:
        case KeyAction::kImportShares:
            break;
    }
    return get(all);
}

bool names_a_file(std::string_view target) {
    const std::string_view name = target.substr(target.rfind('/') + 1);
    for (const std::string_view ending : {".json", ".yaml", ".yml", ".toml"}) {
        if (name.size() > ending.size() && name.ends_with(ending)) return true;
    }
    return name.starts_with("ecosystem.") || name.starts_with("zona.");
}

bool is_surely_a_selector(std::string_view target) {
    if (target == "all" || target.starts_with("ns:")) return true;
    if (target.size() > 2 && target.front() == '/' && target.back() == '/') return true;
    if (target.find_first_not_of("0123456789") == std::string_view::npos) return true;
    return target.size() == 36 && target[8] == '-' && target[23] == '-' &&
           target.find_first_not_of("0123456789abcdefABCDEF-") == std::string_view::npos;
}

}  // namespace zona::cli
