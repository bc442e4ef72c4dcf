#include "jobs/detail/task_ledger.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "jobs/collections.h"
#include "jobs/detail/documents.h"
#include "jobs/detail/fields.h"
#include "jobs/detail/task_documents.h"
#include "store/blocking.h"
#include "store/update.h"

namespace zona::jobs::detail {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;
using store::Collection;
using store::Document;
using store::Filter;
using store::Query;
using store::Reader;
using store::Record;
using store::Update;
using store::Value;
using store::Writer;

namespace {

constexpr const char* kInput = "input";
/// Of those that run, looked at in one turn.
constexpr std::size_t kAtOnce = 1000;

Collection tasks() {
    return in_core(tasks_spec());
}

Value text(TaskState state) {
    return json::string(to_string(state));
}

Filter in_state(TaskState state) {
    return Filter::eq("state", text(state));
}

Filter has_not_ended() {
    return Filter::in(
        "state", {text(TaskState::kWaiting), text(TaskState::kDelayed), text(TaskState::kRunning)});
}

Document given_to(const NewTask& task) {
    return task.input ? *task.input : Document();
}

/// Over all kinds and tenants.
std::string whole_key(const NewTask& task) {
    if (task.key.empty()) return {};
    return fmt::format("{}\n{}\n{}", task.kind, task.tenant, task.key);
}

Result<std::optional<Record>> with_key(Reader& reader, const std::string& key) {
    return reader.find_one(tasks(), {.filter = Filter::eq("key", json::string(key))});
}

Result<Record> found_task(Reader& reader, const core::Uuid& id) {
    ZONA_TRY(auto found, reader.find(tasks(), id.to_string()));
    if (found) return *std::move(found);
    return Error(Code::kNotFound, fmt::format("there is no task {}", id.to_string()))
        .detail({"id", "it may be so long ago that it was forgotten", "zona execution list"});
}

Result<std::int64_t> turn_of(Reader& reader, const std::string& tenant) {
    const Filter waiting = in_state(TaskState::kWaiting);
    const Filter of_tenant = Filter::all({waiting, Filter::eq("tenant", json::string(tenant))});
    ZONA_TRY(const auto last,
             reader.find_one(tasks(), {.filter = of_tenant,
                                       .sort = {"turn"},
                                       .direction = store::Direction::kDescending}));
    if (last) return whole_in(*last->document, "turn") + 1;
    ZONA_TRY(const auto next, reader.find_one(tasks(), {.filter = waiting, .sort = {"turn"}}));
    return next ? whole_in(*next->document, "turn") : 0;
}

/// Tenants of which a task runs somewhere: of each one at a time.
Result<std::vector<Value>> busy_tenants(Reader& reader) {
    std::vector<Value> out;
    ZONA_TRY(const store::Page running,
             reader.find_page(tasks(), {.filter = in_state(TaskState::kRunning)},
                              {.limit = store::kMaxInValues}));
    for (const Record& record : running.records) {
        std::string tenant = text_in(*record.document, "tenant");
        if (!tenant.empty()) out.emplace_back(json::string(tenant));
    }
    return out;
}

vault::FieldPlace place_of(const std::string& bound) {
    return {.collection = tasks_spec().name, .document = bound, .field = "/input"};
}

/// As tenancy/keys/sealed_fields.h binds the id of a document that is a text.
std::string bound(const std::string& id) {
    return "t" + id;
}

/// Tasks of this installation's whole backup, restored elsewhere.
Error of_another_installation() {
    return Error(Code::kCancelled, "it was asked of the installation that this one is a copy of")
        .detail({"", "", "ask for it again, if it is wanted here"});
}

Error as_asked() {
    return {Code::kCancelled, "somebody has asked for its end"};
}

Error interrupted_once() {
    return Error(Code::kCancelled, "zona ended while it was under way, and it is not begun twice")
        .detail({"", "what it had begun was finished or taken back at the next start",
                 "look at what there is now, then ask again if it is still wanted"});
}

Error deadly(std::int64_t times) {
    return Error(Code::kInternal,
                 fmt::format("zona ended {} times while it was under way: it is not begun again",
                             times))
        .detail({"", "",
                 "zona log zona shows how it ended; zona execution retry begins it once "
                 "more"});
}

Result<Task> change(Writer& writer, const std::string& id, const Update& update) {
    ZONA_TRY(const Record stored, writer.modify(tasks(), id, update));
    return task_of(stored);
}

/// The name of a task's lease.
std::string lease_of(const std::string& id) {
    return "task/" + id;
}

}  // namespace

void TaskLedger::ask(NewTask task, store::Callback<Task> done) {
    const core::Uuid id = core::Uuid::v4(deps_.random);
    auto body = [this, id, task = std::move(task)](Writer& writer) {
        return ask(writer, id, task);
    };
    store::write(*core_, std::move(body), std::move(done));
}

Result<Task> TaskLedger::ask(Writer& writer, const core::Uuid& id, const NewTask& task) {
    const std::string key = whole_key(task);
    if (key.empty()) return add(writer, id, task, key);
    ZONA_TRY(const auto known, with_key(writer, key));
    if (!known) return add(writer, id, task, key);
    ZONA_TRY(const Document input, input_of(*known));
    if (input == given_to(task)) return task_of(*known);
    return Error(Code::kConflict, "the key was given before, with something else to do")
        .detail({"Idempotency-Key", "", "take a new key for each new task"});
}

Result<Task> TaskLedger::add(Writer& writer, const core::Uuid& id, const NewTask& task,
                             const std::string& key) {
    ZONA_TRY_VOID(may_wait(writer));
    TaskPlan plan{.task = {.id = id,
                           .kind = task.kind,
                           .tenant = task.tenant,
                           .correlation_id = task.correlation_id,
                           .asked_at = deps_.clock.system()},
                  .key = key,
                  .only = task.place == Place::kHere ? options_.holder.instance : ""};
    ZONA_TRY(plan.turn, turn_of(writer, task.tenant));
    const std::string name = id.to_string();
    ZONA_TRY(const auto sealer, deps_.fields());
    ZONA_TRY(const std::string sealed,
             sealer->seal(place_of(bound(name)), core::to_json(Value(given_to(task)))));
    Document document = document_of(plan);
    document[kInput] = sealed;
    ZONA_TRY(const Record stored, writer.insert(tasks(), name, document));
    return task_of(stored);
}

Result<Document> TaskLedger::input_of(const Record& record) const {
    ZONA_TRY(const auto sealer, deps_.fields());
    const std::string id = bound(std::get<std::string>(record.id));
    ZONA_TRY(const core::Secret plain,
             sealer->open(place_of(id), text_in(*record.document, kInput)));
    ZONA_TRY(const Value value, core::parse_written_json(plain.reveal()));
    if (const Document* object = value.if_object()) return *object;
    return Error(Code::kConflict, "the input of a task is no object");
}

Result<void> TaskLedger::may_wait(Reader& reader) const {
    const Query all{
        .filter = Filter::in("state", {text(TaskState::kWaiting), text(TaskState::kDelayed)})};
    ZONA_TRY(const std::uint64_t count, reader.count(tasks(), all));
    if (count < options_.most_waiting) return {};
    return Error(Code::kTooManyRequests,
                 fmt::format("{} tasks wait for their turn, and that is the limit", count))
        .detail({"", "", "ask again when some are done, or cancel some: zona execution list"});
}

void TaskLedger::find(const core::Uuid& id, store::Callback<Task> done) const {
    auto body = [id](Reader& reader) -> Result<Task> {
        ZONA_TRY(const Record found, found_task(reader, id));
        return task_of(found);
    };
    store::read(*core_, std::move(body), std::move(done));
}

void TaskLedger::list(std::size_t most, store::Callback<std::vector<Task>> done) const {
    auto body = [most](Reader& reader) -> Result<std::vector<Task>> {
        std::vector<Task> out;
        const store::PageRequest page{.limit = std::min(most, store::kMaxPageSize)};
        ZONA_TRY(const store::Page open,
                 reader.find_page(tasks(), {.filter = has_not_ended()}, page));
        for (const Record& record : open.records)
            out.push_back(task_of(record));
        const Query newest{.direction = store::Direction::kDescending, .walk = store::Walk::kAllow};
        ZONA_TRY(const store::Page latest, reader.find_page(tasks(), newest, page));
        for (const Record& record : latest.records) {
            Task task = task_of(record);
            if (out.size() < most && has_ended(task.state)) out.push_back(std::move(task));
        }
        std::ranges::sort(out, std::greater(), &Task::asked_at);
        return out;
    };
    store::read(*core_, std::move(body), std::move(done));
}

void TaskLedger::cancel(const core::Uuid& id, store::Callback<Task> done) {
    auto body = [this, id](Writer& writer) { return cancel(writer, id); };
    store::write(*core_, std::move(body), std::move(done));
}

Result<Task> TaskLedger::cancel(Writer& writer, const core::Uuid& id) const {
    ZONA_TRY(const Record found, found_task(writer, id));
    Task task = task_of(found);
    if (has_ended(task.state)) {
        return Error(
            Code::kConflict,
            fmt::format("the task {} has ended: it has {}", id.to_string(),
                        task.state == TaskState::kCancelled ? "been cancelled"
                                                            : std::string(to_string(task.state))));
    }
    if (task.state == TaskState::kRunning) {
        ZONA_TRY_VOID(cancel_lease(writer, lease_of(id.to_string())));
        return task;
    }
    return end_as(writer, id.to_string(), TaskState::kCancelled, as_asked());
}

void TaskLedger::retry(const core::Uuid& id, store::Callback<Task> done) {
    auto body = [this, id](Writer& writer) { return retry(writer, id); };
    store::write(*core_, std::move(body), std::move(done));
}

Result<Task> TaskLedger::retry(Writer& writer, const core::Uuid& id) const {
    ZONA_TRY(const Record found, found_task(writer, id));
    const Task task = task_of(found);
    if (task.state != TaskState::kFailed && task.state != TaskState::kCancelled) {
        return Error(Code::kConflict, fmt::format("the task {} is {}: only what has failed or was "
                                                  "cancelled is begun once more",
                                                  id.to_string(), to_string(task.state)));
    }
    ZONA_TRY_VOID(may_wait(writer));
    ZONA_TRY(const std::int64_t turn, turn_of(writer, task.tenant));
    Update update;
    update.set("state", text(TaskState::kWaiting))
        .set("turn", turn)
        .set("instance", json::string(text_in(*found.document, "only")))
        .set("failures", 0)
        .set("interruptions", 0)
        .unset("ended_at")
        .unset("error");
    return change(writer, id.to_string(), update);
}

Result<Claim> TaskLedger::claim() {
    return store::write_and_wait(*core_, [this](Writer& writer) { return claim(writer); });
}

/// Those whose pause is over wait again; when the next one's is.
Result<std::optional<SystemTime>> TaskLedger::wake_delayed(Writer& writer) const {
    const Filter delayed = in_state(TaskState::kDelayed);
    const Filter due =
        Filter::all({delayed, Filter::lte("not_before", to_field(deps_.clock.system()))});
    Update update;
    update.set("state", text(TaskState::kWaiting)).unset("not_before");
    ZONA_TRY_VOID(writer.update_many(tasks(), {.filter = due}, update));
    const Query next{.filter = Filter::all({delayed, Filter::gte("not_before", std::int64_t{0})}),
                     .sort = {"not_before"}};
    ZONA_TRY(const auto found, writer.find_one(tasks(), next));
    return found ? time_in(*found->document, "not_before") : std::nullopt;
}

Result<Claim> TaskLedger::claim(Writer& writer) {
    Claim out;
    ZONA_TRY(out.then, wake_delayed(writer));
    std::vector<Value> kinds;
    for (const auto& [name, kind] : kinds_)
        kinds.emplace_back(json::string(name));
    ZONA_TRY(std::vector<Value> busy, busy_tenants(writer));
    const Filter mine =
        Filter::all({in_state(TaskState::kWaiting), Filter::in("kind", std::move(kinds)),
                     Filter::in("only", {json::string(""), json::string(options_.holder.instance)}),
                     Filter::negate(Filter::in("tenant", std::move(busy)))});
    ZONA_TRY(const auto next, writer.find_one(tasks(), {.filter = mine, .sort = {"turn"}}));
    ZONA_TRY(out.waiting, writer.count(tasks(), {.filter = in_state(TaskState::kWaiting)}));
    if (!next) return out;
    --out.waiting;
    const std::string id = std::get<std::string>(next->id);
    const std::string line = core::Uuid::v4(deps_.random).to_string();
    ZONA_TRY(Fence fence, take_lease(writer, lease_of(id), options_.holder, line));
    Update update;
    update.set("state", text(TaskState::kRunning))
        .set("instance", json::string(options_.holder.instance))
        .inc("attempt", 1)
        .unset("progress");
    ZONA_TRY(const Record stored, writer.modify(tasks(), id, update));
    out.task = ClaimedTask{.task = task_of(stored),
                           .input = input_of(stored),
                           .failures = static_cast<int>(whole_in(*stored.document, "failures")),
                           .fence = std::move(fence)};
    return out;
}

Result<LeaseState> TaskLedger::beat(const std::string& id, const Fence& fence,
                                    const std::optional<core::Progress>& progress) {
    return store::write_and_wait(*core_, [&](Writer& writer) -> Result<LeaseState> {
        ZONA_TRY(LeaseState state, beat_lease(writer, lease_of(id), fence));
        if (!progress) return state;
        Update update;
        update.set("progress", value_of(*progress));
        ZONA_TRY_VOID(writer.modify(tasks(), id, update));
        return state;
    });
}

Result<void> TaskLedger::end(const TaskEnd& ended) {
    const auto body = [this, &ended](Writer& writer) -> Result<int> {
        ZONA_TRY_VOID(end(writer, ended));
        return 0;
    };
    ZONA_TRY_VOID(store::write_and_wait(*core_, body));
    return {};
}

Result<void> TaskLedger::end(Writer& writer, const TaskEnd& ended) const {
    ZONA_TRY_VOID(ended.fence.check(writer));
    Update update;
    update.set("state", text(ended.state)).set("failures", ended.failures);
    ended.progress ? update.set("progress", value_of(*ended.progress)) : update.unset("progress");
    if (ended.state == TaskState::kWaiting || ended.state == TaskState::kDelayed) {
        ZONA_TRY(const auto found, writer.find(tasks(), ended.id));
        if (found) update.set("instance", json::string(text_in(*found->document, "only")));
    }
    if (has_ended(ended.state)) update.set("ended_at", to_field(deps_.clock.system()));
    if (ended.not_before) update.set("not_before", to_field(*ended.not_before));
    if (ended.outcome) update.set("outcome", Value(*ended.outcome));
    ended.error ? update.set("error", value_of(*ended.error)) : update.unset("error");
    ZONA_TRY_VOID(writer.modify(tasks(), ended.id, update));
    return forget_lease(writer, lease_of(ended.id));
}

Result<std::vector<HeldTask>> TaskLedger::held_by_others() const {
    return store::read_and_wait(*core_, [this](Reader& reader) -> Result<std::vector<HeldTask>> {
        std::vector<HeldTask> out;
        ZONA_TRY(const store::Page running,
                 reader.find_page(tasks(), {.filter = in_state(TaskState::kRunning)},
                                  {.limit = kAtOnce}));
        for (const Record& record : running.records) {
            const std::string id = std::get<std::string>(record.id);
            ZONA_TRY(const LeaseState lease, find_lease(reader, lease_of(id)));
            if (lease.holder != options_.holder) out.push_back({.id = id, .lease = lease});
        }
        return out;
    });
}

bool TaskLedger::is_left_behind(const HeldTask& held) const {
    return options_.is_alone || held.lease.is_free() ||
           held.lease.holder.instance == options_.holder.instance;
}

Result<bool> TaskLedger::take_back(const HeldTask& held) {
    return store::write_and_wait(*core_,
                                 [this, &held](Writer& writer) { return take_back(writer, held); });
}

Result<bool> TaskLedger::take_back(Writer& writer, const HeldTask& held) const {
    ZONA_TRY(const LeaseState now, find_lease(writer, lease_of(held.id)));
    ZONA_TRY(const auto found, writer.find(tasks(), held.id));
    if (now != held.lease || !found || task_of(*found).state != TaskState::kRunning) return false;
    // One that only a newer zona knows is left to it.
    const auto kind = kinds_.find(text_in(*found->document, "kind"));
    if (kind == kinds_.end()) return false;
    const auto times = whole_in(*found->document, "interruptions") + 1;
    Update update;
    update.set("interruptions", times).unset("progress");
    ZONA_TRY_VOID(change(writer, held.id, update));
    ZONA_TRY_VOID(forget_lease(writer, lease_of(held.id)));
    const bool is_copy =
        options_.is_alone && !now.is_free() && now.holder.instance != options_.holder.instance;
    std::optional<Error> why;
    if (kind->second.interrupted == Interrupted::kFails) why = interrupted_once();
    if (times >= kMostInterruptions) why = deadly(times);
    if (is_copy) why = of_another_installation();
    if (now.cancel) {
        ZONA_TRY_VOID(end_as(writer, held.id, TaskState::kCancelled, as_asked()));
    } else if (why) {
        ZONA_TRY_VOID(end_as(writer, held.id, TaskState::kFailed, *why));
    } else {
        update = Update();
        update.set("state", text(TaskState::kWaiting))
            .set("instance", json::string(text_in(*found->document, "only")));
        ZONA_TRY_VOID(change(writer, held.id, update));
    }
    return true;
}

/// One that nobody is doing.
Result<Task> TaskLedger::end_as(Writer& writer, const std::string& id, TaskState state,
                                const Error& why) const {
    Update update;
    update.set("state", text(state))
        .set("ended_at", to_field(deps_.clock.system()))
        .set("error", value_of(why))
        .unset("not_before");
    return change(writer, id, update);
}

Result<void> TaskLedger::fail_foreign() {
    if (!options_.is_alone) return {};
    const auto body = [this](Writer& writer) -> Result<int> {
        const Filter foreign = Filter::all(
            {Filter::in("state", {text(TaskState::kWaiting), text(TaskState::kDelayed)}),
             Filter::negate(
                 Filter::in("only", {json::string(""), json::string(options_.holder.instance)}))});
        while (true) {
            ZONA_TRY(const store::Page page,
                     writer.find_page(tasks(), {.filter = foreign}, {.limit = kAtOnce}));
            for (const Record& record : page.records)
                ZONA_TRY_VOID(end_as(writer, std::get<std::string>(record.id), TaskState::kFailed,
                                     of_another_installation()));
            if (page.next.empty()) return 0;
        }
    };
    ZONA_TRY_VOID(store::write_and_wait(*core_, body));
    return {};
}

}  // namespace zona::jobs::detail
