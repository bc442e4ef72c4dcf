#include "api/detail/key_routes.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/identity_routes.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "identity/keys/api_keys.h"
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

Shape tenant_shape() {
    return Shape::text("The code of the only tenant that it reaches; without one it reaches all.")
        .length(1, 64)
        .example("\"acme\"");
}

Shape permissions_shape() {
    return Shape::array("What a limited key may do, on all: RESOURCE:ACTION, as roles have them.",
                        Shape::text("A permission.").length(1, 64).example("\"users:read\""))
        .length(0, identity::kMaxPowersOfKey);
}

Shape key_roles_shape() {
    return Shape::array("Roles of its tenant that a limited key has, in the place of permissions.",
                        Shape::text("A role's name.").length(1, 64).example("\"night-shift\""))
        .length(0, identity::kMaxPowersOfKey);
}

Shape duration_shape(std::string doc, const char* example) {
    return Shape::text(std::move(doc)).format(Format::kDuration).example(example);
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
         required("scope", Shape::text("A viewer may only read; a limited key may do what its "
                                       "permissions or roles say.")
                               .choices({"viewer", "admin", "limited"})),
         required("tenant", tenant_shape().nullable()),
         required("permissions", permissions_shape()), required("roles", key_roles_shape()),
         required("requests_per_second",
                  Shape::integer("How often it may ask; null: as often as it likes.").nullable()),
         required("burst", Shape::integer("How many may come at once after a rest.").nullable()),
         required("rotate_every",
                  duration_shape("How old it may become; null: as old as it likes.", "\"2592000s\"")
                      .nullable()),
         required("created_at", Shape::text("When it was made.").format(Format::kTime)),
         required("due_at", time_shape("When a successor is due; null: never.")),
         required("expires_at", time_shape("When it ends; null: never.")),
         required("last_used_at", time_shape("When it was shown last; null: never.")),
         required("last_address", Shape::text("From where; null: never.").nullable()),
         required("requests", Shape::integer("That it was taken for.")),
         required("refusals",
                  Shape::integer("Of them, for what it may not do, or more than it may."))},
        "What is known of a key; the key itself is not. Other instances write down within a minute "
        "how they have seen it used.");
}

const char* const kKeyExample = R"({"id": "0d6b5a1e-7c1b-4b0e-9d0a-0f2a6a5c1d11",
    "name": "ci", "scope": "limited", "tenant": "acme", "permissions": ["users:read"], "roles": [],
    "requests_per_second": 100, "burst": 200, "rotate_every": "2592000s",
    "created_at": "2026-01-31T12:00:00.000Z", "due_at": "2026-03-02T12:00:00.000Z",
    "expires_at": "2026-03-09T12:00:00.000Z", "last_used_at": "2026-02-01T08:00:00.000Z",
    "last_address": "192.0.2.7", "requests": 1200, "refusals": 3})";

AnswerSpec new_key(std::string description) {
    return {
        .status = 201,
        .description = std::move(description),
        .shape = Shape::object({required("name", Shape::text("Its name.")),
                                required("key", Shape::text("The key. It is not shown again."))}),
        .example = R"({"name": "ci", "key": "zona_key_..."})"};
}

Field overlap_field() {
    return optional("overlap", duration_shape("How long both are valid.", "\"10m\"")
                                   .default_value(fmt::format("\"{}\"", kUsualOverlap)));
}

std::vector<ErrorSpec> key_errors(std::vector<ErrorSpec> more) {
    more.push_back({Code::kConflict, "The list of keys of an earlier zona is damaged."});
    return more;
}

Operation list_keys() {
    return {.path = "/api/v1/keys",
            .id = "listKeys",
            .tag = Tag::kKeys,
            .summary = "List the API keys",
            .description = "In the order of their making, expired ones included.",
            .answers = {{.description = "The keys.",
                         .shape = Shape::array("All keys.", Shape::component("ApiKey")),
                         .example = fmt::format("[{}]", kKeyExample)}},
            .errors = key_errors({})};
}

Operation get_key() {
    return {.path = "/api/v1/keys/{name}",
            .id = "getKey",
            .tag = Tag::kKeys,
            .summary = "Show an API key",
            .description = "All keys of this name, the latest last.",
            .parameters = {name_parameter()},
            .answers = {{.description = "The keys.",
                         .shape = Shape::array("One or more.", Shape::component("ApiKey")),
                         .example = fmt::format("[{}]", kKeyExample)}},
            .errors = key_errors({{Code::kNotFound, "No key has this name."}})};
}

