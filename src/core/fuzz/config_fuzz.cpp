// Any bytes as zona.toml and zona.yaml: either values or mistakes with a place and a problem, never
// a crash.
#include <cstdlib>

#include "core/detail/config_loader.h"
#include "core/settings.h"

namespace {

using namespace zona::core;

void check(const std::string& path, std::string_view text) {
    const ConfigInputs inputs;
    detail::ConfigLoader loader(daemon_settings(), inputs);
    loader.read_text(path, text);
    const auto snapshot = loader.load();
    if (snapshot) {
        Settings::from(**snapshot);
        if ((*snapshot)->entries().empty()) std::abort();
        return;
    }
    if (snapshot.error().details().empty()) std::abort();
    for (const Detail& detail : snapshot.error().details()) {
        if (detail.problem.empty()) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    check("zona.toml", text);
    check("zona.yaml", text);
    return 0;
}
