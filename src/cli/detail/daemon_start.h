/// @file
/// Starting zona's keeper, which starts the daemon.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/detail/console.h"
#include "cli/detail/interrupts.h"
#include "core/clock.h"
#include "core/result.h"

namespace zona::cli {

enum class DaemonStart : std::uint8_t {
    kStarted,        ///< it is ours
    kAlreadyRunning  ///< somebody else was faster: theirs is used
};

class DaemonStarter {
  public:
    DaemonStarter() = default;
    DaemonStarter(const DaemonStarter&) = delete;
    DaemonStarter& operator=(const DaemonStarter&) = delete;
    virtual ~DaemonStarter() = default;
    /// Returns when the socket takes connections.
    virtual core::Result<DaemonStart> start() = 0;
    /// Whether processes live on that an earlier zona started and nobody looks after.
    virtual bool has_orphans() const = 0;
};

/// What of the user's environment the daemon may see: PATH, HOME, LANG, LC_*, TZ, USER, ZONA_*.
/// A missing PATH becomes the system's usual one.
std::vector<std::string> daemon_environment(std::span<const std::string> environment);

/// What the keeper said on its ready pipe, one line or none, as a result.
///
/// "ok" is kStarted; an error object {code, message, hint} is that error, but CONFLICT is
/// kAlreadyRunning; no line at all means that the keeper died, and the error names its log below
/// `home`.
core::Result<DaemonStart> read_ready_line(std::string_view line, std::string_view home);

/// A program of zona's for a command's own executable: beside it, else ../libexec/zona/ from there.
/// Errors: kNotFound names both places.
core::Result<std::string> find_companion(const std::string& own_executable, std::string_view name);

/// The keeper's.
core::Result<std::string> find_keeper(const std::string& own_executable);

/// Runs the keeper in the background and waits until it is ready.
class KeeperStarter final : public DaemonStarter {
  public:
    struct Options {
        std::string home;  ///< absolute
        std::vector<std::string> environment;
        std::vector<std::string> settings;  ///< KEY=VALUE each, flags of the daemon
    };
    /// `clock`, `console` and `interrupts` outlive it.
    KeeperStarter(Options options, const core::Clock& clock, Console& console,
                  Interrupts& interrupts)
        : options_(std::move(options)), clock_(clock), console_(console), interrupts_(interrupts) {}

    /// Errors: kNotFound: no keeper is installed. What the keeper says. kTimeout: not ready after
    /// 60 s; it may come up yet. kUnavailable: it died. kCancelled: a second interrupt.
    core::Result<DaemonStart> start() override;
    bool has_orphans() const override;

  private:
    core::Result<std::string> read_line(const os::UniqueFd& ready);

    Options options_;
    const core::Clock& clock_;
    Console& console_;
    Interrupts& interrupts_;
};

}  // namespace zona::cli
