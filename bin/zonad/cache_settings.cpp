#include "cache_settings.h"

#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "core/text.h"
#include "crypto/hash.h"

namespace zona::daemon {
namespace {

using core::Code;
using core::Error;

constexpr std::size_t kLeastKey = 32;

Error wrong(std::string_view setting, std::string_view problem, std::string_view hint) {
    return Error(Code::kInvalidArgument, fmt::format("{}: {}", setting, problem))
        .detail({std::string(setting), std::string(problem), std::string(hint)});
}

crypto::Key sealing_key(const core::Secret& text) {
    std::array<std::byte, crypto::kKeySize> bytes{};
    constexpr std::string_view kPurpose = "zona cache 1";
    crypto::hkdf_sha256(std::as_bytes(std::span(text.reveal())), {},
                        std::as_bytes(std::span(kPurpose)), bytes);
    crypto::Key out(bytes);
    crypto::wipe(bytes);
    return out;
}

cache::redis::Topology topology(std::string_view mode) {
    if (mode == "sentinel") return cache::redis::Topology::kSentinel;
    if (mode == "cluster") return cache::redis::Topology::kCluster;
    return cache::redis::Topology::kServers;
}

core::Result<cache::redis::ClientOptions> redis_options(const core::Settings::Cache& settings) {
    auto addresses = cache::redis::Endpoint::parse_list(settings.redis);
    if (!addresses) return addresses.take_error().context("cache.redis");
    if (settings.key.reveal().size() < kLeastKey) {
        return wrong("cache.key", "32 characters at least are needed with cache.redis",
                     "openssl rand -hex 32, the same on all instances");
    }
    cache::redis::ClientOptions out{.topology = topology(settings.redis_mode),
                                    .addresses = *std::move(addresses),
                                    .master_name = settings.sentinel_name};
    if (out.topology == cache::redis::Topology::kSentinel && out.master_name.empty()) {
        return wrong("cache.sentinel_name", "sentinels know masters by name, and none is given",
                     "the NAME of `sentinel monitor NAME ...` in sentinel.conf");
    }
    if (out.topology == cache::redis::Topology::kCluster && settings.redis_database != 0)
        return wrong("cache.redis_database", "a cluster has the database 0 alone", "leave it away");
    out.security = {.tls = settings.redis_tls, .ca_file = settings.redis_tls_ca_file};
    out.node.login = {.user = settings.redis_user,
                      .password = settings.redis_password,
                      .database = static_cast<int>(settings.redis_database)};
    out.node.timeout = settings.redis_timeout;
    out.node.connect_timeout = settings.redis_connect_timeout;
    return out;
}

}  // namespace

core::Result<std::unique_ptr<cache::Cache>> open_cache(const core::Settings::Cache& settings,
                                                       const core::Clock& clock,
                                                       core::Random& random, core::Logger log,
                                                       core::MetricRegistry& metrics) {
    cache::CacheOptions options{
        .memory = {.bytes = settings.memory_bytes.as_size(), .ttl = settings.memory_ttl},
        .prefix = settings.prefix,
        .shared_ttl = settings.redis_ttl,
        .staleness = settings.staleness};
    std::optional<crypto::Key> key;
    if (!settings.redis.empty()) {
        ZONA_TRY(options.redis, redis_options(settings));
        key = sealing_key(settings.key);
    }
    auto opened = cache::Cache::open(std::move(options), {.clock = clock,
                                                          .random = random,
                                                          .log = std::move(log),
                                                          .metrics = metrics,
                                                          .key = key ? &*key : nullptr});
    if (!opened) return opened.take_error().context("cache.redis");
    return opened;
}

process::HostCheck check_cache(const cache::Cache& cache) {
    const cache::Report report = cache.report();
    const std::string memory =
        fmt::format("{} of {} bytes in memory", report.memory_bytes, report.most_memory_bytes);
    switch (report.mode) {
        case cache::Mode::kMemory:
            return process::ok("cache", memory + "; no Redis is set (cache.redis)");
        case cache::Mode::kShared:
            return process::ok("cache", memory + "; Redis answers");
        case cache::Mode::kDatabaseOnly:
            break;
    }
    return process::degraded(
        "cache", "Redis does not answer, everything is read from the database: " + report.problem,
        "start Redis, or set cache.redis to where it is; it is tried again by "
        "itself");
}

}  // namespace zona::daemon
