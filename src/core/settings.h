/// @file
/// The settings of the daemon: the one table of them, and their values with names and types.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "core/byte_count.h"
#include "core/config.h"
#include "core/log_level.h"
#include "core/secret.h"
#include "core/setting.h"

namespace zona::core {

/// The values of a snapshot, field by field. A copy: it does not change with a reload.
struct Settings {
    /// The settings `api.*`.
    struct Api {
        std::string listen;                    ///< os::TcpAddress; empty: only the unix socket
        std::string pmdaemon_listen;           ///< os::TcpAddress; empty: none
        bool authentication = true;            ///< keys are asked for over the network
        bool insecure = false;                 ///< plain HTTP beyond this host is wanted
        std::string tls_certificate;           ///< PEM; empty: plain HTTP
        std::string tls_key;                   ///< PEM; empty: in the certificate's file
        std::string tls_client_ca;             ///< PEM; empty: no client is asked for a certificate
        std::string tls_client_crl;            ///< PEM; empty: none
        bool tls_client_required;              ///< no connection over TLS without a certificate
        std::string closed_routes;             ///< operations, separated by commas
        std::int64_t key_requests_per_second;  ///< of a new key without a rate; 0: any number
        std::int64_t threads;                  ///< that serve requests; 0: one per core, at most 8
        std::int64_t max_connections;
        std::int64_t max_connections_per_address;  ///< over TCP; 0: no such limit
        ByteCount max_body_bytes;
        ByteCount max_header_bytes;
        std::chrono::milliseconds header_timeout;  ///< from the first byte to the end of the header
        std::chrono::milliseconds idle_timeout;    ///< without a request
        std::chrono::milliseconds request_timeout;  ///< from the header to the end of the answer
        std::chrono::milliseconds drain_timeout;    ///< for requests in flight at shutdown
        std::string hosts;                          ///< separated by commas
        std::string cors_origins;                   ///< separated by commas
        ByteCount compress_above;                   ///< 0: nothing is compressed
        std::int64_t requests_per_second;           ///< of one address over TCP; 0: no limit
        std::int64_t requests_burst;
        /// @{
        /// Addresses and networks, separated by commas.
        std::string trusted_proxies;
        std::string deny_addresses;
        std::string allow_addresses;
        /// @}
        std::string deny_file;         ///< networks to deny, one a line; empty: none
        std::string country_database;  ///< in the format of MaxMind; empty: none
        std::string deny_countries;    ///< two letters each, separated by commas
        std::string allow_countries;   ///< as deny_countries
        /// @{
        /// A net::FirewallMode by name: off, detect or block.
        std::string firewall;           ///< of `listen`
        std::string pmdaemon_firewall;  ///< of every other address
        /// @}
        std::string firewall_rules;       ///< a file of the administrator's; empty: none
        std::string firewall_core_rules;  ///< a directory
        ByteCount firewall_body;          ///< larger bodies are not inspected
    };
    /// The settings `jobs.*`.
    struct Jobs {
        std::chrono::milliseconds purge_interval;
        std::chrono::milliseconds key_age;  ///< then there is a new one
        std::chrono::milliseconds check_interval;
        std::chrono::milliseconds health_interval;
        std::int64_t history_runs;  ///< of each job
    };
    /// The settings `metrics.*`.
    struct Metrics {
        std::chrono::milliseconds interval;
        std::string file;  ///< absolute; empty: none is written
    };
    /// The settings `sessions.*`.
    struct Sessions {
        std::chrono::milliseconds access_lifetime;   ///< of an access token
        std::chrono::milliseconds refresh_lifetime;  ///< of a refresh token
        std::chrono::milliseconds idle_timeout;
        std::chrono::milliseconds absolute_timeout;
        std::int64_t per_user;                      ///< 0: any number
        std::string over_limit;                     ///< end_oldest or refuse
        std::string issuer;                         ///< `iss` of tokens
        std::string audience;                       ///< `aud` of tokens
        std::string signing_algorithm;              ///< an identity::SigningAlgorithm by name
        std::chrono::milliseconds clean_interval;   ///< between looks for tokens that are over
        std::chrono::milliseconds signing_key_age;  ///< then there is a new one
    };
    /// The settings `federation.*`.
    struct Federation {
        std::string redirect_uri;  ///< a page that people may be sent back to; empty: none
        std::string public_url;    ///< where browsers find zona; empty: not said
        std::string ca_file;       ///< of identity providers; empty: the host's
        bool local_providers;      ///< this host may be one
    };
    /// The settings `license.*`.
    struct License {
        std::string file;         ///< absolute
        std::string public_keys;  ///< separated by commas
        std::string warn_days;    ///< separated by commas
        std::chrono::milliseconds check_interval;
    };
    /// The settings `alerts.*`; a number of 0: that is not looked for.
    struct Alerts {
        std::chrono::milliseconds window;
        std::int64_t failures_of_address;
        std::int64_t failures_of_name;
        std::int64_t names_of_address;
        std::int64_t foreign_tenants;
        bool new_places;
        std::int64_t attacks;  ///< requests that the firewall takes for attacks
    };
    /// The settings `supervisor.*`.
    struct Supervisor {
        std::string containment;                     ///< a process::TierChoice by name
        std::chrono::milliseconds shutdown_timeout;  ///< for stopping all processes
    };

