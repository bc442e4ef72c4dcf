/// @file
/// The bodies of journal records: what each change writes, and what it does when it is read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "process/detail/state_model.h"

namespace zona::process::detail {

/// `body`: the app's content, for an app that the files do not have yet; else nullptr.
std::string encode_put(const StoredProcess& process, AppKey app, const StoredApp* body);
std::string encode_remove(const core::Uuid& id);
std::string encode_desired(const core::Uuid& id, Desired desired);
std::string encode_kill();
std::string encode_forget_killed();

/// Carries a record out. A change of a process that is not there (because its own record could not
/// be read) changes nothing.
/// Errors  kInvalidArgument: not a record of this format; nothing changed, but for an app without
/// uses.
core::Result<void> apply_record(std::string_view body, StateModel& model,
                                std::vector<std::string>& warnings);

/// What a record does, for the list of what was lost: `start of web (pm_id 3)`.
std::string describe_record(std::string_view body, const StateModel& model);

}  // namespace zona::process::detail
