#include "cli/detail/parse.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/detail/request.h"

namespace zona::cli {
namespace {

/// Words at spaces; 'a b' is one word.
std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> words;
    std::istringstream stream(line);
    std::string word;
    while (stream >> word) {
        if (word.starts_with('\'')) {
            std::string rest;
            if (!word.ends_with('\'') || word.size() == 1) {
                std::getline(stream, rest, '\'');
                word += rest + '\'';
            }
            word = word.substr(1, word.size() - 2);
        }
        words.push_back(word);
    }
    return words;
}

core::Result<Parsed> parse_line(const std::string& line) {
    return parse(words_of(line));
}

template <class Options>
Options options_of(const std::string& line) {
    const auto parsed = parse_line(line);
    EXPECT_TRUE(parsed.has_value()) << line << ": " << (parsed ? "" : parsed.error().message());
    return std::get<Options>(std::get<Command>(*parsed).options);
}

std::string refusal(const std::string& line) {
    const auto parsed = parse_line(line);
    if (parsed) return "accepted";
    EXPECT_EQ(parsed.error().code(), core::Code::kInvalidArgument);
    return parsed.error().message();
}

const Caller kCaller{"/srv/app", {"HOME=/home/u", "EMPTY=", "nonsense", "BAD=\xff"}};
const std::string kSent = R"("cwd":"/srv/app","env":{"HOME":"/home/u","EMPTY":""})";

std::string started(const std::string& line) {
    const auto options = options_of<StartOptions>(line);
    const ApiRequest request = start_scripts(options, options.targets, kCaller);
    EXPECT_EQ(request.method + ' ' + request.target, "POST /api/v1/processes");
    return request.body;
}

std::string operated(const std::string& line) {
    const auto parsed = parse_line(line);
    EXPECT_TRUE(parsed.has_value()) << line;
    const Command command = std::get<Command>(*parsed);
    ApiRequest request;
    if (const auto* scale = std::get_if<ScaleOptions>(&command.options)) request = operate(*scale);
    if (const auto* send = std::get_if<SendOptions>(&command.options)) request = operate(*send);
    if (const auto* signal = std::get_if<SignalOptions>(&command.options)) {
        request = operate(*signal);
    }
    if (const auto* select = std::get_if<SelectOptions>(&command.options)) {
        request = operate(info(command.verb).name, *select, kCaller);
    }
    EXPECT_EQ(request.method + ' ' + request.target, "POST /api/v1/operations");
    return request.body;
}

// PM-02
TEST(ParseStart, ScriptAloneSendsCallerAndScript) {
    EXPECT_EQ(started("start app.py"),
              R"({"apps":[{"script":"app.py"}],)" + kSent + R"(,"wait":true})");
}

// PM-02, PM-05
TEST(ParseStart, EveryFlagBecomesItsKey) {
    EXPECT_EQ(started("start ./server -n api -i 3 --cwd sub --namespace prod --interpreter python3"
                      " --interpreter-args '-u -X \"a b\"' --no-autorestart --restart-delay 1.5s"
                      " --exp-backoff-restart-delay 100 --max-restarts 5 --min-uptime 2s"
                      " --kill-timeout 1m --kill-signal SIGTERM -o out.log --error-file err.log"
                      " --merge-logs --user www --group data --umask 027 --nice -5 --stdin"
                      " -e A=1 --env B=x=y --no-wait -- --port 8080 -n"),
              R"({"apps":[{"script":"./server","name":"api","instances":3,"cwd":"sub",)"
              R"("namespace":"prod","interpreter":"python3","interpreter_args":["-u","-X","a b"],)"
              R"("autorestart":false,"restart_delay":1500,"exp_backoff_restart_delay":100,)"
              R"("max_restarts":5,"min_uptime":2000,"kill_timeout":60000,"kill_signal":"SIGTERM",)"
              R"("out_file":"out.log","error_file":"err.log","merge_logs":true,"user":"www",)"
              R"("group":"data","umask":"027","nice":-5,"stdin":"pipe",)"
              R"("args":["--port","8080","-n"],"env":{"A":"1","B":"x=y"}}],)" +
                  kSent + R"(,"wait":false})");
}

TEST(ParseStart, SeveralScriptsAreSeveralApps) {
    EXPECT_EQ(
        started("start a.sh b.sh -i max"),
        R"({"apps":[{"script":"a.sh","instances":"max"},{"script":"b.sh","instances":"max"}],)" +
            kSent + R"(,"wait":true})");
}

TEST(ParseStart, FileGoesWithItsContentAndTheWantedApps) {
    const auto options = options_of<StartOptions>("start eco.yaml --only api,worker --only db");
    const ApiRequest request =
        start_file({"eco.yaml", "/srv/app", "apps: []\n"}, options.only, options.wait, kCaller);

    EXPECT_EQ(request.body, R"({"file":{"name":"eco.yaml","content":"apps: []\n"},)" + kSent +
                                R"(,"only":["api","worker","db"],"wait":true})");
}

TEST(ParseStart, RefusesValuesOfTheWrongForm) {
    EXPECT_EQ(refusal("start a.sh -i many"), "--instances takes a whole number or max, not 'many'");
    EXPECT_EQ(refusal("start a.sh -e PATH"), "--env takes NAME=VALUE, not 'PATH'");
    EXPECT_EQ(refusal("start a.sh -e =x"), "--env takes NAME=VALUE, not '=x'");
    EXPECT_EQ(refusal("start a.sh --interpreter-args '-c \"x'"),
              "--interpreter-args: a quote (\") is not closed");
    EXPECT_NE(refusal("start a.sh --min-uptime soon").find("--min-uptime"), std::string::npos);
    EXPECT_EQ(refusal("start a.sh --name"), "--name needs a value");
}

TEST(ParseStart, TellsWhereOptionsOfTheProgramGo) {
    const auto parsed = parse_line("start a.sh --port 80");

    ASSERT_FALSE(parsed.has_value());
    EXPECT_EQ(parsed.error().message(), "zona start has no option --port");
    EXPECT_EQ(parsed.error().details().at(0).hint, "options of the program itself stand behind --");
}

// PM-03
TEST(ParseOperation, StopNamesItsSelectors) {
    EXPECT_EQ(operated("stop api 3 ns:prod"),
              R"({"action":"stop","select":["api","3","ns:prod"],"wait":true})");
    EXPECT_EQ(operated("del all --no-wait"),
              R"({"action":"delete","select":["all"],"wait":false})");
    EXPECT_EQ(operated("reset /^w/"), R"({"action":"reset","select":["/^w/"],"wait":true})");
}

// PM-04
TEST(ParseOperation, RestartTakesTheEnvironmentOnlyWhenAsked) {
    EXPECT_EQ(operated("restart api"), R"({"action":"restart","select":["api"],"wait":true})");
    EXPECT_EQ(operated("restart api --update-env"),
              R"({"action":"restart","select":["api"],"wait":true,"update_env":true,)"
              R"("env":{"HOME":"/home/u","EMPTY":""},"cwd":"/srv/app"})");
}

// PM-05
TEST(ParseOperation, ScaleIsANumberOrAStep) {
    EXPECT_EQ(operated("scale api 4"),
              R"({"action":"scale","select":["api"],"wait":true,"instances":4})");
    EXPECT_EQ(operated("scale api +2"),
              R"({"action":"scale","select":["api"],"wait":true,"instances":"+2"})");
    EXPECT_EQ(operated("scale api -1"),
              R"({"action":"scale","select":["api"],"wait":true,"instances":"-1"})");
    EXPECT_EQ(refusal("scale api x"), "zona scale takes N, +N or -N, not 'x'");
    EXPECT_EQ(refusal("scale api"), "zona scale needs more arguments");
}

// PM-17
TEST(ParseOperation, SignalNamesItsTarget) {
    EXPECT_EQ(
        operated("signal USR1 api web"),
        R"({"action":"signal","select":["api","web"],"wait":true,"signal":"USR1","target":"group"})");
    EXPECT_EQ(operated("sendSignal -9 api --tree"),
              R"({"action":"signal","select":["api"],"wait":true,"signal":"9","target":"tree"})");
    EXPECT_EQ(
        operated("signal HUP 0 --process"),
        R"({"action":"signal","select":["0"],"wait":true,"signal":"HUP","target":"process"})");
    EXPECT_EQ(refusal("signal HUP 0 --process --tree"), "--process and --tree exclude each other");
}

TEST(ParseOperation, SendTakesALineAsItIs) {
    EXPECT_EQ(operated("send repl 'print(1) and more'"),
              R"({"action":"send","select":["repl"],"wait":true,"line":"print(1) and more"})");
    EXPECT_EQ(operated("send repl -- -x"),
              R"({"action":"send","select":["repl"],"wait":true,"line":"-x"})");
}

TEST(ParseLogs, OptionsBecomeTheQuery) {
    EXPECT_EQ(get_logs(options_of<LogsOptions>("logs"), "").target,
              "/api/v1/logs?stream=all&lines=15&follow=true");
    EXPECT_EQ(
        get_logs(options_of<LogsOptions>("logs api /w.*/ --err --lines 3 --since 10m --nostream"),
                 "")
            .target,
        "/api/v1/logs?select=api&select=%2Fw.%2A%2F&stream=err&lines=3&since=10m&follow=false");
    EXPECT_EQ(get_logs(options_of<LogsOptions>("logs --out"), "a:1/b").target,
              "/api/v1/logs?stream=out&lines=15&follow=true&cursor=a%3A1%2Fb");
    EXPECT_EQ(options_of<LogsOptions>("logs --raw").prefix, LogPrefix::kRaw);
    EXPECT_EQ(refusal("logs --lines -3"), "--lines takes a whole number from 0 on, not '-3'");
}

TEST(ParseReads, SelectorsAreEncodedInTheQuery) {
    const auto options = options_of<SelectOptions>("list 'a b' grün");
    EXPECT_EQ(get_selected("processes", options.selectors).target,
              "/api/v1/processes?select=a%20b&select=gr%C3%BCn");
    EXPECT_EQ(get_of_process("a/b", "exits").target, "/api/v1/processes/a%2Fb/exits");
}

TEST(ParseConfig, HasThreeForms) {
    EXPECT_EQ(configure(options_of<ConfigOptions>("config")).target, "/api/v1/config");
    EXPECT_EQ(configure(options_of<ConfigOptions>("config show")).target, "/api/v1/config");
    EXPECT_EQ(configure(options_of<ConfigOptions>("config reload")).method, "POST");
    EXPECT_EQ(configure(options_of<ConfigOptions>("config log-level")).method, "GET");
    const ApiRequest set = configure(options_of<ConfigOptions>("config log-level api debug"));
    EXPECT_EQ(set.method + ' ' + set.target + ' ' + set.body,
              R"(PUT /api/v1/log-levels {"api":"debug"})");
    EXPECT_EQ(refusal("config relaod"), "zona config has no 'relaod'; did you mean 'reload'?");
    EXPECT_EQ(refusal("config log-level api"), "zona config needs more arguments");
}

TEST(ParseJob, EachActionIsARequest) {
    const auto asked = [](const std::string& line) {
        const ApiRequest request = manage_jobs(options_of<JobOptions>(line));
        return request.method + ' ' + request.target + request.body;
    };
    EXPECT_EQ(asked("job"), "GET /api/v1/jobs");
    EXPECT_EQ(asked("jobs ls"), "GET /api/v1/jobs");
    EXPECT_EQ(asked("job show a/b"), "GET /api/v1/jobs/a%2Fb");
    EXPECT_EQ(asked("job history purge"), "GET /api/v1/jobs/purge/runs");
    EXPECT_EQ(asked("job history purge --cursor x+y"), "GET /api/v1/jobs/purge/runs?cursor=x%2By");
    for (const std::string action : {"run", "pause", "resume", "cancel"})
        EXPECT_EQ(asked("job " + action + " purge"), "POST /api/v1/jobs/purge/" + action);
    EXPECT_NE(refusal("job run"), "accepted");
    EXPECT_NE(refusal("job list purge"), "accepted");
    EXPECT_EQ(refusal("job run purge --cursor x"), "--cursor belongs to zona job history");
    for (const char* flag : {"--db-host x", "--db-name x", "--to x"}) {
        EXPECT_THAT(refusal(std::string("tenant update acme --db-username me ") + flag),
                    testing::HasSubstr("`zona tenant move acme --to HOST`"));
    }
    const ApiRequest login =
        manage_tenants(options_of<TenantOptions>("tenant update acme --db-username me"));
    EXPECT_EQ(login.method + ' ' + login.target + login.body,
              R"(PATCH /api/v1/tenants/acme{"db_username":"me"})");
    EXPECT_EQ(options_of<TenantOptions>("tenant update acme --db-password-file -").password_file,
              "-");
    EXPECT_THAT(refusal("tenant suspend acme --db-username x"),
                testing::HasSubstr("create, update and move"));
    EXPECT_EQ(refusal("job rum purge"), "zona job has no 'rum'; did you mean 'run'?");
}

TEST(ParseLogin, SaysWhoSignsInAndNeverWithWhat) {
    const auto login = options_of<LoginOptions>("login --user anna --code 123456");
    EXPECT_EQ(login.tenant, "default");
    EXPECT_EQ(login.code.reveal(), "123456");
    LoginOptions full = options_of<LoginOptions>("passwd --tenant acme --user anna");
    full.password = core::Secret("tulip");
    EXPECT_EQ(begin_session(full).body, R"({"tenant":"acme","name":"anna","password":"tulip"})");
    full.code = core::Secret("123456");
    EXPECT_EQ(change_password(full, core::Secret("orbit")).body,
              R"({"tenant":"acme","name":"anna","password":"tulip","code":"123456",)"
              R"("new_password":"orbit"})");
    EXPECT_NE(refusal("login --password tulip"), "accepted");
    EXPECT_EQ(options_of<LoginOptions>("login --tenant acme --idp corp").provider, "corp");
    EXPECT_THAT(refusal("login --idp corp --user anna"), testing::HasSubstr("without --idp"));
    EXPECT_THAT(refusal("login --password-stdin"), testing::HasSubstr("give --user NAME"));
}

TEST(ParseFactor, IsOnesOwnUnlessAUserIsNamed) {
    const auto confirm = options_of<FactorOptions>("factor confirm 123456");
    EXPECT_EQ(change_factor(confirm).target, "/api/v1/second-factor/confirmations");
    EXPECT_EQ(change_factor(confirm).body, R"({"code":"123456"})");
    const auto remove = options_of<FactorOptions>("factor remove --code 1");
    EXPECT_EQ(change_factor(remove).target, "/api/v1/second-factor/removals");
    EXPECT_EQ(remove_factor("acme", "7").target, "/api/v1/tenants/acme/users/7/second-factor");
    EXPECT_EQ(options_of<FactorOptions>("factor remove --user anna").tenant, "default");
    for (const char* line : {"factor", "factor confirm", "factor enrol 123456",
                             "factor enrol --user anna", "factor remove --tenant acme"})
        EXPECT_NE(refusal(line), "accepted") << line;
}

TEST(ParseSession, EndsThoseThatWereNamed) {
    const auto asked = [](const std::string& line, std::string_view user = "") {
        const ApiRequest request = end_sessions(options_of<SessionOptions>(line), user);
        return request.method + ' ' + request.target;
    };
    EXPECT_EQ(asked("session end --session a/b"), "DELETE /api/v1/sessions/a%2Fb");
    EXPECT_EQ(asked("session end --tenant acme"), "DELETE /api/v1/tenants/acme/sessions");
    EXPECT_EQ(asked("session end --tenant acme --user anna --session x", "7"),
              "DELETE /api/v1/tenants/acme/sessions?user=7&id=x");
    EXPECT_THAT(refusal("session end"), testing::HasSubstr("--session ID"));
    EXPECT_EQ(refusal("session list --user anna"),
              "--user and --session belong to zona session end");
}

TEST(ParseUser, ActionsAreAskedForOfTheTenant) {
    const auto asked_of_user = [](const std::string& line) {
        UserOptions options = options_of<UserOptions>(line);
        options.id = "7";
        const ApiRequest request = manage_users(options);
        return request.method + ' ' + request.target + request.body;
    };
    EXPECT_EQ(asked_of_user("user"), "GET /api/v1/tenants/default/users?limit=200");
    EXPECT_EQ(find_user("acme", "a@b").target, "/api/v1/tenants/acme/users?name=a%40b");
    EXPECT_EQ(asked_of_user("user invite --email a@b --roles user,x --expires 7d --tenant acme"),
              "POST /api/v1/tenants/acme/invitations"
              R"({"email":"a@b","roles":["user","x"],"expires_in":"7d"})");
    EXPECT_EQ(asked_of_user("user create anna"),
              R"(POST /api/v1/tenants/default/users{"name":"anna","roles":[]})");
    EXPECT_EQ(asked_of_user("user roles anna user,x"),
              R"(PATCH /api/v1/tenants/default/users/7{"roles":["user","x"]})");
    EXPECT_EQ(asked_of_user("user disable anna"),
              R"(PATCH /api/v1/tenants/default/users/7{"status":"disabled"})");
    EXPECT_EQ(asked_of_user("user rm anna"), "DELETE /api/v1/tenants/default/users/7");
    EXPECT_NE(refusal("user show"), "accepted");
    EXPECT_NE(refusal("user change anna --roles x"), "accepted");
}

TEST(ParseLicense, ShowsInstallsAndReports) {
    EXPECT_EQ(options_of<LicenseOptions>("license").action, LicenseAction::kShow);
    EXPECT_EQ(options_of<LicenseOptions>("license show --tenant acme").tenant, "acme");
    const auto install = options_of<LicenseOptions>("licence install new.license");
    EXPECT_EQ(install.action, LicenseAction::kInstall);
    EXPECT_EQ(install.file, "new.license");
    EXPECT_NE(refusal("license install"), "accepted");
    EXPECT_NE(refusal("license report --tenant acme"), "accepted");
    EXPECT_NE(refusal("license remove"), "accepted");
}

TEST(ParseIdp, GroupsBecomeRoles) {
    const ApiRequest request = manage_providers(options_of<ProviderOptions>(
        "idp add corp --tenant acme --issuer https://i.example --client-id zona --group "
        "cn=soc=creator --roles user,x --create-users"));
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target, "/api/v1/tenants/acme/identity-providers");
    EXPECT_EQ(request.body,
              R"({"issuer":"https://i.example","client_id":"zona","roles":{"cn=soc":"creator"},)"
              R"("default_roles":["user","x"],"newcomers":"create","enabled":true,"name":"corp"})");
    EXPECT_EQ(manage_providers(options_of<ProviderOptions>("idp rm corp")).target,
              "/api/v1/tenants/default/identity-providers/corp");
    EXPECT_NE(refusal("idp add corp --client-id zona"), "accepted");
    EXPECT_NE(refusal("idp add corp --issuer https://i --client-id zona --group soc"), "accepted");
    EXPECT_NE(refusal("idp list --issuer https://i"), "accepted");
}

