// The words of the verbs that are neither about processes nor about the daemon itself.
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

Result<VerbOptions> key_options(const RawWords& raw) {
    using Row = std::pair<string_view, KeyAction>;
    static constexpr std::array kActions = {Row{"list", KeyAction::kList},
                                            Row{"ls", KeyAction::kList},
                                            Row{"show", KeyAction::kShow},
                                            Row{"create", KeyAction::kCreate},
                                            Row{"rotate", KeyAction::kRotate},
                                            Row{"renew", KeyAction::kRenew},
                                            Row{"revoke", KeyAction::kRevoke},
                                            Row{"rm", KeyAction::kRevoke},
                                            Row{"export-shares", KeyAction::kExportShares},
                                            Row{"import-shares", KeyAction::kImportShares}};
    const vector<string>& words = raw.positionals;
    KeyOptions out;
    if (!words.empty()) {
        ZONA_TRY(const auto* const row, row_of(Verb::kKey, words[0], kActions));
        out.action = row->second;
        const bool is_named = out.action != KeyAction::kList && out.action != KeyAction::kRenew &&
                              out.action != KeyAction::kExportShares;
        ZONA_TRY_VOID(check_count(Verb::kKey, words, is_named ? 2 : 1, is_named ? 2 : 1));
        if (is_named) (out.action == KeyAction::kImportShares ? out.file : out.name) = words[1];
    }
    if (out.action == KeyAction::kImportShares && raw.to.empty())
        return wrong("zona key import-shares makes a file: give --to FILE");
    out.needed = raw.needed;
    out.total = raw.total;
    out.to = raw.to;
    const std::pair<string_view, const string&> of_create[] = {
        {"--scope", raw.scope},
        {"--allow", raw.allow},
        {"--roles", raw.roles},
        {"--rate", raw.rate},
        {"--burst", raw.burst},
        {"--expires", raw.expires},
        {"--rotate-every", raw.rotate_every}};
    for (const auto& [flag, value] : of_create) {
        if (!value.empty() && out.action != KeyAction::kCreate)
            return wrong(fmt::format("{} belongs to zona key create", flag));
    }
    const bool overlaps = out.action == KeyAction::kRotate || out.action == KeyAction::kRenew;
    if (!raw.overlap.empty() && !overlaps)
        return wrong("--overlap belongs to zona key rotate and renew");
    if (!raw.certificate.empty() && !overlaps && out.action != KeyAction::kCreate)
        return wrong("--certificate belongs to zona key create, rotate and renew");
    if (!raw.tenant.empty() &&
        (out.action == KeyAction::kRenew || out.action == KeyAction::kExportShares ||
         out.action == KeyAction::kImportShares))
        return wrong("--tenant belongs to zona key list, show, create, rotate and revoke");
    out.certificate = raw.certificate;
    out.scope = raw.scope;
    out.allow = split_commas({raw.allow});
    out.roles = split_commas({raw.roles});
    out.rate = raw.rate;
    out.burst = raw.burst;
    out.rotate_every = raw.rotate_every;
    out.tenant = raw.tenant;
    out.expires = raw.expires;
    out.overlap = raw.overlap;
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
        Row{"report", AuditAction::kReport}, Row{"erase", AuditAction::kErase},
        Row{"unmask", AuditAction::kUnmask}, Row{"archives", AuditAction::kArchives}};
    const vector<string>& words = raw.positionals;
    AuditOptions out{.tenant = raw.tenant, .subject = {}, .query = {}, .seq = {}, .hash = {}};
    if (!words.empty()) {
        ZONA_TRY(const auto* const row, row_of(Verb::kAudit, words[0], kActions));
        out.action = row->second;
        constexpr std::size_t kMostUnmasked = 100;
        const bool unmasks = out.action == AuditAction::kUnmask;
        const std::size_t count = unmasks || out.action == AuditAction::kErase ? 2 : 1;
        ZONA_TRY_VOID(check_count(Verb::kAudit, words, count, unmasks ? 1 + kMostUnmasked : count));
        if (unmasks) {
            out.entries.assign(words.begin() + 1, words.end());
        } else if (count > 1) {
            out.subject = words[1];
        }
    }
    out.reason = raw.reason;
    if (out.reason.empty() != (out.action != AuditAction::kUnmask))
        return wrong(
            "zona audit unmask needs --reason TEXT, which is put on record, and nothing "
            "else takes it");
    out.archives = raw.archives;
    if (out.archives && out.action != AuditAction::kVerify && out.action != AuditAction::kExport)
        return wrong("--archives belongs to zona audit verify and export");
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
    if (out.archives && out.action == AuditAction::kExport)
        out.query.emplace_back("archives", "true");
    if (raw.head.empty()) return out;
    const std::size_t colon = raw.head.find(':');
    if (out.action != AuditAction::kVerify || colon == string::npos)
        return wrong("--head belongs to zona audit verify, and takes SEQ:HASH");
    out.seq = raw.head.substr(0, colon);
    out.hash = raw.head.substr(colon + 1);
    return out;
}

