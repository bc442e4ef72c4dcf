#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "core/text.h"
#include "os/child.h"
#include "process/detail/ecosystem_app.h"
#include "process/detail/ecosystem_values.h"
#include "process/detail/printable.h"

namespace zona::process::detail {
namespace {

template <class T, class Value>
void assign(T& setting, std::optional<Value> value) {
    if (value.has_value()) setting = std::move(*value);
}

void read_cwd(AppReader& in) {
    const auto path = in.path();
    if (path.has_value()) in.spec().cwd = path->empty() ? "" : resolve_path(in.input().cwd, *path);
}

void read_args(AppReader& in) {
    assign(in.spec().args, in.arguments());
}

void read_interpreter_args(AppReader& in) {
    assign(in.spec().interpreter_args, in.arguments());
}

std::string json_text(const Node& node) {
    std::string out;
    const auto list = [&out](char open, char close, const auto& items, auto&& write) {
        out += open;
        for (const auto& item : items) {
            if (&item != &items.front()) out += ',';
            write(item);
        }
        out += close;
    };
    switch (node.kind) {
        case Kind::kNull:
            return "null";
        case Kind::kString:
            core::append_json_string(out, node.text);
            break;
        case Kind::kList:
            list('[', ']', node.list, [&out](const Node& item) { out += json_text(item); });
            break;
        case Kind::kMap:
            list('{', '}', node.map, [&out](const Entry& entry) {
                core::append_json_string(out, entry.key);
                out += ':' + json_text(entry.value);
            });
            break;
        default:
            out = node.text;
    }
    return out;
}

void read_env(AppReader& in) {
    if (in.node().kind != Kind::kMap) {
        in.wrong(fmt::format("is {}", describe(in.node().kind)),
                 "an object of NAME: value is expected");
        return;
    }
    for (const Entry& entry : in.node().map) {
        const std::string below = "." + printable(entry.key);
        in.remember("env" + below, entry.at);
        if (entry.value.kind == Kind::kNull) continue;
        if (entry.value.is_scalar()) {
            in.spec().env[entry.key] = entry.value.text;
        } else if (in.is_pm2()) {
            in.spec().env[entry.key] = json_text(entry.value);
        } else {
            in.wrong_at(below, entry.value.at, fmt::format("is {}", describe(entry.value.kind)),
                        "a variable is a text");
        }
    }
}

/// What parseInt of JavaScript makes of "2," or " 4x".
std::optional<std::int64_t> leading_integer(std::string_view text) {
    const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
    std::size_t end = begin;
    if (end < text.size() && (text[end] == '-' || text[end] == '+')) ++end;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9')
        ++end;
    const auto number = core::parse_integer(text.substr(begin, end - begin));
    if (!number.has_value()) return std::nullopt;
    return *number;
}

void read_instances(AppReader& in) {
    const Node& node = in.node();
    std::optional<std::int64_t> wanted;
    if (node.is_scalar() && node.text == "max") {
        wanted = 0;
    } else if (node.kind == Kind::kString && in.is_pm2() &&
               leading_integer(node.text).has_value()) {
        wanted = leading_integer(node.text);
    } else if (node.kind == Kind::kString && !core::parse_integer(node.text).has_value()) {
        in.wrong("is " + AppReader::shown(node), "a whole number or \"max\" is expected");
    } else {
        wanted = in.integer();
    }
    if (wanted.has_value()) in.spec().instances = resolve_instances(*wanted, in.input().cpus);
}

/// An integer of the file into an int; what does not fit is reported with the reader's own words.
void read_int(AppReader& in, int& setting) {
    const auto number = in.integer();
    if (!number.has_value()) return;
    if (!std::in_range<int>(*number)) {
        in.wrong("is " + AppReader::shown(in.node()), "a number of that size is not supported");
    } else {
        setting = static_cast<int>(*number);
    }
}

void read_umask(AppReader& in) {
    const Node& node = in.node();
    std::string_view digits = node.text;
    if (digits.starts_with("0o")) digits.remove_prefix(2);
    const bool octal = !digits.empty() && digits.size() <= 4 &&
                       digits.find_first_not_of("01234567") == std::string_view::npos;
    if (node.kind == Kind::kString && octal) {
        unsigned value = 0;
        for (const char c : digits)
            value = value * 8 + static_cast<unsigned>(c - '0');
        in.spec().umask = value;
    } else if (node.kind == Kind::kInteger) {
        in.wrong("is a number, whose base is in doubt", "write it in quotes: \"022\"");
    } else {
        in.wrong(
            "is " + (node.is_scalar() ? AppReader::shown(node) : std::string(describe(node.kind))),
            "octal digits in quotes are expected, e.g. \"022\"");
    }
}

void read_nice(AppReader& in) {
    read_int(in, in.spec().nice.emplace());
}

/// A number, a size ("64M") or "unlimited".
bool read_one_limit(const Node& node, std::string_view text, std::optional<std::uint64_t>& out) {
    if (!node.is_scalar()) return false;
    if (text == "unlimited" || text == "infinity" || text == "-1") {
        out = std::nullopt;
        return true;
    }
    const auto size = core::parse_size(text);
    if (node.kind == Kind::kBool || !size.has_value()) return false;
    out = static_cast<std::uint64_t>(size->bytes());
    return true;
}

bool read_limit(const Node& node, LimitPair& out) {
    if (node.kind == Kind::kMap) {
        const Node* const soft = node.find("soft");
        const Node* const hard = node.find("hard");
        return node.map.size() == 2 && soft != nullptr && hard != nullptr &&
               read_one_limit(*soft, soft->text, out.soft) &&
               read_one_limit(*hard, hard->text, out.hard);
    }
    const std::string_view text = node.text;
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
        return read_one_limit(node, text, out.soft) && read_one_limit(node, text, out.hard);
    }
    return read_one_limit(node, text.substr(0, colon), out.soft) &&
           read_one_limit(node, text.substr(colon + 1), out.hard);
}

void read_limits(AppReader& in) {
    if (in.node().kind != Kind::kMap) {
        in.wrong(fmt::format("is {}", describe(in.node().kind)),
                 "an object is expected, e.g. {\"nofile\": 4096}");
        return;
    }
    for (const Entry& entry : in.node().map) {
        if (entry.value.kind == Kind::kNull) continue;
        const std::string below = "." + printable(entry.key);
        in.remember("limits" + below, entry.at);
        if (!read_limit(entry.value, in.spec().limits[entry.key])) {
            in.wrong_at(below, entry.value.at, "is no limit",
                        "write a number, a size like \"64M\", \"unlimited\", or \"soft:hard\"");
        }
    }
}

void read_stop_exit_codes(AppReader& in) {
    const Node& node = in.node();
    const std::vector<Node> alone =
        node.kind == Kind::kList ? std::vector<Node>() : std::vector{node};
    for (const Node& code : node.kind == Kind::kList ? node.list : alone) {
        const auto number = core::parse_integer(code.text);
        if (code.is_scalar() && number.has_value() && std::in_range<int>(*number)) {
            in.spec().stop_exit_codes.push_back(static_cast<int>(*number));
        } else {
            in.wrong_at({}, code.at, "holds something that is no exit code",
                        "codes are numbers from 0 to 255");
            return;
        }
    }
}

void read_kill_signal(AppReader& in) {
    const auto name = in.text();
    if (!name.has_value()) return;
    const auto number = os::signal_number(*name);
    if (number.has_value()) {
        in.spec().kill_signal = *number;
    } else {
        in.wrong("is " + AppReader::shown(in.node()),
                 "the name of a signal is expected, e.g. \"SIGTERM\"");
    }
}

void read_stdin(AppReader& in) {
    const auto mode = in.text();
    if (!mode.has_value()) return;
    if (*mode == "null" || *mode == "pipe") {
        in.spec().stdin_mode = *mode == "pipe" ? StdinMode::kPipe : StdinMode::kNull;
    } else {
        in.wrong("is " + AppReader::shown(in.node()), "\"null\" or \"pipe\" is expected");
    }
}

bool is_below(std::string_view path, std::string_view directory) {
    return directory == "/" ||
           (path.starts_with(directory) && path.substr(directory.size()).starts_with('/'));
}

/// A relative log file may leave the app's directory, but not the input's as well: `../logs/x.log`
/// of an app in
/// `./server` is the project's own, `../../etc/x` is a traversal (PM-62).
void read_log_file(AppReader& in, std::optional<std::string>& setting) {
    const auto path = in.path();
    if (!path.has_value()) return;
    if (*path == "NULL" && in.is_pm2()) {
        setting = "/dev/null";
        return;
    }
    if (path->empty() || path->ends_with('/')) {
        in.wrong(path->empty() ? "is empty" : "is " + AppReader::shown(in.node()) + ", a directory",
                 "name a file");
        return;
    }
    const std::string resolved = resolve_path(in.spec().cwd, *path);
    const bool absolute = path->starts_with('/');
    const bool climbs = ("/" + *path + "/").find("/../") != std::string::npos;
    if (climbs &&
        (absolute || !(is_below(resolved, in.spec().cwd) || is_below(resolved, in.input().cwd)))) {
        in.wrong(fmt::format("is {}, which leads out of its directory by \"..\"",
                             AppReader::shown(in.node())),
                 "write the absolute path of the file, without \"..\"");
        return;
    }
    setting = resolved;
}

using Reader = AppReader;

constexpr auto kRows = std::to_array<KeyRow>({
    {"name",
     "string",
     "",
     {},
     "Its name; instances share it. Default: the script's file name without extension.",
     [](Reader& in) { assign(in.spec().name, in.text()); }},
    {"namespace",
     "string",
     "\"default\"",
     {},
     "A group of apps that commands can address together.",
     [](Reader& in) { assign(in.spec().namespace_, in.text()); }},
    {"script",
     "string",
     "",
     {"exec", "cmd", "command"},
     "What to run, required: a path (from `cwd`), a program on PATH, or a command line for `bash "
     "-c`.",
     [](Reader& in) { assign(in.spec().script, in.path()); }},
    {"args",
     "list or string",
     "[]",
     {},
     "Arguments. A string is split at blanks; quotes group.",
     read_args},
    {"interpreter",
     "string",
     "",
     {"exec_interpreter"},
     "The program that runs the script, `none` for the script itself. Default: by the script's "
     "extension.",
     [](Reader& in) { assign(in.spec().interpreter, in.path()); }},
    {"interpreter_args",
     "list or string",
     "[]",
     {"node_args"},
     "Arguments of the interpreter, before the script.",
     read_interpreter_args},
    {"cwd",
     "path",
     "",
     {},
     "The working directory. Default: the file's directory, or the caller's.",
     read_cwd},
    {"env",
     "object",
     "{}",
     {},
     "Variables, added to the caller's. Numbers and booleans become texts, null leaves the "
     "variable out.",
     read_env},
    {"instances",
     "integer or `\"max\"`",
     "1",
     {},
     "How many copies run. `\"max\"` or 0: one per CPU that zona may use; negative: that many "
     "fewer.",
     read_instances},
    {"user",
     "string or integer",
     "",
     {"uid"},
     "The user it runs as. Default: zona's own.",
     [](Reader& in) { assign(in.spec().user, in.text()); }},
    {"group",
     "string or integer",
     "",
     {"gid"},
     "The group it runs as. Default: the user's.",
     [](Reader& in) { assign(in.spec().group, in.text()); }},
    {"umask",
     "string",
     "",
     {},
     "Octal mask of the modes of files that it creates, in quotes: `\"022\"`.",
     read_umask},
    {"nice", "integer", "", {}, "Scheduling priority, -20 (first) to 19 (last).", read_nice},
    {"limits",
     "object",
     "{}",
     {},
     "Resource limits by their names in limits.conf(5): `{\"nofile\": 4096, \"core\": "
     "\"0:unlimited\"}`.",
     read_limits},
    {"autorestart",
     "boolean",
     "true",
     {},
     "Start it again when it ends by itself.",
     [](Reader& in) { assign(in.spec().autorestart, in.boolean()); }},
    {"restart_delay",
     "duration",
     "0",
     {},
     "Pause before an automatic restart.",
     [](Reader& in) { assign(in.spec().restart_delay, in.duration()); }},
    {"exp_backoff_restart_delay",
     "duration",
     "0",
     {},
     "First pause of a growing one (by half each time, 15 s at most) in place of `restart_delay`; "
     "0 is off.",
     [](Reader& in) { assign(in.spec().exp_backoff_restart_delay, in.duration()); }},
    {"max_restarts",
     "integer",
     "16",
     {},
     "Runs shorter than `min_uptime` in a row until it is left `errored`.",
     [](Reader& in) { read_int(in, in.spec().max_restarts); }},
    {"min_uptime",
     "duration",
     "1000",
     {},
     "A run shorter than this counts against `max_restarts`.",
     [](Reader& in) { assign(in.spec().min_uptime, in.duration()); }},
    {"stop_exit_codes",
     "list of integers",
     "[]",
     {},
     "Exit codes after which it is not started again.",
     read_stop_exit_codes},
    {"kill_timeout",
     "duration",
     "1600",
     {},
     "From the stop signal to SIGKILL for all that is left.",
     [](Reader& in) { assign(in.spec().kill_timeout, in.duration()); }},
    {"kill_signal",
     "string or integer",
     "\"SIGINT\"",
     {},
     "The signal that asks it to stop.",
     read_kill_signal},
    {"stdin",
     "string",
     "\"null\"",
     {},
     "`\"null\"`: /dev/null; `\"pipe\"`: what `zona send` writes.",
     read_stdin},
    {"out_file",
     "path",
     "",
     {"out", "output", "out_log"},
     "Where its standard output goes. Default: in zona's `logs/`.",
     [](Reader& in) { read_log_file(in, in.spec().out_file); }},
    {"error_file",
     "path",
     "",
     {"error", "err", "err_file", "err_log"},
     "Where its standard error goes. Default: in zona's `logs/`.",
     [](Reader& in) { read_log_file(in, in.spec().error_file); }},
    {"merge_logs",
     "boolean",
     "false",
     {"combine_logs"},
     "All instances write to one file per stream.",
     [](Reader& in) { assign(in.spec().merge_logs, in.boolean()); }},
});

constexpr auto kLaterKeys = std::to_array<LaterKey>({
    {"append_env_to_name", Harmless::kWhenOff, "put it into the name"},
    {"autostart", Harmless::kWhenTrue, ""},
    {"cron", Harmless::kWhenOff, ""},
    {"cron_restart", Harmless::kWhenOff, ""},
    {"depends_on", Harmless::kWhenOff, ""},
    {"disable_logs", Harmless::kWhenOff, "set out_file and error_file to /dev/null"},
    {"env_file", Harmless::kWhenOff, "put the variables into env"},
    {"env_from", Harmless::kWhenOff, "put the variables into env"},
    {"exec_mode", Harmless::kWhenOff, "instances run as in fork mode: each binds its own port"},
    {"filter_env", Harmless::kWhenOff, ""},
    {"health_check", Harmless::kWhenOff, ""},
    {"health_check_url", Harmless::kWhenOff, ""},
    {"ignore_watch", Harmless::kWhenOff, ""},
    {"increment_var", Harmless::kWhenOff, ""},
    {"instance_var", Harmless::kWhenOff, "the variable is NODE_APP_INSTANCE"},
    {"kill_retry_time", Harmless::kWhenOff, ""},
    {"listen", Harmless::kWhenOff, ""},
    {"listen_timeout", Harmless::kWhenOff, ""},
    {"log", Harmless::kWhenOff, ""},
    {"log_date_format", Harmless::kWhenOff, ""},
    {"log_file", Harmless::kWhenOff, "use out_file and error_file"},
    {"log_type", Harmless::kWhenOff, ""},
    {"max_memory", Harmless::kWhenOff, ""},
    {"max_memory_restart", Harmless::kWhenOff, ""},
    {"name_prefix", Harmless::kWhenOff, "put it into the name"},
    {"pid", Harmless::kWhenOff, ""},
    {"pid_file", Harmless::kWhenOff, ""},
    {"port", Harmless::kWhenOff, "set PORT in env"},
    {"post_update", Harmless::kWhenOff, ""},
    {"readiness_probe", Harmless::kWhenOff, ""},
    {"shutdown_with_message", Harmless::kWhenOff, "the app gets kill_signal"},
    {"source_map_support", Harmless::kWhenOff, "use interpreter_args: --enable-source-maps"},
    {"time", Harmless::kWhenOff, ""},
    {"treekill", Harmless::kWhenTrue, "the whole tree is always stopped"},
    {"wait_ready", Harmless::kWhenOff, ""},
    {"watch", Harmless::kWhenOff, ""},
    {"watch_delay", Harmless::kWhenOff, ""},
    {"watch_options", Harmless::kWhenOff, ""},
});

}  // namespace

std::span<const KeyRow> key_rows() {
    return kRows;
}

std::span<const LaterKey> later_keys() {
    return kLaterKeys;
}

bool is_meaningless_key(std::string_view key) {
    static constexpr auto kKeys = std::to_array<std::string_view>(
        {"automation", "deep_monitoring", "disable_source_map_support", "disable_trace",
         "event_loop_inspector", "execute_command", "force", "install_url", "io", "pmx", "trace",
         "username", "v8", "vizion", "windows_hide", "write"});
    return std::ranges::find(kKeys, key) != kKeys.end();
}

}  // namespace zona::process::detail
