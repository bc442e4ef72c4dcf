#include "cli/detail/parse.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "cli/detail/flag_values.h"
#include "cli/detail/text.h"
#include "cli/detail/verb_parser.h"
#include "core/text.h"
#include "process/keeper_protocol.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Error;
using core::Result;
using std::string;
using std::string_view;
using std::vector;
using Words = std::span<const string>;

Error wrong(string message) {
    return Error(Code::kInvalidArgument, std::move(message));
}

vector<string> split_commas(const vector<string>& texts) {
    vector<string> parts;
    for (const string& text : texts) {
        std::size_t from = 0;
        while (from <= text.size()) {
            const std::size_t to = std::min(text.find(',', from), text.size());
            if (to > from) parts.push_back(text.substr(from, to - from));
            from = to + 1;
        }
    }
    return parts;
}

string_view name_of(const auto& row) {
    if constexpr (requires { row.name; })
        return row.name;
    else
        return row.first;
}

/// What `word` means to a verb that has actions. Errors: kInvalidArgument, with what there is.
template <class Row, std::size_t kRows>
Result<const Row*> row_of(Verb verb, const string& word, const std::array<Row, kRows>& rows) {
    vector<string> known;
    for (const Row& row : rows) {
        if (name_of(row) == word) return &row;
        known.emplace_back(name_of(row));
    }
    return wrong(fmt::format("zona {} has no '{}'{}", info(verb).name, escape_control(word),
                             core::suggestion(word, known)))
        .detail({"", "", fmt::format("usage: zona {} {}", info(verb).name, info(verb).synopsis)});
}

Wait wait_of(const RawWords& raw) {
    return raw.no_wait ? Wait::kNo : Wait::kForEffect;
}

SentVariables variables_of(const RawWords& raw) {
    return raw.env_from_here ? SentVariables::kOfThisShell : SentVariables::kNone;
}

/// Between `least` and `most` positionals, or an error that shows the synopsis.
Result<void> check_count(Verb verb, const vector<string>& positionals, std::size_t least,
                         std::size_t most) {
    const VerbInfo& row = info(verb);
    const string usage = fmt::format("usage: zona {} {}", row.name, row.synopsis);
    if (positionals.size() < least) {
        return wrong(fmt::format("zona {} needs more arguments", row.name)).detail({"", "", usage});
    }
    if (positionals.size() > most) {
        return wrong(fmt::format("zona {} has no use for '{}'", row.name,
                                 escape_control(positionals[most])))
            .detail({"", "", usage});
    }
    for (const string& word : positionals) {
        if (word.empty()) return wrong(fmt::format("zona {}: an argument is empty", row.name));
    }
    return {};
}

constexpr std::size_t kMany = static_cast<std::size_t>(-1);

Result<VerbOptions> start_options(RawWords raw, vector<string> arguments) {
    ZONA_TRY_VOID(check_count(Verb::kStart, raw.positionals, 1, kMany));
    StartOptions options;
    for (std::size_t i = 0; i < kAppFlags.size(); ++i) {
        const AppFlag& flag = kAppFlags.at(i);
        if (is_switch(flag.kind) ? !raw.app_switches.at(i) : raw.app_values.at(i).empty()) continue;
        ZONA_TRY(AppSetting setting, setting_of(flag, raw.app_values.at(i)));
        options.settings.push_back(std::move(setting));
    }
    for (const string& entry : raw.environment) {
        const std::size_t equals = entry.find('=');
        if (equals == string::npos || equals == 0) {
            return wrong(fmt::format("--env takes NAME=VALUE, not '{}'", escape_control(entry)));
        }
        options.environment.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
    }
    options.targets = std::move(raw.positionals);
    options.only = split_commas(raw.only);
    options.arguments = std::move(arguments);
    options.variables = variables_of(raw);
    options.wait = wait_of(raw);
    return options;
}

Result<VerbOptions> select_options(Verb verb, RawWords raw) {
    const std::size_t least = verb == Verb::kList ? 0 : 1;
    ZONA_TRY_VOID(check_count(verb, raw.positionals, least, verb == Verb::kEnv ? 1 : kMany));
    return SelectOptions{std::move(raw.positionals), raw.update_env, wait_of(raw),
                         variables_of(raw)};
}

