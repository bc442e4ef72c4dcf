/// @file
/// The named contexts: which other zonas this user knows, and which one commands are for.
///
/// One small JSON file, ${XDG_CONFIG_HOME:-~/.config}/zona/contexts.json, mode 0600. It names files
/// of keys and certificates and never holds a key.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/detail/remote.h"
#include "core/result.h"

namespace zona::cli {

/// The context that is always there: the zona of this host.
inline constexpr std::string_view kLocalContext = "local";

struct Contexts {
    std::string current{kLocalContext};
    std::vector<Remote> others;  ///< each with a name of its own, in the order of their adding

    /// nullptr when there is none of that name.
    const Remote* find(std::string_view name) const;
};

/// Where the file is for a user with this environment; empty when there is no home.
std::string contexts_path(std::span<const std::string> environment, std::string_view user_home);

/// Errors: kInvalidArgument: not what contexts_text() writes; the message says where it is not.
core::Result<Contexts> parse_contexts(std::string_view text);
std::string contexts_text(const Contexts& contexts);

/// No file is no contexts. Errors: kConflict, naming the file, when it is damaged; from errno.
core::Result<Contexts> read_contexts(const std::string& path);
/// Replaces the file as a whole. Errors: from errno.
core::Result<void> write_contexts(const std::string& path, const Contexts& contexts);

/// Errors: kInvalidArgument: not 1 to 64 of [A-Za-z0-9._-], or a dash at its beginning.
core::Result<void> check_context_name(std::string_view name);
/// kNotFound, with the nearest name.
core::Error no_such_context(const Contexts& contexts, std::string_view name);

}  // namespace zona::cli
