#include "process/app_spec.h"

#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "core/text.h"
#include "process/detail/printable.h"

namespace zona::process {
namespace {

using core::Detail;
using detail::quoted;

constexpr std::array kLimitNames = std::to_array<LimitName>({
    {"as", RLIMIT_AS},
    {"core", RLIMIT_CORE},
    {"cpu", RLIMIT_CPU},
    {"data", RLIMIT_DATA},
    {"fsize", RLIMIT_FSIZE},
    {"locks", RLIMIT_LOCKS},
    {"memlock", RLIMIT_MEMLOCK},
    {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},
    {"nofile", RLIMIT_NOFILE},
    {"nproc", RLIMIT_NPROC},
    {"rss", RLIMIT_RSS},
    {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},
    {"sigpending", RLIMIT_SIGPENDING},
    {"stack", RLIMIT_STACK},
});

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_alnum(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool has_parent_component(std::string_view path) {
    std::size_t begin = 0;
    while (begin <= path.size()) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        if (path.substr(begin, end - begin) == "..") return true;
        begin = end + 1;
    }
    return false;
}

/// Collects the problems of one spec.
class Checker {
  public:
    Checker(NameRule rule, ValueDisplay display) : rule_(rule), display_(display) {}

    void problem(std::string where, std::string text, std::string hint = {}) {
        problems_.push_back({std::move(where), std::move(text), std::move(hint)});
    }

    /// NUL and bytes that are not UTF-8: neither a state file nor an answer could carry them.
    bool text(std::string where, std::string_view value) {
        if (value.find('\0') != std::string_view::npos) {
            problem(std::move(where), "holds a NUL byte");
            return false;
        }
        if (!core::is_valid_utf8(value)) {
            problem(std::move(where), "is not valid UTF-8");
            return false;
        }
        return true;
    }

    bool line(std::string where, std::string_view value, std::size_t most) {
        if (value.empty()) {
            problem(std::move(where), "is empty");
        } else if (value.size() > most) {
            problem(std::move(where),
                    fmt::format("has {} bytes; the limit is {}", value.size(), most));
        } else if (!core::is_valid_utf8(value)) {
            problem(std::move(where), "is not valid UTF-8");
        } else if (core::has_control_characters(value)) {
            problem(std::move(where), fmt::format("{} holds a control character", shown(value)),
                    "remove line ends, tabs and other invisible characters");
        } else {
            return true;
        }
        return false;
    }

    void name(const std::string& where, std::string_view value) {
        if (!line(where, value, SpecLimits::kNameBytes)) return;
        if (value == "all") {
            problem(where, "\"all\" is the word for every process", "choose another name");
        } else if (has_parent_component(value)) {
            problem(where, fmt::format("{} has a \"..\" component", shown(value)),
                    "choose a name without \"..\"");
        } else if (rule_ == NameRule::kNative) {
            native_name(where, value);
        }
    }

    void process_name(std::string_view value) {
        name("name", value);
        if (!value.empty() && std::ranges::all_of(value, is_digit)) {
            problem("name",
                    fmt::format("{} is all digits and would be taken for an id", shown(value)),
                    "add a letter, e.g. app-1");
        }
    }

    void path(const std::string& where, std::string_view value) {
        if (!line(where, value, SpecLimits::kPathBytes)) return;
        if (value.front() != '/') {
            problem(where, fmt::format("{} is not an absolute path", shown(value)));
        }
    }

    void log_file(const std::string& where, const std::optional<std::string>& value) {
        if (!value.has_value()) return;
        path(where, *value);
        if (has_parent_component(*value)) {
            problem(where, fmt::format("{} has a \"..\" component", shown(*value)),
                    "write the path without it");
        } else if (value->ends_with('/')) {
            problem(where, fmt::format("{} is a directory", shown(*value)), "add a file's name");
        }
    }

    void account(const std::string& where, const std::optional<std::string>& value) {
        if (!value.has_value() || !line(where, *value, SpecLimits::kUserBytes)) return;
        if (value->find_first_of(":/ ") != std::string::npos) {
            problem(where, fmt::format("{} is neither a name nor a number", shown(*value)));
        }
    }

