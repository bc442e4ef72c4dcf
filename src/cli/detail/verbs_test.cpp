#include "cli/detail/verbs.h"

#include <filesystem>
#include <fstream>
#include <memory>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "cli/testing/fakes.h"
#include "core/testing/fake_clock.h"

namespace zona::cli {
namespace {

using core::Code;

const std::string kProcess =
    R"({"pm_id":0,"name":"api","namespace":"default","status":"online","pid":7,"uptime_ms":300,)"
    R"("restarts":0,"out_file":"/h/logs/api-out.log","error_file":"/h/logs/api-error.log"})";
const std::string kTable =
    "id  name  status  pid  uptime  restarts\n"
    " 0  api   online    7   300ms         0\n";
const std::string kReady =
    R"({"pm_id":0,"name":"api","outcome":"ready","after_ms":301,"exit":null,"stderr_tail":[]})";
const std::string kExited =
    R"({"pm_id":0,"name":"api","outcome":"exited","after_ms":40,"exit":{"cause":"exited","code":3},)"
    R"("stderr_tail":["boom"],"hint":"look"})";

std::string list_of(const std::string& processes) {
    return R"({"success":true,"data":[)" + processes + R"(],"meta":{"total":1,"killed":0}})";
}
std::string started(const std::string& outcomes) {
    return R"({"success":true,"data":{"processes":[)" + kProcess + R"(],"outcomes":[)" + outcomes +
           R"(],"warnings":[]}})";
}
std::string results(const std::string& rows) {
    return R"({"success":true,"data":{"results":[)" + rows + "]}}";
}
std::string no_process() {
    return R"({"success":false,"error":{"code":"NOT_FOUND","message":"no process 'app.py'",)"
           R"("details":[{"where":"","problem":"","hint":"did you mean 'app'?"}]}})";
}

class VerbsTest : public testing::Test {
  protected:
    VerbsTest() : folder_(testing::TempDir() + fmt::format("zona-verbs-{}", getpid())) {
        std::filesystem::create_directories(folder_);
    }
    ~VerbsTest() override { std::filesystem::remove_all(folder_); }

    Context& context(Verb verb, GlobalOptions global = {}) {
        session_ =
            std::make_unique<Session>(SessionParts{api_, starter_, console_, clock_, interrupts_},
                                      info(verb).daemon, std::nullopt);
        context_ = std::make_unique<Context>(
            Context{*session_, console_, clock_, interrupts_, global, {folder_, {}}, "/h", true});
        return *context_;
    }

    StartOptions target(const std::string& name) {
        StartOptions options;
        options.targets = {name};
        return options;
    }

    void write_file(const std::string& name, const std::string& text) {
        std::ofstream(folder_ + '/' + name) << text;
    }

    /// "METHOD target" of each request, in order.
    std::string asked() {
        std::string text;
        for (const ApiRequest& request : api_.requests) {
            text += request.method + ' ' + request.target + '\n';
        }
        return text;
    }

