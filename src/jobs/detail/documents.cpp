#include "jobs/detail/documents.h"

#include <algorithm>
#include <array>

#include <boost/json.hpp>

#include "jobs/detail/fields.h"

namespace zona::jobs::detail {

namespace json = boost::json;
using store::Collection;

namespace {

constexpr std::array kTriggers = {Trigger::kSchedule, Trigger::kMissed, Trigger::kRetry,
                                  Trigger::kInterrupted, Trigger::kManual};
constexpr std::array kOutcomes = {Outcome::kRunning,    Outcome::kSucceeded, Outcome::kFailed,
                                  Outcome::kCancelled,  Outcome::kTimedOut,  Outcome::kLost,
                                  Outcome::kInterrupted};

/// The value that is called so; the first for a text of a newer zona.
template <class Values>
auto named(const Values& values, std::string_view text) {
    const auto found = std::ranges::find_if(values, [&](auto v) { return to_string(v) == text; });
    return found == values.end() ? values.front() : *found;
}

}  // namespace

Collection in_core(const store::CollectionSpec& spec) {
    return Collection(spec, store::Scope::core());
}

json::object document_of(const JobState& state) {
    json::object out = {{"name", state.name},
                        {"schedule", state.schedule},
                        {"paused", state.paused},
                        {"attempt", state.attempt}};
    if (state.due) out["due"] = to_field(*state.due);
    if (state.last_run > 0) out["last_run"] = state.last_run;
    if (state.last_success) out["last_success"] = to_field(*state.last_success);
    if (state.checkpoint) out["checkpoint"] = *state.checkpoint;
    return out;
}

JobState state_of(const json::object& from) {
    JobState out{.name = text_in(from, "name"),
                 .schedule = text_in(from, "schedule"),
                 .paused = flag_in(from, "paused"),
                 .attempt = static_cast<int>(whole_in(from, "attempt")),
                 .due = time_in(from, "due"),
                 .last_run = whole_in(from, "last_run"),
                 .last_success = time_in(from, "last_success"),
                 .checkpoint = nullptr};
    const json::value* const kept = from.if_contains("checkpoint");
    if (kept != nullptr && kept->is_object())
        out.checkpoint = std::make_shared<const json::object>(kept->get_object());
    return out;
}

json::object document_of(const RunDocument& run) {
    return {{"job", run.key},
            {"trigger", to_string(run.trigger)},
            {"instance", run.holder.instance},
            {"life", run.holder.life},
            {"outcome", to_string(Outcome::kRunning)},
            {"attempt", run.attempt},
            {"fence", run.fence},
            {"started_at", to_field(run.started_at)},
            {"counters", json::object()}};
}

RunView run_of(const store::Record& record) {
    const json::object& from = *record.document;
    RunView out;
    out.number = std::get<std::int64_t>(record.id);
    out.job = name_in(text_in(from, "job"));
    out.trigger = named(kTriggers, text_in(from, "trigger"));
    out.attempt = static_cast<int>(whole_in(from, "attempt"));
    out.instance = text_in(from, "instance");
    out.started_at = time_in(from, "started_at").value_or(core::SystemTime());
    out.ended_at = time_in(from, "ended_at");
    out.duration = std::chrono::microseconds(whole_in(from, "duration_us"));
    out.outcome = named(kOutcomes, text_in(from, "outcome"));
    out.error = text_in(from, "error");
    for (const auto& [name, value] : from.at("counters").as_object())
        out.counters.emplace(name, whole_in(from.at("counters").as_object(), name));
    return out;
}

JobView shown(const Definition& definition, const JobState& state) {
    return {.name = definition.name,
            .summary = definition.summary,
            .schedule = definition.schedule.text(),
            .coverage = definition.coverage,
            .instances = definition.instances,
            .time_limit = definition.time_limit,
            .retries = definition.retries.attempts,
            .paused = state.paused,
            .attempt = state.attempt,
            .due = definition.due ? definition.due(state.due) : state.due,
            .last_success = state.last_success,
            .last = std::nullopt};
}

std::string key_of(const Definition& definition, const std::string& instance) {
    if (definition.instances == Instances::kOne) return definition.name;
    return definition.name + "@" + instance;
}

std::string name_in(const std::string& key) {
    return key.substr(0, key.find('@'));
}

}  // namespace zona::jobs::detail
