/// @file
/// The command `zona` for another host: the same verbs over TCP and TLS.
#pragma once

#include "cli/command.h"

namespace zona::cli {

/// As run_command(), for a command line that is for another zona (--host, a context, the
/// environment; docs/cli.md). It is what run_command() hands over to: a program of its own, so that
/// the command for this host loads no TLS. Starts no daemon. Exit statuses as there; beside them 5
/// when the certificate is not trusted or the key is not taken, 6 when the host cannot be reached,
/// 8 when it does not answer.
int run_remote_command(const Surroundings& surroundings);

}  // namespace zona::cli
