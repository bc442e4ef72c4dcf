/// @file
/// From an app's settings to what execve(2) gets: which file, which interpreter, which arguments.
///
/// The decision is a pure function over an injected view of the file system, so that every answer
/// and every message is tested without files. It looks with the rights of the daemon; that the
/// app's user may not execute a file, and a file that vanishes afterwards, come back from the
/// spawn. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "process/app_spec.h"

namespace zona::process {

/// What a path leads to.
enum class FileType : std::uint8_t {
    kMissing,
    kForbidden,  ///< there may be one, but the daemon may not look
    kRegular,
    kDirectory,
    kOther,  ///< device, FIFO, socket
};

/// What a regular file begins with.
enum class FileContent : std::uint8_t {
    kElf,
    kShebang,  ///< "#!"
    kText,     ///< no NUL in the first bytes; also an empty file
    kBinary,   ///< other; the kernel may know it (binfmt_misc)
    kUnknown,  ///< not readable by the daemon
};

/// What decides how a file can be executed.
struct FileFacts {
    FileType type = FileType::kMissing;
    bool executable = false;  ///< some x bit is set
    FileContent content = FileContent::kUnknown;
    std::string shebang;  ///< what follows "#!" in the first line, at most 254 bytes
};

/// A view of the file system.
class PathProbe {
  public:
    PathProbe() = default;
    PathProbe(const PathProbe&) = delete;
    PathProbe& operator=(const PathProbe&) = delete;
    virtual ~PathProbe() = default;

    /// The facts of an absolute path, links followed. Never fails: what cannot be found out is
    /// kForbidden or kUnknown. Never blocks on a FIFO or device.
    virtual FileFacts look(const std::string& path) const = 0;
};

/// The real file system: one stat, and for a regular file one read of its first 256 bytes.
class SystemPathProbe final : public PathProbe {
  public:
    FileFacts look(const std::string& path) const override;
};

/// What is to be executed.
struct ResolvedCommand {
    std::string executable;              ///< absolute, for execve(2)
    std::vector<std::string> arguments;  ///< argv, the executable first
    /// The interpreter's absolute path; none: the script executes itself.
    std::optional<std::string> interpreter;
    /// Set these unless the app's environment has them: PYTHONUNBUFFERED=1 for Python, as PM2 does,
    /// so that what a script prints reaches its log at once.
    std::map<std::string, std::string> default_environment;
};

/// The interpreters for a script's extension, the preferred one first; empty: none is needed or
/// known. With a '/' a name is relative to the app's directory, else it is searched on PATH.
///
/// sh bash → bash, py → python3 python, rb, php, pl, js cjs mjs → node, ts tsx mts cts → bun, the
/// project's or PATH's tsx and ts-node, coffee, ls → lsc.
///
/// Source  PM2 7 (process-managers.md section 2.2); `python` alone is absent from Debian 12.
std::span<const std::string_view> interpreters_for(std::string_view script);

/// Decides what runs for `spec`.
///
/// 1. `script` is a path from `cwd`; a name without '/' that is not there is searched on PATH; a
///    command line (it holds a blank, and no such file exists) runs as
///    `bash -c SCRIPT NAME ARGS...`, or with sh.
/// 2. `interpreter` decides; without one the extension does; else the file executes itself, for
///    which it needs an x bit and must be a program the kernel can start: ELF, `#!` with an
///    interpreter that exists, or something that is not text.
///
/// @param path_variable  PATH of the app's environment. Relative entries start from `cwd`, an empty
///         one means it.
/// Errors  kNotFound: cwd, script or interpreter is missing; for what was searched the directories
///         are named. kForbidden: the daemon may not look. kInvalidArgument: cwd is no
///         directory, script is a directory, a device or not executable. Each has a hint as its
///         Detail; nothing else is touched.
/// Source  PM-14, PM-62; execve(2), PM2's behaviour for the order.
core::Result<ResolvedCommand> resolve_command(const AppSpec& spec, const PathProbe& probe,
                                              std::string_view path_variable);

/// Whether Linux will take these arguments and this environment ("NAME=value") in one execve(2):
/// each text at most 131,071 bytes; all with their NULs and pointers at most a quarter of the stack
/// limit, 6 MiB at most, 128 KiB at least.
///
/// @param stack_limit  the app's soft RLIMIT_STACK in bytes; none is unlimited.
/// Errors  kTooLarge names the size, the limit and what is largest; no value is quoted.
/// Source  execve(2) "Limits on size of arguments and environment".
core::Result<void> check_exec_size(std::span<const std::string> arguments,
                                   std::span<const std::string> environment,
                                   std::optional<std::uint64_t> stack_limit);

}  // namespace zona::process
