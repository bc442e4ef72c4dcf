// The JSON shapes of docs/api.md.
#pragma once

#include <boost/json/fwd.hpp>
#include <boost/json/value.hpp>

#include "api/daemon_api.h"
#include "net/http.h"
#include "os/host.h"
#include "process/doctor.h"
#include "process/supervisor.h"

namespace zona::api {

boost::json::value render(const process::ProcessView& process);
boost::json::value render(const process::ExitView& exit);
boost::json::value render(const process::ProcessEvent& event);
boost::json::value render(const process::Outcome& outcome);
boost::json::value render(const process::StartReply& reply,
                          const std::vector<std::string>& warnings);
/// As the sender of `request` may see it.
boost::json::value render(const process::OperationResult& result, const net::Request& request);
boost::json::value render(const core::Error& error);
boost::json::value render(const process::HostCheck& check);
boost::json::value render(const Network& network);
boost::json::array render(const std::vector<std::string>& strings);

boost::json::value render(const os::HostState& host, int cpus);

template <class T, class... Rest>
boost::json::array render_all(const std::vector<T>& items, const Rest&... rest) {
    boost::json::array out;
    out.reserve(items.size());
    for (const T& item : items)
        out.push_back(render(item, rest...));
    return out;
}

}  // namespace zona::api
