#include "api/detail/tenant_setting_routes.h"

#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/route_table.h"
#include "core/json.h"
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

class TenantSettingRoutes {
  public:
    explicit TenantSettingRoutes(tenancy::Tenants& tenants) : tenants_(tenants) {}

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
        ZONA_CO_TRY(const TenantData data, co_await data_of(call));
        auto begin = [&](process::Callback<TenantSetting> done) {
            find_setting(data, call.path("key"), std::move(done));
        };
        ZONA_CO_TRY(const TenantSetting found, co_await answer_of<TenantSetting>(std::move(begin)));
        co_return Response::success(core::to_json(shown(found)));
    }

    Answer put(Call& call) const {
        ZONA_CO_TRY(const TenantData data, co_await data_of(call));
        auto value = std::make_shared<const json::value>(call.body().get_object().at("value"));
        auto begin = [&](process::Callback<PutSetting> done) {
            put_setting(data, call.path("key"), std::move(value), version_in(call),
                        std::move(done));
        };
        ZONA_CO_TRY(const PutSetting put, co_await answer_of<PutSetting>(std::move(begin)));
        call.changed(put.before ? core::to_json(shown(*put.before)) : std::string(),
                     core::to_json(shown(put.now)));
        co_return Response::success(core::to_json(shown(put.now)));
    }

    Answer remove(Call& call) const {
        ZONA_CO_TRY(const TenantData data, co_await data_of(call));
        auto begin = [&](process::Callback<TenantSetting> done) {
            remove_setting(data, call.path("key"), version_in(call), std::move(done));
        };
        ZONA_CO_TRY(const TenantSetting was, co_await answer_of<TenantSetting>(std::move(begin)));
        call.changed(core::to_json(shown(was)), {});
        co_return Response::success(core::to_json(json::object{{"key", call.path("key")}}));
    }

  private:
    asio::awaitable<Result<TenantData>> data_of(Call& call) const {
        auto begin = [&](process::Callback<TenantData> done) {
            tenants_.data_of(call.path(kTenantParameter), std::move(done));
        };
        co_return co_await answer_of<TenantData>(std::move(begin));
    }

    tenancy::Tenants& tenants_;
};

}  // namespace

Result<void> add_tenant_setting_routes(Service& service, tenancy::Tenants* tenants) {
    service.name("TenantSetting", setting_shape());
    const auto routes =
        tenants == nullptr ? nullptr : std::make_shared<const TenantSettingRoutes>(*tenants);
    using Member = Answer (TenantSettingRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {
        {list_operation(), &TenantSettingRoutes::list},
        {get_operation(), &TenantSettingRoutes::get},
        {put_operation(), &TenantSettingRoutes::put},
        {remove_operation(), &TenantSettingRoutes::remove}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
