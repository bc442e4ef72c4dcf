// The request bodies of docs/api.md, checked.
#pragma once

#include <string_view>
#include <vector>

#include "core/log_level.h"
#include "core/result.h"
#include "process/log_tail.h"
#include "process/supervisor.h"

namespace zona::api {

inline constexpr std::size_t kTailLines = 10;

struct StartBody {
    process::StartRequest request;
    std::vector<std::string> warnings;
};

core::Result<StartBody> read_start(std::string_view body, int cpus);
core::Result<process::OperationRequest> read_operation(std::string_view body);
/// One optional boolean of an otherwise empty object.
core::Result<bool> read_flag(std::string_view body, std::string_view key);
core::Result<std::vector<std::pair<std::string, core::LogLevel>>> read_log_levels(
    std::string_view body);

}  // namespace zona::api
