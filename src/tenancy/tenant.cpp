#include "tenancy/tenant.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::array<std::string_view, 2> kBuildTypes = {"MSSP", "SINGLE_TENANT"};
constexpr std::array<std::string_view, 3> kStatuses = {"active", "inactive", "suspended"};
constexpr std::array<std::string_view, 3> kConnections = {"connected", "disconnected", "error"};

/// The value of an enumeration whose names stand in `names`, in its order.
template <class T, std::size_t N>
Result<T> parse(std::string_view text, const std::array<std::string_view, N>& names,
                std::string_view what) {
    const auto found = std::ranges::find(names, text);
    if (found != names.end()) return static_cast<T>(found - names.begin());
    return Error(Code::kInvalidArgument,
                 fmt::format("'{}' is no {}: it is one of {}", text, what, fmt::join(names, ", ")));
}

}  // namespace

std::string_view to_string(BuildType type) {
    return kBuildTypes.at(static_cast<std::size_t>(type));
}

Result<BuildType> parse_build_type(std::string_view text) {
    return parse<BuildType>(text, kBuildTypes, "build type");
}

std::string_view to_string(TenantStatus status) {
    return kStatuses.at(static_cast<std::size_t>(status));
}

Result<TenantStatus> parse_tenant_status(std::string_view text) {
    return parse<TenantStatus>(text, kStatuses, "status of a tenant");
}

std::string_view to_string(ConnectionStatus status) {
    return kConnections.at(static_cast<std::size_t>(status));
}

Result<store::Scope> scope_of(std::string_view code) {
    std::string folded(code);
    for (char& c : folded) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return store::Scope::tenant(folded);
}

}  // namespace zona::tenancy