TEST(ParseRole, GrantsAndConditionsAreWrittenDown) {
    const ApiRequest request = manage_roles(options_of<RoleOptions>(
        "role create night --inherits user --grant utilities:read=all --grant cases:read=own "
        "--from 22:00 --until 06:00 --weekdays mon,tue --networks 10.0.0.0/8"));
    EXPECT_EQ(request.target, "/api/v1/tenants/default/roles");
    EXPECT_EQ(request.body,
              R"({"name":"night","grants":{"utilities:read":"all","cases:read":"own"},)"
              R"("inherits":["user"],"conditions":{"from":"22:00","until":"06:00",)"
              R"("weekdays":["mon","tue"],"networks":["10.0.0.0/8"]}})");
    EXPECT_NE(refusal("role create night --grant utilities:read"), "accepted");
    EXPECT_NE(refusal("role remove"), "accepted");
}

TEST(ParseCache, EachActionIsARequest) {
    const auto asked = [](const std::string& line) {
        const ApiRequest request = manage_cache(options_of<CacheOptions>(line));
        return request.method + ' ' + request.target + request.body;
    };
    EXPECT_EQ(asked("cache"), "GET /api/v1/cache");
    EXPECT_EQ(asked("cache stats"), "GET /api/v1/cache");
    EXPECT_EQ(asked("cache flush"), "DELETE /api/v1/cache");
    EXPECT_EQ(asked("cache flush --tenant acme --entity apps --pattern list-*"),
              "DELETE /api/v1/cache?tenant=acme&entity=apps&pattern=list-%2A");
    EXPECT_EQ(asked("cache flush --tenant acme --tag a/b"),
              "DELETE /api/v1/cache?tenant=acme&tag=a%2Fb");
    EXPECT_EQ(refusal("cache flush --tag x"),
              "--entity, --pattern and --tag are of a tenant: give --tenant CODE");
    EXPECT_EQ(refusal("cache stats --tenant acme"),
              "--tenant, --entity, --pattern and --tag belong to zona cache flush");
    EXPECT_EQ(refusal("cache flsh"), "zona cache has no 'flsh'; did you mean 'flush'?");
}

