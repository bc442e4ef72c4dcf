/// @file
/// Which zona a command is for: this host's, or another one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/detail/options.h"
#include "cli/detail/remote.h"
#include "core/result.h"

namespace zona::cli {

/// What decided it. The first one that is given counts, in this order.
enum class PlaceSource : std::uint8_t {
    kHostFlag,
    kContextFlag,
    kHomeFlag,  ///< --home is a place of this host
    kHostVariable,
    kContextVariable,
    kCurrentContext,
    kNothing,  ///< so it is this host
};

/// "--host", "ZONA_CONTEXT", "the current context", ...
std::string_view to_string(PlaceSource source);

struct Place {
    PlaceSource source = PlaceSource::kNothing;
    std::optional<Remote> remote;  ///< none: this host
};

/// Where a command line that was typed in `environment` is for. Reads the contexts' file only when
/// neither a flag nor ZONA_HOST says it.
///
/// --key-file, --ca-file, --fingerprint, --client-cert, --client-key and --insecure go before what
/// the context says, and that before ZONA_CLIENT_CERT and ZONA_CLIENT_KEY, which are for https;
/// relative names of files start from `cwd`.
/// Errors: kInvalidArgument: flags that exclude each other or lead nowhere, a URL of another form,
/// what check() refuses; kNotFound: no such context; those of read_contexts().
core::Result<Place> find_place(const GlobalOptions& global,
                               std::span<const std::string> environment, std::string_view user_home,
                               std::string_view cwd);

/// Puts what the flags say into `remote`. Errors: kInvalidArgument for a malformed fingerprint.
core::Result<void> apply_flags(const GlobalOptions& global, std::string_view cwd, Remote& remote);

}  // namespace zona::cli
