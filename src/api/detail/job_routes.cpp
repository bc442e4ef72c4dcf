#include "api/detail/job_routes.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "jobs/scheduler.h"
#include "net/public_error.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using jobs::JobView;
using jobs::RunPage;
using jobs::RunView;
using net::Method;
using net::Response;

namespace {

constexpr std::int64_t kMostRuns = 100;

const char* const kRunExample = R"({"number": 17, "job": "purge", "trigger": "schedule",
    "attempt": 0, "instance": "5b0c1e8e-43f5-4c5e-9d53-0c4f6a1e2b37",
    "started_at": "2026-01-31T12:00:00.000Z", "ended_at": "2026-01-31T12:00:02.000Z",
    "duration_ms": 2000, "outcome": "succeeded", "error": null,
    "counters": {"documents": 1200, "done": 3}})";
const char* const kBegunExample = R"({"number": 18, "job": "purge", "trigger": "manual",
    "attempt": 0, "instance": "5b0c1e8e-43f5-4c5e-9d53-0c4f6a1e2b37",
    "started_at": "2026-01-31T12:00:00.000Z", "ended_at": null, "duration_ms": 0,
    "outcome": "running", "error": null, "counters": {}})";

std::string job_example() {
    return R"({"name": "purge", "summary": "Removes documents that are older than their collection
        keeps them.", "schedule": "every 1d", "coverage": "installation", "instances": "one",
        "time_limit_ms": 3600000, "retries": 3, "paused": false, "attempt": 0,
        "due_at": "2026-02-01T12:00:00.000Z", "last_success_at": "2026-01-31T12:00:02.000Z",
        "running": false, "last_run": )" +
           std::string(kRunExample) + "}";
}

/// The example's line breaks stand in a text.
std::string one_line(std::string text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\n') {
            out += text[i];
            continue;
        }
        out += ' ';
        while (i + 1 < text.size() && text[i + 1] == ' ')
            ++i;
    }
    return out;
}

Shape time_shape(std::string doc) {
    return Shape::text(std::move(doc)).format(Format::kTime);
}

Shape run_shape() {
    return Shape::object(
        {required("number", Shape::integer("Over the runs of all jobs.")),
         required("job", Shape::text("Its name.")),
         required("trigger",
                  Shape::text("Why it was begun: by its schedule, because its moment "
                              "was missed, because the run before failed or was "
                              "interrupted, or because somebody asked.")
                      .choices({"schedule", "missed", "retry", "interrupted", "manual"})),
         required("attempt", Shape::integer("Retries before it.")),
         required("instance", Shape::text("The zona that runs or ran it.")),
         required("started_at", time_shape("When it was begun.")),
         required("ended_at", time_shape("When it ended; null while it goes on.").nullable()),
         required("duration_ms", Shape::integer("How long it took; 0 while it goes on and when it "
                                                "was interrupted.")),
         required(
             "outcome",
             Shape::text("`interrupted`: its daemon ended. `lost`: another instance took over.")
                 .choices({"running", "succeeded", "failed", "cancelled", "timed_out", "lost",
                           "interrupted"})),
         required("error", Shape::text("Why it did not succeed.").nullable()),
         required("counters",
                  Shape::map("What it did, in how many cases.", Shape::integer("How many."))
                      .example(R"({"documents": 1200})"))},
        "One run of a job.");
}

Shape job_shape() {
    return Shape::object(
        {required("name", Shape::text("What it is called everywhere.")),
         required("summary", Shape::text("What it does.")),
         required("schedule", Shape::text("When it is due by itself.")),
         required("coverage",
                  Shape::text("What a run is for.").choices({"installation", "each tenant"})),
         required("instances", Shape::text("`one`: of several zonas on one core database a single "
                                           "one runs it at a time; `each`: every one for itself.")
                                   .choices({"one", "each"})),
         required("time_limit_ms", Shape::integer("After it a run is told to end.")),
         required("retries", Shape::integer("How often a failed run is tried again.")),
         required("paused", Shape::boolean("Whether it is not begun by itself.")),
         required("attempt", Shape::integer("Retries since it failed first; 0: it did not fail.")),
         required(
             "due_at",
             time_shape("When it is due next; null: not until something asks for it.").nullable()),
         required("last_success_at",
                  time_shape("When a run succeeded last; null: never.").nullable()),
         required("running", Shape::boolean("Whether a run goes on, on any instance.")),
         required("last_run",
                  Shape::component("JobRun", "The run that was begun last.").nullable())},
        "Something that is done in the background.");
}

