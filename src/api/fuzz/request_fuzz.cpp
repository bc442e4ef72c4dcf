// Any bytes as the body, and as the query, of every operation: whatever is refused names a mistake,
// and what is taken fits the shape that the documents show.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include <boost/json.hpp>

#include "api/daemon_api.h"
#include "core/json.h"

namespace {

using namespace zona;

void require(bool truth) {
    if (!truth) std::abort();
}

const api::Service& service() {
    static const auto made = [] {
        api::Service out("1");
        require(api::declare_daemon_routes(out).has_value());
        return out;
    }();
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const auto operations = service().operations();
    const api::Operation& operation = *operations[data[0] % operations.size()];
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    net::Request request;
    request.method = operation.method;
    request.body = std::string(text);
    const std::string value(text.substr(0, 64));
    for (const api::ParameterSpec& parameter : operation.parameters)
        request.query.push_back({parameter.name, value});
    api::Call call(request, operation);
    if (auto read = call.read(service().components()); !read) {
        require(!read.error().message().empty());
        (void)core::to_json(boost::json::value(read.error().message()));
        return 0;
    }
    if (!operation.body) return 0;
    require(api::mistakes_of(call.body(), operation.body->shape, service().components()).empty());
    return 0;
}
