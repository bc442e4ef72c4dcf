#include "store/value.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/json.h"

namespace zona::store {
namespace {

constexpr std::string_view kCore = "core";
constexpr std::size_t kMaxCode = 64;

bool is_code_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

Scope Scope::core() {
    return Scope(std::string(kCore));
}

core::Result<Scope> Scope::tenant(std::string_view code) {
    if (code.empty() || code.size() > kMaxCode || !std::ranges::all_of(code, is_code_character) ||
        code.front() == '_' || code.front() == '-') {
        return core::Error(
            core::Code::kInvalidArgument,
            "not a tenant's code: it is 1 to 64 of a-z, 0-9, '_' and '-', and begins "
            "with a letter or digit");
    }
    if (code == kCore) {
        return core::Error(core::Code::kInvalidArgument,
                           "'core' is not a tenant: it names the installation's own data");
    }
    return Scope(std::string(code));
}

std::string to_string(const Id& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id)) return fmt::format("{}", *number);
    std::string out;
    core::append_json_string(out, std::get<std::string>(id));
    return out;
}

bool Path::is_in(const Path& other) const {
    return std::ranges::mismatch(keys_, other.keys_).in2 == other.keys_.end();
}

std::string Path::pointer() const {
    std::string out;
    for (const std::string& key : keys_)
        out = core::pointer_to(out, key);
    return out;
}

}  // namespace zona::store
