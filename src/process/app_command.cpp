#include "process/app_command.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "os/fd.h"
#include "process/detail/printable.h"

namespace zona::process {
namespace {

using core::Code;
using detail::printable;

std::string shown(std::string_view path) {
    return printable(path, SpecLimits::kPathBytes);
}

core::Error problem(Code code, std::string message, std::string where, std::string hint) {
    core::Error error(code, message);
    error.detail({std::move(where), std::move(message), std::move(hint)});
    return error;
}

std::string_view last_component(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

std::string_view extension(std::string_view script) {
    const std::string_view name = last_component(script);
    const std::size_t dot = name.rfind('.');
    return dot == std::string_view::npos || dot == 0 ? std::string_view() : name.substr(dot + 1);
}

struct ExtensionRow {
    std::string_view extension;
    std::span<const std::string_view> interpreters;
};

constexpr std::array<std::string_view, 1> kBash{"bash"};
constexpr std::array<std::string_view, 2> kPython{"python3", "python"};
constexpr std::array<std::string_view, 1> kRuby{"ruby"};
constexpr std::array<std::string_view, 1> kPhp{"php"};
constexpr std::array<std::string_view, 1> kPerl{"perl"};
constexpr std::array<std::string_view, 1> kNode{"node"};
constexpr std::array<std::string_view, 5> kTypeScript{
    "bun", "node_modules/.bin/tsx", "node_modules/.bin/ts-node", "tsx", "ts-node"};
constexpr std::array<std::string_view, 1> kCoffee{"coffee"};
constexpr std::array<std::string_view, 1> kLiveScript{"lsc"};
constexpr std::array<std::string_view, 2> kShells{"bash", "sh"};

constexpr auto kExtensions = std::to_array<ExtensionRow>({
    {"sh", kBash},
    {"bash", kBash},
    {"py", kPython},
    {"rb", kRuby},
    {"php", kPhp},
    {"pl", kPerl},
    {"js", kNode},
    {"cjs", kNode},
    {"mjs", kNode},
    {"ts", kTypeScript},
    {"tsx", kTypeScript},
    {"mts", kTypeScript},
    {"cts", kTypeScript},
    {"coffee", kCoffee},
    {"ls", kLiveScript},
});

std::vector<std::string> path_directories(std::string_view path_variable, const std::string& cwd) {
    std::vector<std::string> directories;
    if (path_variable.empty()) return directories;
    std::size_t begin = 0;
    while (begin <= path_variable.size()) {
        const std::size_t end = std::min(path_variable.find(':', begin), path_variable.size());
        directories.push_back(resolve_path(cwd, path_variable.substr(begin, end - begin)));
        begin = end + 1;
    }
    return directories;
}

/// The program that a `#!` line starts, and for `env` the name that it searches.
struct Shebang {
    std::string_view program;
    std::string_view searched;
};

Shebang parse_shebang(std::string_view line) {
    std::vector<std::string_view> words;
    std::size_t next = 0;
    while ((next = line.find_first_not_of(" \t", next)) != std::string_view::npos) {
        const std::size_t end = std::min(line.find_first_of(" \t", next), line.size());
        words.push_back(line.substr(next, end - next));
        next = end;
    }
    Shebang out;
    if (!words.empty()) out.program = words.front();
    if (last_component(out.program) != "env") return out;
    for (const std::string_view word : std::span(words).subspan(1)) {
        if (word.starts_with('-') || word.find('=') != std::string_view::npos) continue;
        out.searched = word;
        break;
    }
    return out;
}

/// Finds the parts of one command.
class Resolver {
  public:
    Resolver(const AppSpec& spec, const PathProbe& probe, std::string_view path_variable)
        : spec_(spec), probe_(probe), directories_(path_directories(path_variable, spec.cwd)) {}

    core::Result<ResolvedCommand> resolve() {
        ZONA_TRY_VOID(check_cwd());
        ZONA_TRY_VOID(find_script());
        if (command_line_) return with_interpreter(kShells, {"-c"});
        if (spec_.interpreter == "none") return itself();
        if (spec_.interpreter.has_value()) {
            const std::array<std::string_view, 1> given{*spec_.interpreter};
            return with_interpreter(given, {});
        }
        const std::span<const std::string_view> known = interpreters_for(script_);
        if (!known.empty()) return with_interpreter(known, {});
        return itself();
    }

  private:
    core::Result<void> check_cwd() const {
        switch (probe_.look(spec_.cwd).type) {
            case FileType::kDirectory:
                return {};
            case FileType::kMissing:
                return problem(
                    Code::kNotFound,
                    fmt::format("the working directory {} does not exist", shown(spec_.cwd)), "cwd",
                    "create it, or correct cwd");
            case FileType::kForbidden:
                return problem(
                    Code::kForbidden,
                    fmt::format("the working directory {} cannot be looked at", shown(spec_.cwd)),
                    "cwd", "check the rights of the directories above it");
            default:
                return problem(
                    Code::kInvalidArgument,
                    fmt::format("the working directory {} is not a directory", shown(spec_.cwd)),
                    "cwd", "correct cwd");
        }
    }

    core::Result<void> find_script() {
        script_ = resolve_path(spec_.cwd, spec_.script);
        facts_ = probe_.look(script_);
        const bool plain_name = spec_.script.find('/') == std::string::npos;
        const bool has_blank = spec_.script.find_first_of(" \t") != std::string::npos;
        if (facts_.type == FileType::kMissing && has_blank && !spec_.interpreter.has_value()) {
            command_line_ = true;
            return {};
        }
        if (plain_name && facts_.type != FileType::kRegular) {
            if (auto found = search(spec_.script)) {
                script_ = std::move(*found);
                facts_ = probe_.look(script_);
            }
        }
        return check_script(plain_name && !has_blank);
    }

    core::Result<void> check_script(bool searched) const {
        switch (facts_.type) {
            case FileType::kRegular:
                return {};
            case FileType::kMissing:
                return problem(
                    Code::kNotFound,
                    searched ? fmt::format("script \"{}\" is neither in {} nor in {}",
                                           shown(spec_.script), shown(spec_.cwd), searched_places())
                             : fmt::format("script {} does not exist", shown(script_)),
                    "script", "correct script, or cwd, from which it is looked for");
            case FileType::kForbidden:
                return problem(Code::kForbidden,
                               fmt::format("script {} cannot be looked at", shown(script_)),
                               "script", "check the rights of the directories above it");
            case FileType::kDirectory:
                return problem(Code::kInvalidArgument,
                               fmt::format("script {} is a directory", shown(script_)), "script",
                               "name the file in it that is to run");
            case FileType::kOther:
                break;
        }
        return problem(Code::kInvalidArgument,
                       fmt::format("script {} is not a regular file", shown(script_)), "script",
                       "name a program or a script");
    }

    std::string searched_places() const {
        if (directories_.empty()) return "PATH, which is empty";
        std::vector<std::string> names;
        names.reserve(directories_.size());
        for (const std::string& directory : directories_)
            names.push_back(shown(directory));
        return fmt::format("PATH ({})", fmt::join(names, ":"));
    }

    /// An executable file by the rules of execvp(3).
    std::optional<std::string> search(std::string_view name) const {
        for (const std::string& directory : directories_) {
            std::string path = resolve_path(directory, name);
            const FileFacts facts = probe_.look(path);
            if (facts.type == FileType::kRegular && facts.executable) return path;
        }
        return std::nullopt;
    }

    std::optional<std::string> find_interpreter(std::string_view name) const {
        if (name.find('/') == std::string_view::npos) return search(name);
        std::string path = resolve_path(spec_.cwd, name);
        const FileFacts facts = probe_.look(path);
        if (facts.type != FileType::kRegular || !facts.executable) return std::nullopt;
        return path;
    }

    core::Result<ResolvedCommand> with_interpreter(std::span<const std::string_view> names,
                                                   std::vector<std::string> before) const {
        const std::string_view* used = names.data();
        std::optional<std::string> found;
        for (const std::string_view& name : names) {
            used = &name;
            found = find_interpreter(name);
            if (found) break;
        }
        if (!found.has_value()) return missing_interpreter(names);
        ResolvedCommand out;
        out.executable = *found;
        out.interpreter = *found;
        out.arguments.push_back(*found);
        if (command_line_) {
            // The name is $0, the arguments are "$@" of the command line.
            std::ranges::move(before, std::back_inserter(out.arguments));
            out.arguments.push_back(spec_.script);
            out.arguments.push_back(spec_.name);
        } else {
            std::ranges::copy(spec_.interpreter_args, std::back_inserter(out.arguments));
            out.arguments.push_back(script_);
        }
        std::ranges::copy(spec_.args, std::back_inserter(out.arguments));
        if (last_component(*used).find("python") != std::string_view::npos) {
            out.default_environment["PYTHONUNBUFFERED"] = "1";
        }
        return out;
    }

    core::Error missing_interpreter(std::span<const std::string_view> names) const {
        std::vector<std::string> texts;
        bool on_path = false;
        for (const std::string_view name : names) {
            texts.push_back(shown(name));
            on_path = on_path || name.find('/') == std::string_view::npos;
        }
        std::string message =
            fmt::format("no interpreter for {}: {} {}", shown(spec_.script), fmt::join(texts, ", "),
                        on_path ? fmt::format("not found in {}", searched_places())
                                : std::string("is not an executable file"));
        const bool by_nvm = names.size() == 1 && names[0].starts_with("node@");
        return problem(
            Code::kNotFound, std::move(message), "interpreter",
            by_nvm ? "zona does not install Node versions: set interpreter to the path of that node"
                   : "install it, or set interpreter to its path");
    }

    core::Result<ResolvedCommand> itself() const {
        if (!facts_.executable) {
            return problem(Code::kInvalidArgument,
                           fmt::format("script {} is not executable", shown(script_)), "script",
                           "chmod +x it, or set interpreter to the program that runs it");
        }
        if (facts_.content == FileContent::kText) {
            return problem(
                Code::kInvalidArgument,
                fmt::format("script {} is text without a \"#!\" line, which Linux cannot execute",
                            shown(script_)),
                "script", "begin it with #! and its interpreter, or set interpreter");
        }
        if (facts_.content == FileContent::kShebang) ZONA_TRY_VOID(check_shebang());
        ResolvedCommand out;
        out.executable = script_;
        out.arguments.push_back(script_);
        std::ranges::copy(spec_.args, std::back_inserter(out.arguments));
        if (facts_.shebang.find("python") != std::string::npos) {
            out.default_environment["PYTHONUNBUFFERED"] = "1";
        }
        return out;
    }

    core::Result<void> check_shebang() const {
        if (facts_.shebang.ends_with('\r')) {
            return problem(
                Code::kInvalidArgument,
                fmt::format("the \"#!\" line of {} ends with a carriage return", shown(script_)),
                "script", "save the file with Unix line ends");
        }
        const Shebang line = parse_shebang(facts_.shebang);
        if (line.program.empty() || line.program.front() != '/') return {};
        if (probe_.look(std::string(line.program)).type == FileType::kMissing) {
            return problem(Code::kNotFound,
                           fmt::format("the \"#!\" line of {} names {}, which does not exist",
                                       shown(script_), shown(line.program)),
                           "script", "install it, or correct the line");
        }
        if (!line.searched.empty() && !find_interpreter(line.searched).has_value()) {
            return problem(Code::kNotFound,
                           fmt::format("the \"#!\" line of {} asks for {}, not found in {}",
                                       shown(script_), shown(line.searched), searched_places()),
                           "script", "install it, or set interpreter to its path");
        }
        return {};
    }

    const AppSpec& spec_;
    const PathProbe& probe_;
    std::vector<std::string> directories_;
    std::string script_;
    FileFacts facts_;
    bool command_line_ = false;
};

FileContent content_of(std::string_view begin) {
    if (begin.starts_with("\x7f"
                          "ELF"))
        return FileContent::kElf;
    if (begin.starts_with("#!")) return FileContent::kShebang;
    return begin.find('\0') == std::string_view::npos ? FileContent::kText : FileContent::kBinary;
}

}  // namespace

FileFacts SystemPathProbe::look(const std::string& path) const {
    FileFacts facts;
    const auto stat = os::stat_path(path);
    if (!stat.has_value()) {
        facts.type =
            stat.error().code() == Code::kForbidden ? FileType::kForbidden : FileType::kMissing;
        return facts;
    }
    if (!stat->has_value()) return facts;
    const mode_t mode = (*stat)->mode;
    facts.type = S_ISREG(mode)   ? FileType::kRegular
                 : S_ISDIR(mode) ? FileType::kDirectory
                                 : FileType::kOther;
    facts.executable = (mode & 0111U) != 0;
    if (facts.type != FileType::kRegular) return facts;
    const auto file = os::open_file(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file.has_value()) return facts;
    std::array<std::byte, 256> buffer{};
    const auto count = os::read_at(file->get(), buffer, 0);
    if (!count.has_value()) return facts;
    const std::string_view begin(reinterpret_cast<const char*>(buffer.data()), *count);
    facts.content = content_of(begin);
    if (facts.content == FileContent::kShebang) {
        facts.shebang = std::string(begin.substr(2, begin.find('\n') - 2));
    }
    return facts;
}

std::span<const std::string_view> interpreters_for(std::string_view script) {
    const auto* const row =
        std::ranges::find(kExtensions, extension(script), &ExtensionRow::extension);
    if (row == kExtensions.end()) return {};
    return row->interpreters;
}

core::Result<ResolvedCommand> resolve_command(const AppSpec& spec, const PathProbe& probe,
                                              std::string_view path_variable) {
    return Resolver(spec, probe, path_variable).resolve();
}

core::Result<void> check_exec_size(std::span<const std::string> arguments,
                                   std::span<const std::string> environment,
                                   std::optional<std::uint64_t> stack_limit) {
    constexpr std::uint64_t kMost = 6UL * 1024 * 1024;
    constexpr std::uint64_t kLeast = 128UL * 1024;
    std::uint64_t total = 0;
    for (const std::span<const std::string> texts : {arguments, environment}) {
        const bool is_environment = texts.data() == environment.data();
        for (std::size_t i = 0; i < texts.size(); ++i) {
            total += texts[i].size() + 1 + sizeof(char*);
            if (texts[i].size() <= SpecLimits::kArgumentBytes) continue;
            const std::string what =
                is_environment ? "the variable " + printable(texts[i].substr(0, texts[i].find('=')))
                               : fmt::format("argument {}", i);
            return problem(Code::kTooLarge,
                           fmt::format("{} has {} bytes; Linux takes at most {}", what,
                                       texts[i].size(), SpecLimits::kArgumentBytes),
                           is_environment ? "env" : "args", "pass it in a file");
        }
    }
    const std::uint64_t limit = std::clamp(stack_limit.value_or(4 * kMost) / 4, kLeast, kMost);
    if (total <= limit) return {};
    return problem(
        Code::kTooLarge,
        fmt::format(
            "arguments ({}) and environment ({}) have {} bytes together; Linux takes {} here",
            arguments.size(), environment.size(), total, limit),
        "args", "pass them in a file, or raise the limit \"stack\"");
}

}  // namespace zona::process
