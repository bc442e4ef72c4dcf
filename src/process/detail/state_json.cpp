#include "process/detail/state_json.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/text.h"
#include "process/detail/app_spec_json.h"

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

enum class Spelling : std::uint8_t { kText, kHex };

/// Most of a state is environments: they are read without detours. Written in order, so each one
/// belongs at the end.
void read_variables(const JsonReader& in, std::string_view key, Spelling spelling,
                    std::map<std::string, std::string>& out) {
    const json::value* const value = in.raw(key);
    if (value == nullptr) return;
    const json::object* const object = value->if_object();
    if (object == nullptr) {
        in.mistake(key, "is not an object");
        return;
    }
    for (const auto& [name, member] : *object) {
        const json::string* const text = member.if_string();
        std::optional<std::string> name_bytes(name);
        std::optional<std::string> bytes;
        if (text != nullptr) bytes.emplace(text->data(), text->size());
        if (spelling == Spelling::kHex) {
            name_bytes = from_hex(name);
            bytes = from_hex(bytes.value_or("?"));
        }
        if (!name_bytes.has_value() || !bytes.has_value()) {
            in.mistake(key, "holds something that is not a variable");
            return;
        }
        out.insert_or_assign(out.end(), std::move(*name_bytes), std::move(*bytes));
    }
}

}  // namespace

core::Result<json::value> parse_state(std::string_view text) {
    return core::parse_json(text,
                            {.max_bytes = core::ByteCount(static_cast<std::int64_t>(text.size()))});
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
    read_variables(in, "caller_environment", Spelling::kText, app->caller_environment);
    read_variables(in, "caller_environment_hex", Spelling::kHex, app->caller_environment);
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
    out["desired"] = desired_name(process.desired);
    out["created_at_ns"] = process.created_at.time_since_epoch().count();
    return out;
}

std::string_view desired_name(Desired desired) {
    return desired == Desired::kRunning ? "running" : "stopped";
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

}  // namespace zona::process::detail