    void arguments(const std::string& where, const std::vector<std::string>& values) {
        if (values.size() > SpecLimits::kArguments) {
            problem(where, fmt::format("has {} arguments; the limit is {}", values.size(),
                                       SpecLimits::kArguments));
        }
        std::size_t total = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            total += values[i].size() + 1;
            const std::string at = fmt::format("{}[{}]", where, i);
            if (values[i].size() > SpecLimits::kArgumentBytes) {
                problem(at,
                        fmt::format("has {} bytes; Linux takes at most {} in one argument",
                                    values[i].size(), SpecLimits::kArgumentBytes),
                        "pass it in a file");
            }
            text(at, values[i]);
        }
        if (total > SpecLimits::kArgumentListBytes) {
            problem(where,
                    fmt::format("has {} bytes in all; the limit is {}", total,
                                SpecLimits::kArgumentListBytes),
                    "pass the list in a file");
        }
    }

    void variables(const std::map<std::string, std::string>& values) {
        if (values.size() > SpecLimits::kVariables) {
            problem("env", fmt::format("has {} variables; the limit is {}", values.size(),
                                       SpecLimits::kVariables));
        }
        std::size_t total = 0;
        for (const auto& [key, value] : values) {
            total += key.size() + value.size() + 2;
            variable(key, value);
        }
        if (total > SpecLimits::kArgumentListBytes) {
            problem("env",
                    fmt::format("has {} bytes in all; the limit is {}", total,
                                SpecLimits::kArgumentListBytes),
                    "pass large values in files");
        }
    }

    void out_of_range(const std::string& where, std::string_view value, std::string_view range) {
        const bool hidden = display_ == ValueDisplay::kHidden;
        problem(where, fmt::format("is {}; the range is {}",
                                   hidden ? std::string_view("out of range") : value, range));
    }

    void range(const std::string& where, int value, int least, int most) {
        if (value >= least && value <= most) return;
        out_of_range(where, std::to_string(value), fmt::format("{} to {}", least, most));
    }

    void duration(const std::string& where, std::chrono::milliseconds value) {
        if (value.count() >= 0 && value <= SpecLimits::kDuration) return;
        out_of_range(where, fmt::format("{} ms", value.count()),
                     fmt::format("0 to {} ms (24 h)", SpecLimits::kDuration.count()));
    }

    void umask(std::optional<unsigned> value) {
        if (value.value_or(0) > 0777) {
            out_of_range("umask", fmt::format("{:o}", *value), "000 to 777");
        }
    }

    void limits(const std::map<std::string, LimitPair>& values) {
        for (const auto& [name, pair] : values) {
            const std::string where = "limits." + detail::printable(name);
            if (!limit_resource(name).has_value()) unknown_limit(where, name);
            const bool over =
                pair.hard.has_value() && (!pair.soft.has_value() || *pair.soft > *pair.hard);
            if (over) problem(where, "has a soft limit above the hard limit");
            constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
            if (pair.soft.value_or(0) > kMost || pair.hard.value_or(0) > kMost) {
                problem(where, fmt::format("is over {}", kMost), "write \"unlimited\"");
            }
        }
    }

    core::Result<void> result(std::string_view app) && {
        if (problems_.empty()) return {};
        core::Error error(core::Code::kInvalidArgument,
                          fmt::format("app {}: {} {}", shown(app), problems_.front().where,
                                      problems_.front().problem));
        for (Detail& entry : problems_)
            error.detail(std::move(entry));
        return error;
    }

  private:
    std::string shown(std::string_view value) const {
        return display_ == ValueDisplay::kShown ? quoted(value) : "the value";
    }

    void unknown_limit(const std::string& where, const std::string& name) {
        std::vector<std::string> names;
        names.reserve(std::size(kLimitNames));
        for (const LimitName& row : kLimitNames)
            names.emplace_back(row.name);
        const auto near = core::nearest(name, names);
        problem(where, "is no resource limit of Linux",
                near.has_value() ? fmt::format("did you mean {}?", quoted(*near))
                                 : fmt::format("one of {}", fmt::join(names, ", ")));
    }

    void native_name(const std::string& where, std::string_view value) {
        const auto bad = std::ranges::find_if_not(value, [](char c) {
            return is_alnum(c) || std::string_view("_.@/ -").find(c) != std::string_view::npos;
        });
        if (bad != value.end()) {
            problem(where, fmt::format("{} has characters that are not allowed", shown(value)),
                    "use letters, digits, space and _ . @ / -");
        } else if (value.front() == ' ' || value.back() == ' ') {
            problem(where, fmt::format("{} begins or ends with a space", shown(value)));
        }
    }

