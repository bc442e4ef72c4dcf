#include "cli/detail/parse.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "cli/detail/flag_values.h"
#include "cli/detail/parse_words.h"
#include "cli/detail/text.h"
#include "cli/detail/verb_parser.h"
#include "core/text.h"
#include "process/keeper_protocol.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Error;
using core::Result;
using detail::check_count;
using detail::row_of;
using detail::split_commas;
using detail::wrong;
using std::string;
using std::string_view;
using std::vector;
using Words = std::span<const string>;

Wait wait_of(const RawWords& raw) {
    return raw.no_wait ? Wait::kNo : Wait::kForEffect;
}

SentVariables variables_of(const RawWords& raw) {
    return raw.env_from_here ? SentVariables::kOfThisShell : SentVariables::kNone;
}

constexpr std::size_t kMany = static_cast<std::size_t>(-1);

Result<VerbOptions> start_options(RawWords raw, vector<string> arguments) {
    ZONA_TRY_VOID(check_count(Verb::kStart, raw.positionals, 1, kMany));
    StartOptions options;
    for (std::size_t i = 0; i < kAppFlags.size(); ++i) {
        const AppFlag& flag = kAppFlags.at(i);
        if (is_switch(flag.kind) ? !raw.app_switches.at(i) : raw.app_values.at(i).empty()) continue;
        ZONA_TRY(AppSetting setting, setting_of(flag, raw.app_values.at(i)));
        options.settings.push_back(std::move(setting));
    }
    for (const string& entry : raw.environment) {
        const std::size_t equals = entry.find('=');
        if (equals == string::npos || equals == 0) {
            return wrong(fmt::format("--env takes NAME=VALUE, not '{}'", escape_control(entry)));
        }
        options.environment.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
    }
    options.targets = std::move(raw.positionals);
    options.only = split_commas(raw.only);
    options.arguments = std::move(arguments);
    options.variables = variables_of(raw);
    options.wait = wait_of(raw);
    return options;
}

Result<VerbOptions> select_options(Verb verb, RawWords raw) {
    const std::size_t least = verb == Verb::kList ? 0 : 1;
    ZONA_TRY_VOID(check_count(verb, raw.positionals, least, verb == Verb::kEnv ? 1 : kMany));
    return SelectOptions{std::move(raw.positionals), raw.update_env, wait_of(raw),
                         variables_of(raw)};
}

Result<VerbOptions> scale_options(RawWords raw) {
    ZONA_TRY_VOID(check_count(Verb::kScale, raw.positionals, 2, 2));
    const string& number = raw.positionals[1];
    const bool is_signed = number[0] == '+' || number[0] == '-';
    const string digits = number.substr(is_signed ? 1 : 0);
    if (digits.empty() || digits.size() > 6 ||
        digits.find_first_not_of("0123456789") != string::npos) {
        return wrong(fmt::format("zona scale takes N, +N or -N, not '{}'", escape_control(number)));
    }
    return ScaleOptions{raw.positionals[0], number, wait_of(raw)};
}

Result<VerbOptions> signal_options(RawWords raw) {
    ZONA_TRY_VOID(check_count(Verb::kSignal, raw.positionals, 2, kMany));
    if (raw.process && raw.tree) return wrong("--process and --tree exclude each other");
    SignalOptions options;
    options.signal = raw.positionals.front();
    options.selectors.assign(raw.positionals.begin() + 1, raw.positionals.end());
    if (raw.process) options.target = SignalTarget::kProcess;
    if (raw.tree) options.target = SignalTarget::kTree;
    return options;
}