    std::string folder_;
    FakeApi api_;
    FakeStarter starter_;
    RecordingConsole console_;
    core::FakeClock clock_;
    FakeInterrupts interrupts_;
    std::unique_ptr<Session> session_;
    std::unique_ptr<Context> context_;
};

// PM-02
TEST_F(VerbsTest, StartOfAScriptShowsTheTableAndItsOutcome) {
    api_.will_refuse(404, no_process());
    api_.will_answer(started(kReady));
    api_.will_answer(list_of(kProcess));

    EXPECT_EQ(start(context(Verb::kStart), target("app.py")).value(), 0);

    EXPECT_EQ(
        asked(),
        "GET /api/v1/processes?select=app.py\nPOST /api/v1/processes\nGET /api/v1/processes\n");
    EXPECT_EQ(console_.printed(), kTable + "api  ready in 0.3 s\n");
}

// PM-02
TEST_F(VerbsTest, StartOfAScriptThatEndsAtOnceIsStatusOne) {
    api_.will_refuse(404, no_process());
    api_.will_answer(started(kExited));
    api_.will_answer(list_of(kProcess));

    EXPECT_EQ(start(context(Verb::kStart), target("app.py")).value(), 1);
    EXPECT_EQ(console_.printed(), kTable + "api  exited 3 after 40 ms\n    boom\n  try: look\n");
}

TEST_F(VerbsTest, StartOfAKnownNameIsAnOperation) {
    api_.will_answer(list_of(kProcess));
    api_.will_answer(results(R"({"pm_id":0,"name":"api","ok":true,"outcome":)" + kReady + "}"));
    api_.will_answer(list_of(kProcess));

    EXPECT_EQ(start(context(Verb::kStart), target("api")).value(), 0);

    EXPECT_EQ(api_.requests.at(1).body, R"({"action":"start","select":["api"],"wait":true})");
    EXPECT_EQ(console_.printed(), kTable + "api  ready in 0.3 s\n");
}

TEST_F(VerbsTest, StartOfAKnownNameWithSettingsIsRefused) {
    api_.will_answer(list_of(kProcess));
    StartOptions options = target("api");
    options.arguments = {"1000"};

    const Status status = start(context(Verb::kStart), options);

    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code(), Code::kConflict);
    EXPECT_EQ(asked(), "GET /api/v1/processes?select=api\n");
}

TEST_F(VerbsTest, StartWithANameNeverMeansAKnownProcess) {
    api_.will_answer(started(kReady));
    api_.will_answer(list_of(kProcess));
    StartOptions options = target("sleep");
    AppSetting name;
    name.key = "name";
    name.text = "second";
    options.settings = {name};

    EXPECT_EQ(start(context(Verb::kStart), options).value(), 0);
    EXPECT_EQ(asked(), "POST /api/v1/processes\nGET /api/v1/processes\n");
}

TEST_F(VerbsTest, StartOfAFileSendsItsContent) {
    write_file("eco.yaml", "apps: [ü]\n");
    api_.will_answer(started(kReady));
    api_.will_answer(list_of(kProcess));

    EXPECT_EQ(start(context(Verb::kStart), target("eco.yaml")).value(), 0);
    EXPECT_TRUE(api_.requests.at(0).body.starts_with(
        R"({"file":{"name":"eco.yaml","content":"apps: [ü]\n"},)"))
        << api_.requests.at(0).body;
}

TEST_F(VerbsTest, PathsOfAFileStartFromItsDirectory) {
    std::filesystem::create_directories(folder_ + "/sub");
    write_file("sub/eco.json", "{}");
    api_.will_answer(started(kReady));
    api_.will_answer(list_of(kProcess));

    EXPECT_EQ(start(context(Verb::kStart), target("./sub/../sub/eco.json")).value(), 0);
    EXPECT_NE(api_.requests.at(0).body.find("\"cwd\":\"" + folder_ + "/sub\""), std::string::npos)
        << api_.requests.at(0).body;
}

TEST_F(VerbsTest, StartOfAMissingFileAsksNothing) {
    const Status status = start(context(Verb::kStart), target("none.json"));

    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code(), Code::kNotFound);
    EXPECT_EQ(asked(), "");
    EXPECT_EQ(starter_.starts, 0);
}

TEST_F(VerbsTest, StartOfAFileThatIsNotTextIsRefused) {
    write_file("bad.json", "\xff\xfe");
    EXPECT_EQ(start(context(Verb::kStart), target("bad.json")).error().code(),
              Code::kInvalidArgument);
}

TEST_F(VerbsTest, StartOfAMistypedNameKeepsTheSuggestion) {
    api_.will_refuse(404, no_process());
    api_.will_refuse(404,
                     R"({"success":false,"error":{"code":"NOT_FOUND","message":"no script"}})");

    const Status status = start(context(Verb::kStart), target("ap"));

    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().message(), "no script");
    EXPECT_EQ(status.error().details().at(0).hint, "did you mean 'app'?");
}