Operation create_key() {
    Shape body = Shape::object(
        {required("name", name_shape()),
         optional("scope", Shape::text("A viewer may only read. Left out where there are "
                                       "permissions or roles.")
                               .choices({"viewer", "admin"})
                               .default_value("\"viewer\"")),
         optional("tenant", tenant_shape()), optional("permissions", permissions_shape()),
         optional("roles", key_roles_shape()),
         optional("requests_per_second",
                  Shape::integer("How often it may ask; without it, as often as it likes.")
                      .range(1, 1'000'000)
                      .example("100")),
         optional("burst", Shape::integer("How many may come at once after a rest; without it, "
                                          "those of two seconds.")
                               .range(1, 1'000'000)
                               .example("200")),
         optional("rotate_every",
                  duration_shape("How old it may become. Then a successor is due, and a quarter of "
                                 "that later, 7 days at most, it ends.",
                                 "\"30d\"")),
         optional("expires_in",
                  duration_shape("How long it is valid; without it, for ever.", "\"30d\""))});
    return {.method = Method::kPost,
            .path = "/api/v1/keys",
            .id = "createKey",
            .tag = Tag::kKeys,
            .access = Access::kAdmin,
            .summary = "Make an API key",
            .description =
                "The key is in the answer, and nowhere else: only its hash is stored. "
                "Nobody makes one that may do more than they may.",
            .body = BodySpec{.shape = std::move(body),
                             .examples = {{.name = "viewer",
                                           .summary = "For a reader, for 30 days",
                                           .json = R"({"name": "ci", "scope": "viewer",
                                                       "expires_in": "30d"})"},
                                          {.name = "limited",
                                           .summary = "For one purpose, renewed each month",
                                           .json = R"({"name": "directory", "tenant": "acme",
                                                       "permissions": ["users:read"],
                                                       "requests_per_second": 100,
                                                       "rotate_every": "30d"})"}}},
            .answers = {new_key("It is valid from now on.")},
            .errors = key_errors({{Code::kNotFound, "There is no such tenant or role."},
                                  {Code::kAccessDenied, "It may do more than whoever asks."},
                                  {Code::kConflict, "The name is taken."}})};
}

Operation rotate_key() {
    return {.method = Method::kPost,
            .path = "/api/v1/keys/{name}/rotations",
            .id = "rotateKey",
            .tag = Tag::kKeys,
            .access = Access::kAdmin,
            .summary = "Replace an API key",
            .description =
                "Makes a successor of the same name and rights. The old key goes on for "
                "`overlap`, so that clients can be changed one after the other.",
            .parameters = {name_parameter()},
            .body = BodySpec{.shape = Shape::object({overlap_field()}),
                             .examples = {{.name = "ten-minutes",
                                           .summary = "Both are valid for ten minutes",
                                           .json = R"({"overlap": "10m"})"}}},
            .answers = {new_key("Both are valid for a while.")},
            .errors = key_errors({{Code::kNotFound, "No valid key has this name."},
                                  {Code::kAccessDenied, "It may do more than whoever asks."}})};
}

Operation renew_key() {
    return {.method = Method::kPost,
            .path = "/api/v1/whoami/rotations",
            .id = "renewOwnKey",
            .tag = Tag::kKeys,
            .access = Access::kOpen,
            .reach = Reach::kEveryone,
            .summary = "Replace the API key that asks",
            .description =
                "For a client that renews its key by itself: one that has "
                "`rotate_every`, of any scope, when it likes. The key that asks goes on "
                "for `overlap`.",
            .body = BodySpec{.shape = Shape::object({overlap_field()}),
                             .examples = {{.name = "ten-minutes",
                                           .summary = "Both are valid for ten minutes",
                                           .json = R"({"overlap": "10m"})"}}},
            .answers = {new_key("Both are valid for a while.")},
            .errors = key_errors(
                {{Code::kUnauthenticated, "The request shows no key."},
                 {Code::kConflict, "It has no `rotate_every`, or a successor already."}})};
}

