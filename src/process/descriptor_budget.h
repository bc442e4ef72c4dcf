/// @file
/// How the daemon shares its file descriptors out, so that nobody's use of them stops another's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "process/app_spec.h"

namespace zona::process {

/// Of a limit on open files (RLIMIT_NOFILE).
struct DescriptorBudget {
    /// What one process holds: its output and its errors, and a pidfd if its keeper dies with the
    /// daemon. A standard input that is a pipe is one more.
    static constexpr std::size_t kEach = 3;
    static constexpr std::size_t kStdin = 1;
    /// The daemon's own, and what one start, exit or answer opens for a moment; with one thread
    /// that serves requests.
    static constexpr std::size_t kOwn = 64;
    /// What each further one of these waits with.
    static constexpr std::size_t kServer = 4;
    /// What an open database file takes: itself and its log, for writing and for reading.
    static constexpr std::size_t kDatabase = 4;

    std::size_t log_files = 0;    ///< open at one time
    std::size_t connections = 0;  ///< of clients, at most
    std::size_t databases = 0;    ///< files that are open at one time
    std::size_t processes = 0;    ///< descriptors for them, not processes

    /// The descriptors that one process of this app holds.
    static constexpr std::size_t of_process(const AppSpec& spec) {
        return kEach + (spec.stdin_mode == StdinMode::kPipe ? kStdin : 0);
    }

    /// How `limit` is shared out.
    ///
    /// `wanted_connections`: what the user asked for, who gets it at the cost of processes, as far
    /// as five eighths of all; 0 if nobody asked. `servers`: threads that serve requests.
    /// `wanted_databases`: files; they get an eighth of all at most.
    static constexpr DescriptorBudget of(std::uint64_t limit, std::size_t wanted_connections = 0,
                                         std::size_t servers = 1,
                                         std::size_t wanted_databases = 0) {
        const auto all = static_cast<std::size_t>(std::min<std::uint64_t>(limit, 1U << 30U));
        DescriptorBudget out;
        out.log_files = std::clamp<std::size_t>(all / 8, 8, 1024);
        out.connections = std::clamp<std::size_t>(all / 8, 8, 1024);
        out.connections =
            std::max(out.connections, std::min<std::size_t>(wanted_connections, all / 8 * 5));
        const std::size_t own = kOwn + kServer * (std::max<std::size_t>(servers, 1) - 1);
        out.databases = std::min(wanted_databases, std::max<std::size_t>(all / 8 / kDatabase, 4));
        const std::size_t taken = own + out.log_files + out.connections + kDatabase * out.databases;
        out.processes = all > taken ? all - taken : 0;
        return out;
    }
};

}  // namespace zona::process
