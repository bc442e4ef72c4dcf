// The values of request bodies that fit their shapes, and what a shape cannot say about them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/fwd.hpp>

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

core::Result<StartBody> read_start(const boost::json::value& body, int cpus);
core::Result<process::OperationRequest> read_operation(const boost::json::value& body);
/// An optional text; empty if it is not there.
std::string text_of(const boost::json::object& body, const char* key);
/// An optional boolean.
bool read_flag(const boost::json::value& body, std::string_view key, bool otherwise = false);
std::vector<std::pair<std::string, core::LogLevel>> read_log_levels(const boost::json::value& body);

}  // namespace zona::api
