#include "process/detail/state_codec.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <unordered_map>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"
#include "process/detail/app_spec_json.h"
#include "process/detail/printable.h"

namespace zona::process::detail {
namespace {

namespace json = boost::json;
using core::JsonReader;

constexpr JsonReader::IntegerRange kNatural = {.least = 0};
constexpr JsonReader::IntegerRange kShort = {0, std::numeric_limits<std::uint32_t>::max()};

std::string to_hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes)
        out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out;
}

std::optional<std::string> from_hex(std::string_view digits) {
    if (digits.size() % 2 != 0) return std::nullopt;
    std::string out;
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        unsigned char byte = 0;
        const char* const end = digits.data() + i + 2;
        if (std::from_chars(digits.data() + i, end, byte, 16).ptr != end) return std::nullopt;
        out += static_cast<char>(byte);
    }
    return out;
}

json::value bytes_value(const std::string& bytes) {
    if (core::is_valid_utf8(bytes)) return json::value(bytes);
    return json::object{{"hex", to_hex(bytes)}};
}

std::string read_bytes(const JsonReader& in, std::string_view key) {
    const json::value* const value = in.raw(key);
    if (value == nullptr) in.mistake(key, "is missing");
    if (value == nullptr || !value->is_object()) return in.string(key).value_or("");
    const auto hex = in.object(key)->string("hex");
    auto bytes = from_hex(hex.value_or("?"));
    if (!bytes.has_value()) in.mistake(key, "is neither a text nor bytes in hex");
    return std::move(bytes).value_or("");
}

json::object app_value(const StoredApp& app) {
    json::object out;
    out["spec"] = to_json(app.spec);
    json::object& environment = out["caller_environment"].emplace_object();
    json::object in_hex;
    for (const auto& [name, value] : app.caller_environment) {
        if (core::is_valid_utf8(name) && core::is_valid_utf8(value)) {
            environment[name] = value;
        } else {
            in_hex[to_hex(name)] = to_hex(value);
        }
    }
    if (!in_hex.empty()) out["caller_environment_hex"] = std::move(in_hex);
    return out;
}

core::Result<AppPtr> read_app(const json::value& value, std::vector<std::string>& warnings) {
    const JsonReader in(value);
    auto app = std::make_shared<StoredApp>();
    using Variables = std::vector<std::pair<std::string, std::string>>;
    for (auto& [name, text] : in.string_map("caller_environment").value_or(Variables())) {
        app->caller_environment[name] = std::move(text);
    }
    for (const auto& [name, text] : in.string_map("caller_environment_hex").value_or(Variables())) {
        auto bytes = from_hex(text);
        const auto name_bytes = from_hex(name);
        if (!bytes.has_value() || !name_bytes.has_value()) {
            in.mistake("caller_environment_hex", "holds something that is not hex");
            break;
        }
        app->caller_environment[*name_bytes] = std::move(*bytes);
    }
    const json::value* const spec = in.raw("spec");
    if (spec == nullptr) in.mistake("spec", "is missing");
    ZONA_TRY_VOID(in.finish("the record of an app", core::UnknownKeys::kWarn));
    ZONA_TRY(ParsedAppSpec parsed, app_spec_from_json(*spec));
    std::ranges::move(parsed.warnings, std::back_inserter(warnings));
    app->spec = std::move(parsed.spec);
    return AppPtr(std::move(app));
}

json::object process_value(const StoredProcess& process, AppKey app) {
    json::object out;
    out["id"] = process.id.to_string();
    out["pm_id"] = process.pm_id;
    out["instance"] = process.instance;
    out["app"] = app;
    out["out_file"] = bytes_value(process.out_file);
    out["error_file"] = bytes_value(process.error_file);
    out["desired"] = process.desired == Desired::kRunning ? "running" : "stopped";
    out["created_at_ns"] = process.created_at.time_since_epoch().count();
    return out;
}

