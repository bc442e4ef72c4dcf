#include "data_settings.h"

#include <cstdlib>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/id.h"
#include "net/network_policy.h"
#include "os/fd.h"
#include "os/spawn.h"
#include "tenancy/tenant_databases.h"
#include "vault/token_provider.h"

namespace zona::daemon {

core::Secret new_page_token_key(core::Random& random) {
    std::string key(32, '\0');
    random.fill(std::as_writable_bytes(std::span(key)));
    return core::Secret(std::move(key));
}

namespace {

store::ReadPreference read_preference(std::string_view name) {
    using enum store::ReadPreference;
    if (name == "primary_preferred") return kPrimaryPreferred;
    if (name == "secondary") return kSecondary;
    return name == "nearest" ? kNearest : kPrimary;
}

}  // namespace

core::Result<tenancy::BackupJobsOptions> backup_options(const core::Settings& settings) {
    tenancy::BackupJobsOptions out{.schedule = {},
                                   .log_interval = settings.backup_log_interval,
                                   .check_interval = settings.backup_check_interval,
                                   .directory = settings.backup_directory};
    if (settings.backup_schedule.empty()) return out;
    auto schedule = core::CronExpression::parse(settings.backup_schedule);
    if (!schedule) return schedule.take_error().context("backup.schedule");
    out.schedule = *std::move(schedule);
    return out;
}

std::string search_path() {
    for (const auto& [name, value] : os::environment()) {
        if (name == "PATH") return value;
    }
    return "/usr/local/bin:/usr/bin:/bin";
}

tenancy::CopyOptions copy_options(const core::Settings& settings, const std::string& home) {
    tenancy::CopyOptions out{.from = settings.backup_directory,
                             .state = home + "/state",
                             .to = settings.backup_copy_to,
                             .keep = settings.backup_copy_keep,
                             .command = settings.backup_copy_command,
                             .command_limit = settings.backup_copy_command_timeout};
    // Nothing of zona's own: its variables may hold secrets.
    std::string user_home = os::find_user(os::effective_uid()).home;
    for (auto& [name, value] : os::environment()) {
        if (name == "HOME") user_home = std::move(value);
    }
    out.environment = {"PATH=" + search_path(), "HOME=" + user_home};
    return out;
}

store::MongoOptions mongo_options(const core::Settings::Mongo& mongo, core::Random& random,
                                  const std::stop_source& end) {
    return {.uri = mongo.uri,
            .database = mongo.database,
            .username = mongo.username,
            .password = mongo.password,
            .tls_ca_file = mongo.tls_ca_file,
            .read_preference = read_preference(mongo.read_preference),
            .page_token_key = new_page_token_key(random),
            .min_connections = static_cast<std::size_t>(mongo.min_connections),
            .max_connections = static_cast<std::size_t>(mongo.max_connections),
            .idle_timeout = mongo.idle_timeout,
            .health_interval = mongo.health_interval,
            .connect_timeout = mongo.connect_timeout,
            .selection_timeout = mongo.selection_timeout,
            .max_waiting_reads = static_cast<std::size_t>(mongo.max_waiting),
            .max_waiting_writes = static_cast<std::size_t>(mongo.max_waiting),
            .ending = end.get_token()};
}

core::Result<store::MongoOptions> core_options(const core::Settings& settings, core::Random& random,
                                               const std::stop_source& end) {
    const auto wrong = [](std::string_view setting, std::string_view problem,
                          std::string_view hint) {
        return core::Error(core::Code::kInvalidArgument, fmt::format("{}: {}", setting, problem))
            .detail({std::string(setting), "", std::string(hint)});
    };
    store::MongoOptions out = mongo_options(settings.mongo, random, end);
    out.uri.clear();
    if (settings.core_host == tenancy::kEmbedded) return out;
    if (!tenancy::is_mongo_host(settings.core_host) || settings.core_host.contains('@')) {
        return wrong("tenancy.core_host", "it is `embedded`, or `mongodb://HOST` without a user",
                     "user name and password are mongo.username and mongo.password");
    }
    if (settings.placement.contains(tenancy::kEmbedded)) {
        return wrong("tenancy.placement",
                     "it puts tenants into files of one host, and tenancy.core_host says that "
                     "several serve them",
                     "name servers only; what has no place is at tenancy.core_host");
    }
    out.uri = settings.core_host;
    out.database = settings.core_database;
    return out;
}

std::unique_ptr<vault::RootKeyProvider> root_key_providers(const core::Settings::RootKey& wanted,
                                                           core::Random& random) {
    std::vector<std::unique_ptr<vault::RootKeyProvider>> out;
    const auto add = [&](std::string_view name, auto make, bool is_given) {
        if (wanted.provider == name) {
            out.insert(out.begin(), make());
        } else if (is_given) {
            out.push_back(make());
        }
    };
    add("file", [&] { return vault::make_file_provider(wanted.file, random); }, true);
    add(
        "environment",
        [&] {
            return vault::make_text_provider(
                wanted.keys, "the setting tenancy.root_keys (ZONA_TENANCY_ROOT_KEYS)", random);
        },
        !wanted.keys.empty());
    add(
        "pkcs11",
        [&] {
            return vault::make_token_provider(
                {.module = wanted.module,
                 .token = wanted.token,
                 .label = wanted.label,
                 .pin = [pin = wanted.pin]() -> core::Result<core::Secret> {
                     if (!pin.empty()) return pin;
                     return core::Error(core::Code::kForbidden,
                                        "the token's PIN is not given: set "
                                        "tenancy.pkcs11_pin_file or ZONA_TENANCY_PKCS11_PIN");
                 }},
                random);
        },
        !wanted.module.empty());
    return vault::make_provider_chain(std::move(out));
}

core::Result<void> set_token_environment(const core::Settings::RootKey& wanted) {
    for (const std::string& entry : net::split_list(wanted.environment)) {
        const std::size_t equals = entry.find('=');
        if (equals == 0 || equals == std::string::npos) {
            return core::Error(
                core::Code::kInvalidArgument,
                fmt::format("tenancy.pkcs11_environment: '{}' is not NAME=VALUE", entry));
        }
        ::setenv(entry.substr(0, equals).c_str(), entry.c_str() + equals + 1, 1);
    }
    return {};
}

core::Result<std::string> instance_of(const std::string& home, core::Random& random) {
    const std::string file = home + "/state/instance";
    if (auto kept = os::read_file(file)) {
        if (const auto id = core::Uuid::parse(*kept)) return id->to_string();
    }
    ZONA_TRY_VOID(os::make_directories(home + "/state", 0700));
    std::string made = core::Uuid::v4(random).to_string();
    ZONA_TRY_VOID(os::replace_file(file, made, 0600));
    return made;
}

identity::PasswordRules password_rules(const core::Settings& settings) {
    return {.min_length = static_cast<std::size_t>(settings.password_min_length),
            .remembered = static_cast<std::size_t>(settings.passwords_remembered)};
}

}  // namespace zona::daemon