Result<VerbOptions> scale_options(RawWords raw) {
    ZONA_TRY_VOID(check_count(Verb::kScale, raw.positionals, 2, 2));
    const string& number = raw.positionals[1];
    const bool is_signed = number[0] == '+' || number[0] == '-';
    const string digits = number.substr(is_signed ? 1 : 0);
    if (digits.empty() || digits.size() > 6 ||
        digits.find_first_not_of("0123456789") != string::npos) {
        return wrong(fmt::format("zona scale takes N, +N or -N, not '{}'", escape_control(number)));
    }
    return ScaleOptions{raw.positionals[0], number, wait_of(raw)};
}

Result<VerbOptions> signal_options(RawWords raw) {
    ZONA_TRY_VOID(check_count(Verb::kSignal, raw.positionals, 2, kMany));
    if (raw.process && raw.tree) return wrong("--process and --tree exclude each other");
    SignalOptions options;
    options.signal = raw.positionals.front();
    options.selectors.assign(raw.positionals.begin() + 1, raw.positionals.end());
    if (raw.process) options.target = SignalTarget::kProcess;
    if (raw.tree) options.target = SignalTarget::kTree;
    return options;
}

Result<VerbOptions> logs_options(RawWords raw) {
    ZONA_TRY_VOID(check_count(Verb::kLogs, raw.positionals, 0, kMany));
    LogsOptions options;
    options.selectors = std::move(raw.positionals);
    if (!raw.lines.empty()) {
        ZONA_TRY(const std::int64_t lines, integer_of("--lines", raw.lines, 0));
        options.lines = static_cast<int>(std::min<std::int64_t>(lines, 1'000'000'000));
    }
    if (raw.out != raw.err) options.streams = raw.out ? LogStreams::kOut : LogStreams::kError;
    options.since = std::move(raw.since);
    options.follow = raw.no_stream ? LogFollow::kNo : LogFollow::kFollow;
    options.prefix = raw.raw ? LogPrefix::kRaw : LogPrefix::kName;
    return options;
}

Result<VerbOptions> why_options(RawWords raw) {
    WhyOptions options;
    if (!raw.last.empty()) {
        ZONA_TRY(const std::int64_t last, integer_of("--last", raw.last, 1));
        options.last = static_cast<int>(std::min<std::int64_t>(last, 1'000'000));
    }
    options.selectors = std::move(raw.positionals);
    return options;
}

Result<VerbOptions> config_options(const RawWords& raw) {
    const vector<string>& words = raw.positionals;
    if (words.empty() || words[0] == "show") {
        ZONA_TRY_VOID(check_count(Verb::kConfig, words, 0, 1));
        return ConfigOptions{};
    }
    if (words[0] == "reload") {
        ZONA_TRY_VOID(check_count(Verb::kConfig, words, 1, 1));
        return ConfigOptions{ConfigAction::kReload, {}, {}};
    }
    if (words[0] == "log-level" || words[0] == "log-levels") {
        if (words.size() == 1) return ConfigOptions{ConfigAction::kLogLevel, {}, {}};
        ZONA_TRY_VOID(check_count(Verb::kConfig, words, 3, 3));
        return ConfigOptions{ConfigAction::kLogLevel, words[1], words[2]};
    }
    const vector<string> known{"show", "reload", "log-level"};
    return wrong(fmt::format("zona config has no '{}'{}", escape_control(words[0]),
                             core::suggestion(words[0], known)))
        .detail({"", "", fmt::format("usage: zona config {}", info(Verb::kConfig).synopsis)});
}

Result<VerbOptions> key_options(const RawWords& raw) {
    using Row = std::pair<string_view, KeyAction>;
    static constexpr std::array kActions = {Row{"list", KeyAction::kList},
                                            Row{"ls", KeyAction::kList},
                                            Row{"create", KeyAction::kCreate},
                                            Row{"rotate", KeyAction::kRotate},
                                            Row{"revoke", KeyAction::kRevoke},
                                            Row{"rm", KeyAction::kRevoke},
                                            Row{"export-shares", KeyAction::kExportShares},
                                            Row{"import-shares", KeyAction::kImportShares}};
    const vector<string>& words = raw.positionals;
    KeyOptions out;
    if (!words.empty()) {
        ZONA_TRY(const auto* const row, row_of(Verb::kKey, words[0], kActions));
        out.action = row->second;
        const bool is_named =
            out.action != KeyAction::kList && out.action != KeyAction::kExportShares;
        ZONA_TRY_VOID(check_count(Verb::kKey, words, is_named ? 2 : 1, is_named ? 2 : 1));
        if (is_named) (out.action == KeyAction::kImportShares ? out.file : out.name) = words[1];
    }
    if (out.action == KeyAction::kImportShares && raw.to.empty())
        return wrong("zona key import-shares makes a file: give --to FILE");
    out.needed = raw.needed;
    out.total = raw.total;
    out.to = raw.to;
    const auto only_of = [&](string_view flag, const string& value,
                             KeyAction action) -> Result<void> {
        if (value.empty() || out.action == action) return {};
        return wrong(fmt::format("{} belongs to zona key {}", flag,
                                 action == KeyAction::kCreate ? "create" : "rotate"));
    };
    ZONA_TRY_VOID(only_of("--scope", raw.scope, KeyAction::kCreate));
    ZONA_TRY_VOID(only_of("--tenant", raw.tenant, KeyAction::kCreate));
    ZONA_TRY_VOID(only_of("--expires", raw.expires, KeyAction::kCreate));
    ZONA_TRY_VOID(only_of("--overlap", raw.overlap, KeyAction::kRotate));
    out.scope = raw.scope;
    out.tenant = raw.tenant;
    out.expires = raw.expires;
    out.overlap = raw.overlap;
    return out;
}

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

Result<VerbOptions> job_options(const RawWords& raw) {
    using Row = std::pair<string_view, JobAction>;
    static constexpr std::array kActions = {
        Row{"list", JobAction::kList},     Row{"ls", JobAction::kList},
        Row{"show", JobAction::kShow},     Row{"history", JobAction::kHistory},
        Row{"run", JobAction::kRun},       Row{"pause", JobAction::kPause},
        Row{"resume", JobAction::kResume}, Row{"cancel", JobAction::kCancel}};
    const vector<string>& words = raw.positionals;
    JobOptions out{.name = {}, .cursor = raw.cursor};
    if (!words.empty()) {
        ZONA_TRY(const auto* const row, row_of(Verb::kJob, words[0], kActions));
        out.action = row->second;
        const bool is_one = out.action != JobAction::kList;
        ZONA_TRY_VOID(check_count(Verb::kJob, words, is_one ? 2 : 1, is_one ? 2 : 1));
        if (is_one) out.name = words[1];
    }
    if (out.action != JobAction::kHistory && !out.cursor.empty())
        return wrong("--cursor belongs to zona job history");
    return out;
}

Result<VerbOptions> cache_options(const RawWords& raw) {
    using Row = std::pair<string_view, CacheAction>;
    static constexpr std::array kActions = {Row{"stats", CacheAction::kStats},
                                            Row{"flush", CacheAction::kFlush}};
    const vector<string>& words = raw.positionals;
    CacheOptions out{
        .tenant = raw.tenant, .entity = raw.entity, .pattern = raw.pattern, .tag = raw.tag};
    if (!words.empty()) {
        ZONA_TRY(const auto* const row, row_of(Verb::kCache, words[0], kActions));
        out.action = row->second;
        ZONA_TRY_VOID(check_count(Verb::kCache, words, 1, 1));
    }
    const bool is_part = !(out.entity.empty() && out.pattern.empty() && out.tag.empty());
    if (out.action != CacheAction::kFlush && (is_part || !out.tenant.empty()))
        return wrong("--tenant, --entity, --pattern and --tag belong to zona cache flush");
    if (is_part && out.tenant.empty())
        return wrong("--entity, --pattern and --tag are of a tenant: give --tenant CODE");
    return out;
}

Result<VerbOptions> audit_options(const RawWords& raw) {
    using Row = std::pair<string_view, AuditAction>;
    static constexpr std::array kActions = {
        Row{"list", AuditAction::kList},     Row{"ls", AuditAction::kList},
        Row{"export", AuditAction::kExport}, Row{"verify", AuditAction::kVerify},
        Row{"report", AuditAction::kReport}, Row{"erase", AuditAction::kErase}};
    const vector<string>& words = raw.positionals;
    AuditOptions out{.tenant = raw.tenant, .subject = {}, .query = {}, .seq = {}, .hash = {}};
    if (!words.empty()) {
        ZONA_TRY(const auto* const row, row_of(Verb::kAudit, words[0], kActions));
        out.action = row->second;
        const std::size_t count = out.action == AuditAction::kErase ? 2 : 1;
        ZONA_TRY_VOID(check_count(Verb::kAudit, words, count, count));
        if (count > 1) out.subject = words[1];
    }
    const std::pair<const char*, const string*> query[] = {{"actor", &raw.actor},
                                                           {"action", &raw.action},
                                                           {"resource", &raw.resource},
                                                           {"category", &raw.category},
                                                           {"outcome", &raw.outcome},
                                                           {"from", &raw.from},
                                                           {"to", &raw.to},
                                                           {"limit", &raw.limit},
                                                           {"cursor", &raw.cursor},
                                                           {"format", &raw.format}};
    for (const auto& [name, value] : query) {
        if (!value->empty()) out.query.emplace_back(name, *value);
    }
    if (raw.head.empty()) return out;
    const std::size_t colon = raw.head.find(':');
    if (out.action != AuditAction::kVerify || colon == string::npos)
        return wrong("--head belongs to zona audit verify, and takes SEQ:HASH");
    out.seq = raw.head.substr(0, colon);
    out.hash = raw.head.substr(colon + 1);
    return out;
}

Result<VerbOptions> backup_options(const RawWords& raw) {
    using Row = std::pair<string_view, BackupAction>;
    static constexpr std::array kActions = {
        Row{"list", BackupAction::kList},     Row{"ls", BackupAction::kList},
        Row{"create", BackupAction::kCreate}, Row{"show", BackupAction::kShow},
        Row{"verify", BackupAction::kVerify}, Row{"delete", BackupAction::kDelete},
        Row{"rm", BackupAction::kDelete},     Row{"restore", BackupAction::kRestore},
        Row{"check", BackupAction::kCheck}};
    const vector<string>& words = raw.positionals;
    BackupOptions out{.to = raw.to,
                      .root_key = raw.root_key,
                      .shares = raw.shares,
                      .at = raw.at,
                      .no_wait = raw.no_wait};
    if (!words.empty()) {
        ZONA_TRY(const auto* const row, row_of(Verb::kBackup, words[0], kActions));
        out.action = row->second;
        const bool is_one =
            out.action != BackupAction::kList && out.action != BackupAction::kCreate;
        ZONA_TRY_VOID(check_count(Verb::kBackup, words, is_one ? 2 : 1, is_one ? 2 : 1));
        if (is_one) out.id = words[1];
    }
    const bool restores = out.action == BackupAction::kRestore;
    if (restores && out.to.empty())
        return wrong("zona backup restore makes a new home: give --to HOME");
    const bool checks = out.action == BackupAction::kCheck;
    if (!restores && !out.to.empty()) return wrong("--to belongs to zona backup restore");
    if (!restores && !checks && !(out.root_key.empty() && out.at.empty()))
        return wrong("--root-key and --at belong to zona backup restore and check");
    if (!checks && !out.shares.empty()) return wrong("--shares belongs to zona backup check");
    return out;
}

Result<VerbOptions> store_options(const RawWords& raw) {
    ZONA_TRY_VOID(check_count(Verb::kStore, raw.positionals, 1, 1));
    using Row = std::pair<string_view, StoreAction>;
    static constexpr std::array kActions = {Row{"check", StoreAction::kCheck},
                                            Row{"migrate", StoreAction::kMigrate}};
    ZONA_TRY(const auto* const row, row_of(Verb::kStore, raw.positionals[0], kActions));
    const bool is_migrate = row->second == StoreAction::kMigrate;
    const bool has_place =
        !(raw.to.empty() && raw.db_username.empty() && raw.db_password_file.empty());
    if (has_place && !is_migrate)
        return wrong("--to, --db-username and --db-password-file belong to zona store migrate");
    return StoreOptions{.action = row->second,
                        .to = raw.to,
                        .db_username = raw.db_username,
                        .password_file = raw.db_password_file,
                        .password = {},
                        .no_wait = raw.no_wait};
}

Result<VerbOptions> vault_options(const RawWords& raw) {
    using Row = std::pair<string_view, VaultAction>;
    static constexpr std::array kActions = {
        Row{"status", VaultAction::kStatus}, Row{"keys", VaultAction::kKeys},
        Row{"rotate", VaultAction::kRotate}, Row{"rewrap", VaultAction::kRewrap},
        Row{"revoke", VaultAction::kRevoke}};
    const vector<string>& words = raw.positionals;
    VaultOptions out{.owner = {}, .confirm = raw.confirm, .no_wait = raw.no_wait};
    if (!words.empty()) {
        ZONA_TRY(const auto* const row, row_of(Verb::kVault, words[0], kActions));
        out.action = row->second;
        const bool is_one =
            out.action == VaultAction::kRevoke || (out.action == VaultAction::kRotate && !raw.all);
        ZONA_TRY_VOID(check_count(Verb::kVault, words, is_one ? 2 : 1, is_one ? 2 : 1));
        if (is_one) out.owner = words[1];
    }
    if (raw.all && out.action != VaultAction::kRotate)
        return wrong("--all belongs to zona vault rotate");
    if (raw.no_wait && out.action != VaultAction::kRotate)
        return wrong("--no-wait belongs to zona vault rotate");
    if (out.action != VaultAction::kRevoke && !out.confirm.empty())
        return wrong("--confirm belongs to zona vault revoke");
    if (out.action == VaultAction::kRevoke && out.confirm != out.owner) {
        return wrong(fmt::format("what was encrypted for '{}' could be read by nobody any more",
                                 escape_control(out.owner)))
            .detail({"", "",
                     fmt::format("if that is meant: zona vault revoke {0} --confirm {0}",
                                 escape_control(out.owner))});
    }
    return out;
}

Result<VerbOptions> execution_options(const RawWords& raw) {
    using Row = std::pair<string_view, ExecutionAction>;
    static constexpr std::array kActions = {
        Row{"list", ExecutionAction::kList}, Row{"ls", ExecutionAction::kList},
        Row{"show", ExecutionAction::kShow}, Row{"wait", ExecutionAction::kWait}};
    const vector<string>& words = raw.positionals;
    if (words.empty()) return ExecutionOptions{};
    ZONA_TRY(const auto* const row, row_of(Verb::kExecution, words[0], kActions));
    const bool is_one = row->second != ExecutionAction::kList;
    ZONA_TRY_VOID(check_count(Verb::kExecution, words, is_one ? 2 : 1, is_one ? 2 : 1));
    return ExecutionOptions{row->second, is_one ? words[1] : string()};
}

Result<VerbOptions> context_options(const RawWords& raw) {
    using Row = std::pair<string_view, ContextAction>;
    static constexpr std::array kActions = {
        Row{"list", ContextAction::kList}, Row{"ls", ContextAction::kList},
        Row{"show", ContextAction::kShow}, Row{"use", ContextAction::kUse},
        Row{"add", ContextAction::kAdd},   Row{"remove", ContextAction::kRemove},
        Row{"rm", ContextAction::kRemove}};
    const vector<string>& words = raw.positionals;
    if (words.empty()) return ContextOptions{};
    ZONA_TRY(const auto* const row, row_of(Verb::kContext, words[0], kActions));
    const auto action = row->second;
    const bool is_named = action != ContextAction::kList && action != ContextAction::kShow;
    ZONA_TRY_VOID(check_count(Verb::kContext, words, is_named ? 2 : 1, is_named ? 2 : 1));
    return ContextOptions{action, is_named ? words[1] : string()};
}

Result<VerbOptions> web_options(const RawWords& raw) {
    ZONA_TRY_VOID(check_count(Verb::kWeb, raw.positionals, 0, 0));
    std::int64_t port = 9615;
    if (!raw.port.empty()) {
        ZONA_TRY(port, integer_of("--port", raw.port, 1));
    }
    if (port > 65535) return wrong("--port takes a number up to 65535");
    std::string host = raw.host.value_or("127.0.0.1");
    if (host == "localhost") host = "127.0.0.1";
    const bool bare = host.find(':') != string::npos && !host.starts_with('[');
    return WebOptions{fmt::format("{}{}{}:{}", bare ? "[" : "", host, bare ? "]" : "", port)};
}

Result<VerbOptions> send_options(const RawWords& raw) {
    ZONA_TRY_VOID(check_count(Verb::kSend, raw.positionals, 2, 2));
    return SendOptions{raw.positionals[0], raw.positionals[1]};
}

Result<VerbOptions> options_of(Verb verb, RawWords raw, vector<string> arguments) {
    switch (verb) {
        case Verb::kStart:
            return start_options(std::move(raw), std::move(arguments));
        case Verb::kScale:
            return scale_options(std::move(raw));
        case Verb::kSignal:
            return signal_options(std::move(raw));
        case Verb::kLogs:
            return logs_options(std::move(raw));
        case Verb::kWhy:
            return why_options(std::move(raw));
        case Verb::kConfig:
            return config_options(raw);
        case Verb::kKey:
            return key_options(raw);
        case Verb::kExecution:
            return execution_options(raw);
        case Verb::kJob:
            return job_options(raw);
        case Verb::kCache:
            return cache_options(raw);
        case Verb::kAudit:
            return audit_options(raw);
        case Verb::kTenant:
            return tenant_options(raw);
        case Verb::kUser:
            return user_options(raw);
        case Verb::kRole:
            return role_options(raw);
        case Verb::kBackup:
            return backup_options(raw);
        case Verb::kStore:
            return store_options(raw);
        case Verb::kVault:
            return vault_options(raw);
        case Verb::kContext:
            return context_options(raw);
        case Verb::kWeb:
            return web_options(raw);
        case Verb::kSend:
            return send_options(raw);
        case Verb::kRun: {
            ZONA_TRY_VOID(check_count(verb, raw.positionals, 1, 1));
            return RunOptions{raw.positionals[0], split_commas(raw.only), std::move(raw.run_cwd),
                              variables_of(raw)};
        }
        case Verb::kSave: {
            ZONA_TRY_VOID(check_count(verb, raw.positionals, 0, 0));
            return SaveOptions{raw.force};
        }
        case Verb::kJlist:
        case Verb::kResurrect:
        case Verb::kPing:
        case Verb::kKill:
        case Verb::kDoctor: {
            ZONA_TRY_VOID(check_count(verb, raw.positionals, 0, 0));
            return NoOptions{};
        }
        default:
            return select_options(verb, std::move(raw));
    }
}

/// Which zona, as far as the flags say.
Result<void> read_place(const RawWords& raw, GlobalOptions& global) {
    using Row = std::pair<string_view, const std::optional<string>*>;
    for (const auto& [flag, value] :
         {Row{"--host", &raw.host}, Row{"--context", &raw.context},
          Row{"--key-file", &raw.key_file}, Row{"--ca-file", &raw.ca_file},
          Row{"--fingerprint", &raw.fingerprint}}) {
        if (*value && (*value)->empty())
            return wrong(fmt::format("{} is given an empty text", flag));
    }
    global.host = raw.host;
    global.context = raw.context;
    global.key_file = raw.key_file;
    global.ca_file = raw.ca_file;
    global.fingerprint = raw.fingerprint;
    if (raw.insecure) global.unprotected = Unprotected::kAllowed;
    return {};
}

Result<GlobalOptions> global_options(Verb verb, const RawWords& raw) {
    GlobalOptions global;
    if (!raw.home.empty()) global.home = raw.home;
    for (const string& setting : raw.settings) {
        if (setting.find('=') == string::npos || setting.starts_with('=')) {
            return Error(Code::kInvalidArgument,
                         fmt::format("--set {}: not KEY=VALUE", escape_control(setting)))
                .detail({"", "",
                         "as in --set supervisor.containment=sweep; `zona config` has the keys"});
        }
    }
    if (raw.settings.size() > process::kMostSettings) {
        return Error(Code::kInvalidArgument,
                     fmt::format("--set is given {} times; at most {} are taken",
                                 raw.settings.size(), process::kMostSettings))
            .detail({"", "", "write them into zona.toml in zona's home"});
    }
    global.settings = raw.settings;
    ZONA_TRY_VOID(read_place(raw, global));
    if (verb == Verb::kWeb) global.host.reset();  // an address of this host
    if (raw.json) global.format = OutputFormat::kJson;
    if (raw.no_color) global.colours = Colours::kNever;
    if (raw.silent) global.talk = Talk::kSilent;
    if (!raw.timeout.empty()) {
        const bool is_number = raw.timeout.find_first_not_of("0123456789.") == string::npos;
        auto timeout = core::parse_duration(is_number ? raw.timeout + "s" : raw.timeout);
        if (!timeout) return timeout.take_error().context("--timeout");
        global.timeout = *timeout;
    }
    return global;
}

bool takes_value(string_view word) {
    constexpr std::array kFlags = {string_view("--home"),    string_view("--timeout"),
                                   string_view("--set"),     string_view("--host"),
                                   string_view("--context"), string_view("--key-file"),
                                   string_view("--ca-file"), string_view("--fingerprint")};
    return std::ranges::find(kFlags, word) != kFlags.end();
}

/// The index of the verb, or words.size(). Only the flags of every verb may stand before it.
std::size_t verb_index(Words words) {
    std::size_t at = 0;
    while (at < words.size() && words[at].starts_with('-')) {
        at += takes_value(words[at]) ? 2 : 1;
    }
    return std::min(at, words.size());
}

Result<Parsed> parse_without_verb(Words words) {
    for (const string& word : words) {
        if (word == "-V" || word == "-v" || word == "--version") {
            VersionRequest request;
            if (wants_json(words)) request.global.format = OutputFormat::kJson;
            return request;
        }
    }
    ZONA_TRY(const RawWords raw, read_words(Verb::kHelp, words));
    static_cast<void>(raw);
    return HelpText{general_help()};
}

/// An API key among the arguments is refused before anything could repeat it.
Result<void> refuse_keys(Words words) {
    const auto behind = std::ranges::find(words, "--");
    const bool shows_key = std::any_of(words.begin(), behind, [](const string& word) {
        const string_view name = string_view(word).substr(0, word.find('='));
        return name == "--key" || name == "--api-key" || word.starts_with("zona_key_") ||
               word.starts_with("--key-file=zona_key_");
    });
    if (!shows_key) return {};
    return wrong("an API key is no argument: everybody on this host can read it in /proc")
        .detail({"", "",
                 "put it into a file that only you can read, and give --key-file FILE; or "
                 "set ZONA_API_KEY"});
}

Result<Parsed> parse_help(Words words) {
    for (const string& word : words) {
        if (word.starts_with('-')) continue;
        const VerbInfo* verb = find_verb(word);
        if (verb == nullptr) {
            return wrong(fmt::format("zona has no verb '{}'{}", escape_control(word),
                                     verb_suggestion(word)));
        }
        return HelpText{verb_help(verb->verb)};
    }
    return HelpText{general_help()};
}

/// `zona scale api -1` and `zona signal -9 api`: numbers that look like flags, made positionals.
void unhide_numbers(Verb verb, vector<string>& words) {
    if (verb != Verb::kScale && verb != Verb::kSignal) return;
    const auto hidden = std::ranges::find_if(words, [](const string& word) {
        return word.size() > 1 && word[0] == '-' &&
               word.find_first_not_of("0123456789", 1) == string::npos;
    });
    if (hidden == words.end()) return;
    string number = *hidden;
    words.erase(hidden);
    if (verb == Verb::kSignal) {
        words.insert(words.begin(), number.substr(1));
    } else {
        words.emplace_back("--");
        words.push_back(std::move(number));
    }
}

}  // namespace

bool wants_json(Words words) {
    for (const string& word : words) {
        if (word == "--") return false;
        if (word == "--json") return true;
    }
    return false;
}

Result<Parsed> parse(Words words) {
    ZONA_TRY_VOID(refuse_keys(words));
    const std::size_t at = verb_index(words);
    if (at == words.size()) return parse_without_verb(words);
    const VerbInfo* verb = find_verb(words[at]);
    if (verb == nullptr) {
        // The value of a mistyped option is not a mistyped verb.
        ZONA_TRY_VOID(read_words(Verb::kHelp, words.first(at)));
        return wrong(fmt::format("zona has no verb '{}'{}", escape_control(words[at]),
                                 verb_suggestion(words[at])))
            .detail({"", "", "zona --help lists the verbs"});
    }
    vector<string> rest(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at));
    rest.insert(rest.end(), words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
    if (verb->verb == Verb::kHelp) return parse_help(rest);

    vector<string> arguments;
    if (verb->verb == Verb::kStart) {
        const auto split = std::ranges::find(rest, "--");
        if (split != rest.end()) arguments.assign(split + 1, rest.end());
        rest.erase(split, rest.end());
    }
    unhide_numbers(verb->verb, rest);
    ZONA_TRY(RawWords raw, read_words(verb->verb, rest));
    if (raw.help) return HelpText{verb_help(verb->verb)};
    ZONA_TRY(const GlobalOptions global, global_options(verb->verb, raw));
    if (raw.version) return VersionRequest{global};
    ZONA_TRY(VerbOptions options, options_of(verb->verb, std::move(raw), std::move(arguments)));
    return Command{verb->verb, global, std::move(options)};
}

}  // namespace zona::cli