Operation revoke_key() {
    return {.method = Method::kDelete,
            .path = "/api/v1/keys/{name}",
            .id = "revokeKey",
            .tag = Tag::kKeys,
            .access = Access::kAdmin,
            .summary = "Take an API key back",
            .description =
                "All keys of this name: here at once, on other instances within a "
                "second. The unix socket needs none.",
            .parameters = {name_parameter()},
            .answers = {{.description = "Nobody gets in by it any more.",
                         .shape = Shape::object({required("name", Shape::text("Its name."))}),
                         .example = R"({"name": "ci"})"}},
            .errors = key_errors({{Code::kNotFound, "No key has this name."},
                                  {Code::kAccessDenied, "It may do more than whoever asks."}})};
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

template <class T>
json::value or_null(bool is_there, T value) {
    return is_there ? json::value(std::move(value)) : json::value(nullptr);
}

json::object shown(const identity::ApiKey& key) {
    json::array permissions;
    for (const identity::Permission& one : key.permissions)
        permissions.emplace_back(identity::to_string(one));
    const bool has_rate = key.rate.per_second > 0;
    const auto every = key.rotate_every.count();
    return {{"id", key.id.to_string()},
            {"name", key.name},
            {"scope", identity::to_string(key.scope)},
            {"tenant", or_null(!key.tenant.empty(), key.tenant)},
            {"permissions", std::move(permissions)},
            {"roles", json::array(key.roles.begin(), key.roles.end())},
            {"requests_per_second", or_null(has_rate, key.rate.per_second)},
            {"burst", or_null(has_rate, key.rate.burst)},
            {"rotate_every", or_null(every > 0, fmt::format("{}s", every))},
            {"created_at", core::to_rfc3339(key.created_at)},
            {"due_at", time_or_null(key.due_at())},
            {"expires_at", time_or_null(key.expires_at())},
            {"last_used_at", time_or_null(key.usage.last_used_at)},
            {"last_address", or_null(!key.usage.last_address.empty(), key.usage.last_address)},
            {"requests", key.usage.requests},
            {"refusals", key.usage.refusals}};
}

std::string shown_list(const std::vector<identity::ApiKey>& keys) {
    json::array data;
    for (const identity::ApiKey& key : keys)
        data.push_back(shown(key));
    return core::to_json(data);
}

/// For the record: what was there, or is.
std::string recorded(const std::vector<identity::ApiKey>& keys) {
    return fmt::format(R"({{"keys":{}}})", shown_list(keys));
}

const json::value* given(const json::object& body, std::string_view key) {
    const json::value* const value = body.if_contains(key);
    return value == nullptr || value->is_null() ? nullptr : value;
}

Result<std::vector<identity::Permission>> permissions_in(const json::value& list) {
    std::vector<identity::Permission> out;
    for (const std::string& text : texts_of(list)) {
        const auto permission = identity::permission_from(text);
        if (!permission) {
            return core::Error(Code::kInvalidArgument, fmt::format("'{}' is no permission", text))
                .detail({"/permissions", "",
                         "RESOURCE:ACTION, as in utilities:read; docs/guides/roles.md has them",
                         core::Detail::Place::kPointer});
        }
        out.push_back(*permission);
    }
    return out;
}

class KeyRoutes {
  public:
    KeyRoutes(const KeyDeps& deps, tenancy::Tenants* tenants) : deps_(deps), tenants_(tenants) {}

    Answer list(Call&) const {
        ZONA_CO_TRY(const Keys keys, co_await listed());
        co_return Response::success(shown_list(keys));
    }

    Answer get(Call& call) const {
        ZONA_CO_TRY(Keys keys, co_await listed());
        const std::string name = call.path("name");
        std::erase_if(keys, [&](const identity::ApiKey& key) { return key.name != name; });
        if (keys.empty()) {
            co_return core::Error(Code::kNotFound, fmt::format("there is no key named '{}'", name));
        }
        co_return Response::success(shown_list(keys));
    }

    Answer create(Call& call) const {
        ZONA_CO_TRY(identity::ApiKeys* const keys, all());
        ZONA_CO_TRY(identity::NewApiKey wanted, wanted_in(call));
        ZONA_CO_TRY(wanted.tenant, co_await tenant_in(call.body().get_object()));
        auto begin = [keys, by = subject_of(call.request()),
                      wanted](process::Callback<identity::MadeKey> done) mutable {
            keys->create(by, std::move(wanted), std::move(done));
        };
        ZONA_CO_TRY(const identity::MadeKey made,
                    co_await answer_of<identity::MadeKey>(std::move(begin)));
        co_return answered(call, made);
    }

    Answer rotate(Call& call) const {
        ZONA_CO_TRY(identity::ApiKeys* const keys, all());
        auto begin = [keys, by = subject_of(call.request()), name = call.path("name"),
                      overlap = duration_in(call.body(), "overlap", kUsualOverlap)](
                         process::Callback<identity::MadeKey> done) {
            keys->rotate(by, name, overlap, std::move(done));
        };
        ZONA_CO_TRY(const identity::MadeKey made,
                    co_await answer_of<identity::MadeKey>(std::move(begin)));
        co_return answered(call, made);
    }

    Answer renew(Call& call) const {
        ZONA_CO_TRY(identity::ApiKeys* const keys, all());
        const auto& own = call.request().credential;
        if (!own) {
            co_return core::Error(Code::kUnauthenticated,
                                  "only an API key is renewed so, and the request shows none");
        }
        auto begin = [keys, id = *own,
                      overlap = duration_in(call.body(), "overlap", kUsualOverlap)](
                         process::Callback<identity::MadeKey> done) {
            keys->renew(id, overlap, std::move(done));
        };
        ZONA_CO_TRY(const identity::MadeKey made,
                    co_await answer_of<identity::MadeKey>(std::move(begin)));
        co_return answered(call, made);
    }

    Answer revoke(Call& call) const {
        ZONA_CO_TRY(identity::ApiKeys* const keys, all());
        const std::string name = call.path("name");
        auto begin = [keys, by = subject_of(call.request()), name](process::Callback<Keys> done) {
            keys->revoke(by, name, std::move(done));
        };
        ZONA_CO_TRY(const Keys gone, co_await answer_of<Keys>(std::move(begin)));
        call.changed(recorded(gone), {});
        co_return Response::success(core::to_json(json::object{{"name", name}}));
    }

  private:
    using Keys = std::vector<identity::ApiKey>;

    Result<identity::ApiKeys*> all() const {
        if (deps_.keys != nullptr) return deps_.keys;
        return core::Error(Code::kConflict, deps_.problem);
    }

    asio::awaitable<Result<Keys>> listed() const {
        ZONA_CO_TRY(identity::ApiKeys* const keys, all());
        auto begin = [keys](process::Callback<Keys> done) { keys->list(std::move(done)); };
        co_return co_await answer_of<Keys>(std::move(begin));
    }

    Result<identity::NewApiKey> wanted_in(const Call& call) const {
        const json::object& body = call.body().get_object();
        identity::NewApiKey out{.name = std::string(body.at("name").get_string())};
        if (const json::value* list = given(body, "permissions")) {
            ZONA_TRY(out.permissions, permissions_in(*list));
        }
        if (const json::value* list = given(body, "roles")) out.roles = texts_of(*list);
        if (!out.permissions.empty() || !out.roles.empty()) out.scope = identity::Scope::kLimited;
        if (const json::value* scope = given(body, "scope"))
            out.scope = identity::scope_from(scope->get_string()).value_or(out.scope);
        if (const json::value* rate = given(body, "requests_per_second"))
            out.rate = {.per_second = rate->to_number<std::int64_t>(),
                        .burst = 2 * rate->to_number<std::int64_t>()};
        if (const json::value* burst = given(body, "burst")) {
            if (out.rate.per_second == 0)
                return core::Error(Code::kInvalidArgument, "a burst is of a rate")
                    .detail({"/burst", "", "say requests_per_second too",
                             core::Detail::Place::kPointer});
            out.rate.burst = burst->to_number<std::int64_t>();
        }
        out.rotate_every = duration_in(call.body(), "rotate_every", "0");
        if (const auto time = duration_in(call.body(), "expires_in", "0"); time.count() > 0)
            out.expires_at = deps_.clock.system() + time;
        return out;
    }

    /// The code of the tenant that the body names, which there must be; empty where it names none.
    asio::awaitable<Result<std::string>> tenant_in(const json::object& body) const {
        const json::value* const code = given(body, "tenant");
        if (code == nullptr) co_return std::string();
        auto begin = [this, code = std::string(code->get_string())](
                         process::Callback<tenancy::Tenant> done) {
            tenants_->find(code, std::move(done));
        };
        ZONA_CO_TRY(const tenancy::Tenant found,
                    co_await answer_of<tenancy::Tenant>(std::move(begin)));
        co_return found.code;
    }

    static Response answered(Call& call, const identity::MadeKey& made) {
        call.changed(made.before.empty() ? "" : recorded(made.before), recorded({made.key}));
        std::string data = "{\"name\":";
        core::append_json_string(data, made.key.name);
        data += ",\"key\":";
        core::append_json_string(data, made.text.reveal());
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
    const std::pair<Operation, Member> rows[] = {
        {list_keys(), &KeyRoutes::list},  {create_key(), &KeyRoutes::create},
        {get_key(), &KeyRoutes::get},     {rotate_key(), &KeyRoutes::rotate},
        {renew_key(), &KeyRoutes::renew}, {revoke_key(), &KeyRoutes::revoke}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
