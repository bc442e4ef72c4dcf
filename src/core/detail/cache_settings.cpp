#include "core/detail/cache_settings.h"

#include <utility>

namespace zona::core::detail {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kMib = 1024 * 1024;

std::vector<Setting> redis_settings() {
    return {
        {.key = "cache.redis",
         .type = SettingType::kText,
         .default_value = "",
         .description =
             "Where Redis is, HOST:PORT: one server; several, separated by commas, that "
             "share the keys; sentinels; or some servers of a cluster. Empty: nothing is "
             "shared with other instances (docs/guides/cache-and-redis.md)."},
        {.key = "cache.redis_mode",
         .type = SettingType::kChoice,
         .default_value = "servers",
         .description = "What the addresses of `cache.redis` are.",
         .choices = {"servers", "sentinel", "cluster"}},
        {.key = "cache.sentinel_name",
         .type = SettingType::kText,
         .default_value = "",
         .description = "What the sentinels call the master."},
        {.key = "cache.redis_user",
         .type = SettingType::kText,
         .default_value = "",
         .description = "Who zona is in Redis' access list. Empty: the default user."},
        {.key = "cache.redis_password",
         .type = SettingType::kSecret,
         .default_value = "",
         .description = "The password of `cache.redis_user`."},
        {.key = "cache.redis_database",
         .type = SettingType::kInteger,
         .default_value = "0",
         .description = "The number of the database in Redis; a cluster has 0 alone.",
         .most = 1000},
        {.key = "cache.redis_tls",
         .type = SettingType::kBoolean,
         .default_value = "false",
         .description = "Whether Redis is spoken to by TLS. Its certificate has to name the host."},
        {.key = "cache.redis_tls_ca_file",
         .type = SettingType::kText,
         .default_value = "",
         .description =
             "Who signs the certificates of Redis, PEM. Empty: the system's authorities."},
        {.key = "cache.redis_timeout",
         .type = SettingType::kDuration,
         .default_value = "250ms",
         .description = "How long Redis may take to answer; then the database is asked.",
         .least = 1,
         .most = kMinute},
        {.key = "cache.redis_connect_timeout",
         .type = SettingType::kDuration,
         .default_value = "1s",
         .description = "How long connecting and signing in may take.",
         .least = 1,
         .most = kMinute},
        {.key = "cache.redis_ttl",
         .type = SettingType::kDuration,
         .default_value = "1h",
         .description = "How long a value stays in Redis.",
         .least = kSecond,
         .most = 30 * 24 * kHour},
    };
}

}  // namespace

std::vector<Setting> cache_settings() {
    std::vector<Setting> out = redis_settings();
    std::vector<Setting> own = {
        {.key = "cache.key",
         .type = SettingType::kSecret,
         .default_value = "",
         .description = "What values in Redis are encrypted with, 32 characters at least, the same "
                        "on all instances: `openssl rand -hex 32`. Needed with `cache.redis`."},
        {.key = "cache.prefix",
         .type = SettingType::kText,
         .default_value = "zona",
         .description = "What all names in Redis begin with: one for each installation."},
        {.key = "cache.memory_bytes",
         .type = SettingType::kSize,
         .default_value = "64MiB",
         .description = "What the cache of this process takes at most, all overhead counted.",
         .least = kMib,
         .most = 1024 * 1024 * kMib},
        {.key = "cache.memory_ttl",
         .type = SettingType::kDuration,
         .default_value = "5m",
         .description = "How long a value stays in the cache of this process.",
         .least = 1,
         .most = 24 * kHour},
        {.key = "cache.staleness",
         .type = SettingType::kDuration,
         .default_value = "10s",
         .description =
             "How old a value may be, at most, of a change that another instance made "
             "and this one did not hear of. Twice in this time it is compared with Redis.",
         .least = 100,
         .most = kHour},
        {.key = "cache.health_interval",
         .type = SettingType::kDuration,
         .default_value = "30s",
         .description = "Between two checks of Redis.",
         .least = 100,
         .most = kHour},
    };
    for (Setting& setting : own)
        out.push_back(std::move(setting));
    return out;
}

Settings::Cache cache_from(const ConfigSnapshot& snapshot) {
    return {.redis = snapshot.text("cache.redis"),
            .redis_mode = snapshot.text("cache.redis_mode"),
            .sentinel_name = snapshot.text("cache.sentinel_name"),
            .redis_user = snapshot.text("cache.redis_user"),
            .redis_password = snapshot.secret("cache.redis_password"),
            .redis_database = snapshot.integer("cache.redis_database"),
            .redis_tls = snapshot.boolean("cache.redis_tls"),
            .redis_tls_ca_file = snapshot.text("cache.redis_tls_ca_file"),
            .redis_timeout = snapshot.duration("cache.redis_timeout"),
            .redis_connect_timeout = snapshot.duration("cache.redis_connect_timeout"),
            .redis_ttl = snapshot.duration("cache.redis_ttl"),
            .key = snapshot.secret("cache.key"),
            .prefix = snapshot.text("cache.prefix"),
            .memory_bytes = snapshot.size("cache.memory_bytes"),
            .memory_ttl = snapshot.duration("cache.memory_ttl"),
            .staleness = snapshot.duration("cache.staleness"),
            .health_interval = snapshot.duration("cache.health_interval")};
}

}  // namespace zona::core::detail