ParameterSpec name_parameter() {
    return {.name = "name",
            .shape = Shape::text("The job's name.").example("\"purge\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

std::vector<ErrorSpec> one_job() {
    return {{Code::kNotFound, "There is no such job."}};
}

AnswerSpec job_answer(std::string description) {
    return {.description = std::move(description),
            .shape = Shape::component("Job"),
            .example = one_line(job_example())};
}

Operation list_jobs() {
    return {.path = "/api/v1/jobs",
            .id = "listJobs",
            .tag = Tag::kJobs,
            .summary = "List the jobs",
            .description =
                "What is done in the background, when it is due, and what its last run "
                "came to.",
            .answers = {{.description = "The jobs.",
                         .shape = Shape::array("All jobs.", Shape::component("Job")),
                         .example = one_line("[" + job_example() + "]")}}};
}

Operation get_job() {
    return {.path = "/api/v1/jobs/{name}",
            .id = "getJob",
            .tag = Tag::kJobs,
            .summary = "Show one job",
            .description = "The job with this name.",
            .parameters = {name_parameter()},
            .answers = {job_answer("The job.")},
            .errors = one_job()};
}

Operation list_job_runs() {
    return {.path = "/api/v1/jobs/{name}/runs",
            .id = "listJobRuns",
            .tag = Tag::kJobs,
            .summary = "Show the history of a job",
            .description =
                "The newest first, page by page. As many are kept as the setting "
                "jobs.history.runs says, for 90 days at most.",
            .parameters = {name_parameter(),
                           {.name = "limit",
                            .shape = Shape::integer("Runs of one page.")
                                         .range(1, kMostRuns)
                                         .default_value("20")
                                         .example("20")},
                           {.name = "cursor",
                            .shape = Shape::text("`next` of the page before.").example("\"\"")}},
            .answers = {{.description = "The runs.",
                         .shape = Shape::array("The newest first.", Shape::component("JobRun")),
                         .meta = Shape::object({required("next", Shape::text("The cursor of the "
                                                                             "next page; empty: "
                                                                             "there is no more."))},
                                               "About the page.")
                                     .example(R"({"next": ""})"),
                         .example = one_line("[" + std::string(kRunExample) + "]")}},
            .errors = one_job()};
}

Operation get_job_run() {
    return {.path = "/api/v1/jobs/{name}/runs/{number}",
            .id = "getJobRun",
            .tag = Tag::kJobs,
            .summary = "Show one run of a job",
            .description = "How it comes along, or what it came to.",
            .parameters = {name_parameter(),
                           {.name = "number",
                            .shape = Shape::text("The run's number.").example("\"17\""),
                            .place = Place::kPath,
                            .presence = Presence::kRequired}},
            .answers = {{.description = "The run.",
                         .shape = Shape::component("JobRun"),
                         .example = one_line(kRunExample)}},
            .errors = {{Code::kNotFound, "There is no such job, or no such run any more."}}};
}

Operation run_job() {
    return {.method = Method::kPost,
            .path = "/api/v1/jobs/{name}/run",
            .id = "runJob",
            .tag = Tag::kJobs,
            .access = Access::kAdmin,
            .summary = "Run a job now",
            .description =
                "On the zona that is asked, also if the job is paused. Answers when the "
                "run has begun; the header Location is its path.",
            .parameters = {name_parameter()},
            .answers = {{.status = 202,
                         .description = "It has begun.",
                         .shape = Shape::component("JobRun"),
                         .example = one_line(kBegunExample)}},
            .errors = {{Code::kNotFound, "There is no such job."},
                       {Code::kConflict, "It runs already, here or on another instance."},
                       {Code::kTooManyRequests, "As many jobs run as may."}}};
}

Operation change(std::string what, std::string summary, std::string description) {
    return {.method = Method::kPost,
            .path = "/api/v1/jobs/{name}/" + what,
            .id = what + "Job",
            .tag = Tag::kJobs,
            .access = Access::kAdmin,
            .summary = std::move(summary),
            .description = std::move(description),
            .parameters = {name_parameter()},
            .answers = {job_answer("The job as it is now.")},
            .errors = one_job()};
}

Operation cancel_job() {
    Operation out =
        change("cancel", "Cancel the run of a job",
               "Tells the run that goes on to end, on whichever instance; it does so at its next "
               "step, within some seconds on another instance.");
    out.errors.push_back({Code::kConflict, "Nothing runs."});
    return out;
}

json::value time_or_null(const std::optional<core::SystemTime>& moment) {
    return moment ? json::value(core::to_rfc3339(*moment)) : json::value(nullptr);
}

json::object shown(const RunView& run, const net::Request& request) {
    json::object counters;
    for (const auto& [name, count] : run.counters)
        counters[name] = count;
    json::object out = {{"number", run.number},
                        {"job", run.job},
                        {"trigger", to_string(run.trigger)},
                        {"attempt", run.attempt},
                        {"instance", run.instance},
                        {"started_at", core::to_rfc3339(run.started_at)},
                        {"ended_at", time_or_null(run.ended_at)},
                        {"duration_ms", run.duration.count() / 1000},
                        {"outcome", to_string(run.outcome)},
                        {"error", nullptr},
                        {"counters", std::move(counters)}};
    if (!run.error.empty())
        out["error"] = net::shown_to(request, core::Error(Code::kInternal, run.error)).message();
    return out;
}

json::object shown(const JobView& job, const net::Request& request) {
    return {{"name", job.name},
            {"summary", job.summary},
            {"schedule", job.schedule},
            {"coverage", to_string(job.coverage)},
            {"instances", to_string(job.instances)},
            {"time_limit_ms", job.time_limit.count()},
            {"retries", job.retries},
            {"paused", job.paused},
            {"attempt", job.attempt},
            {"due_at", time_or_null(job.due)},
            {"last_success_at", time_or_null(job.last_success)},
            {"running", job.running},
            {"last_run", job.last ? json::value(shown(*job.last, request)) : nullptr}};
}

class JobRoutes {
  public:
    explicit JobRoutes(jobs::Scheduler& jobs) : jobs_(jobs) {}

    Answer list(Call& call) const {
        auto begin = [this](process::Callback<std::vector<JobView>> done) {
            jobs_.list(std::move(done));
        };
        ZONA_CO_TRY(const auto all, co_await answer_of<std::vector<JobView>>(std::move(begin)));
        json::array data;
        for (const JobView& job : all)
            data.push_back(shown(job, call.request()));
        co_return Response::success(core::to_json(data));
    }

    Answer get(Call& call) const { return one(call, &jobs::Scheduler::find); }
    Answer pause(Call& call) const { return one(call, &jobs::Scheduler::pause); }
    Answer resume(Call& call) const { return one(call, &jobs::Scheduler::resume); }
    Answer cancel(Call& call) const { return one(call, &jobs::Scheduler::cancel); }

    Answer runs(Call& call) const {
        store::PageRequest page{
            .limit = static_cast<std::size_t>(call.integer("limit").value_or(20)),
            .token = call.text("cursor").value_or("")};
        auto begin = [this, name = call.path("name"),
                      page = std::move(page)](process::Callback<RunPage> done) mutable {
            jobs_.runs(name, std::move(page), std::move(done));
        };
        ZONA_CO_TRY(const RunPage found, co_await answer_of<RunPage>(std::move(begin)));
        json::array data;
        for (const RunView& run : found.runs)
            data.push_back(shown(run, call.request()));
        const json::object meta = {{"next", found.next}};
        co_return Response::success(core::to_json(data), core::to_json(meta));
    }

    Answer run(Call& call) const {
        const auto number = core::parse_integer(call.path("number"));
        // No number is none of a run.
        auto begin = [this, name = call.path("name"),
                      number = number.value_or(0)](process::Callback<RunView> done) {
            jobs_.run(name, number, std::move(done));
        };
        ZONA_CO_TRY(const RunView found, co_await answer_of<RunView>(std::move(begin)));
        co_return Response::success(core::to_json(shown(found, call.request())));
    }

    Answer run_now(Call& call) const {
        auto begin = [this, name = call.path("name")](process::Callback<RunView> done) {
            jobs_.run_now(name, std::move(done));
        };
        ZONA_CO_TRY(const RunView begun, co_await answer_of<RunView>(std::move(begin)));
        Response response = Response::success(core::to_json(shown(begun, call.request())), {}, 202);
        response.headers.set("Location",
                             fmt::format("/api/v1/jobs/{}/runs/{}", begun.job, begun.number));
        co_return response;
    }

  private:
    using Member = void (jobs::Scheduler::*)(const std::string&, store::Callback<JobView>);

    Answer one(Call& call, Member member) const {
        auto begin = [this, member, name = call.path("name")](process::Callback<JobView> done) {
            (jobs_.*member)(name, std::move(done));
        };
        ZONA_CO_TRY(const JobView job, co_await answer_of<JobView>(std::move(begin)));
        co_return Response::success(core::to_json(shown(job, call.request())));
    }

    jobs::Scheduler& jobs_;
};

}  // namespace

Result<void> add_job_routes(Service& service, jobs::Scheduler* jobs) {
    service.name("JobRun", run_shape());
    service.name("Job", job_shape());
    const auto routes = jobs == nullptr ? nullptr : std::make_shared<const JobRoutes>(*jobs);
    using Member = Answer (JobRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {
        {list_jobs(), &JobRoutes::list},
        {get_job(), &JobRoutes::get},
        {list_job_runs(), &JobRoutes::runs},
        {get_job_run(), &JobRoutes::run},
        {run_job(), &JobRoutes::run_now},
        {change("pause", "Pause a job",
                "It is not begun by itself until it is resumed; a run that goes on is left alone."),
         &JobRoutes::pause},
        {change("resume", "Resume a job", "If it was due meanwhile, it is run once."),
         &JobRoutes::resume},
        {cancel_job(), &JobRoutes::cancel}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
