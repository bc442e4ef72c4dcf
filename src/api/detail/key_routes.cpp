#include "api/detail/key_routes.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/identity_routes.h"
#include "api/detail/key_operations.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "identity/keys/api_keys.h"
#include "net/client_certificate.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using net::Response;

namespace {

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

json::value certificate_of(const identity::ApiKey& key) {
    if (!key.certificate) return nullptr;
    return {{"sha256", key.certificate->fingerprint},
            {"subject", key.certificate->subject},
            {"not_after", core::to_rfc3339(key.certificate->not_after)}};
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
            {"certificate", certificate_of(key)},
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

/// With twice as many at once; 0: any number.
net::RateLimit rate_of(std::int64_t per_second) {
    if (per_second == 0) return {};
    return {.per_second = per_second, .burst = 2 * per_second};
}

/// The one that the body holds.
Result<std::optional<identity::KeyCertificate>> certificate_in(const json::object& body) {
    const json::value* const pem = given(body, "certificate");
    if (pem == nullptr) return std::nullopt;
    auto read = net::read_client_certificate(pem->get_string());
    if (!read) {
        const std::string problem = read.error().message();
        return read.take_error().detail({"/certificate", problem,
                                         "PEM: -----BEGIN CERTIFICATE-----",
                                         core::Detail::Place::kPointer});
    }
    return identity::KeyCertificate{
        .fingerprint = read->fingerprint, .subject = read->subject, .not_after = read->not_after};
}

class KeyRoutes {
  public:
    KeyRoutes(const KeyDeps& deps, tenancy::Tenants* tenants) : deps_(deps), tenants_(tenants) {}

    Answer list(Call& call) const {
        ZONA_CO_TRY(const Keys keys, co_await listed(call));
        co_return Response::success(shown_list(keys));
    }

    Answer get(Call& call) const {
        ZONA_CO_TRY(Keys keys, co_await listed(call));
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
        ZONA_CO_TRY(const std::optional<std::string> tenant, co_await tenant_of(call));
        if (tenant) {
            wanted.tenant = *tenant;
        } else {
            ZONA_CO_TRY(wanted.tenant, co_await named_tenant(call.body().get_object()));
        }
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
        ZONA_CO_TRY(identity::KeyName name, co_await name_in(call));
        ZONA_CO_TRY(identity::Succession how, succession_in(call));
        auto begin = [keys, by = subject_of(call.request()), name = std::move(name),
                      how = std::move(how)](process::Callback<identity::MadeKey> done) mutable {
            keys->rotate(by, std::move(name), std::move(how), std::move(done));
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
        ZONA_CO_TRY(identity::Succession how, succession_in(call));
        auto begin = [keys, id = *own,
                      how = std::move(how)](process::Callback<identity::MadeKey> done) mutable {
            keys->renew(id, std::move(how), std::move(done));
        };
        ZONA_CO_TRY(const identity::MadeKey made,
                    co_await answer_of<identity::MadeKey>(std::move(begin)));
        co_return answered(call, made);
    }

    Answer revoke(Call& call) const {
        ZONA_CO_TRY(identity::ApiKeys* const keys, all());
        ZONA_CO_TRY(const identity::KeyName name, co_await name_in(call));
        auto begin = [keys, by = subject_of(call.request()), name](process::Callback<Keys> done) {
            keys->revoke(by, name, std::move(done));
        };
        ZONA_CO_TRY(const Keys gone, co_await answer_of<Keys>(std::move(begin)));
        call.changed(recorded(gone), {});
        co_return Response::success(core::to_json(json::object{{"name", name.name}}));
    }

  private:
    using Keys = std::vector<identity::ApiKey>;

    Result<identity::ApiKeys*> all() const {
        if (deps_.keys != nullptr) return deps_.keys;
        return core::Error(Code::kConflict, deps_.problem);
    }

    /// Of the tenant that the path names, or all.
    asio::awaitable<Result<Keys>> listed(const Call& call) const {
        ZONA_CO_TRY(identity::ApiKeys* const keys, all());
        ZONA_CO_TRY(const std::optional<std::string> tenant, co_await tenant_of(call));
        auto begin = [keys](process::Callback<Keys> done) { keys->list(std::move(done)); };
        ZONA_CO_TRY(Keys out, co_await answer_of<Keys>(std::move(begin)));
        if (tenant)
            std::erase_if(out, [&](const identity::ApiKey& key) { return key.tenant != *tenant; });
        co_return out;
    }

    /// The tenant that the path names, which there must be; nullopt: it names none.
    asio::awaitable<Result<std::optional<std::string>>> tenant_of(const Call& call) const {
        if (call.operation().reach != Reach::kTenant) co_return std::nullopt;
        ZONA_CO_TRY(std::string code, co_await tenant_in(call, *tenants_));
        co_return std::optional(std::move(code));
    }

    asio::awaitable<Result<identity::KeyName>> name_in(const Call& call) const {
        ZONA_CO_TRY(std::optional<std::string> tenant, co_await tenant_of(call));
        co_return identity::KeyName{.name = call.path("name"), .tenant = std::move(tenant)};
    }

    Result<identity::Succession> succession_in(const Call& call) const {
        ZONA_TRY(auto certificate, certificate_in(call.body().get_object()));
        return identity::Succession{
            .overlap = duration_in(call.body(), "overlap", detail::kUsualOverlap),
            .certificate = std::move(certificate)};
    }

    Result<identity::NewApiKey> wanted_in(const Call& call) const {
        const json::object& body = call.body().get_object();
        identity::NewApiKey out{.name = std::string(body.at("name").get_string()),
                                .rate = rate_of(deps_.requests_per_second)};
        ZONA_TRY(out.certificate, certificate_in(body));
        if (const json::value* list = given(body, "permissions")) {
            ZONA_TRY(out.permissions, permissions_in(*list));
        }
        if (const json::value* list = given(body, "roles")) out.roles = texts_of(*list);
        if (!out.permissions.empty() || !out.roles.empty()) out.scope = identity::Scope::kLimited;
        if (const json::value* scope = given(body, "scope"))
            out.scope = identity::scope_from(scope->get_string()).value_or(out.scope);
        const json::value* const rate = given(body, "requests_per_second");
        if (rate != nullptr) out.rate = rate_of(rate->to_number<std::int64_t>());
        if (const json::value* burst = given(body, "burst")) {
            if (rate == nullptr || out.rate.per_second == 0)
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
    asio::awaitable<Result<std::string>> named_tenant(const json::object& body) const {
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
        if (made.key.certificate) {
            data += "null";
        } else {
            core::append_json_string(data, made.text.reveal());
        }
        data += '}';
        return Response::success(data, {}, 201);
    }

    const KeyDeps& deps_;
    tenancy::Tenants* tenants_;
};

}  // namespace

Result<void> add_key_routes(Service& service, const KeyDeps* deps, tenancy::Tenants* tenants) {
    service.name("ApiKey", detail::key_shape());
    const auto routes =
        deps == nullptr ? nullptr : std::make_shared<const KeyRoutes>(*deps, tenants);
    using Member = Answer (KeyRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{detail::list_keys(), &KeyRoutes::list},
                                                 {detail::create_key(), &KeyRoutes::create},
                                                 {detail::get_key(), &KeyRoutes::get},
                                                 {detail::rotate_key(), &KeyRoutes::rotate},
                                                 {detail::renew_key(), &KeyRoutes::renew},
                                                 {detail::revoke_key(), &KeyRoutes::revoke},
                                                 {detail::list_tenant_keys(), &KeyRoutes::list},
                                                 {detail::create_tenant_key(), &KeyRoutes::create},
                                                 {detail::get_tenant_key(), &KeyRoutes::get},
                                                 {detail::rotate_tenant_key(), &KeyRoutes::rotate},
                                                 {detail::revoke_tenant_key(), &KeyRoutes::revoke}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