Desired read_desired(const JsonReader& in) {
    static const std::vector<std::string> kNames = {"running", "stopped"};
    const auto name = in.choice("desired", kNames);
    if (!name.has_value()) in.mistake("desired", "is missing");
    return name == "stopped" ? Desired::kStopped : Desired::kRunning;
}

core::Uuid read_id(const JsonReader& in) {
    auto id = core::Uuid::parse(in.require_string("id"));
    if (!id.has_value()) in.mistake("id", "is not a UUID");
    return id.value_or(core::Uuid());
}

struct ReadProcess {
    StoredProcess process;
    AppKey app = 0;
};

core::Result<ReadProcess> read_process(const json::value& value) {
    const JsonReader in(value);
    ReadProcess out;
    out.process.id = read_id(in);
    out.process.pm_id = static_cast<std::uint32_t>(in.integer("pm_id", kShort).value_or(0));
    out.process.instance = static_cast<std::uint32_t>(in.integer("instance", kShort).value_or(0));
    const auto app = in.integer("app", kNatural);
    if (!app.has_value()) in.mistake("app", "is missing");
    out.app = static_cast<AppKey>(app.value_or(0));
    out.process.out_file = read_bytes(in, "out_file");
    out.process.error_file = read_bytes(in, "error_file");
    out.process.desired = read_desired(in);
    out.process.created_at =
        core::SystemTime(std::chrono::nanoseconds(in.integer("created_at_ns").value_or(0)));
    ZONA_TRY_VOID(in.finish("the record of a process", core::UnknownKeys::kWarn));
    return out;
}

core::Error no_such_app(const ReadProcess& read) {
    return core::Error(core::Code::kInvalidArgument,
                       fmt::format("process {} (pm_id {}): its app {} is not in the file",
                                   read.process.id.to_string(), read.process.pm_id, read.app));
}

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

core::Result<json::value> parse(std::string_view text) {
    return core::parse_json(text,
                            {.max_bytes = core::ByteCount(static_cast<std::int64_t>(text.size()))});
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
    return core::to_json(
        json::object{{"op", "desired"},
                     {"id", id.to_string()},
                     {"desired", desired == Desired::kRunning ? "running" : "stopped"}});
}

std::string encode_kill() {
    return R"({"op":"kill"})";
}

std::string encode_forget_killed() {
    return R"({"op":"forget_killed"})";
}

