#include "identity/sessions/detail/stored_session.h"

#include <chrono>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "identity/detail/fields.h"
#include "identity/sessions/session_store.h"

namespace zona::identity::detail {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;

namespace {

SystemTime time_of(std::optional<std::int64_t> value) {
    return SystemTime(std::chrono::microseconds(value.value_or(0)));
}

core::Uuid uuid_in(const core::JsonReader& in, std::string_view key, const std::string& text) {
    const auto id = core::Uuid::parse(text);
    if (!id) in.mistake(key, "no UUID");
    return id.value_or(core::Uuid{});
}

}  // namespace

Result<store::Collection> sessions_of(const std::string& tenant) {
    ZONA_TRY(store::Scope scope, scope_of(tenant));
    return store::Collection(sessions_spec(), std::move(scope));
}

store::Document document_of(const StoredSession& stored) {
    const Session& session = stored.session;
    json::array tokens;
    for (const auto& [id, end] : stored.tokens)
        tokens.push_back(json::object{{"id", id.to_string()}, {"end", to_field(end)}});
    return {{"user", session.user.id},
            {"name", session.name},
            {"roles", to_field(session.roles)},
            {"method", session.method},
            {"address", session.client.address},
            {"user_agent", session.client.user_agent},
            {"made", to_field(session.made)},
            {"last_used", to_field(session.last_used)},
            {"idle_end", to_field(session.idle_end)},
            {"absolute_end", to_field(session.absolute_end)},
            {"ends", to_field(session.end())},
            {"generation", session.generation},
            {"tokens", std::move(tokens)},
            {"family", stored.family},
            {"refresh", stored.refresh},
            {"previous", stored.previous},
            {"refreshed", to_field(stored.refreshed)},
            {"refresh_end", to_field(stored.refresh_end)}};
}

Result<StoredSession> stored_from(const store::Record& record) {
    const json::value value = *record.document;
    const core::JsonReader in(value);
    StoredSession out;
    Session& session = out.session;
    const auto* const id = std::get_if<std::string>(&record.id);
    session.id = uuid_in(in, "", id == nullptr ? "" : *id);
    if (record.scope != store::Scope::core()) session.user.tenant = record.scope.code();
    session.user.id = in.integer("user").value_or(0);
    session.name = in.string("name").value_or("");
    session.roles = in.strings("roles").value_or(std::vector<std::string>());
    session.method = in.string("method").value_or("");
    session.client = {.address = in.string("address").value_or(""),
                      .user_agent = in.string("user_agent").value_or("")};
    session.made = time_of(in.integer("made"));
    session.last_used = time_of(in.integer("last_used"));
    session.idle_end = time_of(in.integer("idle_end"));
    session.absolute_end = time_of(in.integer("absolute_end"));
    session.generation = in.integer("generation").value_or(0);
    for (const core::JsonReader& token : in.objects("tokens"))
        out.tokens.emplace_back(uuid_in(token, "id", token.require_string("id")),
                                time_of(token.integer("end")));
    out.family = in.require_string("family");
    out.refresh = in.require_string("refresh");
    out.previous = in.string("previous").value_or("");
    out.refreshed = time_of(in.integer("refreshed"));
    out.refresh_end = time_of(in.integer("refresh_end"));
    out.version = record.version;
    // "ends" is there for its index; what a newer zona adds is its own.
    auto good = in.finish("a session in the core database", core::UnknownKeys::kWarn);
    if (!good) return std::move(good.take_error()).recode(Code::kInternal);
    return out;
}

}  // namespace zona::identity::detail
