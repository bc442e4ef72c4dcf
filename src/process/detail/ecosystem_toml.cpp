#define TOML_EXCEPTIONS 0
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "process/detail/ecosystem_tree.h"

namespace zona::process::detail {
namespace {

Position position(const toml::source_region& source) {
    return {static_cast<int>(source.begin.line), static_cast<int>(source.begin.column)};
}

/// Copies toml++'s tree; the first limit that is passed ends it and stands in `problem`.
class Copier {
  public:
    explicit Copier(std::string_view file) : file_(file) {}

    bool copy(const toml::node& from, Node& to) {
        to.at = position(from.source());
        if (++nodes_ > TreeLimits::kNodes) {
            return fail(to.at, fmt::format("more than {} values", TreeLimits::kNodes),
                        "split the file");
        }
        if (!from.is_table() && !from.is_array()) {
            scalar(from, to);
            return true;
        }
        if (depth_ >= TreeLimits::kDepth) {
            return fail(to.at, fmt::format("nested more than {} levels deep", TreeLimits::kDepth),
                        {});
        }
        ++depth_;
        const bool good =
            from.is_table() ? table(*from.as_table(), to) : array(*from.as_array(), to);
        --depth_;
        return good;
    }

    std::optional<core::Error> problem;

  private:
    bool fail(Position at, std::string text, std::string hint) {
        problem = syntax_error(file_, at, std::move(text), std::move(hint));
        return false;
    }

    bool table(const toml::table& from, Node& to) {
        to.kind = Kind::kMap;
        for (const auto& [key, value] : from) {
            Entry& entry = to.map.emplace_back();
            entry.key = std::string(key.str());
            entry.at = position(key.source());
            if (!copy(value, entry.value)) return false;
        }
        return true;
    }

    bool array(const toml::array& from, Node& to) {
        to.kind = Kind::kList;
        for (const toml::node& item : from) {
            if (!copy(item, to.list.emplace_back())) return false;
        }
        return true;
    }

    static void scalar(const toml::node& from, Node& to) {
        if (const auto* text = from.as_string()) {
            to.kind = Kind::kString;
            to.text = text->get();
        } else if (const auto* flag = from.as_boolean()) {
            to.kind = Kind::kBool;
            to.text = flag->get() ? "true" : "false";
        } else if (const auto* number = from.as_integer()) {
            to.kind = Kind::kInteger;
            to.text = std::to_string(number->get());
        } else if (const auto* real = from.as_floating_point()) {
            to.kind = Kind::kFloat;
            to.text = fmt::format("{}", real->get());
        } else {
            std::ostringstream out;
            if (const auto* date = from.as_date()) out << date->get();
            if (const auto* time = from.as_time()) out << time->get();
            if (const auto* both = from.as_date_time()) out << both->get();
            to.kind = Kind::kString;
            to.text = out.str();
        }
    }

    std::string_view file_;
    int depth_ = 0;
    std::size_t nodes_ = 0;
};

}  // namespace

core::Result<Node> read_toml(std::string_view text, std::string_view file) {
    const toml::parse_result parsed = toml::parse(text);
    if (!parsed) {
        const toml::parse_error& error = parsed.error();
        return syntax_error(file, position(error.source()), std::string(error.description()));
    }
    Node root;
    Copier copier(file);
    if (!copier.copy(parsed.table(), root)) return std::move(*copier.problem);
    return root;
}

}  // namespace zona::process::detail
