// What the verbs take that are about tenants and their data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/secret.h"

namespace zona::cli {

enum class TenantAction : std::uint8_t {
    kList,
    kShow,
    kStates,
    kCreate,
    kUpdate,
    kActivate,
    kSuspend,
    kDeactivate,
    kDatabases,
    kBackup,
    kBackups,
    kVerify,
    kDropBackup,
    kRestore,
    kExport,
    kMove,
    kErase
};

/// Texts as typed: the API checks them.
struct TenantOptions {
    TenantAction action = TenantAction::kList;
    std::string code;
    std::string name;                 ///< kCreate, kUpdate; may be empty
    std::string email;                ///< kCreate, kUpdate; may be empty
    std::string requests_per_second;  ///< kUpdate; empty: as it is
    std::string concurrent_requests;  ///< kUpdate; empty: as it is
    std::string to;                   ///< kMove; empty: a new file of this host's
    std::string db_host;              ///< kCreate; empty: as tenancy.placement says
    std::string db_name;              ///< kCreate, kMove; empty: `zona_CODE`
    std::string db_username;          ///< kCreate, kUpdate, kMove; may be empty
    std::string password_file;        ///< with it: a path, `-`: stdin; empty: no password
    core::Secret password;            ///< what stands there, once that was read
    std::string storage_bytes;        ///< kUpdate; empty: as it is
    std::string what;           ///< kVerify, kDropBackup, kRestore: a backup; kExport: a directory
    std::string of;             ///< kRestore; may be empty
    std::string at;             ///< kRestore; may be empty; then `what` is not
    std::string confirm;        ///< kErase: the code once more
    bool replace = false;       ///< kRestore
    bool keep_backups = false;  ///< kErase
    bool open_secrets = false;  ///< kExport
    bool no_wait = false;       ///< of those that go on as an execution
};

enum class UserAction : std::uint8_t {
    kList,
    kShow,
    kCreate,
    kInvite,
    kChange,
    kDisable,
    kEnable,
    kRemove,
    kRoles
};

/// Texts as typed: the API checks them.
struct UserOptions {
    UserAction action = UserAction::kList;
    std::string tenant;              ///< its code; `core`: those of none
    std::string name;                ///< of all but kList and kInvite
    std::string email;               ///< kCreate, kInvite, kChange; may be empty
    std::vector<std::string> roles;  ///< kCreate, kInvite, kRoles; may be empty
    std::string password_file;       ///< kCreate, kChange: a path, `-`: stdin; empty: none
    core::Secret password;           ///< what stands there, once that was read
    std::string expires;             ///< kInvite; empty: the API's own
    std::string id;                  ///< once the name was looked up
};

/// `zona login` and `zona passwd`.
struct LoginOptions {
    std::string tenant;
    std::string user;  ///< empty: asked for at the terminal
    bool password_from_stdin = false;
    core::Secret code{};      ///< of the second factor; empty: asked for when it is wanted
    core::Secret password{};  ///< once it was read
    std::string provider{};   ///< by which to sign in; empty: by password
};

enum class FactorAction : std::uint8_t { kEnrol, kConfirm, kRemove };

/// `zona factor`. Texts as typed: the API checks them.
struct FactorOptions {
    FactorAction action = FactorAction::kEnrol;
    std::string tenant;  ///< kRemove, of another user
    std::string user;    ///< kRemove; empty: one's own
    bool password_from_stdin = false;
    core::Secret code{};      ///< kConfirm, kRemove; empty: asked for
    core::Secret password{};  ///< once it was read
};

enum class SessionAction : std::uint8_t { kList, kEnd };

/// Texts as typed: the API checks them.
struct SessionOptions {
    SessionAction action = SessionAction::kList;
    std::string tenant;  ///< empty: of whoever asks
    std::string user;    ///< kEnd, by name; empty: of all
    std::string id;      ///< kEnd; empty: all
};

enum class RoleAction : std::uint8_t { kList, kShow, kCreate, kRemove };

/// Texts as typed: the API checks them.
struct RoleOptions {
    RoleAction action = RoleAction::kList;
    std::string tenant;                 ///< its code; `core`: those of none
    std::string name;                   ///< of all but kList
    std::string description;            ///< kCreate, as the rest
    std::vector<std::string> inherits;  ///< names
    std::vector<std::string> grants;    ///< "utilities:read=all"
    std::vector<std::string> weekdays;
    std::string from;
    std::string until;
    std::vector<std::string> networks;
};

enum class ProviderAction : std::uint8_t { kList, kShow, kAdd, kReplace, kRemove };

/// Texts as typed: the API checks them.
struct ProviderOptions {
    ProviderAction action = ProviderAction::kList;
    std::string tenant;  ///< its code
    std::string name;    ///< of all but kList
    std::string issuer;  ///< kAdd, kReplace, as the rest
    std::string client_id;
    std::string metadata;             ///< by SAML: a path, an https URL; empty: by OpenID
    std::string metadata_text;        ///< what stands in the file, once that was read
    std::string secret_file;          ///< a path, `-`: stdin; empty: none
    core::Secret secret;              ///< what stands there, once that was read
    std::string display_name;         ///< empty: the name
    std::vector<std::string> groups;  ///< "soc=creator"
    std::vector<std::string> roles;   ///< of everybody
    std::string name_claim;           ///< empty: the API's own, as the next two
    std::string groups_claim;
    std::vector<std::string> scopes;
    bool creates_users = false;
    bool is_off = false;
};

enum class BackupAction : std::uint8_t {
    kList,
    kCreate,
    kShow,
    kVerify,
    kDelete,
    kRestore,
    kCheck
};

struct BackupOptions {
    BackupAction action = BackupAction::kList;
    std::string id;        ///< of all but kList and kCreate; kRestore, kCheck: or a directory
    std::string to;        ///< kRestore: the new home
    std::string root_key;  ///< kRestore, kCheck: a file; empty: that of this home
    std::string shares;    ///< kCheck: a file with shares of the root key, instead of it
    std::string at;        ///< kRestore, kCheck: as it was then; may be empty
    bool no_wait = false;
};

enum class StoreAction : std::uint8_t { kCheck, kMigrate };

struct StoreOptions {
    StoreAction action = StoreAction::kCheck;
    std::string to;             ///< kMigrate; empty: as tenancy.placement says
    std::string db_username;    ///< kMigrate; may be empty
    std::string password_file;  ///< kMigrate: a path, `-`: stdin; empty: no password
    core::Secret password;      ///< what stands there, once that was read
    std::string build_type;     ///< kMigrate: another one, instead of a place; empty: none
    bool no_wait = false;
};

enum class JobAction : std::uint8_t { kList, kShow, kHistory, kRun, kPause, kResume, kCancel };

/// Texts as typed: the API checks them.
struct JobOptions {
    JobAction action = JobAction::kList;
    std::string name;
    std::string cursor;  ///< kHistory; empty: the newest
};

enum class CacheAction : std::uint8_t { kStats, kFlush };

/// Texts as typed: the API checks them.
struct CacheOptions {
    CacheAction action = CacheAction::kStats;
    std::string tenant;  ///< empty, as the following: not named
    std::string entity;
    std::string pattern;
    std::string tag;
};

/// What `zona audit` does.
enum class AuditAction : std::uint8_t {
    kList,
    kExport,
    kVerify,
    kReport,
    kErase,
    kUnmask,
    kArchives
};

/// Texts as typed: the API checks them.
struct AuditOptions {
    AuditAction action = AuditAction::kList;
    std::string tenant;   ///< whose record; empty: the installation's
    std::string subject;  ///< kErase
    /// Query parameters and their values, those that were given.
    std::vector<std::pair<std::string, std::string>> query;
    std::string seq;   ///< kVerify: of a head that was kept elsewhere; may be empty
    std::string hash;  ///< with it
    std::vector<std::string> entries{};  ///< kUnmask: their numbers
    std::string reason{};                ///< kUnmask
    bool archives = false;               ///< kVerify, kExport: what has left the record, too
};

enum class LicenseAction : std::uint8_t { kShow, kInstall, kReport };

struct LicenseOptions {
    LicenseAction action = LicenseAction::kShow;
    std::string tenant;  ///< kShow: whose; empty: the installation's
    std::string file;    ///< kInstall: a path, `-`: stdin
    std::string text;    ///< kInstall: what stands there, once that was read
};

enum class VaultAction : std::uint8_t { kStatus, kKeys, kRotate, kRewrap, kRevoke };

/// Texts as typed: the API checks them.
struct VaultOptions {
    VaultAction action = VaultAction::kStatus;
    std::string owner;     ///< kRotate, empty: all; kRevoke
    std::string confirm;   ///< kRevoke
    bool no_wait = false;  ///< kRotate
};

}  // namespace zona::cli
