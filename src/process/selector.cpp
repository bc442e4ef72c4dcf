#include "process/selector.h"

#include <algorithm>
#include <charconv>
#include <regex>
#include <set>

#include <fmt/format.h>

#include "core/text.h"
#include "process/detail/printable.h"

namespace zona::process {
namespace {

using detail::quoted;

core::Error unusable(std::string_view text, std::string problem, std::string hint = {}) {
    core::Error error(core::Code::kInvalidArgument,
                      fmt::format("selector {}: {}", quoted(text), problem));
    error.detail({"select", std::move(problem), std::move(hint)});
    return error;
}

bool all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// The product of the numbers in braces outside of character classes, at least 1.
std::size_t repetition(std::string_view expression) {
    std::size_t product = 1;
    bool in_class = false;
    for (std::size_t i = 0; i < expression.size(); ++i) {
        const char c = expression[i];
        if (c == '\\') {
            ++i;
        } else if (c == '[' || c == ']') {
            in_class = c == '[';
        } else if (c == '{' && !in_class) {
            std::size_t most = 1;
            std::size_t number = 0;
            for (++i; i < expression.size() && expression[i] != '}'; ++i) {
                const bool digit = expression[i] >= '0' && expression[i] <= '9';
                number =
                    digit ? std::min<std::size_t>(
                                number * 10 + static_cast<std::size_t>(expression[i] - '0'), 1000)
                          : 0;
                most = std::max(most, number);
            }
            product = std::min<std::size_t>(product * most, 1000);
        }
    }
    return product;
}

}  // namespace

struct Selector::Expression {
    std::regex regex;
};

core::Result<Selector> Selector::parse(std::string_view text) {
    if (text.empty())
        return unusable(text, "is empty", "name a process, an id, a namespace or all");
    if (text.size() > kMaxBytes) {
        return unusable(text, fmt::format("has {} bytes; the limit is {}", text.size(), kMaxBytes));
    }
    if (core::has_control_characters(text) || !core::is_valid_utf8(text)) {
        return unusable(text, "holds a control character or bytes that are not UTF-8");
    }
    Selector out;
    out.text_ = std::string(text);
    out.wanted_ = out.text_;
    if (text == "all") {
        out.kind_ = Kind::kAll;
    } else if (all_digits(text)) {
        out.kind_ = Kind::kNumber;
        const auto [end, error] =
            std::from_chars(text.data(), text.data() + text.size(), out.pm_id_);
        if (error != std::errc()) return unusable(text, "is over the largest pm_id, 4294967295");
    } else if (const auto id = core::Uuid::parse(text); id.has_value()) {
        out.kind_ = Kind::kUuid;
        out.id_ = *id;
    } else if (text.starts_with("ns:")) {
        out.kind_ = Kind::kNamespace;
        out.wanted_ = std::string(text.substr(3));
        if (out.wanted_.empty()) return unusable(text, "names no namespace", "write ns:NAMESPACE");
    } else if (text.size() >= 2 && text.front() == '/' && text.back() == '/') {
        out.kind_ = Kind::kExpression;
        out.wanted_ = std::string(text.substr(1, text.size() - 2));
        if (out.wanted_.empty())
            return unusable(text, "is an empty expression", "all selects everything");
        if (repetition(out.wanted_) > kMaxRepetition) {
            return unusable(text,
                            fmt::format("its repetitions multiply to more than {}", kMaxRepetition),
                            "use * or + in place of {n}");
        }
        try {
            // libstdc++'s automaton without backtracking: time stays polynomial, and back
            // references throw.
            out.expression_ = std::make_shared<Expression>(std::regex(
                out.wanted_, std::regex::ECMAScript | std::regex_constants::__polynomial));
        } catch (const std::regex_error& error) {
            return unusable(text, fmt::format("is not a usable expression: {}", error.what()),
                            "JavaScript's syntax, without back references");
        }
    }
    return out;
}

bool Selector::selects(const SelectableProcess& process) const {
    switch (kind_) {
        case Kind::kAll:
            return true;
        case Kind::kNumber:
            return process.pm_id == pm_id_;
        case Kind::kUuid:
            return process.id == id_;
        case Kind::kExpression:
            return std::regex_search(process.name.begin(), process.name.end(), expression_->regex);
        case Kind::kNamespace:
        case Kind::kName:
            return process.namespace_ == wanted_;
    }
    return false;
}

core::Result<std::vector<std::size_t>> Selector::match(
    std::span<const SelectableProcess> processes) const {
    std::vector<std::size_t> indexes;
    const auto collect = [&](auto&& wanted) {
        for (std::size_t i = 0; i < processes.size(); ++i) {
            if (wanted(processes[i])) indexes.push_back(i);
        }
    };
    const auto by_kind = [this](const SelectableProcess& process) { return selects(process); };
    const auto by_name = [this](const SelectableProcess& process) { return process.name == text_; };
    if (kind_ == Kind::kUuid) {
        collect(by_kind);
        if (indexes.empty()) collect(by_name);
    } else {
        if (kind_ != Kind::kAll && kind_ != Kind::kNumber) collect(by_name);
        try {
            if (indexes.empty()) collect(by_kind);
        } catch (const std::regex_error& error) {
            return unusable(text_, fmt::format("is too costly an expression: {}", error.what()));
        }
    }
    if (indexes.empty() && kind_ != Kind::kAll) return not_found(processes);
    return indexes;
}

core::Error Selector::not_found(std::span<const SelectableProcess> processes) const {
    std::set<std::string> names;
    for (const SelectableProcess& process : processes) {
        if (kind_ != Kind::kNamespace) names.emplace(process.name);
        if (kind_ != Kind::kExpression) names.emplace(process.namespace_);
    }
    std::vector<std::string> candidates(names.begin(), names.end());
    std::string problem;
    switch (kind_) {
        case Kind::kNumber:
            problem = fmt::format("no process has the id {}", pm_id_);
            break;
        case Kind::kNamespace:
            problem = fmt::format("there is no namespace {}", quoted(wanted_));
            break;
        case Kind::kExpression:
            problem = fmt::format("no process has a name that matches {}", quoted(text_));
            break;
        default:
            problem = fmt::format("there is no process or namespace {}", quoted(wanted_));
    }
    core::Error error(core::Code::kNotFound, problem);
    if (kind_ == Kind::kName || kind_ == Kind::kNamespace) {
        // The nearest first, then the next nearest, three at most.
        std::size_t hints = 0;
        while (hints < 3) {
            const auto near = core::nearest(wanted_, candidates);
            if (!near.has_value()) break;
            error.detail({text_, problem, fmt::format("did you mean {}?", quoted(*near))});
            std::erase(candidates, *near);
            ++hints;
        }
        if (hints > 0) return error;
    }
    error.detail({text_, problem,
                  processes.empty() ? "no process is managed" : "zona list shows what there is"});
    return error;
}

core::Result<std::vector<std::size_t>> select_processes(
    std::span<const std::string> texts, std::span<const SelectableProcess> processes) {
    std::set<std::size_t> chosen;
    for (const std::string& text : texts) {
        ZONA_TRY(const Selector selector, Selector::parse(text));
        ZONA_TRY(const std::vector<std::size_t> indexes, selector.match(processes));
        chosen.insert(indexes.begin(), indexes.end());
    }
    std::vector<std::size_t> out(chosen.begin(), chosen.end());
    if (texts.empty()) {
        for (std::size_t i = 0; i < processes.size(); ++i)
            out.push_back(i);
    }
    return out;
}

}  // namespace zona::process
