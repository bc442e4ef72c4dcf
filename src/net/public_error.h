/// @file
/// What an error says to somebody who is not on this host: the same without the paths of files.
///
/// Messages may name paths, which helps whoever sits before the machine. Over TCP they do not
/// (PM-64, SEC-30). It is done where errors leave, not where they are made: so no error, however it
/// came about, can be forgotten. What looks like an absolute path (`/...`, `~/...`) is taken out,
/// up to its closing quote, or, where it has none, up to the next `: `, `; `, `, `, `)`, ` (` or
/// the end: rather a word too many than a part of a path. A path stays that the request itself
/// holds.
///
/// Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"
#include "net/http.h"

namespace zona::net {

/// `error` as the sender of `request` may read it: whole over the unix socket, else message,
/// problems, hints and places without paths. Code and system error stay.
core::Error shown_to(const Request& request, const core::Error& error);

/// `text` with "(a path on the host)" for each path that does not occur in `known`.
std::string without_paths(std::string_view text, std::string_view known = {});

}  // namespace zona::net