Result<VerbOptions> license_options(const RawWords& raw) {
    using Row = std::pair<string_view, LicenseAction>;
    static constexpr std::array kActions = {Row{"show", LicenseAction::kShow},
                                            Row{"install", LicenseAction::kInstall},
                                            Row{"report", LicenseAction::kReport}};
    const vector<string>& words = raw.positionals;
    LicenseOptions out{.tenant = raw.tenant, .file = {}, .text = {}};
    if (!words.empty()) {
        ZONA_TRY(const auto* const row, row_of(Verb::kLicense, words[0], kActions));
        out.action = row->second;
        const bool is_install = out.action == LicenseAction::kInstall;
        ZONA_TRY_VOID(check_count(Verb::kLicense, words, is_install ? 2 : 1, is_install ? 2 : 1));
        if (is_install) out.file = words[1];
    }
    if (out.action != LicenseAction::kShow && !out.tenant.empty())
        return wrong("--tenant belongs to zona license show");
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
    if (!raw.build_type.empty() && !is_migrate)
        return wrong("--build-type belongs to zona store migrate");
    if (!raw.build_type.empty() && (has_place || raw.no_wait))
        return wrong("--build-type goes with nothing else: the next start does it");
    return StoreOptions{.action = row->second,
                        .to = raw.to,
                        .db_username = raw.db_username,
                        .password_file = raw.db_password_file,
                        .password = {},
                        .build_type = raw.build_type,
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
        Row{"list", ExecutionAction::kList},     Row{"ls", ExecutionAction::kList},
        Row{"show", ExecutionAction::kShow},     Row{"wait", ExecutionAction::kWait},
        Row{"cancel", ExecutionAction::kCancel}, Row{"retry", ExecutionAction::kRetry}};
    const vector<string>& words = raw.positionals;
    if (words.empty()) return ExecutionOptions{};
    ZONA_TRY(const auto* const row, row_of(Verb::kExecution, words[0], kActions));
    const bool is_one = row->second != ExecutionAction::kList;
    ZONA_TRY_VOID(check_count(Verb::kExecution, words, is_one ? 2 : 1, is_one ? 2 : 1));
    return ExecutionOptions{row->second, is_one ? words[1] : string()};
}

}  // namespace

Result<VerbOptions> data_options(Verb verb, const RawWords& raw) {
    switch (verb) {
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
        case Verb::kLicense:
            return license_options(raw);
        case Verb::kTenant:
            return tenant_options(raw);
        case Verb::kUser:
            return user_options(raw);
        case Verb::kRole:
            return role_options(raw);
        case Verb::kIdp:
            return provider_options(raw);
        case Verb::kLogin:
        case Verb::kPasswd:
            return login_options(verb, raw);
        case Verb::kSession:
            return session_options(raw);
        case Verb::kFactor:
            return factor_options(raw);
        case Verb::kBackup:
            return backup_options(raw);
        case Verb::kStore:
            return store_options(raw);
        case Verb::kVault:
            return vault_options(raw);
        default:
            return core::Error(core::Code::kInternal, "this verb is not about data");
    }
}

}  // namespace zona::cli::detail