Result<VerbOptions> logs_options(RawWords raw) {
    ZONA_TRY_VOID(check_count(Verb::kLogs, raw.positionals, 0, kMany));
    LogsOptions options;
    options.selectors = std::move(raw.positionals);
    if (!raw.lines.empty()) {
        ZONA_TRY(const std::int64_t lines, integer_of("--lines", raw.lines, 0));
        options.lines = static_cast<int>(std::min<std::int64_t>(lines, 1'000'000'000));
    }
    if (raw.out != raw.err) options.streams = raw.out ? LogStreams::kOut : LogStreams::kError;
    options.since = std::move(raw.since);
    options.follow = raw.no_stream ? LogFollow::kNo : LogFollow::kFollow;
    options.prefix = raw.raw ? LogPrefix::kRaw : LogPrefix::kName;
    return options;
}

Result<VerbOptions> why_options(RawWords raw) {
    WhyOptions options;
    if (!raw.last.empty()) {
        ZONA_TRY(const std::int64_t last, integer_of("--last", raw.last, 1));
        options.last = static_cast<int>(std::min<std::int64_t>(last, 1'000'000));
    }
    options.selectors = std::move(raw.positionals);
    return options;
}

Result<VerbOptions> config_options(const RawWords& raw) {
    const vector<string>& words = raw.positionals;
    if (words.empty() || words[0] == "show") {
        ZONA_TRY_VOID(check_count(Verb::kConfig, words, 0, 1));
        return ConfigOptions{};
    }
    if (words[0] == "reload") {
        ZONA_TRY_VOID(check_count(Verb::kConfig, words, 1, 1));
        return ConfigOptions{ConfigAction::kReload, {}, {}};
    }
    if (words[0] == "log-level" || words[0] == "log-levels") {
        if (words.size() == 1) return ConfigOptions{ConfigAction::kLogLevel, {}, {}};
        ZONA_TRY_VOID(check_count(Verb::kConfig, words, 3, 3));
        return ConfigOptions{ConfigAction::kLogLevel, words[1], words[2]};
    }
    const vector<string> known{"show", "reload", "log-level"};
    return wrong(fmt::format("zona config has no '{}'{}", escape_control(words[0]),
                             core::suggestion(words[0], known)))
        .detail({"", "", fmt::format("usage: zona config {}", info(Verb::kConfig).synopsis)});
}

Result<VerbOptions> context_options(const RawWords& raw) {
    using Row = std::pair<string_view, ContextAction>;
    static constexpr std::array kActions = {
        Row{"list", ContextAction::kList}, Row{"ls", ContextAction::kList},
        Row{"show", ContextAction::kShow}, Row{"use", ContextAction::kUse},
        Row{"add", ContextAction::kAdd},   Row{"remove", ContextAction::kRemove},
        Row{"rm", ContextAction::kRemove}};
    const vector<string>& words = raw.positionals;
    if (words.empty()) return ContextOptions{};
    ZONA_TRY(const auto* const row, row_of(Verb::kContext, words[0], kActions));
    const auto action = row->second;
    const bool is_named = action != ContextAction::kList && action != ContextAction::kShow;
    ZONA_TRY_VOID(check_count(Verb::kContext, words, is_named ? 2 : 1, is_named ? 2 : 1));
    return ContextOptions{action, is_named ? words[1] : string()};
}

Result<VerbOptions> web_options(const RawWords& raw) {
    ZONA_TRY_VOID(check_count(Verb::kWeb, raw.positionals, 0, 0));
    std::int64_t port = 9615;
    if (!raw.port.empty()) {
        ZONA_TRY(port, integer_of("--port", raw.port, 1));
    }
    if (port > 65535) return wrong("--port takes a number up to 65535");
    std::string host = raw.host.value_or("127.0.0.1");
    if (host == "localhost") host = "127.0.0.1";
    const bool bare = host.find(':') != string::npos && !host.starts_with('[');
    return WebOptions{fmt::format("{}{}{}:{}", bare ? "[" : "", host, bare ? "]" : "", port)};
}

Result<VerbOptions> send_options(const RawWords& raw) {
    ZONA_TRY_VOID(check_count(Verb::kSend, raw.positionals, 2, 2));
    return SendOptions{raw.positionals[0], raw.positionals[1]};
}

Result<VerbOptions> run_options(RawWords raw) {
    ZONA_TRY_VOID(check_count(Verb::kRun, raw.positionals, 1, 1));
    return RunOptions{raw.positionals[0], split_commas(raw.only), std::move(raw.run_cwd),
                      variables_of(raw)};
}

Result<VerbOptions> options_of(Verb verb, RawWords raw, vector<string> arguments) {
    switch (verb) {
        case Verb::kStart:
            return start_options(std::move(raw), std::move(arguments));
        case Verb::kScale:
            return scale_options(std::move(raw));
        case Verb::kSignal:
            return signal_options(std::move(raw));
        case Verb::kLogs:
            return logs_options(std::move(raw));
        case Verb::kWhy:
            return why_options(std::move(raw));
        case Verb::kConfig:
            return config_options(raw);
        case Verb::kKey:
        case Verb::kExecution:
        case Verb::kJob:
        case Verb::kCache:
        case Verb::kAudit:
        case Verb::kLicense:
        case Verb::kTenant:
        case Verb::kUser:
        case Verb::kRole:
        case Verb::kIdp:
        case Verb::kLogin:
        case Verb::kPasswd:
        case Verb::kSession:
        case Verb::kFactor:
        case Verb::kBackup:
        case Verb::kStore:
        case Verb::kVault:
            return detail::data_options(verb, raw);
        case Verb::kContext:
            return context_options(raw);
        case Verb::kWeb:
            return web_options(raw);
        case Verb::kSend:
            return send_options(raw);
        case Verb::kRun:
            return run_options(std::move(raw));
        case Verb::kSave: {
            ZONA_TRY_VOID(check_count(verb, raw.positionals, 0, 0));
            return SaveOptions{raw.force};
        }
        case Verb::kJlist:
        case Verb::kResurrect:
        case Verb::kPing:
        case Verb::kKill:
        case Verb::kLogout:
        case Verb::kWhoami:
        case Verb::kDoctor: {
            ZONA_TRY_VOID(check_count(verb, raw.positionals, 0, 0));
            return NoOptions{};
        }
        default:
            return select_options(verb, std::move(raw));
    }
}

/// Which zona, as far as the flags say.
Result<void> read_place(const RawWords& raw, GlobalOptions& global) {
    using Row = std::pair<string_view, const std::optional<string>*>;
    for (const auto& [flag, value] :
         {Row{"--host", &raw.host}, Row{"--context", &raw.context},
          Row{"--key-file", &raw.key_file}, Row{"--ca-file", &raw.ca_file},
          Row{"--fingerprint", &raw.fingerprint}, Row{"--client-cert", &raw.client_cert},
          Row{"--client-key", &raw.client_key}}) {
        if (*value && (*value)->empty())
            return wrong(fmt::format("{} is given an empty text", flag));
    }
    global.host = raw.host;
    global.context = raw.context;
    global.key_file = raw.key_file;
    global.ca_file = raw.ca_file;
    global.fingerprint = raw.fingerprint;
    global.client_cert = raw.client_cert;
    global.client_key = raw.client_key;
    if (raw.insecure) global.unprotected = Unprotected::kAllowed;
    return {};
}

Result<GlobalOptions> global_options(Verb verb, const RawWords& raw) {
    GlobalOptions global;
    if (!raw.home.empty()) global.home = raw.home;
    for (const string& setting : raw.settings) {
        if (setting.find('=') == string::npos || setting.starts_with('=')) {
            return Error(Code::kInvalidArgument,
                         fmt::format("--set {}: not KEY=VALUE", escape_control(setting)))
                .detail({"", "",
                         "as in --set supervisor.containment=sweep; `zona config` has the keys"});
        }
    }
    if (raw.settings.size() > process::kMostSettings) {
        return Error(Code::kInvalidArgument,
                     fmt::format("--set is given {} times; at most {} are taken",
                                 raw.settings.size(), process::kMostSettings))
            .detail({"", "", "write them into zona.toml in zona's home"});
    }
    global.settings = raw.settings;
    ZONA_TRY_VOID(read_place(raw, global));
    if (verb == Verb::kWeb) global.host.reset();  // an address of this host
    if (raw.json) global.format = OutputFormat::kJson;
    if (raw.no_color) global.colours = Colours::kNever;
    if (raw.silent) global.talk = Talk::kSilent;
    if (!raw.timeout.empty()) {
        const bool is_number = raw.timeout.find_first_not_of("0123456789.") == string::npos;
        auto timeout = core::parse_duration(is_number ? raw.timeout + "s" : raw.timeout);
        if (!timeout) return timeout.take_error().context("--timeout");
        global.timeout = *timeout;
    }
    return global;
}

bool takes_value(string_view word) {
    constexpr std::array kFlags = {string_view("--home"),        string_view("--timeout"),
                                   string_view("--set"),         string_view("--host"),
                                   string_view("--context"),     string_view("--key-file"),
                                   string_view("--ca-file"),     string_view("--fingerprint"),
                                   string_view("--client-cert"), string_view("--client-key")};
    return std::ranges::find(kFlags, word) != kFlags.end();
}

/// The index of the verb, or words.size(). Only the flags of every verb may stand before it.
std::size_t verb_index(Words words) {
    std::size_t at = 0;
    while (at < words.size() && words[at].starts_with('-')) {
        at += takes_value(words[at]) ? 2 : 1;
    }
    return std::min(at, words.size());
}

Result<Parsed> parse_without_verb(Words words) {
    for (const string& word : words) {
        if (word == "-V" || word == "-v" || word == "--version") {
            VersionRequest request;
            if (wants_json(words)) request.global.format = OutputFormat::kJson;
            return request;
        }
    }
    ZONA_TRY(const RawWords raw, read_words(Verb::kHelp, words));
    static_cast<void>(raw);
    return HelpText{general_help()};
}

/// An API key among the arguments is refused before anything could repeat it.
Result<void> refuse_keys(Words words) {
    const auto behind = std::ranges::find(words, "--");
    const bool shows_key = std::any_of(words.begin(), behind, [](const string& word) {
        const string_view name = string_view(word).substr(0, word.find('='));
        return name == "--key" || name == "--api-key" || word.starts_with("zona_key_") ||
               word.starts_with("--key-file=zona_key_");
    });
    if (!shows_key) return {};
    return wrong("an API key is no argument: everybody on this host can read it in /proc")
        .detail({"", "",
                 "put it into a file that only you can read, and give --key-file FILE; or "
                 "set ZONA_API_KEY"});
}

Result<Parsed> parse_help(Words words) {
    for (const string& word : words) {
        if (word.starts_with('-')) continue;
        const VerbInfo* verb = find_verb(word);
        if (verb == nullptr) {
            return wrong(fmt::format("zona has no verb '{}'{}", escape_control(word),
                                     verb_suggestion(word)));
        }
        return HelpText{verb_help(verb->verb)};
    }
    return HelpText{general_help()};
}

/// `zona scale api -1` and `zona signal -9 api`: numbers that look like flags, made positionals.
void unhide_numbers(Verb verb, vector<string>& words) {
    if (verb != Verb::kScale && verb != Verb::kSignal) return;
    const auto hidden = std::ranges::find_if(words, [](const string& word) {
        return word.size() > 1 && word[0] == '-' &&
               word.find_first_not_of("0123456789", 1) == string::npos;
    });
    if (hidden == words.end()) return;
    string number = *hidden;
    words.erase(hidden);
    if (verb == Verb::kSignal) {
        words.insert(words.begin(), number.substr(1));
    } else {
        words.emplace_back("--");
        words.push_back(std::move(number));
    }
}

}  // namespace

bool wants_json(Words words) {
    for (const string& word : words) {
        if (word == "--") return false;
        if (word == "--json") return true;
    }
    return false;
}

Result<Parsed> parse(Words words) {
    ZONA_TRY_VOID(refuse_keys(words));
    const std::size_t at = verb_index(words);
    if (at == words.size()) return parse_without_verb(words);
    const VerbInfo* verb = find_verb(words[at]);
    if (verb == nullptr) {
        // The value of a mistyped option is not a mistyped verb.
        ZONA_TRY_VOID(read_words(Verb::kHelp, words.first(at)));
        return wrong(fmt::format("zona has no verb '{}'{}", escape_control(words[at]),
                                 verb_suggestion(words[at])))
            .detail({"", "", "zona --help lists the verbs"});
    }
    vector<string> rest(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(at));
    rest.insert(rest.end(), words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
    if (verb->verb == Verb::kHelp) return parse_help(rest);

    vector<string> arguments;
    if (verb->verb == Verb::kStart) {
        const auto split = std::ranges::find(rest, "--");
        if (split != rest.end()) arguments.assign(split + 1, rest.end());
        rest.erase(split, rest.end());
    }
    unhide_numbers(verb->verb, rest);
    ZONA_TRY(RawWords raw, read_words(verb->verb, rest));
    if (raw.help) return HelpText{verb_help(verb->verb)};
    ZONA_TRY(const GlobalOptions global, global_options(verb->verb, raw));
    if (raw.version) return VersionRequest{global};
    ZONA_TRY(VerbOptions options, options_of(verb->verb, std::move(raw), std::move(arguments)));
    return Command{verb->verb, global, std::move(options)};
}

}  // namespace zona::cli
