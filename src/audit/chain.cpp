#include "audit/chain.h"

#include <map>
#include <utility>

#include <boost/json.hpp>

#include "audit/collections.h"
#include "audit/detail/chain_document.h"
#include "audit/detail/codec.h"
#include "core/json.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"

namespace zona::audit {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Document;
using store::Page;
using store::Reader;
using store::Record;
using store::Scope;
using store::Writer;

namespace {

constexpr const char* kHead = "head";
constexpr const char* kArchived = "archived";

Collection log_of(const Scope& scope) {
    return Collection(audit_log_spec(), scope);
}
Collection pending_of(const Scope& scope) {
    return Collection(audit_pending_spec(), scope);
}
Collection chain_of(const Scope& scope) {
    return Collection(audit_chain_spec(), scope);
}

std::string spool_id(const std::string& spool) {
    return "spool/" + spool;
}

/// What was brought before may be brought again: the number never goes back.
Result<void> set_taken(Writer& writer, const Scope& scope, const Batch& batch,
                       std::int64_t before) {
    if (batch.entries.empty() || batch.entries.back().number <= before) return {};
    const json::object document = {{"number", batch.entries.back().number}};
    ZONA_TRY(const Record stored, writer.upsert(chain_of(scope), spool_id(batch.spool), document));
    return {};
}

/// Gives numbers within one transaction.
class Linking {
  public:
    Linking(Writer& writer, const Scope& scope, const Subjects& subjects, Head head)
        : writer_(writer), scope_(scope), subjects_(subjects), head_(std::move(head)) {}

    Result<void> add(Entry entry) {
        // A tenant's record holds nobody else's entries, whatever they say of themselves.
        if (entry.tenant.empty() || scope_ != Scope::core()) entry.tenant = scope_.code();
        ZONA_TRY(json::object document, document_of(entry));
        document["seq"] = ++head_.seq;
        document["previous"] = head_.hash;
        head_.hash = hash_of(document);
        document["hash"] = head_.hash;
        ZONA_TRY(const Record stored, writer_.insert(log_of(scope_), head_.seq, document));
        ++added_;
        return {};
    }

    const Head& head() const { return head_; }
    std::uint64_t added() const { return added_; }

  private:
    Result<json::object> document_of(const Entry& entry) {
        json::object out = detail::to_object(entry);
        out["actor"] = entry.actor.subject();
        out["tenantcode"] = entry.tenant;
        if (entry.actor.number) out["userid"] = *entry.actor.number;
        if (const json::object person = detail::person_of(entry.actor); !person.empty()) {
            ZONA_TRY(out["person"], sealed(entry, entry.actor.subject(), "person", person));
        }
        if (entry.subject.empty()) return out;
        json::object data;
        for (const char* key : detail::kData) {
            if (const json::value* value = out.if_contains(key)) data.emplace(key, *value);
            out.erase(key);
        }
        if (!data.empty()) {
            ZONA_TRY(out["data"], sealed(entry, entry.subject, "data", data));
        }
        return out;
    }

    Result<json::value> sealed(const Entry& entry, const std::string& subject,
                               std::string_view field, const json::object& data) {
        auto key = keys_.find(subject);
        if (key == keys_.end()) {
            ZONA_TRY(SubjectKey made, subjects_.key_for(writer_, scope_, subject));
            key = keys_.emplace(subject, std::move(made)).first;
        }
        return json::value(
            subjects_.seal(key->second, {.scope = scope_.code(), .entry = entry.id, .field = field},
                           core::to_json(data)));
    }