TEST(ParseSave, ForceIsSaid) {
    EXPECT_EQ(save(options_of<SaveOptions>("save")).body, R"({"force":false})");
    EXPECT_EQ(save(options_of<SaveOptions>("dump --force")).body, R"({"force":true})");
}

// UX-11
TEST(ParseVerb, AliasesOfPm2UsersWork) {
    const std::pair<const char*, Verb> aliases[] = {{"ls", Verb::kList},
                                                    {"l", Verb::kList},
                                                    {"ps", Verb::kList},
                                                    {"status", Verb::kList},
                                                    {"del x", Verb::kDelete},
                                                    {"desc x", Verb::kDescribe},
                                                    {"info x", Verb::kDescribe},
                                                    {"show x", Verb::kDescribe},
                                                    {"log", Verb::kLogs},
                                                    {"dump", Verb::kSave},
                                                    {"sendSignal 9 x", Verb::kSignal}};
    for (const auto& [line, verb] : aliases) {
        const auto parsed = parse_line(line);
        ASSERT_TRUE(parsed.has_value()) << line;
        EXPECT_EQ(std::get<Command>(*parsed).verb, verb) << line;
    }
}

// UX-11
TEST(ParseVerb, MistypedOnesGetTheNearest) {
    EXPECT_EQ(refusal("strat app.py"), "zona has no verb 'strat'; did you mean 'start'?");
    EXPECT_EQ(refusal("list --jsno"), "zona list has no option --jsno; did you mean '--json'?");
    EXPECT_EQ(refusal("restart x --update-envs"),
              "zona restart has no option --update-envs; did you mean '--update-env'?");
    EXPECT_EQ(refusal("qqqqqq"), "zona has no verb 'qqqqqq'");
    EXPECT_EQ(refusal("--ca c.pem list"), "zona has no option --ca; did you mean '--ca-file'?");
    EXPECT_EQ(refusal("ping extra"), "zona ping has no use for 'extra'");
}

