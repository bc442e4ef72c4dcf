// zonad: what the keeper has given it, and the daemon that is made of it.
#include <algorithm>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <unistd.h>

#include "core/json.h"
#include "daemon.h"
#include "flags.h"
#include "maintenance.h"
#include "os/fd.h"
#include "os/spawn.h"
#include "process/keeper_link.h"
#include "process/listeners.h"

using namespace zona;

namespace {

constexpr int kExitConfiguration = 78;  // EX_CONFIG of sysexits.h

std::string to_line(const core::Error& error) {
    std::string out = "{\"code\":\"";
    out += core::info(error.code()).name;
    out += "\",\"message\":";
    core::append_json_string(out, error.message());
    out += ",\"details\":[";
    for (std::size_t i = 0; i < error.details().size(); ++i) {
        const core::Detail& d = error.details()[i];
        if (i > 0) out += ',';
        out += "{\"where\":";
        core::append_json_string(out, d.where);
        out += ",\"problem\":";
        core::append_json_string(out, d.problem);
        out += ",\"hint\":";
        core::append_json_string(out, d.hint);
        out += '}';
    }
    return out + "]}\n";
}

/// The network's listening sockets that the keeper has handed over.
std::vector<process::InheritedListener> listeners_of(const daemon::Flags& flags) {
    const std::uint64_t count = flags.number("--listeners");
    return process::inherited_listeners(
        static_cast<int>(std::min<std::uint64_t>(count, process::kMostListeners)),
        flags.number("--requested-listeners"));
}

}  // namespace

int main(int argc, char** argv) {
    if (const auto status = daemon::do_maintenance(argc, argv)) return *status;
    const daemon::Flags flags(argc, argv);
    const std::string home = flags.value("--home");
    if (home.empty() || home.front() != '/') {
        constexpr std::string_view kUsage =
            "zonad is started by zona-keeper, which the command `zona` starts.\n";
        (void)::write(2, kUsage.data(), kUsage.size());
        return 2;
    }
    process::KeeperLink keeper(process::kFdKeeper);
    std::vector<process::InheritedListener> listeners = listeners_of(flags);
    const int inherited_end = process::kFdFirstListener + static_cast<int>(listeners.size());
    for (int fd = process::kFdKeeper; fd < inherited_end; ++fd)
        (void)os::set_close_on_exec(fd, 1);
    // Without them starts are slower, and the next thing that needs a descriptor says why.
    std::ignore = os::reserve_spawn_descriptors();
    daemon::Daemon running(home, flags.values("--set"), keeper, std::move(listeners));
    auto done = running.build();
    if (done) done = running.run();
    if (!done) {
        const std::string line = to_line(done.error());
        (void)::write(2, line.data(), line.size());
        keeper.failed(line);
        return kExitConfiguration;
    }
    return 0;
}