TEST_F(VerbsTest, StartInJsonPrintsTheAnswerAlone) {
    api_.will_refuse(404, no_process());
    api_.will_answer(started(kExited));
    GlobalOptions json;
    json.format = OutputFormat::kJson;

    EXPECT_EQ(start(context(Verb::kStart, json), target("app.py")).value(), 1);
    EXPECT_EQ(console_.printed(), started(kExited) + '\n');
    EXPECT_EQ(console_.told(), "");
}

TEST_F(VerbsTest, SilentStartTellsOfFailuresOnStderr) {
    api_.will_refuse(404, no_process());
    api_.will_answer(started(kExited));
    GlobalOptions silent;
    silent.talk = Talk::kSilent;
    context(Verb::kStart, silent);

    EXPECT_EQ(start(*context_, target("app.py")).value(), 1);
    EXPECT_EQ(console_.printed(), "");
    EXPECT_NE(console_.told().find("exited 3"), std::string::npos);
}

// PM-03
TEST_F(VerbsTest, StopTellsEachResultAndItsFirstErrorIsTheStatus) {
    api_.will_answer(results(
        R"({"pm_id":0,"name":"api","ok":true},)"
        R"({"pm_id":1,"name":"db","ok":false,"error":{"code":"TIMEOUT","message":"still there"}})"));
    api_.will_answer(list_of(kProcess));

    EXPECT_EQ(
        operate(context(Verb::kStop), Verb::kStop, {{"all"}, false, Wait::kForEffect}).value(),
        core::info(Code::kTimeout).exit_status);

    EXPECT_EQ(console_.printed(), kTable + "api (id 0)  stopped\n");
    EXPECT_EQ(console_.told(), "zona: db (id 1): still there\n");
}

// PM-17
TEST_F(VerbsTest, SignalSaysWhomItReached) {
    api_.will_answer(results(R"({"pm_id":0,"name":"api","ok":true})"));

    EXPECT_EQ(
        send_signal(context(Verb::kSignal), {"SIGUSR1", {"api"}, SignalTarget::kTree}).value(), 0);
    EXPECT_EQ(console_.printed(), "SIGUSR1 sent to api (id 0)\n");
}

TEST_F(VerbsTest, ListWithoutADaemonIsEmpty) {
    api_.will_fail(Code::kNotFound);

    EXPECT_EQ(list(context(Verb::kList), {}).value(), 0);
    EXPECT_EQ(console_.printed(), "id  name  status  pid  uptime  restarts\n");
    EXPECT_EQ(console_.told(), "zona is not running\n");
}

// UX-11
TEST_F(VerbsTest, ListInJsonIsTheAnswerOfTheApi) {
    GlobalOptions json;
    json.format = OutputFormat::kJson;
    api_.will_answer(list_of(kProcess));
    api_.will_fail(Code::kNotFound);

    EXPECT_EQ(list(context(Verb::kList, json), {}).value(), 0);
    EXPECT_EQ(list(context(Verb::kList, json), {}).value(), 0);
    EXPECT_EQ(console_.printed(), list_of(kProcess) + '\n' + "{\"success\":true,\"data\":[]}\n");
}

TEST_F(VerbsTest, JlistWithoutADaemonIsAnEmptyArray) {
    api_.will_fail(Code::kNotFound);
    EXPECT_EQ(print_jlist(context(Verb::kJlist)).value(), 0);
    EXPECT_EQ(console_.printed(), "[]\n");
}

TEST_F(VerbsTest, PingAndLogsWithoutADaemonAreUnavailable) {
    api_.will_fail(Code::kNotFound);
    EXPECT_EQ(ping(context(Verb::kPing)).error().code(), Code::kUnavailable);
    api_.will_fail(Code::kNotFound);
    EXPECT_EQ(logs(context(Verb::kLogs), {}).error().code(), Code::kUnavailable);
    EXPECT_EQ(starter_.starts, 0);
}

TEST_F(VerbsTest, KillWithoutADaemonIsDone) {
    api_.will_fail(Code::kNotFound);
    EXPECT_EQ(kill(context(Verb::kKill)).value(), 0);
    EXPECT_EQ(starter_.starts, 0);
}