core::Result<void> apply_record(std::string_view body, StateModel& model,
                                std::vector<std::string>& warnings) {
    ZONA_TRY(const json::value value, parse(body));
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
    const auto value = parse(body);
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

StateImage image_of(const StateModel& model) {
    StateImage image;
    image.next_pm_id = model.next_pm_id();
    for (const auto& [key, entry] : model.apps().entries())
        image.apps.emplace_back(key, entry.app);
    image.processes = in_order(model.processes());
    image.killed = model.killed();
    return image;
}

StateImage processes_of(const StateModel& model) {
    StateImage image;
    image.processes = in_order(model.processes());
    std::map<AppKey, AppPtr> apps;
    for (const ProcessPtr& process : image.processes) {
        apps.emplace(model.apps().find(process->app)->key, process->app);
    }
    image.apps.assign(apps.begin(), apps.end());
    return image;
}

namespace {

void append_processes(std::string& text, std::string_view name,
                      const std::vector<ProcessPtr>& processes,
                      const std::unordered_map<const StoredApp*, AppKey>& keys) {
    text += fmt::format(",\n\"{}\":[", name);
    for (std::size_t i = 0; i < processes.size(); ++i) {
        text += i == 0 ? "\n" : ",\n";
        text += core::to_json(process_value(*processes[i], keys.at(processes[i]->app.get())));
    }
    text += ']';
}

bool read_apps(const json::value* value, ImageReading& reading, std::map<AppKey, AppPtr>& apps) {
    const json::object* const object = value == nullptr ? nullptr : value->if_object();
    if (object == nullptr) return false;
    bool complete = true;
    for (const auto& member : *object) {
        AppKey key = 0;
        const std::string_view digits = member.key();
        const char* const end = digits.data() + digits.size();
        const bool is_key = std::from_chars(digits.data(), end, key).ptr == end;
        auto app = read_app(member.value(), reading.warnings);
        if (is_key && app.has_value()) {
            apps.emplace(key, *app);
            reading.image.apps.emplace_back(key, std::move(*app));
            continue;
        }
        complete = false;
        const std::string problem = is_key ? app.error().message() : "its number cannot be read";
        reading.warnings.push_back(
            fmt::format("app {} is left out: {}", printable(digits), problem));
    }
    return complete;
}

bool read_processes(const json::value* value, const std::map<AppKey, AppPtr>& apps,
                    std::vector<ProcessPtr>& out, std::vector<std::string>& warnings) {
    const json::array* const array = value == nullptr ? nullptr : value->if_array();
    if (array == nullptr) return false;
    bool complete = true;
    for (const json::value& element : *array) {
        auto read = read_process(element);
        if (read.has_value() && apps.contains(read->app)) {
            read->process.app = apps.at(read->app);
            out.push_back(std::make_shared<const StoredProcess>(std::move(read->process)));
            continue;
        }
        complete = false;
        const core::Error error = read.has_value() ? no_such_app(*read) : read.error();
        warnings.push_back(fmt::format("a process is left out: {}", error.message()));
    }
    return complete;
}

}  // namespace

std::string encode_image(const StateImage& image) {
    std::string text = fmt::format("\"sequence\":{},\"journal\":{},\"next_pm_id\":{},\n\"apps\":{{",
                                   image.sequence, image.journal, image.next_pm_id);
    std::unordered_map<const StoredApp*, AppKey> keys;
    for (const auto& [key, app] : image.apps) {
        text += fmt::format("{}\n\"{}\":", keys.empty() ? "" : ",", key);
        text += core::to_json(app_value(*app));
        keys.emplace(app.get(), key);
    }
    text += '}';
    append_processes(text, "processes", image.processes, keys);
    append_processes(text, "killed", image.killed, keys);
    text += "}\n";
    return seal(text);
}

ImageReading decode_image(std::string_view text) {
    ImageReading reading;
    reading.envelope = open_envelope(text);
    if (reading.envelope.state != EnvelopeState::kGood) return reading;
    const auto value = parse(text);
    if (!value.has_value()) {
        reading.envelope = {.problem = value.error().message()};
        return reading;
    }
    const JsonReader in(*value);
    StateImage& image = reading.image;
    image.sequence = static_cast<std::uint64_t>(in.integer("sequence", kNatural).value_or(0));
    image.journal = static_cast<std::uint64_t>(in.integer("journal", kNatural).value_or(0));
    image.next_pm_id = static_cast<std::uint32_t>(in.integer("next_pm_id", kShort).value_or(0));
    std::map<AppKey, AppPtr> apps;
    const bool all_apps = read_apps(in.raw("apps"), reading, apps);
    const bool all_present =
        read_processes(in.raw("processes"), apps, image.processes, reading.warnings);
    const bool all_killed = read_processes(in.raw("killed"), apps, image.killed, reading.warnings);
    const auto finished = in.finish("the file", core::UnknownKeys::kWarn);
    if (!finished.has_value()) reading.warnings.push_back(finished.error().message());
    reading.complete = all_apps && all_present && all_killed && finished.has_value();
    return reading;
}

StateModel model_of(const StateImage& image) {
    StateModel model;
    for (const auto& [key, app] : image.apps) {
        if (model.apps().find(key) == nullptr) model.apps().add(key, app);
    }
    for (const ProcessPtr& process : image.processes)
        model.put(process);
    for (const ProcessPtr& process : image.killed)
        model.add_killed(process);
    model.set_next_pm_id(std::max(image.next_pm_id, model.next_pm_id()));
    model.apps().drop_unused();
    return model;
}

}  // namespace zona::process::detail