    void variable(const std::string& key, const std::string& value) {
        const std::string where = "env." + detail::printable(key);
        if (!line(where, key, SpecLimits::kVariableNameBytes)) return;
        if (key.find('=') != std::string::npos) problem(where, "has a \"=\" in its name");
        if (key.size() + value.size() + 1 > SpecLimits::kArgumentBytes) {
            problem(where,
                    fmt::format("has {} bytes; Linux takes at most {} in one variable",
                                key.size() + value.size() + 1, SpecLimits::kArgumentBytes),
                    "pass it in a file");
        }
        text(where, value);
    }

    NameRule rule_;
    ValueDisplay display_;
    std::vector<Detail> problems_;
};

void check_restart(Checker& check, const AppSpec& spec) {
    check.duration("restart_delay", spec.restart_delay);
    check.duration("exp_backoff_restart_delay", spec.exp_backoff_restart_delay);
    check.range("max_restarts", spec.max_restarts, 0, SpecLimits::kRestarts);
    check.duration("min_uptime", spec.min_uptime);
    check.duration("kill_timeout", spec.kill_timeout);
    check.range("kill_signal", spec.kill_signal, 1, 64);
    if (spec.stop_exit_codes.size() > SpecLimits::kStopExitCodes) {
        check.problem("stop_exit_codes",
                      fmt::format("has {} codes; the limit is {}", spec.stop_exit_codes.size(),
                                  SpecLimits::kStopExitCodes));
    }
    for (std::size_t i = 0; i < spec.stop_exit_codes.size(); ++i) {
        check.range(fmt::format("stop_exit_codes[{}]", i), spec.stop_exit_codes[i], 0, 255);
    }
}

}  // namespace

core::Result<void> validate(const AppSpec& spec, NameRule rule, ValueDisplay display) {
    Checker check(rule, display);
    check.process_name(spec.name);
    check.name("namespace", spec.namespace_);
    check.line("script", spec.script, SpecLimits::kArgumentBytes);
    check.arguments("args", spec.args);
    if (spec.interpreter.has_value()) {
        check.line("interpreter", *spec.interpreter, SpecLimits::kPathBytes);
    }
    check.arguments("interpreter_args", spec.interpreter_args);
    check.path("cwd", spec.cwd);
    check.variables(spec.env);
    check.range("instances", spec.instances, 1, SpecLimits::kInstances);
    check.account("user", spec.user);
    check.account("group", spec.group);
    check.umask(spec.umask);
    if (spec.nice.has_value()) check.range("nice", *spec.nice, -20, 19);
    check.limits(spec.limits);
    check_restart(check, spec);
    check.log_file("out_file", spec.out_file);
    check.log_file("error_file", spec.error_file);
    return std::move(check).result(spec.name);
}

std::string path_safe_name(std::string_view name) {
    std::string out(name);
    for (char& c : out) {
        if (!is_alnum(c) && c != '.' && c != '-') c = '-';
    }
    if (out.empty() || out.front() == '.') out.replace(0, out.empty() ? 0 : 1, "-");
    return out;
}

std::span<const LimitName> limit_names() {
    return kLimitNames;
}

std::optional<int> limit_resource(std::string_view name) {
    const auto* const row = std::ranges::find(kLimitNames, name, &LimitName::name);
    if (row == kLimitNames.end()) return std::nullopt;
    return row->resource;
}

int resolve_instances(std::int64_t wanted, int cpus) {
    const std::int64_t all = std::max(cpus, 1);
    const std::int64_t most = std::numeric_limits<int>::max();
    if (wanted > 0) return static_cast<int>(std::min(wanted, most));
    return static_cast<int>(std::max<std::int64_t>(all + std::max(wanted, -most), 1));
}

std::string resolve_path(std::string_view base, std::string_view path) {
    std::vector<std::string_view> parts;
    const auto add = [&parts](std::string_view text) {
        std::size_t begin = 0;
        while (begin < text.size()) {
            const std::size_t end = std::min(text.find('/', begin), text.size());
            const std::string_view part = text.substr(begin, end - begin);
            if (part == "..") {
                if (!parts.empty()) parts.pop_back();
            } else if (!part.empty() && part != ".") {
                parts.push_back(part);
            }
            begin = end + 1;
        }
    };
    if (!path.starts_with('/')) add(base);
    add(path);
    std::string out;
    for (const std::string_view part : parts) {
        out += '/';
        out += part;
    }
    return out.empty() ? "/" : out;
}

}  // namespace zona::process
