#include "process/detail/state_codec.h"

#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "process/detail/printable.h"
#include "process/detail/state_json.h"

namespace zona::process::detail {
namespace {

namespace json = boost::json;
using core::JsonReader;

core::Result<void> apply_put(const JsonReader& in, StateModel& model,
                             std::vector<std::string>& warnings) {
    const json::value* const value = in.raw("process");
    if (value == nullptr) return core::Error(core::Code::kInvalidArgument, "process is missing");
    ZONA_TRY(ReadProcess read, read_process(*value));
    const AppTable::Entry* known = model.apps().find(read.app);
    if (const json::value* body = in.raw("app_body"); body != nullptr && known == nullptr) {
        ZONA_TRY(AppPtr app, read_app(*body, warnings));
        model.apps().add(read.app, std::move(app));
        known = model.apps().find(read.app);
    }
    if (known == nullptr) return no_such_app(read);
    read.process.app = known->app;
    model.put(std::make_shared<const StoredProcess>(std::move(read.process)));
    return {};
}

std::string name_of(const core::Uuid& id, const StateModel& model) {
    const auto found = model.processes().find(id);
    if (found == model.processes().end()) return id.to_string();
    return fmt::format("{} (pm_id {})", printable(found->second->app->spec.name),
                       found->second->pm_id);
}

}  // namespace

std::string encode_put(const StoredProcess& process, AppKey app, const StoredApp* body) {
    json::object out;
    out["op"] = "put";
    if (body != nullptr) out["app_body"] = app_value(*body);
    out["process"] = process_value(process, app);
    return core::to_json(out);
}

std::string encode_remove(const core::Uuid& id) {
    return core::to_json(json::object{{"op", "remove"}, {"id", id.to_string()}});
}

std::string encode_desired(const core::Uuid& id, Desired desired) {
    return core::to_json(json::object{
        {"op", "desired"}, {"id", id.to_string()}, {"desired", desired_name(desired)}});
}

std::string encode_kill() {
    return R"({"op":"kill"})";
}

std::string encode_forget_killed() {
    return R"({"op":"forget_killed"})";
}

core::Result<void> apply_record(std::string_view body, StateModel& model,
                                std::vector<std::string>& warnings) {
    ZONA_TRY(const json::value value, parse_state(body));
    const JsonReader in(value);
    const std::string op = in.require_string("op");
    if (op == "put") return apply_put(in, model, warnings);
    if (op == "kill") {
        model.kill();
    } else if (op == "forget_killed") {
        model.forget_killed();
    } else if (op == "remove" || op == "desired") {
        const core::Uuid id = read_id(in);
        const Desired desired = op == "desired" ? read_desired(in) : Desired::kStopped;
        ZONA_TRY_VOID(in.finish("the record", core::UnknownKeys::kWarn));
        if (op == "remove") {
            model.remove(id);
        } else {
            model.set_desired(id, desired);
        }
    } else {
        return core::Error(core::Code::kInvalidArgument,
                           fmt::format("{} is not a change that this version knows", quoted(op)));
    }
    return {};
}

std::string describe_record(std::string_view body, const StateModel& model) {
    const auto value = parse_state(body);
    if (!value.has_value()) return "a change that cannot be read";
    const JsonReader in(*value);
    const std::string op = in.string("op").value_or("");
    if (op == "kill") return "kill of all processes";
    if (op == "forget_killed") return "end of the list of killed processes";
    if (op == "put") {
        const auto process = in.object("process");
        const auto app_body = in.object("app_body");
        const auto spec = app_body.has_value() ? app_body->object("spec") : std::nullopt;
        if (!process.has_value()) return "a change that cannot be read";
        const std::string pm_id = fmt::format("pm_id {}", process->integer("pm_id").value_or(-1));
        if (!spec.has_value()) return fmt::format("settings of {}", pm_id);
        return fmt::format("settings of {} ({})", printable(spec->string("name").value_or("?")),
                           pm_id);
    }
    const auto id = core::Uuid::parse(in.string("id").value_or(""));
    const std::string name = id.has_value() ? name_of(*id, model) : "a process";
    if (op == "remove") return fmt::format("removal of {}", name);
    return fmt::format("{} is to be {}", name, printable(in.string("desired").value_or("?")));
}

}  // namespace zona::process::detail
