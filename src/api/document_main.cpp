// Prints what the declarations say: api-document openapi|tables|errors. For
// scripts/generate-api-doc.
#include <cstdio>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "api/daemon_api.h"
#include "core/json.h"

int main(int argc, char** argv) {
    using namespace zona;
    const std::string_view wanted = argc == 2 ? argv[1] : "";
    api::Service service(ZONA_VERSION);
    if (!api::declare_daemon_routes(service)) return 1;
    std::string out;
    if (wanted == "openapi") {
        auto document = core::parse_json(service.openapi());
        if (!document) return 1;
        out = core::to_json(*document, core::JsonLayout::kIndented) + "\n";
    } else if (wanted == "tables") {
        out = service.tables();
    } else if (wanted == "errors") {
        out = core::render_errors_markdown();
    } else {
        return 2;
    }
    return std::fwrite(out.data(), 1, out.size(), stdout) == out.size() ? 0 : 1;
}