TEST_F(VerbsTest, WhyWithoutSelectorTellsOfThoseThatEnded) {
    const std::string ended =
        R"({"pm_id":4,"name":"job","status":"stopped","last_exit":{"cause":"exited","code":1}})";
    api_.will_answer(list_of(kProcess + ',' + ended));
    api_.will_answer(R"({"success":true,"data":[{"cause":"exited","code":1,"ran_ms":5,)"
                     R"("stderr_tail":["oh"]}]})");

    EXPECT_EQ(why(context(Verb::kWhy), {}).value(), 0);

    EXPECT_EQ(asked(), "GET /api/v1/processes\nGET /api/v1/processes/4/exits\n");
    EXPECT_TRUE(console_.printed().starts_with("job (id 4) is stopped\n")) << console_.printed();
}

const std::string kLine =
    R"({"pm_id":0,"name":"api","instance":0,"stream":"out","time":null,"line":"hello"})"
    "\n";

TEST_F(VerbsTest, LogsResumeAtTheCursorAndEndWithZona) {
    api_.will_answer(list_of(kProcess));
    api_.will_stream(
        {{kLine + "{\"cursor\":\"c1\"}\n", kLine}, core::Error(Code::kUnavailable, "")});
    api_.will_stream({{kLine, kLine}, std::nullopt});
    api_.will_fail(Code::kNotFound);

    EXPECT_EQ(logs(context(Verb::kLogs), {}).value(), 0);

    EXPECT_EQ(console_.printed(),
              "/h/logs/api-out.log:\n0|api | hello\n0|api | hello\n0|api | hello\n");
    EXPECT_NE(api_.requests.at(2).target.find("cursor=c1"), std::string::npos);
    EXPECT_EQ(console_.told(), "zona has been stopped\n");
}

TEST_F(VerbsTest, LogsWithoutFollowingEndAtTheEnd) {
    api_.will_answer(list_of(kProcess));
    api_.will_stream({{kLine}, std::nullopt});
    LogsOptions options;
    options.follow = LogFollow::kNo;

    EXPECT_EQ(logs(context(Verb::kLogs), options).value(), 0);
    EXPECT_EQ(console_.printed(), "/h/logs/api-out.log:\n0|api | hello\n");
}

TEST_F(VerbsTest, LogsWakeUpNoMoreOnceTheHistoryIsShown) {
    api_.will_answer(list_of(kProcess));
    api_.will_stream({{kLine, FakeApi::Quiet{}}, core::Error(Code::kCancelled, "")});

    EXPECT_EQ(logs(context(Verb::kLogs), {}).value(), 0);
    EXPECT_EQ(api_.quiets.at(0), ApiWait::kNever);
    EXPECT_EQ(console_.printed(), "/h/logs/api-out.log:\n0|api | hello\n");
}

TEST_F(VerbsTest, LogsEndWhenNobodyReadsThem) {
    api_.will_answer(list_of(kProcess));
    api_.will_stream({{"{\"cursor\":\"c1\"}\n", kLine, kLine}, std::nullopt});
    console_.close_out();

    EXPECT_EQ(logs(context(Verb::kLogs), {}).value(), 0);
    EXPECT_EQ(api_.left(), 0U);
    EXPECT_EQ(api_.requests.size(), 2U);
}

class RunTest : public VerbsTest {
  protected:
    RunTest() { write_file("eco.json", "{}"); }

    static std::string two_started() {
        return R"({"success":true,"data":{"processes":[)" + kProcess +
               R"(],"outcomes":[{"pm_id":0,"name":"db","outcome":"ready"},)"
               R"({"pm_id":1,"name":"api","outcome":"ready"},)"
               R"({"pm_id":2,"name":"api","outcome":"ready"}]}})";
    }
    std::vector<std::string> operations() {
        std::vector<std::string> bodies;
        for (const ApiRequest& request : api_.requests) {
            if (request.target == "/api/v1/operations") bodies.push_back(request.body);
        }
        return bodies;
    }
};

