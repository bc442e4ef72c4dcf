#include "api/detail/tenant_setting_routes.h"

#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/route_table.h"
#include "cache/cache.h"
#include "core/json.h"
#include "core/text.h"
#include "core/time_format.h"
#include "tenancy/tenant_settings.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace asio = boost::asio;
namespace json = boost::json;
using core::Code;
using core::Result;
using net::Method;
using net::Response;
using tenancy::PutSetting;
using tenancy::TenantData;
using tenancy::TenantSetting;

namespace {

constexpr std::string_view kCachedSettings = "settings";
constexpr const char* kExample =
    R"({"key": "theme", "value": "dark", "version": 1, "updated_at": "2026-01-31T12:00:00.000Z"})";

Shape setting_shape() {
    return Shape::object(
        {required("key", Shape::text("What it is called.")),
         required("value", Shape::any("Any JSON value.")),
         required("version", Shape::integer("1 when it was made, one more with each change.")),
         required("updated_at", Shape::text("When it was changed last.").format(Format::kTime))},
        "One of a tenant's own settings.");
}

ParameterSpec code_parameter() {
    return {.name = std::string(kTenantParameter),
            .shape = Shape::text("The tenant's code; case does not matter.").example("\"default\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

ParameterSpec key_parameter() {
    return {.name = "key",
            .shape = Shape::text("What it is called: letters, digits and any of `._-`.")
                         .example("\"theme\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

ParameterSpec version_parameter(const char* example) {
    return {.name = "version",
            .shape = Shape::integer("The version that it must have now; 0: there must be none.")
                         .range(0, std::numeric_limits<std::int64_t>::max())
                         .example(example)};
}

std::vector<ErrorSpec> errors_with(std::vector<ErrorSpec> own) {
    own.push_back({Code::kInvalidTenant, "There is no such tenant."});
    own.push_back({Code::kTenantInactive, "The tenant is not active."});
    own.push_back({Code::kSessionError, "The tenant's database cannot be used now."});
    return own;
}

const ErrorSpec kNoSetting{Code::kNotFound, "There is no such setting."};
const ErrorSpec kOtherVersion{Code::kConflict, "It has another version."};

Operation list_operation() {
    return {.path = "/api/v1/tenants/{code}/settings",
            .id = "listTenantSettings",
            .tag = Tag::kTenants,
            .reach = Reach::kTenant,
            .summary = "List a tenant's own settings",
            .description =
                "By key, in pages. What the installation sets for a tenant stands in "
                "its record.",
            .parameters = {code_parameter(),
                           {.name = "limit",
                            .shape = Shape::integer("So many at most.")
                                         .range(1, static_cast<std::int64_t>(store::kMaxPageSize))
                                         .default_value("20")
                                         .example("20")},
                           {.name = "cursor",
                            .shape = Shape::text("`next` of the page before.").example("\"\"")}},
            .answers = {{.description = "A page.",
                         .shape = Shape::array("By key.", Shape::component("TenantSetting")),
                         .meta = Shape::object({required(
                             "next",
                             Shape::text("The cursor of the next page; null: none.").nullable())}),
                         .example = std::string("[") + kExample + "]"}},
            .errors = errors_with({})};
}

Operation get_operation() {
    return {.path = "/api/v1/tenants/{code}/settings/{key}",
            .id = "getTenantSetting",
            .tag = Tag::kTenants,
            .reach = Reach::kTenant,
            .summary = "Show one of a tenant's own settings",
            .description = "Its value and version.",
            .parameters = {code_parameter(), key_parameter()},
            .answers = {{.description = "The setting.",
                         .shape = Shape::component("TenantSetting"),
                         .example = kExample}},
            .errors = errors_with({kNoSetting})};
}

Operation put_operation() {
    return {.method = Method::kPut,
            .path = "/api/v1/tenants/{code}/settings/{key}",
            .id = "putTenantSetting",
            .tag = Tag::kTenants,
            .access = Access::kAdmin,
            .reach = Reach::kTenant,
            .summary = "Set one of a tenant's own settings",
            .description = "Made or replaced; on the disk before the answer.",
            .parameters = {code_parameter(), key_parameter(), version_parameter("0")},
            .body = BodySpec{Shape::object({required("value", Shape::any("Any JSON value."))}),
                             {{"dark", "A text", R"({"value": "dark"})"}}},
            .answers = {{.description = "The setting as it is now.",
                         .shape = Shape::component("TenantSetting"),
                         .example = kExample}},
            .errors = errors_with({kNoSetting, kOtherVersion})};
}

Operation remove_operation() {
    return {.method = Method::kDelete,
            .path = "/api/v1/tenants/{code}/settings/{key}",
            .id = "removeTenantSetting",
            .tag = Tag::kTenants,
            .access = Access::kAdmin,
            .reach = Reach::kTenant,
            .summary = "Remove one of a tenant's own settings",
            .description = "It is gone before the answer.",
            .parameters = {code_parameter(), key_parameter(), version_parameter("1")},
            .answers = {{.description = "It is not there any more.",
                         .shape = Shape::object({required("key", Shape::text("Its key."))}),
                         .example = R"({"key": "theme"})"}},
            .errors = errors_with({kNoSetting, kOtherVersion})};
}

json::object shown(const TenantSetting& setting) {
    return {{"key", setting.key},
            {"value", *setting.value},
            {"version", setting.version},
            {"updated_at", core::to_rfc3339(setting.updated_at)}};
}

/// The version that the call asks for; 0 is only for put.
store::Expected version_in(const Call& call) {
    return call.integer("version");
}

/// Answers as the cache has them: the JSON that is shown.
cache::Loaded cached(const TenantSetting& setting) {
    return {.bytes = core::to_json(shown(setting)), .version = setting.version};
}

/// Reads go through the cache, if there is one; so writes do.
class TenantSettingRoutes {
  public:
    TenantSettingRoutes(tenancy::Tenants& tenants, cache::Cache* cache)
        : tenants_(tenants), cache_(cache) {}

    Answer list(Call& call) const {
        store::PageRequest page{.limit = static_cast<std::size_t>(*call.integer("limit")),
                                .token = call.text("cursor").value_or("")};
        ZONA_CO_TRY(const TenantData data, co_await data_of(call));
        auto begin = [&](process::Callback<tenancy::TenantSettingPage> done) {
            list_settings(data, std::move(page), std::move(done));
        };
        ZONA_CO_TRY(const auto found,
                    co_await answer_of<tenancy::TenantSettingPage>(std::move(begin)));
        json::array settings;
        for (const TenantSetting& setting : found.settings)
            settings.push_back(shown(setting));
        const json::object meta = {
            {"next", found.next.empty() ? json::value(nullptr) : json::value(found.next)}};
        co_return Response::success(core::to_json(settings), core::to_json(meta));
    }

    Answer get(Call& call) const {
        const Which which = which_of(call);
        if (const cache::Found known = cache_ == nullptr ? nullptr : cache_->find(which.cached()))
            co_return Response::success(known->bytes);
        auto begin = [&](process::Callback<cache::Found> done) {
            if (cache_ != nullptr)
                return cache_->read(which.cached(), loader(which), std::move(done));
            loader(which)([done = std::move(done)](auto loaded) mutable {
                if (!loaded) return done(loaded.take_error());
                if (!*loaded) return done(nullptr);
                done(std::make_shared<cache::Value>(std::move((*loaded)->bytes)));
            });
        };
        ZONA_CO_TRY(const cache::Found found, co_await answer_of<cache::Found>(std::move(begin)));
        if (!found) co_return tenancy::no_setting(which.key);
        co_return Response::success(found->bytes);
    }

    Answer put(Call& call) const {
        const Which which = which_of(call);
        auto value = std::make_shared<const json::value>(call.body().get_object().at("value"));
        ZONA_CO_TRY(const TenantData data, co_await data_of(call));
        const auto put = std::make_shared<PutSetting>();
        cache::Writer writer = [data, key = which.key, value = std::move(value),
                                version = version_in(call),
                                put](cache::Callback<cache::Loaded> done) mutable {
            put_setting(data, std::move(key), std::move(value), version,
                        [put, done = std::move(done)](Result<PutSetting> result) mutable {
                            if (!result) return done(result.take_error());
                            *put = *std::move(result);
                            done(cached(put->now));
                        });
        };
        auto begin = [&](process::Callback<cache::Found> done) {
            if (cache_ != nullptr)
                return cache_->write(which.cached(), std::move(writer), std::move(done));
            writer([done = std::move(done)](Result<cache::Loaded> written) mutable {
                if (!written) return done(written.take_error());
                done(nullptr);
            });
        };
        ZONA_CO_TRY(const auto written, co_await answer_of<cache::Found>(std::move(begin)));
        const std::string now = core::to_json(shown(put->now));
        call.changed(put->before ? core::to_json(shown(*put->before)) : std::string(), now);
        co_return Response::success(now);
    }

    Answer remove(Call& call) const {
        const Which which = which_of(call);
        ZONA_CO_TRY(const TenantData data, co_await data_of(call));
        const auto was = std::make_shared<TenantSetting>();
        cache::Remover remover = [data, key = which.key, version = version_in(call),
                                  was](cache::Callback<std::int64_t> done) mutable {
            remove_setting(data, std::move(key), version,
                           [was, done = std::move(done)](Result<TenantSetting> result) mutable {
                               if (!result) return done(result.take_error());
                               *was = *std::move(result);
                               done(was->version);
                           });
        };
        auto begin = [&](process::Callback<void> done) {
            if (cache_ != nullptr)
                return cache_->remove(which.cached(), std::move(remover), std::move(done));
            remover([done = std::move(done)](Result<std::int64_t> removed) mutable {
                if (!removed) return done(removed.take_error());
                done({});
            });
        };
        ZONA_CO_TRY_VOID(co_await answer_of<void>(std::move(begin)));
        call.changed(core::to_json(shown(*was)), {});
        co_return Response::success(core::to_json(json::object{{"key", which.key}}));
    }

  private:
    /// Which setting of whom.
    struct Which {
        std::string tenant;
        std::string key;
        cache::Key cached() const { return {tenant, kCachedSettings, key}; }
    };
    static Which which_of(const Call& call) {
        return {core::lower_ascii(call.path(kTenantParameter)), call.path("key")};
    }

    cache::Loader loader(const Which& which) const {
        return [&tenants = tenants_,
                which](cache::Callback<std::optional<cache::Loaded>> done) mutable {
            tenants.data_of(which.tenant, [key = which.key, done = std::move(done)](
                                              Result<TenantData> data) mutable {
                if (!data) return done(data.take_error());
                auto found = [done = std::move(done)](Result<TenantSetting> setting) mutable {
                    if (setting) return done(cached(*setting));
                    if (setting.error().code() == Code::kNotFound) return done(std::nullopt);
                    done(setting.take_error());
                };
                find_setting(*data, std::move(key), std::move(found));
            });
        };
    }
    asio::awaitable<Result<TenantData>> data_of(Call& call) const {
        auto begin = [&](process::Callback<TenantData> done) {
            tenants_.data_of(call.path(kTenantParameter), std::move(done));
        };
        co_return co_await answer_of<TenantData>(std::move(begin));
    }

    tenancy::Tenants& tenants_;
    cache::Cache* const cache_;
};

}  // namespace

Result<void> add_tenant_setting_routes(Service& service, const DaemonApiDeps* deps) {
    service.name("TenantSetting", setting_shape());
    std::shared_ptr<const TenantSettingRoutes> routes;
    if (deps != nullptr) {
        // Without a Redis other hosts would not hear of what is written here.
        const bool is_alone = !deps->tenants.is_shared();
        const bool is_told = deps->cache.mode() != cache::Mode::kMemory;
        routes = std::make_shared<const TenantSettingRoutes>(
            deps->tenants, is_alone || is_told ? &deps->cache : nullptr);
    }
    using Member = Answer (TenantSettingRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {
        {list_operation(), &TenantSettingRoutes::list},
        {get_operation(), &TenantSettingRoutes::get},
        {put_operation(), &TenantSettingRoutes::put},
        {remove_operation(), &TenantSettingRoutes::remove}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
