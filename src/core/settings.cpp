#include "core/settings.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>
#include <vector>

#include "core/detail/api_settings.h"
#include "core/detail/cache_settings.h"

namespace zona::core {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kKib = 1024;
constexpr std::int64_t kMib = 1024 * kKib;
constexpr std::int64_t kMostStorage = 1024 * 1024 * 1024 * kMib;

std::vector<std::string> level_names() {
    return {"trace", "debug", "info", "warn", "error", "fatal", "off"};
}

std::vector<Setting> general_settings() {
    return {
        {.key = "profile",
         .type = SettingType::kChoice,
         .default_value = "production",
         .description = "Which set of defaults holds, and which `[profiles.NAME]` of the file.",
         .reload = ReloadMode::kHot,
         .choices = {"development", "staging", "production"}},
        {.key = "log.level",
         .type = SettingType::kChoice,
         .default_value = "info",
         .description = "The quietest line of zona's own log that is written.",
         .reload = ReloadMode::kHot,
         .choices = level_names(),
         .profile_defaults = {{"development", "debug"}, {"staging", "debug"}}},
        {.key = "log.levels.*",
         .type = SettingType::kChoice,
         .description = "The level of one category and those below it, e.g. `log.levels.process`.",
         .reload = ReloadMode::kHot,
         .choices = level_names()},
        {.key = "log.file",
         .type = SettingType::kPath,
         .default_value = "logs/zonad.log",
         .description = "Where zona's own log goes, as lines of JSON; empty: logs/zonad.log."},
        {.key = "log.security_file",
         .type = SettingType::kPath,
         .default_value = "logs/security.log",
         .description = "Where the lines about security go as well (categories `security` and "
                        "`identity`); they are appended, and zona never shortens it. Empty: "
                        "nowhere."},
        {.key = "logs.dir",
         .type = SettingType::kPath,
         .default_value = "logs",
         .description =
             "The directory for the output of processes that name no file of their own."},
        {.key = "capture.disk_full_wait",
         .type = SettingType::kDuration,
         .default_value = "5s",
         .description =
             "How long a process that writes to a full disk waits before output is dropped "
             "and counted.",
         .most = kHour},
        {.key = "limits.max_processes",
         .type = SettingType::kInteger,
         .default_value = "16384",
         .description = "How many processes one daemon takes.",
         .least = 1,
         .most = 1'000'000},
        {.key = "limits.core_dumps",
         .type = SettingType::kBoolean,
         .default_value = "false",
         .description = "Whether zona itself may leave core dumps, in which tenants' data and keys "
                        "lie in clear. Processes that it manages keep their own limit."},
    };
}

std::vector<Setting> tenancy_settings() {
    return {
        {.key = "tenancy.build_type",
         .type = SettingType::kChoice,
         .default_value = "MSSP",
         .description =
             "`MSSP`: a database for each tenant; `SINGLE_TENANT`: one for all, each document "
             "stamped with its tenant. It is recorded with the first data; another one counts only "
             "after `zona store migrate --build-type` has asked for it.",
         .choices = {"MSSP", "SINGLE_TENANT"}},
        {.key = "tenancy.core_host",
         .type = SettingType::kText,
         .default_value = "embedded",
         .description =
             "Where the core database is: `embedded`, a file of this host's, or "
             "`mongodb://HOST:27017/?replicaSet=NAME`, which several hosts can have in common "
             "(docs/guides/several-hosts.md). zona is `mongo.username` there. Then all tenants' "
             "databases are in MongoDB, too. A file of before goes there with the start that "
             "finds it set."},
        {.key = "tenancy.core_database",
         .type = SettingType::kText,
         .default_value = "zona_core",
         .description = "The name of that database in MongoDB."},
        {.key = "tenancy.placement",
         .type = SettingType::kText,
         .default_value = "",
         .description =
             "Where the databases of new tenants are made, with `MSSP`, by the first character of "
             "the code: `A-G: mongodb://one/; H-Z: mongodb://two/; other: embedded`, or evenly: "
             "`hash: mongodb://one/ mongodb://two/`. Empty: files of this host's. zona is "
             "`mongo.username` there. A `db_host` goes before it; tenants that are there move with "
             "`zona store migrate` only."},
        {.key = "tenancy.root_key",
         .type = SettingType::kChoice,
         .default_value = "file",
         .description =
             "Where the key is that all tenants' keys are wrapped with: in "
             "`tenancy.root_key_file`, "
             "in `tenancy.root_keys` or in a PKCS#11 token. After a change `zona vault rewrap` "
             "wraps them anew; until then the places of before are looked at, too.",
         .choices = {"file", "environment", "pkcs11"}},
        {.key = "tenancy.root_key_file",
         .type = SettingType::kPath,
         .default_value = "root-key",
         .description =
             "The key that all tenants' keys are wrapped with; made with the first start, mode "
             "0600. Keep a copy elsewhere: without it no data is readable. On another disk than "
             "the data it protects those of a stolen one."},
        {.key = "tenancy.requests_per_second",
         .type = SettingType::kInteger,
         .default_value = "1000",
         .description =
             "How many requests a second the keys of one tenant may send; what comes faster waits "
             "for its turn, and is refused with 429 when too many wait. `0`: any number. A tenant "
             "may have a quota of its own.",
         .reload = ReloadMode::kHot,
         .most = 1'000'000},
        {.key = "tenancy.concurrent_requests",
         .type = SettingType::kInteger,
         .default_value = "64",
         .description = "How many requests of one tenant's keys may be at work at the same time; "
                        "the next ones wait. `0`: any number.",
         .reload = ReloadMode::kHot,
         .most = 1'000'000},
        {.key = "tenancy.concurrent_requests_of_all",
         .type = SettingType::kInteger,
         .default_value = "256",
         .description = "How many requests of all tenants' keys may be at work at the same time; "
                        "those that wait get their turns tenant by tenant. `0`: any number.",
         .reload = ReloadMode::kHot,
         .most = 1'000'000},
        {.key = "tenancy.storage_bytes",
         .type = SettingType::kSize,
         .default_value = "0",
         .description =
             "How much the documents of one tenant may take: their text, and 128 bytes for each. "
             "Over it writes that make them grow are refused with 507; reads and removals go on. "
             "`0`: any number. A tenant may have a quota of its own. In MongoDB it is added up now "
             "and then.",
         .reload = ReloadMode::kHot,
         .most = kMostStorage},
        {.key = "tenancy.slow_query",
         .type = SettingType::kDuration,
         .default_value = "200ms",
         .description = "Queries of tenants' documents that take as long are logged, with their "
                        "fields, order and index and without any value. `0`: none is.",
         .reload = ReloadMode::kHot,
         .most = 3'600'000},
        {.key = "tenancy.root_keys",
         .type = SettingType::kSecret,
         .description = "Root keys, separated by blanks, as the lines of `tenancy.root_key_file`; "
                        "the first is what a new ring or a rewrapping takes."},
        {.key = "tenancy.pkcs11_module",
         .type = SettingType::kPath,
         .description = "The PKCS#11 library of the token, e.g. "
                        "`/usr/lib/softhsm/libsofthsm2.so`."},
        {.key = "tenancy.pkcs11_environment",
         .description =
             "Variables that the library reads, separated by commas: "
             "`SOFTHSM2_CONF=/etc/softhsm/softhsm2.conf`. zona sees few of its caller's."},
        {.key = "tenancy.pkcs11_token",
         .default_value = "zona",
         .description = "The label of the token."},
        {.key = "tenancy.pkcs11_key",
         .default_value = "zona-root",
         .description = "The label of this installation's keys in it; no other may use it, for a "
                        "rotation destroys old keys of this label."},
        {.key = "tenancy.pkcs11_pin",
         .type = SettingType::kSecret,
         .description = "The token's user PIN."},
        {.key = "tenancy.open_files",
         .type = SettingType::kInteger,
         .default_value = "128",
         .description =
             "Database files that are open at one time; the one that was used longest "
             "ago is closed for another, and opened again when it is needed. Each takes "
             "about 200 kB and two descriptors, twice that while it is read; all of them at "
             "most an eighth of the limit on open files.",
         .least = 4,
         .most = 4096},
    };
}

std::vector<Setting> backup_settings() {
    return {
        {.key = "backup.directory",
         .type = SettingType::kPath,
         .default_value = "state/backups",
         .description = "Where backups lie: a directory for each tenant, and `_all` for those of "
                        "the whole installation. Better on another disk than the data."},
        {.key = "backup.keep",
         .type = SettingType::kInteger,
         .default_value = "7",
         .description = "Backups of each tenant that stay, and whole ones, the newest; 0: all. "
                        "`backups_kept` in a tenant's compliance_settings goes before it.",
         .least = 0,
         .most = 1'000'000},
        {.key = "backup.schedule",
         .type = SettingType::kText,
         .default_value = "30 2 * * *",
         .description = "When a backup of everything is made: the five fields of crontab(5), in "
                        "UTC; empty: only when somebody asks. A tenant has a schedule of its own "
                        "as `backup_schedule` in its compliance_settings."},
        {.key = "backup.log_interval",
         .type = SettingType::kDuration,
         .default_value = "1m",
         .description = "How often what has changed is written beside the latest backup of "
                        "everything, so that a tenant can be restored as it was at a moment. So "
                        "much may be lost with a disk; 0: no log.",
         .least = 0,
         .most = 24 * kHour},
        {.key = "backup.copy_to",
         .type = SettingType::kPath,
         .default_value = "",
         .description = "A directory to which each finished file of the backups is copied within a "
                        "minute, under the same name, and compared: a mounted share, for instance. "
                        "It must be there. What zona deletes here goes from there, too, if zona "
                        "has put it there. Empty: nowhere."},
        {.key = "backup.copy_keep",
         .type = SettingType::kDuration,
         .default_value = "0",
         .description = "How long a copy in `backup.copy_to` stays when its backup is deleted "
                        "here; that of an erased tenant goes at once.",
         .least = 0,
         .most = 3660 * 24 * kHour},
        {.key = "backup.copy_command",
         .type = SettingType::kText,
         .default_value = "",
         .description = "A program with its arguments that is run for each finished file, and has "
                        "taken it when it exits 0: `rclone copyto {file} remote:{name}`. `{file}` "
                        "is the file's path, `{name}` its name below the backups; quotes keep "
                        "blanks together, and there is no shell unless you name one. It gets PATH, "
                        "HOME and no input; secrets belong into its own configuration. What was "
                        "taken is left to the other side to delete. Empty: none."},
        {.key = "backup.copy_command_timeout",
         .type = SettingType::kDuration,
         .default_value = "1h",
         .description = "How long `backup.copy_command` may take for one file.",
         .least = 1000,
         .most = 24 * kHour},
        {.key = "backup.check_interval",
         .type = SettingType::kDuration,
         .default_value = "168h",
         .description = "How often the latest backup of everything is restored into a scratch "
                        "directory and compared; 0: only when somebody asks.",
         .least = 0,
         .most = 366 * 24 * kHour},
    };
}

std::vector<Setting> mongo_settings() {
    return {
        {.key = "mongo.uri",
         .type = SettingType::kText,
         .default_value = "",
         .description = "Where the one database of `SINGLE_TENANT` is: "
                        "`mongodb://HOST:27017/?replicaSet=NAME`, "
                        "without user name and password. Empty: a file of this host's. With `MSSP` "
                        "each tenant "
                        "has its own address (`db_host`)."},
        {.key = "mongo.database",
         .type = SettingType::kText,
         .default_value = "zona_shared",
         .description = "The name of that database."},
        {.key = "mongo.username",
         .type = SettingType::kText,
         .default_value = "",
         .description = "Who zona is there; known in the database `admin`. Empty: nobody asks."},
        {.key = "mongo.password",
         .type = SettingType::kSecret,
         .default_value = "",
         .description = "The password of `mongo.username`."},
        {.key = "mongo.read_preference",
         .type = SettingType::kChoice,
         .default_value = "primary",
         .description = "Who answers reads of databases in MongoDB. All but `primary` spread them, "
                        "and may give an older state than the last one that was acknowledged.",
         .choices = {"primary", "primary_preferred", "secondary", "nearest"}},
        {.key = "mongo.tls_ca_file",
         .type = SettingType::kText,
         .default_value = "",
         .description =
             "Who signs the certificates of servers in MongoDB, PEM. Empty: the system's "
             "authorities. TLS itself is asked for in the address: `?tls=true`."},
        {.key = "mongo.min_connections",
         .type = SettingType::kInteger,
         .default_value = "0",
         .description = "Connections to each database in MongoDB that are kept open, and checked.",
         .most = 256},
        {.key = "mongo.max_connections",
         .type = SettingType::kInteger,
         .default_value = "8",
         .description = "Connections to each database in MongoDB at most, each with its thread.",
         .least = 1,
         .most = 256},
        {.key = "mongo.max_waiting",
         .type = SettingType::kInteger,
         .default_value = "4096",
         .description = "Reads, and changes, that wait for such a connection; more are refused.",
         .least = 1,
         .most = 1'000'000},
        {.key = "mongo.idle_timeout",
         .type = SettingType::kDuration,
         .default_value = "60s",
         .description = "After which a connection above the minimum is closed.",
         .least = 1,
         .most = kHour},
        {.key = "mongo.connect_timeout",
         .type = SettingType::kDuration,
         .default_value = "5s",
         .description = "How long a server may take to be connected to.",
         .least = 1,
         .most = kHour},
        {.key = "mongo.selection_timeout",
         .type = SettingType::kDuration,
         .default_value = "10s",
         .description =
             "How long a server that can answer is looked for, a new primary for example.",
         .least = 1,
         .most = kHour},
        {.key = "mongo.health_interval",
         .type = SettingType::kDuration,
         .default_value = "10s",
         .description = "Between two checks of an idle connection.",
         .least = 1,
         .most = kHour},
    };
}

std::vector<Setting> supervisor_settings() {
    return {
        {.key = "supervisor.containment",
         .type = SettingType::kChoice,
         .default_value = "auto",
         .description =
             "How all descendants of a process are found when it is stopped; `auto` takes the "
             "strongest that this host offers (`zona doctor`).",
         .choices = {"auto", "cgroup2", "cgroup1", "sweep"}},
        {.key = "supervisor.shutdown_timeout",
         .type = SettingType::kDuration,
         .default_value = "30s",
         .description = "For stopping all processes when zona itself is stopped; then SIGKILL.",
         .most = 24 * kHour,
         .profile_defaults = {{"development", "10s"}}},
    };
}

std::vector<Setting> job_settings() {
    constexpr std::int64_t kYear = 366 * 24 * kHour;
    return {
        {.key = "jobs.purge.interval",
         .type = SettingType::kDuration,
         .default_value = "24h",
         .description = "How often documents that are kept no more are removed.",
         .least = kMinute,
         .most = kYear},
        {.key = "jobs.key_rotation.interval",
         .type = SettingType::kDuration,
         .default_value = "2160h",
         .description = "The age at which a data key is replaced, and everything under it is "
                        "encrypted anew. It is looked at once a day.",
         .least = kMinute,
         .most = 10 * kYear},
        {.key = "jobs.store_check.interval",
         .type = SettingType::kDuration,
         .default_value = "168h",
         .description = "How often each database file is held against its own structure.",
         .least = kMinute,
         .most = kYear},
        {.key = "jobs.pool_health.interval",
         .type = SettingType::kDuration,
         .default_value = "1m",
         .description = "How often the tenants' databases that are open are tried.",
         .least = kSecond,
         .most = 24 * kHour},
        {.key = "jobs.history.runs",
         .type = SettingType::kInteger,
         .default_value = "100",
         .description = "Runs of each job that are kept in its history, for 90 days at most.",
         .least = 1,
         .most = 10'000},
    };
}

std::vector<Setting> metrics_settings() {
    return {
        {.key = "metrics.interval",
         .type = SettingType::kDuration,
         .default_value = "15s",
         .description = "How often metrics of the daemon, its databases and its cache are "
                        "collected.",
         .least = 100,
         .most = 24 * kHour},
        {.key = "metrics.file",
         .type = SettingType::kPath,
         .default_value = "",
         .description = "Where all metrics are written then, in the text format of Prometheus, for "
                        "the textfile collector of node_exporter: end it with .prom. Empty: "
                        "nowhere."},
    };
}

std::vector<Setting> federation_settings() {
    return {
        {.key = "federation.redirect_uri",
         .type = SettingType::kText,
         .default_value = "",
         .description = "The page that identity providers may send people back to, besides "
                        "programs on their own host: `https://ZONA/login/callback`, as browsers "
                        "know this zona; or one of your own, which hands what it was given to "
                        "`POST /api/v1/sign-ins/completions`. Empty: none but "
                        "`/login/callback` on this host itself."},
        {.key = "federation.public_url",
         .type = SettingType::kText,
         .default_value = "",
         .description = "Where browsers find this zona, as `https://zona.example`: with it begins "
                        "what identity providers by SAML know it by, so it stays as it is once one "
                        "is set up. Empty: nobody signs in by SAML."},
        {.key = "federation.ca_file",
         .type = SettingType::kPath,
         .default_value = "",
         .description = "Certificates, PEM, by which identity providers are known; empty: those "
                        "that this host trusts."},
        {.key = "federation.local_providers",
         .type = SettingType::kBoolean,
         .default_value = "false",
         .description =
             "Whether an identity provider may be on this host. Tenants' administrators "
             "name the address that is called: with true they reach what listens here."}};
}

std::vector<Setting> license_settings() {
    return {
        {.key = "license.file",
         .type = SettingType::kPath,
         .default_value = "license",
         .description = "A licence that is put here is installed by itself, and so is the next one "
                        "that replaces it. There need be none."},
        {.key = "license.public_keys",
         .type = SettingType::kText,
         .description = "Whose licences are taken: Ed25519 public keys in base64url, separated by "
                        "commas. A key that is built in is the only one."},
        {.key = "license.warn_days",
         .type = SettingType::kText,
         .default_value = "30,14,7,1",
         .description = "So many days before it expires zona warns of it: numbers separated by "
                        "commas."},
        {.key = "license.check_interval",
         .type = SettingType::kDuration,
         .default_value = "1m",
         .description = "How often the licence is looked at, and its file.",
         .least = kSecond,
         .most = 24 * kHour},
    };
}

std::vector<Setting> session_settings() {
    return {
        {.key = "sessions.access_lifetime",
         .type = SettingType::kDuration,
         .default_value = "15m",
         .description = "How long an access token is good; then the refresh token gives another.",
         .least = kSecond,
         .most = kHour},
        {.key = "sessions.refresh_lifetime",
         .type = SettingType::kDuration,
         .default_value = "24h",
         .description = "How long a refresh token is good, which is used once and gives another.",
         .least = kSecond,
         .most = 366 * 24 * kHour},
        {.key = "sessions.idle_timeout",
         .type = SettingType::kDuration,
         .default_value = "30m",
         .description = "After so long without a request a session ends.",
         .least = kSecond,
         .most = 366 * 24 * kHour},
        {.key = "sessions.absolute_timeout",
         .type = SettingType::kDuration,
         .default_value = "12h",
         .description = "After so long a session ends, whatever is done with it.",
         .least = kSecond,
         .most = 366 * 24 * kHour},
        {.key = "sessions.per_user",
         .type = SettingType::kInteger,
         .default_value = "10",
         .description = "How many sessions a user may have at one time. `0`: any number.",
         .most = 1000},
        {.key = "sessions.over_limit",
         .type = SettingType::kChoice,
         .default_value = "end_oldest",
         .description = "What happens to one more: the user's oldest session ends for it, or it is "
                        "refused.",
         .choices = {"end_oldest", "refuse"}},
        {.key = "sessions.issuer",
         .default_value = "zona",
         .description = "The `iss` of access tokens; all instances of one core database have the "
                        "same."},
        {.key = "sessions.audience",
         .default_value = "zona",
         .description = "The `aud` of access tokens; all instances of one core database have the "
                        "same."},
        {.key = "sessions.signing_algorithm",
         .type = SettingType::kChoice,
         .default_value = "EdDSA",
         .description = "How access tokens are signed, from the next signing key on. EdDSA is the "
                        "quickest; RS256 and ES256 are for gateways that know nothing else.",
         .choices = {"EdDSA", "RS256", "ES256"}},
        {.key = "sessions.clean_interval",
         .type = SettingType::kDuration,
         .default_value = "60s",
         .description = "Between two looks for access tokens in memory that are over.",
         .least = 100,
         .most = kHour},
        {.key = "sessions.signing_key_age",
         .type = SettingType::kDuration,
         .default_value = "2160h",
         .description = "The age at which the key that signs access tokens is replaced. It is "
                        "looked at once a day.",
         .least = kMinute,
         .most = 10 * 366 * 24 * kHour},
    };
}

std::vector<Setting> identity_settings() {
    return {
        {.key = "identity.required_methods",
         .type = SettingType::kText,
         .default_value = "",
         .description = "What everybody over the network has to show at once, any one of several "
                        "ways separated by commas: `certificate+token`, `certificate+key`, "
                        "`token+second_factor` and the like; empty: one method will do. Tenants "
                        "may ask for more (docs/guides/certificates.md)."},
        {.key = "identity.password.min_length",
         .type = SettingType::kInteger,
         .default_value = "12",
         .description = "Characters that a new password has at least.",
         .reload = ReloadMode::kHot,
         .least = 8,
         .most = 128},
        {.key = "identity.password.remembered",
         .type = SettingType::kInteger,
         .default_value = "5",
         .description = "How many of a user's last passwords, the present one included, are not "
                        "taken again; 0: any is.",
         .reload = ReloadMode::kHot,
         .least = 0,
         .most = 24},
    };
}

std::vector<Setting> alert_settings() {
    constexpr std::int64_t kMost = 1000;
    const auto number = [](std::string key, std::string value, std::string description) {
        return Setting{.key = std::move(key),
                       .type = SettingType::kInteger,
                       .default_value = std::move(value),
                       .description = std::move(description),
                       .reload = ReloadMode::kHot,
                       .most = kMost};
    };
    return {
        {.key = "alerts.window",
         .type = SettingType::kDuration,
         .default_value = "10m",
         .description = "The time in which what follows is counted; an alert is given once in it.",
         .reload = ReloadMode::kHot,
         .least = kSecond,
         .most = 24 * kHour},
        number("alerts.failures_of_address", "30",
               "Passwords, keys and tokens that one address shows in vain; 0: no alert."),
        number("alerts.failures_of_name", "10",
               "Tries to sign in under one name in vain, from wherever; 0: no alert."),
        number("alerts.names_of_address", "10",
               "Names that one address tries in vain; 0: no alert."),
        number("alerts.foreign_tenants", "10",
               "Requests of one sender for tenants that are not its own; 0: no alert."),
        {.key = "alerts.new_places",
         .type = SettingType::kBoolean,
         .default_value = "true",
         .description = "Whether a user's sign-in from a network they have never signed in from "
                        "is an alert.",
         .reload = ReloadMode::kHot},
        number("alerts.attacks", "10",
               "Requests of one address that the firewall takes for attacks; 0: no alert."),
    };
}

LogLevel level_of(const std::string& name) {
    return parse_log_level(name).value_or(LogLevel::kInfo);
}

}  // namespace

const SettingTable& daemon_settings() {
    static const SettingTable table = [] {
        std::vector<Setting> all = general_settings();
        for (std::vector<Setting> part :
             {detail::api_settings(), supervisor_settings(), tenancy_settings(), license_settings(),
              session_settings(), federation_settings(), job_settings(), metrics_settings(),
              backup_settings(), mongo_settings(), identity_settings(), alert_settings(),
              detail::cache_settings()}) {
            std::ranges::move(part, std::back_inserter(all));
        }
        return SettingTable(std::move(all));
    }();
    return table;
}

namespace {

Settings::Mongo mongo_from(const ConfigSnapshot& snapshot) {
    return {.uri = snapshot.text("mongo.uri"),
            .database = snapshot.text("mongo.database"),
            .username = snapshot.text("mongo.username"),
            .password = snapshot.secret("mongo.password"),
            .read_preference = snapshot.text("mongo.read_preference"),
            .tls_ca_file = snapshot.text("mongo.tls_ca_file"),
            .min_connections = snapshot.integer("mongo.min_connections"),
            .max_connections = snapshot.integer("mongo.max_connections"),
            .max_waiting = snapshot.integer("mongo.max_waiting"),
            .idle_timeout = snapshot.duration("mongo.idle_timeout"),
            .connect_timeout = snapshot.duration("mongo.connect_timeout"),
            .selection_timeout = snapshot.duration("mongo.selection_timeout"),
            .health_interval = snapshot.duration("mongo.health_interval")};
}

Settings::RootKey root_key_from(const ConfigSnapshot& snapshot) {
    return {.provider = snapshot.text("tenancy.root_key"),
            .file = snapshot.text("tenancy.root_key_file"),
            .keys = snapshot.secret("tenancy.root_keys"),
            .module = snapshot.text("tenancy.pkcs11_module"),
            .environment = snapshot.text("tenancy.pkcs11_environment"),
            .token = snapshot.text("tenancy.pkcs11_token"),
            .label = snapshot.text("tenancy.pkcs11_key"),
            .pin = snapshot.secret("tenancy.pkcs11_pin")};
}

Settings::Jobs jobs_from(const ConfigSnapshot& snapshot) {
    return {.purge_interval = snapshot.duration("jobs.purge.interval"),
            .key_age = snapshot.duration("jobs.key_rotation.interval"),
            .check_interval = snapshot.duration("jobs.store_check.interval"),
            .health_interval = snapshot.duration("jobs.pool_health.interval"),
            .history_runs = snapshot.integer("jobs.history.runs")};
}

Settings::License license_from(const ConfigSnapshot& snapshot) {
    return {.file = snapshot.text("license.file"),
            .public_keys = snapshot.text("license.public_keys"),
            .warn_days = snapshot.text("license.warn_days"),
            .check_interval = snapshot.duration("license.check_interval")};
}

Settings::Alerts alerts_from(const ConfigSnapshot& snapshot) {
    return {.window = snapshot.duration("alerts.window"),
            .failures_of_address = snapshot.integer("alerts.failures_of_address"),
            .failures_of_name = snapshot.integer("alerts.failures_of_name"),
            .names_of_address = snapshot.integer("alerts.names_of_address"),
            .foreign_tenants = snapshot.integer("alerts.foreign_tenants"),
            .new_places = snapshot.boolean("alerts.new_places"),
            .attacks = snapshot.integer("alerts.attacks")};
}

Settings::Sessions sessions_from(const ConfigSnapshot& snapshot) {
    return {.access_lifetime = snapshot.duration("sessions.access_lifetime"),
            .refresh_lifetime = snapshot.duration("sessions.refresh_lifetime"),
            .idle_timeout = snapshot.duration("sessions.idle_timeout"),
            .absolute_timeout = snapshot.duration("sessions.absolute_timeout"),
            .per_user = snapshot.integer("sessions.per_user"),
            .over_limit = snapshot.text("sessions.over_limit"),
            .issuer = snapshot.text("sessions.issuer"),
            .audience = snapshot.text("sessions.audience"),
            .signing_algorithm = snapshot.text("sessions.signing_algorithm"),
            .clean_interval = snapshot.duration("sessions.clean_interval"),
            .signing_key_age = snapshot.duration("sessions.signing_key_age")};
}

}  // namespace

Settings Settings::from(const ConfigSnapshot& snapshot) {
    std::map<std::string, LogLevel> levels;
    for (const auto& [category, level] : snapshot.family("log.levels")) {
        levels.emplace(category, level_of(level));
    }
    return Settings{
        .profile = snapshot.text("profile"),
        .log_level = level_of(snapshot.text("log.level")),
        .log_levels = std::move(levels),
        .log_file = snapshot.text("log.file"),
        .security_log_file = snapshot.text("log.security_file"),
        .api = detail::api_from(snapshot),
        .supervisor = {.containment = snapshot.text("supervisor.containment"),
                       .shutdown_timeout = snapshot.duration("supervisor.shutdown_timeout")},
        .jobs = jobs_from(snapshot),
        .metrics = {.interval = snapshot.duration("metrics.interval"),
                    .file = snapshot.text("metrics.file")},
        .sessions = sessions_from(snapshot),
        .federation = {.redirect_uri = snapshot.text("federation.redirect_uri"),
                       .public_url = snapshot.text("federation.public_url"),
                       .ca_file = snapshot.text("federation.ca_file"),
                       .local_providers = snapshot.boolean("federation.local_providers")},
        .license = license_from(snapshot),
        .alerts = alerts_from(snapshot),
        .build_type = snapshot.text("tenancy.build_type"),
        .core_host = snapshot.text("tenancy.core_host"),
        .core_database = snapshot.text("tenancy.core_database"),
        .placement = snapshot.text("tenancy.placement"),
        .mongo = mongo_from(snapshot),
        .cache = detail::cache_from(snapshot),
        .root_key = root_key_from(snapshot),
        .tenant_requests_per_second = snapshot.integer("tenancy.requests_per_second"),
        .tenant_storage = snapshot.size("tenancy.storage_bytes"),
        .slow_query = snapshot.duration("tenancy.slow_query"),
        .tenant_concurrent_requests = snapshot.integer("tenancy.concurrent_requests"),
        .concurrent_requests_of_all = snapshot.integer("tenancy.concurrent_requests_of_all"),
        .backup_directory = snapshot.text("backup.directory"),
        .backups_kept = snapshot.integer("backup.keep"),
        .backup_schedule = snapshot.text("backup.schedule"),
        .backup_log_interval = snapshot.duration("backup.log_interval"),
        .backup_copy_to = snapshot.text("backup.copy_to"),
        .backup_copy_keep = snapshot.duration("backup.copy_keep"),
        .backup_copy_command = snapshot.text("backup.copy_command"),
        .backup_copy_command_timeout = snapshot.duration("backup.copy_command_timeout"),
        .backup_check_interval = snapshot.duration("backup.check_interval"),
        .open_files = snapshot.integer("tenancy.open_files"),
        .required_methods = snapshot.text("identity.required_methods"),
        .password_min_length = snapshot.integer("identity.password.min_length"),
        .passwords_remembered = snapshot.integer("identity.password.remembered"),
        .logs_directory = snapshot.text("logs.dir"),
        .disk_full_wait = snapshot.duration("capture.disk_full_wait"),
        .max_processes = snapshot.integer("limits.max_processes"),
        .core_dumps = snapshot.boolean("limits.core_dumps"),
    };
}

}  // namespace zona::core
