#include "maintenance.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/config.h"
#include "core/random.h"
#include "core/settings.h"
#include "core/shell.h"
#include "core/time_format.h"
#include "flags.h"
#include "os/fd.h"
#include "os/spawn.h"
#include "secret_checks.h"
#include "tenancy/backup/whole_backup.h"
#include "vault/key_shares.h"
#include "vault/root_key.h"

namespace zona::daemon {
namespace {

using core::Code;
using core::Error;
using core::Result;

/// A share is far shorter.
constexpr std::size_t kMostKeyFile = 65'536;

int exit_of(const Error& error) {
    std::string text = "zona: " + error.message() + "\n";
    for (const core::Detail& detail : error.details()) {
        if (!detail.problem.empty()) text += "  " + detail.problem + "\n";
        if (!detail.hint.empty()) text += "  try: " + detail.hint + "\n";
    }
    (void)os::write_all(STDERR_FILENO, text);
    return core::info(error.code()).exit_status;
}

void print(const std::string& text) {
    (void)os::write_all(STDOUT_FILENO, text);
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        if (line.find_first_not_of(" \t\r") != std::string_view::npos) out.emplace_back(line);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return out;
}

/// The newest key of a root key file is its last one.
Result<crypto::Key> root_key_in(const std::string& file) {
    ZONA_TRY(const auto there, os::stat_path(file));
    if (!there) {
        return Error(Code::kNotFound, fmt::format("there is no root key in {}", file))
            .detail({"", "", "zona makes one when it starts for the first time: zona tenant list"});
    }
    ZONA_TRY(const std::string text, os::read_file(file, kMostKeyFile));
    const std::vector<std::string> lines = lines_of(text);
    if (lines.empty()) return Error(Code::kConflict, fmt::format("{} holds no root key", file));
    auto key = vault::parse_root_key(lines.back());
    if (!key) return key.take_error().context(file);
    return key;
}

Result<std::optional<core::SystemTime>> moment_in(const Flags& flags, const core::Clock& clock) {
    if (!flags.has("--at")) return std::nullopt;
    ZONA_TRY(const core::SystemTime at, core::parse_moment(flags.value("--at"), clock.system()));
    return std::optional(at);
}

Result<crypto::Key> key_of_shares(const std::string& file) {
    ZONA_TRY(const std::string text, os::read_file(file, kMostKeyFile));
    std::vector<core::Secret> shares;
    for (std::string& line : lines_of(text))
        shares.emplace_back(std::move(line));
    return vault::combine_shares(shares);
}

/// Who is not in it; the status of a work that has left out some.
int tell_missing(const tenancy::WholeList& list) {
    for (const tenancy::MissingTenant& one : list.whole.missing)
        print(fmt::format("{}: not in the backup: {}\n", one.tenant, one.reason));
    return list.whole.missing.empty() ? 0 : core::info(Code::kConflict).exit_status;
}

Result<int> restore(const Flags& flags) {
    const std::string home = flags.value("--home");
    const std::string key_file = flags.value("--root-key");
    core::RealClock clock;
    core::SystemRandom random;
    ZONA_TRY_VOID(os::make_directories(home, 0700));
    ZONA_TRY(const std::string keys, os::read_file(key_file, kMostKeyFile));
    const auto provider = vault::make_file_provider(key_file, random);
    const core::ProgressSink tell = [last = std::string()](const core::Progress& progress) mutable {
        if (progress.step == last) return;
        last = progress.step;
        print(fmt::format("{} ({} of {})\n", progress.step, progress.number, progress.steps));
    };
    ZONA_TRY(const auto at, moment_in(flags, clock));
    ZONA_TRY(tenancy::WholeList list,
             tenancy::restore_whole({.backup = flags.value("--restore-backup"),
                                     .state = home + "/state",
                                     .root_keys = *provider,
                                     .clock = clock,
                                     .random = random,
                                     .log = {},
                                     .at = at},
                                    tell));
    ZONA_TRY(const auto there, os::stat_path(home + "/root-key"));
    if (!there) ZONA_TRY_VOID(os::replace_file(home + "/root-key", keys, 0600));
    list.whole.tenants -= list.not_restored.size();
    for (const tenancy::NotRestored& one : list.not_restored)
        list.whole.documents -= one.documents;
    const std::string what =
        at ? fmt::format("{} tenants are in {} as they were at {}", list.whole.tenants, home,
                         core::to_rfc3339(*at))
           : fmt::format("{} tenants and {} documents are in {}, the same as in the backup",
                         list.whole.tenants, list.whole.documents, home);
    const std::string zona = "zona --home " + core::shell_word(home);
    print(fmt::format("{}\n  try: {} tenant list\n", what, zona));
    const int status = tell_missing(list);
    for (const tenancy::NotRestored& one : list.not_restored) {
        print(fmt::format("{}: not restored: {}\n  try: {} tenant restore {} {} --replace\n",
                          one.tenant, one.reason, zona, one.tenant, core::shell_word(one.file)));
    }
    return list.not_restored.empty() ? status : core::info(Code::kConflict).exit_status;
}

/// Restores a backup with a root key put together from shares, or from a file, and takes all of it
/// away again.
Result<int> check_backup(const Flags& flags) {
    core::RealClock clock;
    core::SystemRandom random;
    std::unique_ptr<vault::RootKeyProvider> provider;
    if (flags.has("--shares")) {
        ZONA_TRY(const crypto::Key key, key_of_shares(flags.value("--shares")));
        provider = vault::make_text_provider(vault::root_key_text(key), "the shares", random);
    } else {
        provider = vault::make_file_provider(flags.value("--root-key"), random);
    }
    ZONA_TRY(const auto at, moment_in(flags, clock));
    std::string scratch = std::filesystem::temp_directory_path().string() + "/zona-check-XXXXXX";
    if (::mkdtemp(scratch.data()) == nullptr)
        return Error::from_errno(errno, fmt::format("cannot make {}", scratch));
    auto list = tenancy::restore_whole({.backup = flags.value("--check-backup"),
                                        .state = scratch + "/state",
                                        .root_keys = *provider,
                                        .clock = clock,
                                        .random = random,
                                        .log = {},
                                        .at = at},
                                       {});
    std::error_code failed;
    std::filesystem::remove_all(scratch, failed);
    if (!list) return list.take_error();
    if (failed) return Error::from_errno(failed.value(), fmt::format("cannot remove {}", scratch));
    std::string text;
    for (const tenancy::WholeMember& member : list->members)
        text += fmt::format("{} {} {}\n", member.sha256, member.documents, member.owner);
    print(text);
    print(
        fmt::format("{} tenants and {} documents were restored{} and compared, and are gone "
                    "again\n",
                    list->whole.tenants, list->whole.documents,
                    at ? " as of " + core::to_rfc3339(*at) : std::string()));
    for (const tenancy::NotRestored& one : list->not_restored) {
        if (at) print(fmt::format("{}: as it was at the backup: {}\n", one.tenant, one.reason));
    }
    return tell_missing(*list);
}

Result<std::uint8_t> count_in(const Flags& flags, std::string_view name) {
    const std::string text = flags.value(name);
    std::uint8_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error == std::errc() && end == text.data() + text.size()) return out;
    return Error(Code::kInvalidArgument, fmt::format("{} wants a number up to 100", name));
}

Result<int> export_shares(const Flags& flags) {
    const std::string home = flags.value("--home");
    ZONA_TRY(const auto config,
             core::Config::load(core::daemon_settings(),
                                {.home = home, .environment = os::environment(), .flags = {}}));
    const core::Settings settings = core::Settings::from(*config->snapshot());
    ZONA_TRY(const std::uint8_t needed, count_in(flags, "--needed"));
    ZONA_TRY(const std::uint8_t total, count_in(flags, "--total"));
    ZONA_TRY(const crypto::Key key, root_key_in(settings.root_key.file));
    core::SystemRandom random;
    ZONA_TRY(const auto shares, vault::split_key(key, {.needed = needed, .total = total}, random));
    for (const core::Secret& share : shares)
        print(std::string(share.reveal()) + "\n");
    core::RealClock clock;
    ZONA_TRY_VOID(remember_shares(home + "/state", vault::root_key_id(key), clock.system()));
    return 0;
}

Result<int> import_shares(const Flags& flags) {
    const std::string to = flags.value("--to");
    ZONA_TRY(const auto there, os::stat_path(to));
    if (there) return Error(Code::kConflict, fmt::format("{} is there already", to));
    ZONA_TRY(const crypto::Key key, key_of_shares(flags.value("--file")));
    const std::string line = std::string(vault::root_key_text(key).reveal()) + "\n";
    ZONA_TRY_VOID(os::replace_file(to, line, 0600));
    print(fmt::format("the root key {} is in {}\n", vault::root_key_id(key), to));
    return 0;
}

}  // namespace

std::optional<int> do_maintenance(int argc, char** argv) {
    const Flags flags(argc, argv);
    const auto run = [&](Result<int> (*what)(const Flags&)) {
        const Result<int> done = what(flags);
        return done ? *done : exit_of(done.error());
    };
    if (flags.has("--restore-backup")) return run(&restore);
    if (flags.has("--check-backup")) return run(&check_backup);
    if (flags.has("--export-shares")) return run(&export_shares);
    if (flags.has("--import-shares")) return run(&import_shares);
    return std::nullopt;
}

}  // namespace zona::daemon