TEST(ParseGlobal, FlagsStandBeforeOrBehindTheVerb) {
    for (const char* line : {"--home /h --json -s --timeout 1.5 list --no-color",
                             "list --home=/h --json --silent --timeout 1500ms --no-color"}) {
        const auto parsed = parse_line(line);
        ASSERT_TRUE(parsed.has_value()) << line;
        const GlobalOptions global = std::get<Command>(*parsed).global;
        EXPECT_EQ(global.home, "/h") << line;
        EXPECT_EQ(global.format, OutputFormat::kJson) << line;
        EXPECT_EQ(global.talk, Talk::kSilent) << line;
        EXPECT_EQ(global.colours, Colours::kNever) << line;
        EXPECT_EQ(global.timeout, std::chrono::milliseconds(1500)) << line;
    }
    EXPECT_NE(refusal("list --timeout soon").find("--timeout"), std::string::npos);
    EXPECT_EQ(refusal("list --home"), "--home needs a value");
}

TEST(ParseGlobal, JsonIsWantedOnLinesThatAreRefusedToo) {
    EXPECT_TRUE(wants_json(words_of("strat --json")));
    EXPECT_FALSE(wants_json(words_of("start x -- --json")));
}

// UX-11
TEST(ParseHelp, EveryVerbHasHelpWithExamples) {
    for (const VerbInfo& verb : all_verbs()) {
        if (verb.verb == Verb::kHelp) continue;
        const auto parsed = parse_line(std::string(verb.name) + " --help");
        ASSERT_TRUE(parsed.has_value()) << verb.name;
        const std::string text = std::get<HelpText>(*parsed).text;
        EXPECT_NE(text.find("Usage: zona " + std::string(verb.name)), std::string::npos);
        EXPECT_NE(text.find("\nExamples\n"), std::string::npos) << verb.name;
        EXPECT_FALSE(verb.examples.empty()) << verb.name;
        EXPECT_EQ(std::get<HelpText>(*parse_line("help " + std::string(verb.name))).text, text);
    }
}

