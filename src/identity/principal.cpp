#include "identity/principal.h"

#include <algorithm>
#include <array>

namespace zona::identity {

namespace {

constexpr std::array<std::string_view, 3> kScopeNames{"viewer", "admin", "limited"};

}  // namespace

std::string_view to_string(Scope scope) {
    return kScopeNames.at(static_cast<std::size_t>(scope));
}

std::optional<Scope> scope_from(std::string_view name) {
    const auto* const at = std::ranges::find(kScopeNames, name);
    if (at == kScopeNames.end()) return std::nullopt;
    return static_cast<Scope>(at - kScopeNames.begin());
}

std::string Principal::to_string() const {
    switch (kind) {
        case Kind::kLocalUser:
            return name;
        case Kind::kApiKey:
            return "key " + name;
        case Kind::kAnybody:
            return "anybody";
        case Kind::kUser:
            return "user " + name + (tenant.empty() ? "" : " of " + tenant);
    }
    return "nobody";
}

}  // namespace zona::identity
