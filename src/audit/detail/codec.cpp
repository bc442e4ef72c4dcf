#include "audit/detail/codec.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "core/json.h"

namespace zona::audit::detail {

namespace json = boost::json;
using core::Result;

namespace {

void append(std::string& out, const json::value& value);

void append(std::string& out, const json::object& object) {
    std::vector<const json::key_value_pair*> members;
    members.reserve(object.size());
    for (const json::key_value_pair& member : object)
        members.push_back(&member);
    std::ranges::sort(members, {}, [](const auto* member) { return member->key(); });
    out += '{';
    for (const auto* member : members) {
        if (out.back() != '{') out += ',';
        core::append_json_string(out, member->key());
        out += ':';
        append(out, member->value());
    }
    out += '}';
}

void append(std::string& out, const json::value& value) {
    if (const json::object* object = value.if_object()) return append(out, *object);
    const json::array* array = value.if_array();
    if (array == nullptr) {
        out += core::to_json(value);
        return;
    }
    out += '[';
    bool first = true;
    for (const json::value& member : *array) {
        if (!std::exchange(first, false)) out += ',';
        append(out, member);
    }
    out += ']';
}

void put(json::object& out, std::string_view key, const std::string& text) {
    if (!text.empty()) out.emplace(key, text);
}

void put(json::object& out, std::string_view key,
         const std::shared_ptr<const json::object>& object) {
    if (object) out.emplace(key, *object);
}

}  // namespace

std::string canonical(const json::value& value) {
    std::string out;
    append(out, value);
    return out;
}

std::string text_in(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

std::int64_t whole_in(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    return value == nullptr ? 0 : core::whole_number(*value).value_or(0);
}

std::shared_ptr<const json::object> object_in(const json::object& from, std::string_view key) {
    const json::value* value = from.if_contains(key);
    if (value == nullptr || !value->is_object()) return nullptr;
    return std::make_shared<const json::object>(value->get_object());
}

std::int64_t to_field(core::SystemTime moment) {
    return std::chrono::floor<std::chrono::microseconds>(moment.time_since_epoch()).count();
}

core::SystemTime time_of(std::int64_t field) {
    using Duration = core::SystemTime::duration;
    constexpr auto kFirst = std::chrono::ceil<std::chrono::microseconds>(Duration::min());
    constexpr auto kLast = std::chrono::floor<std::chrono::microseconds>(Duration::max());
    return core::SystemTime(
        std::clamp<std::chrono::microseconds>(std::chrono::microseconds(field), kFirst, kLast));
}

json::object person_of(const Actor& actor) {
    json::object out;
    put(out, "name", actor.name);
    put(out, "address", actor.address);
    put(out, "session", actor.session);
    return out;
}

void set_person(Actor& actor, const json::object& person) {
    actor.name = text_in(person, "name");
    actor.address = text_in(person, "address");
    actor.session = text_in(person, "session");
}

json::object to_object(const Entry& entry) {
    json::object actor = person_of(entry.actor);
    actor.emplace("kind", entry.actor.kind);
    put(actor, "id", entry.actor.id);
    if (entry.actor.number) actor.emplace("number", *entry.actor.number);
    json::object out = {{"id", entry.id},
                        {"timestamp", to_field(entry.at)},
                        {"category", to_string(entry.category)},
                        {"outcome", to_string(entry.outcome)},
                        {"actor", std::move(actor)},
                        {"action", entry.action},
                        {"resource", entry.resource}};
    put(out, "tenantcode", entry.tenant);
    put(out, "details", entry.details);
    put(out, "correlation", entry.correlation);
    put(out, "subject", entry.subject);
    put(out, "before", entry.before);
    put(out, "after", entry.after);
    put(out, "context", entry.context);
    return out;
}

Result<Entry> entry_of(const json::object& from) {
    Entry out;
    out.id = text_in(from, "id");
    out.at = time_of(whole_in(from, "timestamp"));
    out.tenant = text_in(from, "tenantcode");
    ZONA_TRY(out.category, parse_category(text_in(from, "category")));
    ZONA_TRY(out.outcome, parse_outcome(text_in(from, "outcome")));
    if (const auto actor = object_in(from, "actor")) {
        out.actor.kind = text_in(*actor, "kind");
        out.actor.id = text_in(*actor, "id");
        if (actor->contains("number")) out.actor.number = whole_in(*actor, "number");
        set_person(out.actor, *actor);
    }
    out.action = text_in(from, "action");
    out.resource = text_in(from, "resource");
    out.details = text_in(from, "details");
    out.correlation = text_in(from, "correlation");
    out.subject = text_in(from, "subject");
    out.before = object_in(from, "before");
    out.after = object_in(from, "after");
    out.context = object_in(from, "context");
    return out;
}

}  // namespace zona::audit::detail
