#include "audit/query.h"

#include <array>
#include <memory>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "audit/collections.h"
#include "audit/detail/codec.h"
#include "core/json.h"
#include "core/time_format.h"

namespace zona::audit {

namespace json = boost::json;
using core::Result;
using store::Filter;
using store::Record;

namespace {

constexpr std::array<std::string_view, 20> kColumns = {
    "seq",         "timestamp", "id",      "tenantcode", "category", "outcome",  "actor",
    "userid",      "name",      "address", "session",    "action",   "resource", "details",
    "correlation", "subject",   "before",  "after",      "context",  "hash"};

void add_text(std::vector<Filter>& to, const char* path, std::string_view text) {
    if (!text.empty()) to.push_back(Filter::eq(path, json::string(text)));
}

Filter filter_of(const Wanted& wanted) {
    std::vector<Filter> all;
    add_text(all, "actor", wanted.actor);
    add_text(all, "action", wanted.action);
    add_text(all, "resource", wanted.resource);
    add_text(all, "subject", wanted.subject);
    if (wanted.category) add_text(all, "category", to_string(*wanted.category));
    if (wanted.outcome) add_text(all, "outcome", to_string(*wanted.outcome));
    if (wanted.seq) all.push_back(Filter::eq("seq", json::value(*wanted.seq)));
    if (wanted.from) all.push_back(Filter::gte("timestamp", detail::to_field(*wanted.from)));
    if (wanted.to) all.push_back(Filter::lt("timestamp", detail::to_field(*wanted.to)));
    return Filter::all(std::move(all));
}

json::object shown(const Recorded& recorded) {
    const Entry& entry = recorded.entry;
    json::object out = detail::to_object(entry);
    out["seq"] = recorded.seq;
    out["timestamp"] = core::to_rfc3339(entry.at);
    out["tenantcode"] = entry.tenant;
    out["actor"] = entry.actor.subject();
    out["userid"] = entry.actor.number ? json::value(*entry.actor.number) : json::value(nullptr);
    for (const json::key_value_pair& member : detail::person_of(entry.actor))
        out[member.key()] = member.value();
    out["erased"] = recorded.erased;
    out["previous"] = recorded.previous;
    out["hash"] = recorded.hash;
    return out;
}

std::string cell(const json::value* value) {
    if (value == nullptr || value->is_null()) return "";
    std::string text =
        value->is_string() ? std::string(value->get_string()) : core::to_json(*value);
    constexpr std::string_view kFormula = "=+-@\t\r";
    if (!text.empty() && kFormula.contains(text.front()) && !value->is_int64())
        text.insert(text.begin(), '\'');
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text)
        quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted += '"';
}

}  // namespace

bool matches(const Wanted& wanted, const Recorded& recorded) {
    const Entry& entry = recorded.entry;
    const auto is = [](const std::string& asked, const std::string& found) {
        return asked.empty() || asked == found;
    };
    return is(wanted.actor, entry.actor.subject()) && is(wanted.action, entry.action) &&
           is(wanted.resource, entry.resource) && is(wanted.subject, entry.subject) &&
           (!wanted.category || *wanted.category == entry.category) &&
           (!wanted.outcome || *wanted.outcome == entry.outcome) &&
           (!wanted.seq || *wanted.seq == recorded.seq) &&
           (!wanted.from || entry.at >= *wanted.from) && (!wanted.to || entry.at < *wanted.to);
}

Result<EntryPage> find_entries(store::Reader& reader, const store::Scope& scope,
                               const Wanted& wanted, const store::PageRequest& page) {
    const store::Query query{.filter = filter_of(wanted),
                             .sort = {"timestamp"},
                             .direction = wanted.direction,
                             .walk = store::Walk::kAllow};
    ZONA_TRY(const store::Page found,
             reader.find_page(store::Collection(audit_log_spec(), scope), query, page));
    EntryPage out{.entries = {}, .next = found.next};
    SubjectReader subjects(reader, scope);
    for (const Record& record : found.records) {
        ZONA_TRY(Recorded one, recorded_in(*record.document, scope, subjects));
        out.entries.push_back(std::move(one));
    }
    return out;
}

void mask_personal(Recorded& recorded) {
    Entry& entry = recorded.entry;
    for (std::string* const text :
         {&entry.actor.name, &entry.actor.address, &entry.actor.session}) {
        if (!text->empty()) *text = kMasked;
    }
    if (entry.subject.empty()) return;
    static const auto kNothing =
        std::make_shared<const store::Document>(store::Document{{"masked", kMasked}});
    for (auto* const data : {&entry.before, &entry.after, &entry.context}) {
        if (*data) *data = kNothing;
    }
}

std::string to_json_text(const Recorded& recorded) {
    return core::to_json(shown(recorded));
}

std::string csv_header() {
    std::string out;
    for (const std::string_view column : kColumns)
        out += (out.empty() ? "" : ",") + std::string(column);
    return out + "\r\n";
}

std::string csv_line(const Recorded& recorded) {
    const json::object object = shown(recorded);
    std::string out;
    for (const std::string_view column : kColumns) {
        if (column != kColumns.front()) out += ',';
        out += cell(object.if_contains(column));
    }
    return out + "\r\n";
}

}  // namespace zona::audit
