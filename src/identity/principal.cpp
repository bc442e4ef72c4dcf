#include "identity/principal.h"

namespace zona::identity {

std::string_view to_string(Scope scope) {
    return scope == Scope::kAdmin ? "admin" : "viewer";
}

std::optional<Scope> scope_from(std::string_view name) {
    if (name == "admin") return Scope::kAdmin;
    if (name == "viewer") return Scope::kViewer;
    return std::nullopt;
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
