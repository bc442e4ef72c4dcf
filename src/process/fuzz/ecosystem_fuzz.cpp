#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string>
#include <string_view>

#include "core/text.h"
#include "process/app_spec.h"
#include "process/detail/app_spec_json.h"
#include "process/ecosystem.h"
#include "process/selector.h"

namespace {

using namespace zona;

void require(bool holds) {
    if (!holds) std::abort();
}

/// What the supervisor relies on, whatever the file says.
void check(const core::Result<process::Ecosystem>& result) {
    if (!result.has_value()) {
        require(!result.error().message().empty());
        require(core::is_valid_utf8(result.error().message()));
        return;
    }
    require(!result->apps.empty());
    for (const process::AppSpec& spec : result->apps) {
        require(process::validate(spec, process::NameRule::kForeign).has_value());
        require(process::path_safe_name(spec.name).find('/') == std::string::npos);
        const auto again = process::detail::app_spec_from_json(process::detail::to_json(spec));
        require(again.has_value() && again->spec == spec);
    }
}

}  // namespace

/// The first byte chooses the syntax and the rules, the rest is the text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::string_view kNames[] = {"a.json",    "a.yaml",    "a.toml",
                                           "zona.json", "zona.yaml", "zona.toml"};
    constexpr std::size_t kFiles = std::size(kNames);
    if (size == 0) return 0;
    const std::size_t choice = data[0] % (kFiles + 2);
    const std::string text(reinterpret_cast<const char*>(data + 1), size - 1);
    process::EcosystemInput input{"", text, "/srv/app", 2, {{"HOME", "/home/a"}, {"A", "1"}}};
    if (choice < kFiles) {
        input.name = kNames[choice];
        check(process::parse_ecosystem(input));
    } else if (choice == kFiles) {
        check(process::parse_apps(input));
    } else if (const auto selector = process::Selector::parse(text); selector.has_value()) {
        const process::SelectableProcess one{7, {}, "api-worker.1", "default"};
        (void)selector->match({&one, 1});
    }
    return 0;
}