    /// The settings `mongo.*`.
    struct Mongo {
        std::string uri;
        std::string database;
        std::string username;
        Secret password;
        std::string read_preference;  ///< a store::ReadPreference by name
        std::string tls_ca_file;
        std::int64_t min_connections;
        std::int64_t max_connections;
        std::int64_t max_waiting;
        std::chrono::milliseconds idle_timeout;
        std::chrono::milliseconds connect_timeout;
        std::chrono::milliseconds selection_timeout;
        std::chrono::milliseconds health_interval;
    };
    /// The settings `cache.*`.
    struct Cache {
        std::string redis;       ///< addresses, separated by commas; empty: none
        std::string redis_mode;  ///< servers, sentinel or cluster
        std::string sentinel_name;
        std::string redis_user;
        Secret redis_password;
        std::int64_t redis_database;
        bool redis_tls;
        std::string redis_tls_ca_file;
        std::chrono::milliseconds redis_timeout;
        std::chrono::milliseconds redis_connect_timeout;
        std::chrono::milliseconds redis_ttl;
        Secret key;
        std::string prefix;
        ByteCount memory_bytes;
        std::chrono::milliseconds memory_ttl;
        std::chrono::milliseconds staleness;
        std::chrono::milliseconds health_interval;
    };
    /// Where the root key is (vault/root_key.h).
    struct RootKey {
        std::string provider;  ///< file, environment or pkcs11
        std::string file;
        Secret keys;
        std::string module;
        std::string environment;  ///< NAME=VALUE, separated by commas
        std::string token;
        std::string label;
        Secret pin;
    };

    std::string profile;
    LogLevel log_level;
    std::map<std::string, LogLevel> log_levels;  ///< by category
    std::string log_file;                        ///< empty: standard error
    std::string security_log_file;               ///< lines about security, besides; empty: none
    Api api;
    Supervisor supervisor;
    Jobs jobs;
    Metrics metrics;
    Sessions sessions;
    Federation federation;
    License license;
    Alerts alerts;
    std::string build_type;  ///< a tenancy::BuildType by name
    std::string core_host;   ///< embedded, or a URI
    std::string core_database;
    std::string placement;  ///< a table of tenancy::Placement
    Mongo mongo;
    Cache cache;
    RootKey root_key;
    std::int64_t tenant_requests_per_second;
    ByteCount tenant_storage;              ///< 0: any
    std::chrono::milliseconds slow_query;  ///< 0: none is told
    std::int64_t tenant_concurrent_requests;
    std::int64_t concurrent_requests_of_all;
    std::string backup_directory;                   ///< absolute
    std::int64_t backups_kept;                      ///< 0: all
    std::string backup_schedule;                    ///< a cron expression; empty: none
    std::chrono::milliseconds backup_log_interval;  ///< 0: none
    std::string backup_copy_to;                     ///< absolute; empty: nowhere
    std::chrono::milliseconds backup_copy_keep;
    std::string backup_copy_command;  ///< empty: none
    std::chrono::milliseconds backup_copy_command_timeout;
    std::chrono::milliseconds backup_check_interval;  ///< 0: none
    std::int64_t open_files;                          ///< of databases
    std::string required_methods;                     ///< identity::RequiredMethods
    std::int64_t password_min_length;                 ///< characters
    std::int64_t passwords_remembered;                ///< of each user
    std::string logs_directory;
    std::chrono::milliseconds disk_full_wait;
    std::int64_t max_processes;
    bool core_dumps;  ///< of the daemon itself

    /// Precondition: `snapshot` was made with daemon_settings().
    static Settings from(const ConfigSnapshot& snapshot);
};

/// The table of the daemon's settings. A new setting is one row here, one field above, one line in
/// from().
const SettingTable& daemon_settings();

}  // namespace zona::core
