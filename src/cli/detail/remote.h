/// @file
/// Another zona, as a command reaches it: where it is, whom to believe there, which key to show.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cli/detail/console.h"
#include "cli/detail/options.h"
#include "core/result.h"
#include "core/secret.h"
#include "net/transport.h"

namespace zona::cli {

/// One other zona. The key itself is not part of it.
struct Remote {
    std::string name;  ///< of its context; empty when it was given by its URL alone
    net::RemoteEndpoint endpoint;
    std::string key_file;     ///< empty: the environment has it, or there is none
    std::string ca_file;      ///< empty: the host's own authorities
    std::string fingerprint;  ///< SHA-256, 64 digits in hex; empty: none is pinned
    std::string client_cert;  ///< a file in PEM; empty: no certificate is shown
    std::string client_key;   ///< its key; empty: in the same file
    Unprotected unprotected = Unprotected::kRefused;

    /// "https://zona.example:8063".
    std::string url() const;
    /// For people: "prod (https://zona.example:8063)", or the URL alone.
    std::string label() const;
    /// The flags that select it again: "--context prod", "--host https://...".
    std::string flags() const;
};

/// Reads `https://HOST[:PORT]`, `http://HOST[:PORT]` and `HOST[:PORT]`, which is https unless HOST
/// is a loopback address or `localhost`. Without a port: 8063.
/// Errors: kInvalidArgument for anything else; a text that may hold a password is not repeated.
core::Result<net::RemoteEndpoint> parse_host(std::string_view text);

/// 64 digits in lower case. Errors: kInvalidArgument: not a SHA-256 in hex, with or without colons.
core::Result<std::string> parse_fingerprint(std::string_view text);

/// Whether what was said fits together. Errors, kInvalidArgument: http beyond this host without
/// permission; an authority, a fingerprint or a client's certificate for http; a client's key
/// without its certificate.
core::Result<void> check(const Remote& remote);

/// The key for `remote`: of its file, else of the file that ZONA_KEY_FILE names, else ZONA_API_KEY;
/// empty when there is none of them. `cwd`: what relative names start from. A file that others may
/// read is warned about. Errors name the file, never what is in it: from errno, kInvalidArgument
/// when it does not hold one key.
core::Result<core::Secret> read_key(const Remote& remote, std::span<const std::string> environment,
                                    std::string_view cwd, Console& console);

/// Warns of a private file that others may read; `what` is in it.
void warn_of_readers(const std::string& path, std::string_view what, Console& console);

/// The value of a variable; empty when it is not set.
std::string_view variable(std::span<const std::string> environment, std::string_view name);

/// `name` below `cwd` unless it is absolute, without "." and "..".
std::string absolute_path(std::string_view cwd, const std::string& name);

}  // namespace zona::cli
