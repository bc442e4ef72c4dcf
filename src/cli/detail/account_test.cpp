#include "cli/detail/account.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "cli/detail/jlist.h"
#include "core/json.h"
#include "core/time_format.h"

namespace zona::cli {
namespace {

Process sample(std::int64_t pm_id, const std::string& name) {
    Process process;
    process.pm_id = pm_id;
    process.name = name;
    process.space = "default";
    process.status = "online";
    process.desired = "running";
    process.pid = 4711 + pm_id;
    process.uptime = Milliseconds(3 * 60'000);
    process.out_file = "/h/logs/" + name + "-out.log";
    process.error_file = "/h/logs/" + name + "-error.log";
    process.script = "/srv/" + name;
    process.cwd = "/srv";
    return process;
}

Exit ended(const std::string& cause) {
    Exit exit;
    exit.cause = cause;
    exit.ran = Milliseconds(40);
    exit.pid = 77;
    exit.exited_at = *core::parse_rfc3339("2026-03-09T07:12:44.031Z");
    return exit;
}

Outcome outcome(std::int64_t pm_id, const std::string& name, const std::string& what) {
    Outcome result;
    result.pm_id = pm_id;
    result.name = name;
    result.outcome = what;
    result.after = Milliseconds(301);
    return result;
}

TEST(SpokenDuration, GrowsWithTheTime) {
    EXPECT_EQ(spoken_duration(Milliseconds(0)), "0 ms");
    EXPECT_EQ(spoken_duration(Milliseconds(40)), "40 ms");
    EXPECT_EQ(spoken_duration(Milliseconds(301)), "0.3 s");
    EXPECT_EQ(spoken_duration(Milliseconds(12'590)), "12.5 s");
    EXPECT_EQ(spoken_duration(Milliseconds(192'000)), "3m 12s");
}

TEST(CauseOf, HasWordsForEachCause) {
    Exit exit = ended("exited");
    exit.code = 3;
    EXPECT_EQ(cause_of(exit), "exited 3");
    exit = ended("signaled");
    exit.signal = "SIGSEGV";
    exit.core = true;
    EXPECT_EQ(cause_of(exit), "was killed by SIGSEGV (core dumped)");
    EXPECT_EQ(cause_of(ended("out_of_memory")), "was killed for lack of memory");
    exit = ended("not_started");
    exit.reason = "no such file";
    EXPECT_EQ(cause_of(exit), "was not started: no such file");
    EXPECT_EQ(cause_of(ended("unknown")), "ended, nobody saw how");
}

TEST(ListText, ShowsProcessesAndWhatIsHeld) {
    ProcessList list;
    list.processes = {sample(0, "api"), sample(3, "db")};
    list.processes[1].status = "errored";
    list.processes[1].pid.reset();
    list.processes[1].restarts = 16;
    list.processes[1].held_because = "16 restarts within 1s each";
    list.processes[0].survivors = {{12, "worker", true}, {13, "sleep", false}};

    EXPECT_EQ(list_text(list, {}),
              "id  name  status    pid  uptime  restarts\n"
              " 0  api   online   4711   3m 0s         0\n"
              " 3  db    errored     -       -        16\n"
              "api: outlived its stop: worker (pid 12), sleep (pid 13, perhaps its)\n"
              "db is held: 16 restarts within 1s each (zona why 3)\n");
}

TEST(ListText, NamespaceIsAColumnOnlyWhenThereAreSeveral) {
    ProcessList list;
    list.processes = {sample(0, "api"), sample(1, "db")};
    EXPECT_EQ(list_text(list, {}).find("namespace"), std::string::npos);
    list.processes[1].space = "prod";
    EXPECT_NE(list_text(list, {}).find("namespace"), std::string::npos);
}

// PM-11
TEST(ListText, OffersToBringBackWhatWasKilled) {
    ProcessList list;
    list.killed = 3;
    EXPECT_EQ(list_text(list, {}),
              "id  name  status  pid  uptime  restarts\n"
              "3 processes ran before `zona kill`: `zona resurrect` starts them\n");
}

TEST(ListText, EscapesNamesThatWouldMoveTheCursor) {
    ProcessList list;
    list.processes = {sample(0, "evil\x1b[2J\nname")};
    const std::string text = list_text(list, {});
    EXPECT_NE(text.find("evil\\x1b[2J\\nname"), std::string::npos);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

// PM-02
TEST(OutcomesText, TellsWhatBecameOfEach) {
    Outcome dead = outcome(1, "worker", "exited");
    dead.after = Milliseconds(40);
    dead.exit = ended("exited");
    dead.exit->code = 3;
    dead.stderr_tail = {"Traceback", "ImportError: \x1b[31mflask"};
    dead.hint = "pip install flask";
    Outcome missing = outcome(2, "job", "not_started");
    missing.exit = ended("not_started");
    missing.exit->reason = "/bin/x: permission denied";

    EXPECT_EQ(outcomes_text(std::vector{outcome(0, "api", "ready"), dead, missing,
                                        outcome(4, "slow", "pending")},
                            {}),
              "api  ready in 0.3 s\n"
              "worker  exited 3 after 40 ms\n"
              "    Traceback\n"
              "    ImportError: flask\n"
              "  try: pip install flask\n"
              "job  was not started: /bin/x: permission denied\n"
              "slow  is starting\n");
}

TEST(OutcomesText, InstancesAreToldApartByTheirIds) {
    EXPECT_EQ(
        outcomes_text(std::vector{outcome(0, "api", "ready"), outcome(1, "api", "ready")}, {}),
        "api (id 0)  ready in 0.3 s\n"
        "api (id 1)  ready in 0.3 s\n");
}

TEST(OutcomesText, ManyReadyInstancesShareALineAndFailuresStillShow) {
    std::vector<Outcome> outcomes;
    for (int i = 0; i < 100; ++i)
        outcomes.push_back(outcome(i, "api", "ready"));
    outcomes[50].after = Milliseconds(812);
    outcomes.push_back(outcome(100, "api", "exited"));
    outcomes.back().exit = ended("exited");

    EXPECT_EQ(outcomes_text(outcomes, {}),
              "api  100 ready in 0.8 s\n"
              "api (id 100)  exited 0 after 0.3 s\n");
}

TEST(WhyText, GivesTheAccountOfTheLastEnds) {
    Process process = sample(3, "db");
    process.status = "errored";
    process.pid.reset();
    process.held_because = "it ended 16 times within 1s";
    Exit crash = ended("signaled");
    crash.signal = "SIGSEGV";
    crash.max_rss_bytes = 12'900'000;
    crash.user_cpu = Milliseconds(20);
    crash.stderr_tail = {"boom"};
    Exit asked = ended("exited");
    asked.requested = true;
    asked.stdout_tail = {"bye"};
    const auto now = *crash.exited_at + std::chrono::minutes(2);

    EXPECT_EQ(why_text(process, std::vector{crash, asked}, now, {}),
              "db (id 3) is errored\n"
              "  held: it ended 16 times within 1s\n"
              "  `zona restart 3` starts it anew\n"
              "  2m 0s ago (2026-03-09T07:12:44.031Z): was killed by SIGSEGV, ran 40 ms\n"
              "    peak memory 12.3 MB, CPU 20 ms user and 0 ms system, pid 77\n"
              "    last lines of stderr:\n"
              "      boom\n"
              "  2m 0s ago (2026-03-09T07:12:44.031Z): exited 0, ran 40 ms, as asked\n"
              "    peak memory 0 B, CPU 0 ms user and 0 ms system, pid 77\n"
              "    nothing on stderr; last lines of stdout:\n"
              "      bye\n");
}

TEST(Description, ShowsSettingsAndContainment) {
    Process process = sample(0, "api");
    process.args = {"--port", "80", "two words"};
    process.kill_signal = "SIGINT";
    process.kill_timeout = Milliseconds(1600);
    process.containment_tier = "sweep";
    const std::string text = description(process, {});

    EXPECT_TRUE(text.starts_with("api (id 0)\n")) << text;
    EXPECT_NE(text.find("arguments        --port 80 'two words'\n"), std::string::npos) << text;
    EXPECT_NE(text.find("stop             SIGINT, after 1600ms SIGKILL\n"), std::string::npos)
        << text;
    EXPECT_NE(text.find("sweep: a stop may leave something behind"), std::string::npos) << text;
    EXPECT_EQ(text.find("interpreter "), std::string::npos) << "what is empty is left away";
}

TEST(ErrorText, ShowsWhereProblemAndHint) {
    core::Error error(core::Code::kInvalidArgument, "the file has 2 mistakes");
    error.detail({"eco.json:3", "unknown key 'scipt'", "did you mean 'script'?"});
    error.detail({"", "", "see docs"});

    EXPECT_EQ(error_text(error),
              "zona: the file has 2 mistakes\n"
              "  eco.json:3: unknown key 'scipt'\n"
              "    did you mean 'script'?\n"
              "  see docs\n");
}

TEST(ErrorText, SaysAProblemThatIsTheMessageOnce) {
    core::Error error(core::Code::kNotFound, "api: script 'x' is not there");
    error.detail({"script", "script 'x' is not there", "correct it"});

    EXPECT_EQ(error_text(error), "zona: api: script 'x' is not there\n  correct it\n");
}

// UX-11
TEST(ErrorJson, IsTheEnvelopeOfTheApi) {
    core::Error error(core::Code::kNotFound, "no process 'x'");
    error.detail({"", "", "did you mean 'y'?"});

    EXPECT_EQ(error_json(error),
              R"({"success":false,"error":{"code":"NOT_FOUND","message":"no process 'x'",)"
              R"("details":[{"where":"","problem":"","hint":"did you mean 'y'?"}],)"
              R"("correlation_id":""}})"
              "\n");
}

TEST(Jlist, HasTheShapeOfPm2) {
    Process api = sample(0, "api");
    api.created_at = *core::parse_rfc3339("2026-03-09T07:00:00Z");
    api.started_at = *core::parse_rfc3339("2026-03-09T07:00:01.5Z");
    api.args = {"-v"};
    api.last_exit = ended("exited");
    api.last_exit->code = 3;
    Process second = sample(1, "api");
    second.pid.reset();

    const auto value = core::parse_json(jlist_text(std::vector{api, second}));
    ASSERT_TRUE(value.has_value());
    const auto& first = value->as_array().at(0).as_object();
    const auto& env = first.at("pm2_env").as_object();

    EXPECT_EQ(first.at("pid"), 4711);
    EXPECT_EQ(first.at("name"), "api");
    EXPECT_EQ(first.at("pm_id"), 0);
    EXPECT_EQ(first.at("monit").as_object().at("memory"), 0);
    EXPECT_EQ(env.at("status"), "online");
    EXPECT_EQ(env.at("pm_uptime"), 1773039601500);
    EXPECT_EQ(env.at("created_at"), 1773039600000);
    EXPECT_EQ(env.at("restart_time"), 0);
    EXPECT_EQ(env.at("pm_out_log_path"), "/h/logs/api-out.log");
    EXPECT_EQ(env.at("pm_err_log_path"), "/h/logs/api-error.log");
    EXPECT_EQ(env.at("pm_exec_path"), "/srv/api");
    EXPECT_EQ(env.at("pm_cwd"), "/srv");
    EXPECT_EQ(env.at("exec_interpreter"), "none");
    EXPECT_EQ(env.at("args").as_array().at(0), "-v");
    EXPECT_EQ(env.at("exit_code"), 3);
    EXPECT_EQ(env.at("instances"), 2);
    EXPECT_EQ(value->as_array().at(1).as_object().at("pid"), 0);
}

TEST(Jlist, PathOfAScriptIsAbsolute) {
    const auto exec_path = [](const std::string& script, const std::string& interpreter) {
        Process process = sample(0, "x");
        process.script = script;
        process.interpreter = interpreter;
        const auto value = core::parse_json(jlist_text(std::vector{process}));
        return std::string(value->as_array().at(0).at("pm2_env").at("pm_exec_path").as_string());
    };
    EXPECT_EQ(exec_path("app.py", "python3"), "/srv/app.py");
    EXPECT_EQ(exec_path("./bin/../server", ""), "/srv/server");
    EXPECT_EQ(exec_path("/opt/x", ""), "/opt/x");
    EXPECT_EQ(exec_path("redis-server", ""), "redis-server");
}

TEST(Jlist, EmptyListIsAnEmptyArray) {
    EXPECT_EQ(jlist_text({}), "[]");
}

}  // namespace
}  // namespace zona::cli
