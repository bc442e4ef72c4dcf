#include "api/detail/key_routes.h"

#include <variant>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "identity/api_keys.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using net::Method;
using net::Response;

namespace {

constexpr const char* kNamePattern = "[A-Za-z0-9._-]+";
/// How long both keys of a rotation are valid, unless told otherwise.
constexpr std::string_view kUsualOverlap = "1h";

Shape name_shape() {
    return Shape::text("What it is called.").pattern(kNamePattern).length(1, 64).example("\"ci\"");
}

Shape scope_shape() {
    return Shape::text("A viewer may only read.").choices({"viewer", "admin"});
}

Shape tenant_shape() {
    return Shape::text("The code of the only tenant that it reaches; without one it reaches all.")
        .length(1, 64)
        .example("\"acme\"");
}

Shape time_shape(std::string doc) {
    return Shape::text(std::move(doc)).format(Format::kTime).nullable();
}

ParameterSpec name_parameter() {
    return {.name = "name",
            .shape = Shape::text("The key's name.").example("\"ci\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

Shape key_shape() {
    return Shape::object(
        {required("id", Shape::text("Never reused.").format(Format::kUuid)),
         required("name", Shape::text("Of one key, or of two while a rotation lets them overlap.")),
         required("scope", scope_shape()), required("tenant", tenant_shape().nullable()),
         required("created_at", Shape::text("When it was made.").format(Format::kTime)),
         required("expires_at", time_shape("When it ends; null: never.")),
         required("last_used_at", time_shape("When it was shown last; null: never."))},
        "What is known of a key; the key itself is not.");
}

AnswerSpec new_key(std::string description) {
    return {
        .status = 201,
        .description = std::move(description),
        .shape = Shape::object({required("name", Shape::text("Its name.")),
                                required("key", Shape::text("The key. It is not shown again."))}),
        .example = R"({"name": "ci", "key": "zona_key_..."})"};
}

Operation list_keys() {
    return {.path = "/api/v1/keys",
            .id = "listKeys",
            .tag = Tag::kKeys,
            .summary = "List the API keys",
            .description = "In the order of their making, expired ones included.",
            .answers = {{.description = "The keys.",
                         .shape = Shape::array("All keys.", Shape::component("ApiKey")),
                         .example = R"([{"id": "0d6b5a1e-7c1b-4b0e-9d0a-0f2a6a5c1d11",
                                         "name": "default", "scope": "admin",
                                         "tenant": null,
                                         "created_at": "2026-01-31T12:00:00.000Z",
                                         "expires_at": null, "last_used_at": null}])"}},
            .errors = {{Code::kConflict, "The list of keys is damaged."}}};
}

Operation create_key() {
    return {
        .method = Method::kPost,
        .path = "/api/v1/keys",
        .id = "createKey",
        .tag = Tag::kKeys,
        .access = Access::kAdmin,
        .summary = "Make an API key",
        .description = "The key is in the answer, and nowhere else: only its hash is stored.",
        .body = BodySpec{.shape = Shape::object(
                             {required("name", name_shape()),
                              optional("scope", scope_shape().default_value("\"viewer\"")),
                              optional("tenant", tenant_shape()),
                              optional("expires_in",
                                       Shape::text("How long it is valid; without it, for ever.")
                                           .format(Format::kDuration)
                                           .example("\"30d\""))}),
                         .examples = {{.name = "viewer",
                                       .summary = "For a reader, for 30 days",
                                       .json = R"({"name": "ci", "scope": "viewer",
                                                       "expires_in": "30d"})"}}},
        .answers = {new_key("It is valid from now on.")},
        .errors = {{Code::kNotFound, "There is no such tenant."},
                   {Code::kConflict, "The name is taken, or the list of keys is damaged."}}};
}

Operation rotate_key() {
    return {.method = Method::kPost,
            .path = "/api/v1/keys/{name}/rotations",
            .id = "rotateKey",
            .tag = Tag::kKeys,
            .access = Access::kAdmin,
            .summary = "Replace an API key",
            .description =
                "Makes a successor of the same name and scope. The old key goes on for "
                "`overlap`, so that clients can be changed one after the other.",
            .parameters = {name_parameter()},
            .body = BodySpec{.shape = Shape::object({optional(
                                 "overlap", Shape::text("How long both are valid.")
                                                .format(Format::kDuration)
                                                .default_value(fmt::format("\"{}\"", kUsualOverlap))
                                                .example("\"10m\""))}),
                             .examples = {{.name = "ten-minutes",
                                           .summary = "Both are valid for ten minutes",
                                           .json = R"({"overlap": "10m"})"}}},
            .answers = {new_key("Both are valid for a while.")},
            .errors = {{Code::kNotFound, "No valid key has this name."},
                       {Code::kConflict, "The list of keys is damaged."}}};
}

Operation revoke_key() {
    return {.method = Method::kDelete,
            .path = "/api/v1/keys/{name}",
            .id = "revokeKey",
            .tag = Tag::kKeys,
            .access = Access::kAdmin,
            .summary = "Take an API key back",
            .description = "All keys of this name, at once. The unix socket needs none.",
            .parameters = {name_parameter()},
            .answers = {{.description = "Nobody gets in by it any more.",
                         .shape = Shape::object({required("name", Shape::text("Its name."))}),
                         .example = R"({"name": "ci"})"}},
            .errors = {{Code::kNotFound, "No key has this name."},
                       {Code::kConflict, "The list of keys is damaged."}}};
}

json::value time_or_null(const std::optional<core::SystemTime>& time) {
    return time ? json::value(core::to_rfc3339(*time)) : json::value(nullptr);
}

/// Checked by the shape before.
std::chrono::seconds duration_in(const json::value& body, std::string_view key,
                                 std::string_view fallback) {
    const json::value* given = body.get_object().if_contains(key);
    const std::string_view text =
        given != nullptr && given->is_string() ? std::string_view(given->get_string()) : fallback;
    const auto duration = core::parse_duration(text);
    return std::chrono::duration_cast<std::chrono::seconds>(
        duration.value_or(std::chrono::milliseconds(0)));
}

class KeyRoutes {
  public:
    KeyRoutes(const KeyDeps& deps, tenancy::Tenants* tenants) : deps_(deps), tenants_(tenants) {}

    Answer list(Call&) const {
        ZONA_CO_TRY(identity::ApiKeys* const keys, all());
        json::array data;
        for (const identity::ApiKey& key : keys->list()) {
            data.push_back(json::object{
                {"id", key.id.to_string()},
                {"name", key.name},
                {"scope", identity::to_string(key.scope)},
                {"tenant", key.tenant.empty() ? json::value(nullptr) : json::value(key.tenant)},
                {"created_at", core::to_rfc3339(key.created_at)},
                {"expires_at", time_or_null(key.expires_at)},
                {"last_used_at", time_or_null(key.last_used_at)}});
        }
        co_return Response::success(core::to_json(data));
    }

    Answer create(Call& call) const {
        ZONA_CO_TRY(identity::ApiKeys* const keys, all());
        const json::object& body = call.body().get_object();
        identity::NewApiKey wanted{.name = std::string(body.at("name").get_string()),
                                   .scope = identity::Scope::kViewer,
                                   .expires_at = {}};
        if (const json::value* scope = body.if_contains("scope");
            scope != nullptr && scope->is_string())
            wanted.scope = identity::scope_from(scope->get_string()).value_or(wanted.scope);
        ZONA_CO_TRY(wanted.tenant, co_await tenant_in(body));
        if (const auto time = duration_in(call.body(), "expires_in", "0"); time.count() > 0)
            wanted.expires_at = deps_.clock.system() + time;
        auto make = [keys, wanted] { return keys->create(wanted); };
        ZONA_CO_TRY(const core::Secret key, co_await blocking<core::Secret>(std::move(make)));
        co_return shown(wanted.name, key);
    }

    Answer rotate(Call& call) const {
        ZONA_CO_TRY(identity::ApiKeys* const keys, all());
        const std::string name = call.path("name");
        const auto overlap = duration_in(call.body(), "overlap", kUsualOverlap);
        auto replace = [=] { return keys->rotate(name, overlap); };
        ZONA_CO_TRY(const core::Secret key, co_await blocking<core::Secret>(std::move(replace)));
        co_return shown(name, key);
    }

    Answer revoke(Call& call) const {
        ZONA_CO_TRY(identity::ApiKeys* const keys, all());
        const std::string name = call.path("name");
        auto take_back = [=]() -> Result<std::monostate> {
            ZONA_TRY_VOID(keys->revoke(name));
            return std::monostate();
        };
        const auto done = co_await blocking<std::monostate>(std::move(take_back));
        if (!done) co_return done.error();
        co_return Response::success(core::to_json(json::object{{"name", name}}));
    }

  private:
    Result<identity::ApiKeys*> all() const {
        if (deps_.keys != nullptr) return deps_.keys;
        return core::Error(Code::kConflict, deps_.problem);
    }

    /// The code of the tenant that the body names, which there must be; empty where it names none.
    asio::awaitable<Result<std::string>> tenant_in(const json::object& body) const {
        const json::value* given = body.if_contains("tenant");
        if (given == nullptr || !given->is_string()) co_return std::string();
        auto begin = [this, code = std::string(given->get_string())](
                         process::Callback<tenancy::Tenant> done) {
            tenants_->find(code, std::move(done));
        };
        ZONA_CO_TRY(const tenancy::Tenant found,
                    co_await answer_of<tenancy::Tenant>(std::move(begin)));
        co_return found.code;
    }

    /// What waits for the disk, on a thread that may.
    template <class T, class Work>
    asio::awaitable<Result<T>> blocking(Work work) const {
        auto begin = [this, work = std::move(work)](process::Callback<T> done) mutable {
            deps_.run_blocking(
                [work = std::move(work), done = std::move(done)]() mutable { done(work()); });
        };
        co_return co_await answer_of<T>(std::move(begin));
    }

    static Response shown(const std::string& name, const core::Secret& key) {
        std::string data = "{\"name\":";
        core::append_json_string(data, name);
        data += ",\"key\":";
        core::append_json_string(data, key.reveal());
        data += '}';
        return Response::success(data, {}, 201);
    }

    const KeyDeps& deps_;
    tenancy::Tenants* tenants_;
};

}  // namespace

Result<void> add_key_routes(Service& service, const KeyDeps* deps, tenancy::Tenants* tenants) {
    service.name("ApiKey", key_shape());
    const auto routes =
        deps == nullptr ? nullptr : std::make_shared<const KeyRoutes>(*deps, tenants);
    using Member = Answer (KeyRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{list_keys(), &KeyRoutes::list},
                                                 {create_key(), &KeyRoutes::create},
                                                 {rotate_key(), &KeyRoutes::rotate},
                                                 {revoke_key(), &KeyRoutes::revoke}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