TEST_F(RunTest, CtrlCStopsTheAppsInReverseOrder) {
    api_.will_answer(two_started());
    api_.will_answer(list_of(kProcess));
    api_.will_stream(
        {{FakeApi::Happening([this] { interrupts_.raise(); })}, core::Error(Code::kCancelled, "")});
    api_.will_answer(results(""));
    api_.will_answer(results(""));

    EXPECT_EQ(run(context(Verb::kRun), {"eco.json", {}}).value(), 0);

    EXPECT_EQ(operations(),
              (std::vector<std::string>{R"({"action":"stop","select":["1","2"],"wait":true})",
                                        R"({"action":"stop","select":["0"],"wait":true})"}));
    EXPECT_EQ(api_.left(), 0U);
}

TEST_F(RunTest, SecondCtrlCKillsAtOnce) {
    api_.will_answer(two_started());
    api_.will_answer(list_of(kProcess));
    api_.will_stream({{}, core::Error(Code::kCancelled, "")});
    api_.will_fail(Code::kCancelled);
    api_.will_answer(results(""));
    api_.will_answer(results(""));

    EXPECT_EQ(run(context(Verb::kRun), {"eco.json", {}}).value(), 130);

    const auto bodies = operations();
    ASSERT_EQ(bodies.size(), 3U);
    EXPECT_EQ(bodies[1], R"({"action":"stop","select":["0","1","2"],"wait":false})");
    EXPECT_EQ(
        bodies[2],
        R"({"action":"signal","select":["0","1","2"],"wait":true,"signal":"SIGKILL","target":"tree"})");
}

TEST_F(RunTest, EndsWithTheFirstCodeThatIsNotZero) {
    const auto ended = [](int id, int code, const char* at) {
        return fmt::format(R"({{"pm_id":{},"name":"p","status":"stopped","last_exit":)"
                           R"({{"cause":"exited","code":{},"exited_at":"{}"}}}})",
                           id, code, at);
    };
    const std::string all = ended(0, 4, "2026-01-01T00:00:03Z") + ',' +
                            ended(1, 0, "2026-01-01T00:00:01Z") + ',' +
                            ended(2, 7, "2026-01-01T00:00:02Z");
    api_.will_answer(two_started());
    api_.will_answer(list_of(kProcess));
    api_.will_stream({{FakeApi::Quiet{}, kLine, FakeApi::Quiet{}}, std::nullopt});
    api_.will_answer(list_of(all));
    api_.will_answer(list_of(all));

    EXPECT_EQ(run(context(Verb::kRun), {"eco.json", {}}).value(), 7);
    EXPECT_NE(console_.printed().find("0|api | hello\n"), std::string::npos)
        << "what was written just before the end is shown";
}

TEST_F(RunTest, EndsTheDaemonThatItStarted) {
    api_.will_fail(Code::kNotFound);
    api_.will_answer(two_started());
    api_.will_answer(list_of(kProcess));
    api_.will_stream({{}, core::Error(Code::kCancelled, "")});
    api_.will_answer(results(""));
    api_.will_answer(results(""));
    api_.will_answer(R"({"success":true,"data":{"daemon":{},"keeper":{"pid":0}}})");
    api_.will_answer(R"({"success":true,"data":{"stopping":0}})");

    EXPECT_EQ(run(context(Verb::kRun), {"eco.json", {}}).value(), 0);
    EXPECT_EQ(api_.requests.back().target, "/api/v1/shutdown");
}

TEST_F(RunTest, SaysWhereTheLogsAreAndWhatToTypeNext) {
    api_.will_answer(two_started());
    api_.will_answer(list_of(kProcess));
    api_.will_stream({{}, core::Error(Code::kCancelled, "")});
    api_.will_answer(results(""));
    api_.will_answer(results(""));
    context(Verb::kRun);
    context_->home = "/my h";
    context_->home_is_usual = false;

    EXPECT_EQ(run(*context_, {"eco.json", {}}).value(), 0);
    EXPECT_NE(console_.printed().find("\nlogs  /h/logs\n"
                                      "next  zona --home '/my h' list\n"
                                      "      zona --home '/my h' describe api\n"
                                      "      zona --home '/my h' restart api\n"),
              std::string::npos)
        << console_.printed();
}

}  // namespace
}  // namespace zona::cli