    Writer& writer_;
    const Scope& scope_;
    const Subjects& subjects_;
    Head head_;
    std::uint64_t added_ = 0;
    std::map<std::string, SubjectKey, std::less<>> keys_;
};

}  // namespace

namespace detail {

Result<void> set_head(Writer& writer, const Scope& scope, const Head& head) {
    const json::object document = {
        {"seq", head.seq}, {"hash", head.hash}, {"timestamp", to_field(head.at)}};
    ZONA_TRY(const Record stored, writer.upsert(chain_of(scope), kHead, document));
    return {};
}

Result<void> set_archived(Writer& writer, const Scope& scope, const Head& head) {
    const json::object document = {{"archived", head.archived},
                                   {"archived_hash", head.archived_hash}};
    ZONA_TRY(const Record stored, writer.upsert(chain_of(scope), kArchived, document));
    return {};
}

}  // namespace detail

Result<void> append(Writer& writer, const Scope& scope, const Entry& entry) {
    const Entry fit = fitted(entry);
    ZONA_TRY(const Record stored, writer.insert(pending_of(scope), fit.id, detail::to_object(fit)));
    return {};
}

Result<void> park(Writer& writer, const Scope& scope, const Batch& batch) {
    ZONA_TRY(const std::int64_t before, taken(writer, scope, batch.spool));
    for (const Spooled& one : batch.entries) {
        if (one.number > before) ZONA_TRY_VOID(append(writer, scope, one.entry));
    }
    return set_taken(writer, scope, batch, before);
}

Result<Advanced> advance(Writer& writer, const Scope& scope, const Batch& batch,
                         const Subjects& subjects, const Permit& permit, core::SystemTime now) {
    if (permit) ZONA_TRY_VOID(permit(writer, scope));
    ZONA_TRY(const Head before, find_head(writer, scope));
    Linking linking(writer, scope, subjects, before);
    const store::Query oldest{.walk = store::Walk::kAllow};
    ZONA_TRY(const Page page,
             writer.find_page(pending_of(scope), oldest, {.limit = kMostAtOnce, .token = {}}));
    for (const Record& record : page.records) {
        ZONA_TRY(Entry entry, detail::entry_of(*record.document));
        ZONA_TRY_VOID(linking.add(std::move(entry)));
        ZONA_TRY(const bool was_there, writer.remove(pending_of(scope), record.id));
        if (!was_there) return Error(Code::kConflict, "an entry was given a number by another");
    }
    if (!batch.entries.empty()) {
        ZONA_TRY(const std::int64_t last, taken(writer, scope, batch.spool));
        for (const Spooled& one : batch.entries) {
            if (one.number > last) ZONA_TRY_VOID(linking.add(fitted(one.entry)));
        }
        ZONA_TRY_VOID(set_taken(writer, scope, batch, last));
    }
    Advanced out{.head = linking.head(), .added = linking.added(), .more = !page.next.empty()};
    if (out.added == 0) return out;
    out.head.at = now;
    ZONA_TRY_VOID(detail::set_head(writer, scope, out.head));
    return out;
}

Result<std::int64_t> taken(Reader& reader, const Scope& scope, const std::string& spool) {
    ZONA_TRY(const std::optional<Record> found, reader.find(chain_of(scope), spool_id(spool)));
    return found ? detail::whole_in(*found->document, "number") : 0;
}

Result<Head> find_head(Reader& reader, const Scope& scope) {
    Head out;
    ZONA_TRY(const std::optional<Record> found, reader.find(chain_of(scope), kHead));
    if (found) {
        out.seq = detail::whole_in(*found->document, "seq");
        out.hash = detail::text_in(*found->document, "hash");
        out.at = detail::time_of(detail::whole_in(*found->document, "timestamp"));
    }
    ZONA_TRY(const std::optional<Record> archived, reader.find(chain_of(scope), kArchived));
    if (archived) {
        out.archived = detail::whole_in(*archived->document, "archived");
        out.archived_hash = detail::text_in(*archived->document, "archived_hash");
    }
    return out;
}

Result<bool> has_pending(Reader& reader, const Scope& scope) {
    const store::Query any{.walk = store::Walk::kAllow};
    ZONA_TRY(const std::optional<Record> found, reader.find_one(pending_of(scope), any));
    return found.has_value();
}

std::string hash_of(const Document& document) {
    json::object copy = document;
    copy.erase("hash");
    return crypto::hex(crypto::sha256(detail::canonical(json::value(std::move(copy)))));
}

Result<Recorded> recorded_in(const Document& document, const Scope& scope,
                             SubjectReader& subjects) {
    Recorded out{.seq = detail::whole_in(document, "seq"),
                 .previous = detail::text_in(document, "previous"),
                 .hash = detail::text_in(document, "hash"),
                 .entry = {}};
    auto entry = detail::entry_of(document);
    if (!entry) return entry.take_error().recode(Code::kConflict);
    out.entry = std::move(*entry);
    const std::string subject = detail::text_in(document, "actor");
    const std::size_t colon = subject.find(':');
    out.entry.actor.kind = subject.substr(0, colon);
    if (colon != std::string::npos) out.entry.actor.id = subject.substr(colon + 1);
    if (document.contains("userid")) out.entry.actor.number = detail::whole_in(document, "userid");
    const auto open = [&](const std::string& whose,
                          std::string_view field) -> Result<json::object> {
        const std::string sealed = detail::text_in(document, field);
        if (sealed.empty()) return json::object();
        const SealedPlace place{.scope = scope.code(), .entry = out.entry.id, .field = field};
        ZONA_TRY(const std::optional<std::string> text, subjects.open(whose, place, sealed));
        if (!text) {
            out.erased = true;
            return json::object();
        }
        ZONA_TRY(const json::value value, core::parse_written_json(*text));
        return value.is_object() ? value.get_object() : json::object();
    };
    ZONA_TRY(const json::object person, open(subject, "person"));
    detail::set_person(out.entry.actor, person);
    if (out.entry.subject.empty()) return out;
    ZONA_TRY(const json::object data, open(out.entry.subject, "data"));
    out.entry.before = detail::object_in(data, "before");
    out.entry.after = detail::object_in(data, "after");
    out.entry.context = detail::object_in(data, "context");
    return out;
}

}  // namespace zona::audit