TEST(ParseHelp, GeneralHelpNamesEveryVerb) {
    for (const char* line : {"", "--help", "help", "-h"}) {
        const auto parsed = parse_line(line);
        ASSERT_TRUE(parsed.has_value()) << line;
        const std::string text = std::get<HelpText>(*parsed).text;
        for (const VerbInfo& verb : all_verbs()) {
            EXPECT_NE(text.find("\n  " + std::string(verb.name) + " "), std::string::npos);
        }
    }
}

TEST(ParseHelp, VersionIsAskedForAnywhere) {
    for (const char* line : {"--version", "-V", "-v", "list --version", "--json --version"}) {
        const auto parsed = parse_line(line);
        ASSERT_TRUE(parsed.has_value()) << line;
        EXPECT_TRUE(std::holds_alternative<VersionRequest>(*parsed)) << line;
    }
}

TEST(Targets, FilesAndSelectorsAreKnownByTheirForm) {
    for (const char* file :
         {"a.json", "x/b.yaml", "c.yml", "d.toml", "ecosystem.config.js", "/etc/zona.conf"}) {
        EXPECT_TRUE(names_a_file(file)) << file;
    }
    for (const char* other : {"app.py", "json", ".json", "zonaemu", "all"}) {
        EXPECT_FALSE(names_a_file(other)) << other;
    }
    for (const char* selector :
         {"0", "42", "all", "ns:prod", "/^api/", "0b6c1c7e-9a6f-4f8e-8f57-3a1f4a2f7d10"}) {
        EXPECT_TRUE(is_surely_a_selector(selector)) << selector;
    }
    for (const char* other : {"api", "/usr/bin/env", "4x", "./all"}) {
        EXPECT_FALSE(is_surely_a_selector(other)) << other;
    }
}

TEST(SentEnvironment, NamesWhatCannotBeSent) {
    EXPECT_EQ(sent_environment(kCaller.environment).left_out, std::vector<std::string>{"BAD"});
}

}  // namespace
}  // namespace zona::cli
