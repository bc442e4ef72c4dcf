/// @file
/// Labelled fault points: places where a test lets the program kill itself.
///
/// `ZONA_FAULT("capture.before_splice")` compiles to nothing in a release. With ZONA_FAULTS (the
/// presets check, asan, tsan and coverage) it counts its hits, and when the environment variable
/// `ZONA_FAULT="label:N[,label2:M]"` names the label, the N-th hit (from 1) ends the process by
/// SIGKILL, as an outside `kill -9` at exactly this instruction would. Unset, a point costs one
/// load of a constant bool.
///
/// Labels are `module.place`, lower case; a label may stand at several places, which then share one
/// count. With ZONA_FAULT_FILE=PATH instead, the list is the first line of that file, and the label
/// that ends the process is appended to PATH.hits. Both are read once, at the first point that is
/// passed. Any thread. Source: REL-20, REL-21 (nothing is lost when a part dies at any
/// instruction).
#pragma once

#ifdef ZONA_FAULTS

#include <string_view>

namespace zona::core {

/// One pass of the point `label`. Async-signal-unsafe.
void fault_point(std::string_view label);

}  // namespace zona::core

/// One pass of the point `label`; nothing in a release.
#define ZONA_FAULT(label) ::zona::core::fault_point(label)

#else

/// One pass of the point `label`: nothing here, in a release.
#define ZONA_FAULT(label) static_cast<void>(0)

#endif

namespace zona::core {

/// Whether this is a build for tests, which may pay for checks that a release leaves out.
#ifdef ZONA_FAULTS
inline constexpr bool kFaultsBuiltIn = true;
#else
inline constexpr bool kFaultsBuiltIn = false;
#endif

}  // namespace zona::core
