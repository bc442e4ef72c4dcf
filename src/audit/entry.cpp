#include "audit/entry.h"

#include <array>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "audit/detail/codec.h"
#include "core/json.h"
#include "core/text.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"

namespace zona::audit {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Document;

namespace {

constexpr std::array<std::pair<Category, std::string_view>, 6> kCategories = {{
    {Category::kAuthentication, "authentication"},
    {Category::kDataAccess, "data_access"},
    {Category::kConfiguration, "configuration"},
    {Category::kProcess, "process"},
    {Category::kSecurity, "security"},
    {Category::kCompliance, "compliance"},
}};
constexpr std::array<std::pair<Outcome, std::string_view>, 3> kOutcomes = {{
    {Outcome::kSuccess, "success"},
    {Outcome::kFailure, "failure"},
    {Outcome::kRefused, "refused"},
}};

template <class Table>
auto parse(const Table& table, std::string_view what, std::string_view text)
    -> Result<decltype(table.front().first)> {
    std::string all;
    for (const auto& [value, name] : table) {
        if (name == text) return value;
        all += (all.empty() ? "" : ", ") + std::string(name);
    }
    return Error(Code::kInvalidArgument,
                 fmt::format("there is no {} '{}'; there are: {}", what,
                             core::to_valid_utf8(text.substr(0, kMostAction)), all));
}

template <class Table, class Value>
std::string_view name_of(const Table& table, Value wanted) {
    for (const auto& [value, name] : table) {
        if (value == wanted) return name;
    }
    return "";
}

/// At most so many bytes, and no character cut in half.
void cut(std::string& text, std::size_t most) {
    if (text.size() > most) {
        std::size_t end = most;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
            --end;
        text.resize(end);
    }
    std::string valid = core::to_valid_utf8(text);
    // What was ill-formed may have grown.
    if (valid.size() > most) valid = core::to_valid_utf8(valid.substr(0, most / 3));
    text = std::move(valid);
}

void cut(std::shared_ptr<const Document>& data) {
    if (!data) return;
    const std::string text = core::to_json(*data);
    if (text.size() <= kMostData) return;
    data = std::make_shared<const Document>(
        Document{{"omitted_bytes", text.size()}, {"sha256", crypto::hex(crypto::sha256(text))}});
}

void mask(json::object& document, const std::vector<std::string>& keys) {
    json::object* object = &document;
    for (std::size_t i = 0; i + 1 < keys.size(); ++i) {
        json::value* next = object->if_contains(keys[i]);
        if (next == nullptr || !next->is_object()) return;
        object = &next->get_object();
    }
    json::value* value = object->if_contains(keys.back());
    if (value != nullptr && !value->is_null()) *value = kMasked;
}

/// The members of `of` that are not the same in `other`, without secrets.
std::shared_ptr<const Document> difference(const store::CollectionSpec& spec, const Document* of,
                                           const Document* other) {
    if (of == nullptr) return nullptr;
    Document out;
    for (const json::key_value_pair& member : *of) {
        const json::value* there = other == nullptr ? nullptr : other->if_contains(member.key());
        if (there == nullptr || *there != member.value()) out.emplace(member.key(), member.value());
    }
    for (const store::FieldSpec& field : spec.fields) {
        if (field.protection == store::Protection::kEncrypted) mask(out, field.path.keys());
    }
    return std::make_shared<const Document>(std::move(out));
}

}  // namespace

std::string_view to_string(Category category) {
    return name_of(kCategories, category);
}

Result<Category> parse_category(std::string_view text) {
    return parse(kCategories, "category", text);
}

std::string_view to_string(Outcome outcome) {
    return name_of(kOutcomes, outcome);
}

Result<Outcome> parse_outcome(std::string_view text) {
    return parse(kOutcomes, "outcome", text);
}

std::string Actor::subject() const {
    return id.empty() ? kind : kind + ":" + id;
}

Entry new_entry(const core::Clock& clock, core::Random& random) {
    Entry out;
    out.id = core::Uuid::v4(random).to_string();
    out.at = clock.system();
    return out;
}

Entry fitted(Entry entry) {
    constexpr std::size_t kMostKind = 20;
    cut(entry.id, kMostActor);
    cut(entry.tenant, kMostActor);
    cut(entry.actor.kind, kMostKind);
    cut(entry.actor.id, kMostActor - kMostKind - 1);
    cut(entry.actor.name, kMostDetails);
    cut(entry.actor.address, kMostActor);
    cut(entry.actor.session, kMostActor);
    cut(entry.action, kMostAction);
    cut(entry.resource, kMostResource);
    cut(entry.details, kMostDetails);
    cut(entry.correlation, kMostActor);
    cut(entry.subject, kMostActor);
    cut(entry.before);
    cut(entry.after);
    cut(entry.context);
    return entry;
}

void set_change(Entry& entry, const store::CollectionSpec& spec, const Document* before,
                const Document* after) {
    entry.before = difference(spec, before, after);
    entry.after = difference(spec, after, before);
}

std::string to_json_text(const Entry& entry) {
    return core::to_json(detail::to_object(entry));
}

Result<Entry> entry_from_json(std::string_view text) {
    ZONA_TRY(const json::value value, core::parse_written_json(text));
    if (!value.is_object()) return Error(Code::kInvalidArgument, "an entry is a JSON object");
    return detail::entry_of(value.get_object());
}

}  // namespace zona::audit
