// What instances tell each other of sessions, and the declarations of both collections.
#include <utility>

#include <boost/json.hpp>

#include "identity/news.h"
#include "identity/sessions/detail/news.h"
#include "identity/sessions/session_store.h"
#include "identity/tokens/signing_keys.h"

namespace zona::identity {

namespace json = boost::json;
using core::Result;
using store::Collection;
using store::CollectionSpec;
using store::FieldType;
using store::Filter;
using store::Presence;
using store::Query;
using store::Reader;
using store::Record;
using store::Writer;

namespace {

store::FieldSpec required(const char* key, FieldType type = FieldType::kText) {
    return {.path = key, .type = type, .presence = Presence::kRequired};
}

Collection news() {
    return Collection(session_news_spec(), store::Scope::core());
}

SessionSelection selection_of(const json::object& from) {
    SessionSelection out{
        .tenant = std::string(from.at("tenant").as_string()), .user = {}, .session = {}};
    if (const json::value* const user = from.if_contains("user"))
        out.user = user->to_number<std::int64_t>();
    if (const json::value* const session = from.if_contains("session")) {
        const auto id = core::Uuid::parse(session->as_string());
        // What cannot be read is taken for all of the tenant: to forget too much costs a look.
        if (id) out.session = *id;
    }
    return out;
}

}  // namespace

const CollectionSpec& sessions_spec() {
    static const CollectionSpec kSpec{
        .name = "sessions",
        .fields = {required("user", FieldType::kInteger), required("name"),
                   required("roles", FieldType::kArray), required("method"), required("address"),
                   required("user_agent"), required("made", FieldType::kInteger),
                   required("last_used", FieldType::kInteger),
                   required("idle_end", FieldType::kInteger),
                   required("absolute_end", FieldType::kInteger),
                   required("ends", FieldType::kInteger),
                   required("generation", FieldType::kInteger),
                   required("tokens", FieldType::kArray), required("family"), required("refresh"),
                   required("previous"), required("refreshed", FieldType::kInteger),
                   required("refresh_end", FieldType::kInteger)},
        .indexes = {{.name = "by_created"},
                    {.name = "by_user", .fields = {{.path = "user", .type = FieldType::kInteger}}},
                    {.name = "by_end", .fields = {{.path = "ends", .type = FieldType::kInteger}}}}};
    return kSpec;
}

const CollectionSpec& session_news_spec() {
    static const CollectionSpec kSpec = news_collection(
        "session_news",
        {required("tenant"), {.path = "user", .type = FieldType::kInteger}, {.path = "session"}});
    return kSpec;
}

std::vector<const CollectionSpec*> session_collections() {
    return {&signing_keys_spec(), &sessions_spec(), &session_news_spec()};
}

Result<std::int64_t> newest_news(Reader& core) {
    return newest_number(core, news());
}

Result<void> detail::add_news(Writer& core, const SessionSelection& forget) {
    json::object document = {{"tenant", forget.tenant}};
    if (forget.user) document["user"] = *forget.user;
    if (forget.session) document["session"] = forget.session->to_string();
    return add_numbered(core, news(), std::move(document));
}

Result<News> news_after(Reader& core, std::int64_t known) {
    News out{.newest = known, .has_gap = false, .forget = {}};
    const Query later{.filter = Filter::gt(kNewsNumber, known), .sort = {kNewsNumber}};
    ZONA_TRY(const store::Page page,
             core.find_page(news(), later, {.limit = store::kMaxPageSize, .token = {}}));
    for (const Record& record : page.records) {
        const auto number = record.document->at(kNewsNumber).to_number<std::int64_t>();
        out.has_gap = out.has_gap || number != out.newest + 1;
        out.newest = number;
        out.forget.push_back(selection_of(*record.document));
    }
    return out;
}

}  // namespace zona::identity
