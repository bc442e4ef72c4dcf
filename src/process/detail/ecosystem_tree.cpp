#include "process/detail/ecosystem_tree.h"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

namespace zona::process::detail {

std::string_view describe(Kind kind) {
    switch (kind) {
        case Kind::kNull:
            return "nothing";
        case Kind::kBool:
            return "a boolean";
        case Kind::kInteger:
        case Kind::kFloat:
            return "a number";
        case Kind::kString:
            return "a string";
        case Kind::kList:
            return "a list";
        case Kind::kMap:
            return "an object";
    }
    return "a value";
}

const Node* Node::find(std::string_view key) const {
    const auto backwards = std::ranges::reverse_view(map);
    const auto entry = std::ranges::find(backwards, key, &Entry::key);
    return entry == backwards.end() ? nullptr : &entry->value;
}

std::string place(std::string_view file, Position at) {
    if (at.line == 0) return std::string(file);
    if (at.column == 0) return fmt::format("{}:{}", file, at.line);
    return fmt::format("{}:{}:{}", file, at.line, at.column);
}

core::Error syntax_error(std::string_view file, Position at, std::string problem,
                         std::string hint) {
    core::Error error(core::Code::kInvalidArgument,
                      fmt::format("{}: {}", place(file, at), problem));
    error.detail({place(file, at), std::move(problem), std::move(hint)});
    return error;
}

}  // namespace zona::process::detail
