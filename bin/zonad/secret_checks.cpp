#include "secret_checks.h"

#include <algorithm>
#include <iterator>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/locked_memory.h"
#include "core/text.h"
#include "core/time_format.h"
#include "os/fd.h"
#include "os/host.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/placement.h"
#include "tenancy/tenant_databases.h"
#include "vault/key_ring.h"

namespace zona::daemon {
namespace {

using process::CheckStatus;
using process::degraded;
using process::HostCheck;
using process::ok;

/// For some thousand secrets and keys.
constexpr std::uint64_t kEnoughLocked = std::uint64_t{1} << 20U;
constexpr mode_t kOthers = 0077;

/// What the checks look at beside the settings.
struct SecretSurroundings {
    std::string state;  ///< the directory
    core::SystemTime now{};
    std::string root;                     ///< id of the root key; empty: the keys are not open
    std::vector<vault::KeyOwner> owners;  ///< of data keys
};

HostCheck check_key_file(const std::string& file, const std::string& state) {
    const std::string name = "root key";
    const auto found = os::stat_path(file);
    if (!found || !*found) {
        return {.name = name,
                .status = CheckStatus::kMissing,
                .detail = file + " is not there: the next start serves no tenant",
                .cure = "bring it back from escrow: zona key import-shares FILE --to " + file};
    }
    const os::FileStat& key = **found;
    if (key.uid != ::geteuid()) {
        return degraded(name, fmt::format("{} belongs to user {}", file, key.uid),
                        fmt::format("chown {} {}", ::geteuid(), file));
    }
    if ((key.mode & kOthers) != 0) {
        return degraded(
            name, fmt::format("{} has mode {:04o}: others may use it", file, key.mode & 07777),
            "chmod 600 " + file);
    }
    const auto data = os::stat_path(state);
    if (data && *data && (*data)->device == key.device) {
        return degraded(name, file + " is on the disk that it protects",
                        "move it: tenancy.root_key_file on another disk, or tenancy.root_key "
                        "pkcs11, then zona vault rewrap");
    }
    return ok(name, file + ", mode 0600, on another disk than the data");
}

HostCheck check_root_key(const core::Settings::RootKey& wanted, const std::string& state) {
    if (wanted.provider == "file") return check_key_file(wanted.file, state);
    if (wanted.provider == "environment") {
        return degraded("root key",
                        "in the environment: whoever may trace this user's processes reads it in "
                        "/proc, and whoever starts zona has it",
                        "tenancy.root_key file or pkcs11, then zona vault rewrap");
    }
    return ok("root key", fmt::format("in the token '{}'", wanted.token));
}

HostCheck check_escrow(const SecretSurroundings& around) {
    const std::string name = "root key escrow";
    const std::string cure = "zona key export-shares, and give each share to somebody else";
    const auto made = os::read_file(around.state + "/key-shares");
    if (!made) return degraded(name, "no shares were made: a lost root key is lost data", cure);
    const std::string id = made->substr(0, made->find('\n'));
    if (!around.root.empty() && id != around.root)
        return degraded(name, "shares were made of an older root key", cure);
    return ok(name, fmt::format("shares were made of the root key {}", id));
}

HostCheck check_backups(const std::string& directory) {
    const std::string name = "backup directory";
    const auto found = os::stat_path(directory);
    if (!found || !*found) return ok(name, directory + " is made with the first backup");
    const os::FileStat& there = **found;
    if (there.uid != ::geteuid() && there.uid != 0) {
        return degraded(name, fmt::format("{} belongs to user {}", directory, there.uid),
                        fmt::format("chown {} {}", ::geteuid(), directory));
    }
    if ((there.mode & kOthers) != 0) {
        return degraded(name,
                        fmt::format("{} has mode {:04o}: others see what is in it", directory,
                                    there.mode & 07777),
                        "chmod 700 " + directory);
    }
    return ok(name, directory + ", for its owner alone");
}

HostCheck check_locked_memory() {
    const std::string name = "locked memory";
    const core::LockedMemory now = core::locked_memory();
    const auto limit = os::own_limit(RLIMIT_MEMLOCK).soft;
    const std::string cure = "LimitMEMLOCK=8M in a systemd unit, or memlock in limits.conf";
    if (now.unlocked > 0) {
        return degraded(name,
                        fmt::format("{} of {} bytes with keys and secrets could be swapped",
                                    now.unlocked, now.mapped),
                        cure);
    }
    if (limit && *limit < kEnoughLocked && !os::running_as_root())
        return degraded(name, fmt::format("no more than {} bytes (RLIMIT_MEMLOCK)", *limit), cure);
    return ok(name, fmt::format("{} bytes with keys and secrets are never swapped", now.mapped));
}

HostCheck check_swap() {
    const std::string name = "swap";
    const auto text = os::read_file("/proc/swaps");
    if (!text) return ok(name, "none is known");
    // The first line is a heading.
    const auto areas = std::max<std::ptrdiff_t>(std::ranges::count(*text, '\n') - 1, 0);
    if (areas == 0) return ok(name, "none");
    return degraded(name, "is on: documents in use may be written to it in clear",
                    "encrypt it (crypttab: swap), or swapoff");
}

HostCheck check_core_dumps(bool wanted) {
    if (!wanted) return ok("core dumps", "the daemon leaves none");
    return degraded("core dumps", "the daemon leaves some: they hold documents in use",
                    "limits.core_dumps false");
}

HostCheck check_data_keys(const SecretSurroundings& around, std::chrono::milliseconds age) {
    const std::string name = "data keys";
    if (around.root.empty()) return ok(name, "not open");
    std::size_t owners = 0;
    std::string old;
    for (const vault::KeyOwner& owner : around.owners) {
        // What page tokens are signed with lasts.
        if (owner.keys.empty() || owner.tenant == tenancy::kPageTokenOwner) continue;
        ++owners;
        // A day is what the job may take to come by.
        if (owner.keys.back().made_at + age + std::chrono::hours(24) > around.now) continue;
        old += (old.empty() ? "" : ", ") + owner.tenant;
    }
    if (old.empty()) return ok(name, fmt::format("of {} owners, none older than its time", owners));
    return degraded(name, "older than jobs.key_rotation.interval: " + old,
                    "zona job list says why key-rotation does not run; zona vault rotate --all");
}

/// A setting that names databases in MongoDB, and what it says of each.
struct MongoPlace {
    std::string setting;
    std::string uri;
};

std::vector<MongoPlace> mongo_places(const core::Settings& settings) {
    std::vector<MongoPlace> out;
    if (tenancy::is_mongo_host(settings.core_host))
        out.push_back({"tenancy.core_host", settings.core_host});
    if (!settings.mongo.uri.empty()) out.push_back({"mongo.uri", settings.mongo.uri});
    // What is wrong with the table is said at the start.
    const auto placement = tenancy::Placement::parse(settings.placement, {});
    for (const std::string& host : placement ? placement->hosts() : std::set<std::string>()) {
        if (tenancy::is_mongo_host(host)) out.push_back({"tenancy.placement", host});
    }
    return out;
}

/// Whether a connection string asks for it. Source: MongoDB's connection string URI format.
bool has_option(std::string_view uri, std::string_view option) {
    const auto begin = uri.find('?');
    if (begin == std::string_view::npos) return false;
    const std::string options = core::lower_ascii("&" + std::string(uri.substr(begin + 1)) + "&");
    return options.contains(fmt::format("&{}", option));
}

/// The settings of which it does not hold, each once.
template <class Holds>
std::string settings_without(const std::vector<MongoPlace>& places, Holds holds) {
    std::set<std::string> out;
    for (const MongoPlace& place : places) {
        if (!holds(place.uri)) out.insert(place.setting);
    }
    return fmt::format("{}", fmt::join(out, ", "));
}

/// By the settings: a database that a tenant was moved to by hand is not looked at.
std::vector<HostCheck> check_mongo(const core::Settings& settings) {
    const std::vector<MongoPlace> places = mongo_places(settings);
    if (places.empty()) return {};
    const core::Settings::Mongo& mongo = settings.mongo;
    const std::string clear = settings_without(places, [&](const std::string& uri) {
        return !mongo.tls_ca_file.empty() || uri.starts_with("mongodb+srv:") ||
               has_option(uri, "tls=true&") || has_option(uri, "ssl=true&");
    });
    const std::string open = settings_without(places, [&](const std::string& uri) {
        return !mongo.username.empty() || has_option(uri, "authmechanism=");
    });
    std::vector<HostCheck> out;
    out.push_back(clear.empty()
                      ? ok("MongoDB TLS", "is asked for")
                      : degraded("MongoDB TLS",
                                 "documents go over the network in clear, by " + clear,
                                 "net.tls in mongod.conf; mongo.tls_ca_file, or tls=true in the "
                                 "setting"));
    out.push_back(
        open.empty()
            ? ok("MongoDB authentication", "is asked for")
            : degraded("MongoDB authentication", "whoever reaches it reads all, by " + open,
                       "security.authorization in mongod.conf; mongo.username, mongo.password"));
    out.push_back(ok("MongoDB encryption at rest",
                     "is the server's, and not seen from here: security.enableEncryption or an "
                     "encrypted disk; fields that are flagged as secret are sealed by zona"));
    return out;
}

}  // namespace

std::vector<HostCheck> check_secrets(const core::Settings& settings, const std::string& home,
                                     const tenancy::Tenants& tenants, const core::Clock& clock) {
    SecretSurroundings around{
        .state = home + "/state", .now = clock.system(), .root = {}, .owners = {}};
    if (const auto files = tenants.files()) {
        around.root = files->key_ring().root();
        around.owners = files->key_ring().owners();
    }
    std::vector<HostCheck> out = {check_root_key(settings.root_key, around.state),
                                  check_escrow(around),
                                  check_data_keys(around, settings.jobs.key_age),
                                  check_backups(settings.backup_directory),
                                  check_locked_memory(),
                                  check_swap(),
                                  check_core_dumps(settings.core_dumps)};
    std::ranges::move(check_mongo(settings), std::back_inserter(out));
    return out;
}

core::Result<void> remember_shares(const std::string& state, const std::string& root,
                                   core::SystemTime now) {
    ZONA_TRY_VOID(os::make_directories(state, 0700));
    return os::replace_file(state + "/key-shares",
                            fmt::format("{}\n{}\n", root, core::to_rfc3339(now)), 0600);
}

}  // namespace zona::daemon
