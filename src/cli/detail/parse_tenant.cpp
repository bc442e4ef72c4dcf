// The words of zona tenant, user, idp and role.
#include <array>
#include <utility>

#include <fmt/format.h>

#include "cli/detail/parse_words.h"
#include "cli/detail/text.h"

namespace zona::cli::detail {

using core::Result;
using std::string;
using std::string_view;
using std::vector;

namespace {

Result<void> check_words(const TenantOptions& out) {
    const bool is_update = out.action == TenantAction::kUpdate;
    const bool has_quota = !(out.requests_per_second.empty() && out.concurrent_requests.empty() &&
                             out.storage_bytes.empty());
    const bool has_words = !(out.name.empty() && out.email.empty());
    if (has_words && !is_update && out.action != TenantAction::kCreate)
        return wrong("--name and --email belong to zona tenant create and update");
    if (has_quota && !is_update)
        return wrong(
            "--requests-per-second, --concurrent-requests and --storage-bytes belong to zona "
            "tenant update");
    const bool has_login = !(out.db_username.empty() && out.password_file.empty());
    if (is_update && !has_words && !has_quota && !has_login)
        return wrong(
            "zona tenant update needs what is to change: --name, --email, "
            "--requests-per-second, --concurrent-requests, --storage-bytes, --db-username or "
            "--db-password-file");
    return {};
}

Result<void> check_place(const TenantOptions& out) {
    const bool is_create = out.action == TenantAction::kCreate;
    const bool is_move = out.action == TenantAction::kMove;
    const bool is_update = out.action == TenantAction::kUpdate;
    const bool has_login = !(out.db_username.empty() && out.password_file.empty());
    if (is_update && !(out.db_name.empty() && out.db_host.empty() && out.to.empty())) {
        return wrong(fmt::format(
            "zona tenant update changes the user and password of the database that a tenant has, "
            "not where its documents are: `zona tenant move {} --to HOST` takes them there, with "
            "--db-name, --db-username and --db-password-file",
            escape_control(out.code)));
    }
    if (!out.db_host.empty() && !is_create) return wrong("--db-host belongs to zona tenant create");
    if (!out.to.empty() && !is_move) return wrong("--to belongs to zona tenant move");
    if (!out.db_name.empty() && !is_create && !is_move)
        return wrong("--db-name belongs to zona tenant create and move");
    if (has_login && !is_create && !is_move && !is_update) {
        return wrong(
            "--db-username and --db-password-file belong to zona tenant create, update and move");
    }
    return {};
}

Result<void> check_tenant_flags(const TenantOptions& out) {
    const auto only_of = [&](bool given, TenantAction action, string_view what) -> Result<void> {
        if (!given || out.action == action) return {};
        return wrong(string(what));
    };
    ZONA_TRY_VOID(only_of(out.replace || !out.of.empty(), TenantAction::kRestore,
                          "--replace and --of belong to zona tenant restore"));
    ZONA_TRY_VOID(
        only_of(!out.at.empty(), TenantAction::kRestore, "--at belongs to zona tenant restore"));
    ZONA_TRY_VOID(only_of(out.open_secrets, TenantAction::kExport,
                          "--open-secrets belongs to zona tenant export-data"));
    ZONA_TRY_VOID(only_of(out.keep_backups || !out.confirm.empty(), TenantAction::kErase,
                          "--confirm and --keep-backups belong to zona tenant erase"));
    if (out.action == TenantAction::kErase && out.confirm.empty()) {
        return wrong(fmt::format("what is erased is gone: give --confirm {}, if you mean it",
                                 escape_control(out.code)));
    }
    return {};
}

}  // namespace

Result<VerbOptions> tenant_options(const RawWords& raw) {
    struct Row {
        string_view name;
        TenantAction action;
        std::size_t words;  // with the name
    };
    static constexpr std::array kActions = {Row{"list", TenantAction::kList, 1},
                                            Row{"ls", TenantAction::kList, 1},
                                            Row{"show", TenantAction::kShow, 2},
                                            Row{"states", TenantAction::kStates, 2},
                                            Row{"create", TenantAction::kCreate, 2},
                                            Row{"update", TenantAction::kUpdate, 2},
                                            Row{"activate", TenantAction::kActivate, 2},
                                            Row{"suspend", TenantAction::kSuspend, 2},
                                            Row{"deactivate", TenantAction::kDeactivate, 2},
                                            Row{"databases", TenantAction::kDatabases, 2},
                                            Row{"backup", TenantAction::kBackup, 2},
                                            Row{"backups", TenantAction::kBackups, 2},
                                            Row{"verify", TenantAction::kVerify, 3},
                                            Row{"drop-backup", TenantAction::kDropBackup, 3},
                                            Row{"restore", TenantAction::kRestore, 3},
                                            Row{"export-data", TenantAction::kExport, 3},
                                            Row{"move", TenantAction::kMove, 2},
                                            Row{"erase", TenantAction::kErase, 2}};
    const vector<string>& words = raw.positionals;
    TenantOptions out{.code = {},
                      .name = raw.tenant_name,
                      .email = raw.email,
                      .requests_per_second = raw.requests_per_second,
                      .concurrent_requests = raw.concurrent_requests,
                      .storage_bytes = raw.storage_bytes};
    out.to = raw.to;
    out.db_host = raw.db_host;
    out.db_name = raw.db_name;
    out.db_username = raw.db_username;
    out.password_file = raw.db_password_file;
    out.of = raw.of;
    out.at = raw.at;
    out.confirm = raw.confirm;
    out.replace = raw.replace;
    out.keep_backups = raw.keep_backups;
    out.open_secrets = raw.open_secrets;
    out.no_wait = raw.no_wait;
    if (!words.empty()) {
        ZONA_TRY(const auto* const row, row_of(Verb::kTenant, words[0], kActions));
        out.action = row->action;
        // A moment finds its backup.
        const bool found = out.action == TenantAction::kRestore && !out.at.empty();
        ZONA_TRY_VOID(
            check_count(Verb::kTenant, words, found ? row->words - 1 : row->words, row->words));
        if (row->words > 1) out.code = words[1];
        if (words.size() > 2) out.what = words[2];
    }
    ZONA_TRY_VOID(check_place(out));
    ZONA_TRY_VOID(check_words(out));
    ZONA_TRY_VOID(check_tenant_flags(out));
    return out;
}

Result<VerbOptions> user_options(const RawWords& raw) {
    using Row = std::pair<string_view, UserAction>;
    static constexpr std::array kActions = {
        Row{"list", UserAction::kList},       Row{"ls", UserAction::kList},
        Row{"show", UserAction::kShow},       Row{"create", UserAction::kCreate},
        Row{"invite", UserAction::kInvite},   Row{"change", UserAction::kChange},
        Row{"disable", UserAction::kDisable}, Row{"enable", UserAction::kEnable},
        Row{"remove", UserAction::kRemove},   Row{"rm", UserAction::kRemove},
        Row{"roles", UserAction::kRoles}};
    const vector<string>& words = raw.positionals;
    UserOptions out{.tenant = raw.tenant.empty() ? "default" : raw.tenant,
                    .name = {},
                    .email = raw.email,
                    .roles = split_commas({raw.roles}),
                    .password_file = raw.password_file,
                    .password = {},
                    .expires = raw.expires,
                    .id = {}};
    if (words.empty()) return out;
    ZONA_TRY(const auto* const row, row_of(Verb::kUser, words[0], kActions));
    out.action = row->second;
    const bool named = out.action != UserAction::kList && out.action != UserAction::kInvite;
    const std::size_t least = named ? 2 : 1;
    ZONA_TRY_VOID(
        check_count(Verb::kUser, words, least, out.action == UserAction::kRoles ? 3 : least));
    if (named) out.name = words[1];
    if (words.size() > 2) out.roles = split_commas({words[2]});
    const bool takes_roles = out.action == UserAction::kCreate || out.action == UserAction::kInvite;
    if (!raw.roles.empty() && !takes_roles)
        return wrong(
            "--roles belongs to zona user create and invite: zona user roles NAME ROLE,...");
    return out;
}

Result<VerbOptions> provider_options(const RawWords& raw) {
    using Row = std::pair<string_view, ProviderAction>;
    static constexpr std::array kActions = {
        Row{"list", ProviderAction::kList},       Row{"ls", ProviderAction::kList},
        Row{"show", ProviderAction::kShow},       Row{"add", ProviderAction::kAdd},
        Row{"replace", ProviderAction::kReplace}, Row{"remove", ProviderAction::kRemove},
        Row{"rm", ProviderAction::kRemove}};
    const vector<string>& words = raw.positionals;
    ProviderOptions out{.tenant = raw.tenant.empty() ? "default" : raw.tenant,
                        .name = {},
                        .issuer = raw.issuer,
                        .client_id = raw.client_id,
                        .metadata = raw.metadata,
                        .metadata_text = {},
                        .secret_file = raw.secret_file,
                        .secret = {},
                        .display_name = raw.description,
                        .groups = raw.groups,
                        .roles = split_commas({raw.roles}),
                        .name_claim = raw.name_claim,
                        .groups_claim = raw.groups_claim,
                        .scopes = split_commas({raw.scopes}),
                        .creates_users = raw.create_users,
                        .is_off = raw.off};
    if (words.empty()) return out;
    ZONA_TRY(const auto* const row, row_of(Verb::kIdp, words[0], kActions));
    out.action = row->second;
    const std::size_t count = out.action == ProviderAction::kList ? 1 : 2;
    ZONA_TRY_VOID(check_count(Verb::kIdp, words, count, count));
    if (count == 2) out.name = words[1];
    const bool writes =
        out.action == ProviderAction::kAdd || out.action == ProviderAction::kReplace;
    if (raw.saml != !out.metadata.empty())
        return wrong("--saml wants --metadata FILE or URL, and that belongs to --saml");
    const bool by_openid = !out.issuer.empty() || !out.client_id.empty();
    if (writes && !raw.saml && (out.issuer.empty() || out.client_id.empty())) {
        return wrong(
            "zona idp add and replace want --issuer URL and --client-id ID, or --saml and "
            "--metadata FILE");
    }
    if (raw.saml && by_openid)
        return wrong("--issuer and --client-id are not for --saml: the metadata name the issuer");
    if (!writes && (by_openid || raw.saml || !out.groups.empty())) {
        return wrong(
            "--issuer, --client-id, --saml and --group belong to zona idp add and replace");
    }
    for (const string& group : out.groups) {
        if (!group.contains('='))
            return wrong(fmt::format("--group takes GROUP=ROLE, not '{}'", escape_control(group)));
    }
    return out;
}

Result<VerbOptions> role_options(const RawWords& raw) {
    using Row = std::pair<string_view, RoleAction>;
    static constexpr std::array kActions = {
        Row{"list", RoleAction::kList},     Row{"ls", RoleAction::kList},
        Row{"show", RoleAction::kShow},     Row{"create", RoleAction::kCreate},
        Row{"remove", RoleAction::kRemove}, Row{"rm", RoleAction::kRemove}};
    const vector<string>& words = raw.positionals;
    RoleOptions out{.tenant = raw.tenant.empty() ? "default" : raw.tenant,
                    .name = {},
                    .description = raw.description,
                    .inherits = split_commas({raw.inherits}),
                    .grants = raw.grants,
                    .weekdays = split_commas({raw.weekdays}),
                    .from = raw.from,
                    .until = raw.until,
                    .networks = split_commas({raw.networks})};
    if (words.empty()) return out;
    ZONA_TRY(const auto* const row, row_of(Verb::kRole, words[0], kActions));
    out.action = row->second;
    const std::size_t count = out.action == RoleAction::kList ? 1 : 2;
    ZONA_TRY_VOID(check_count(Verb::kRole, words, count, count));
    if (count == 2) out.name = words[1];
    for (const string& grant : out.grants) {
        if (!grant.contains('='))
            return wrong(fmt::format("--grant takes RESOURCE:ACTION=own or =all, not '{}'",
                                     escape_control(grant)));
    }
    return out;
}

}  // namespace zona::cli::detail
