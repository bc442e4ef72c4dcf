/// @file
/// The command `zona`: one command line, carried out.
///
/// A client of the daemon's API over the unix socket `api.sock` in zona's home; it holds no state
/// and no rule of supervision. What it asks for is in docs/api.md, what it takes in docs/cli.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace zona::cli {

/// All that a command knows about where it was typed.
struct Surroundings {
    std::vector<std::string> arguments;    ///< behind the program's name
    std::vector<std::string> environment;  ///< "NAME=value"
    std::string cwd;                       ///< absolute; empty when it no longer exists
    std::uint32_t uid = 0;                 ///< effective
    std::string user_home;                 ///< of the user database; used when HOME is not set
    int out_fd = 1;
    int err_fd = 2;
};

/// Carries a command line out.
///
/// Writes answers to `out_fd` and errors, notes and progress to `err_fd`; with --json, stdout
/// carries one JSON document (for logs: one a line) and nothing else, for errors the API's error
/// envelope. SIGPIPE is ignored from here on; `run` and `logs` catch SIGINT and SIGTERM until the
/// process ends. Starts the daemon for verbs that change something; reads, ping and kill never do.
/// @return  the exit status: 0; 1 when a process ended at once or was not started; 130 after a
/// second
///          interrupt of `run`; for errors that of core::info(code): 2 wrong command line or file,
///          3 not found, 4 conflict, 5 forbidden, 6 zona does not run or the connection broke, 7
///          something is used up (the disk below stdout too), 8 too late, 9 unsupported, 70 a bug.
///          `run` gives the exit code of its apps when they have ended.
/// Threading: once per process, in its only thread (a daemon start forks).
/// Source: PM-57, UX-11.
int run_command(const Surroundings& surroundings);

/// Those of this process.
Surroundings surroundings_of_process(int argc, char** argv);

/// zona's home: `given` (--home) if not empty, else ZONA_HOME, else /var/lib/zona for root, else
/// ~/.zona. Absolute, without "." and ".."; symbolic links are not followed. Empty when there is
/// neither HOME nor an entry in the user database.
std::string home_of(const Surroundings& surroundings, const std::string& given);

}  // namespace zona::cli
