#include "api/detail/system_setting_routes.h"

#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/time_format.h"
#include "tenancy/system_settings.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Result;
using net::Method;
using net::Response;
using tenancy::PutSetting;
using tenancy::TenantSetting;

namespace {

constexpr const char* kExample =
    R"({"key": "maintenance-window", "value": "sunday", "version": 1, "updated_at": "2026-01-31T12:00:00.000Z"})";

Shape setting_shape() {
    return Shape::object(
        {required("key", Shape::text("What it is called.")),
         required("value", Shape::any("Any JSON value.")),
         required("version", Shape::integer("1 when it was made, one more with each change.")),
         required("updated_at", Shape::text("When it was changed last.").format(Format::kTime))},
        "A setting of the whole installation.");
}

ParameterSpec key_parameter() {
    return {.name = "key",
            .shape = Shape::text("What it is called: letters, digits and any of `._-`.")
                         .example("\"maintenance-window\""),
            .place = Place::kPath,
            .presence = Presence::kRequired};
}

ParameterSpec version_parameter(const char* example) {
    return {.name = "version",
            .shape = Shape::integer("The version that it must have now; 0: there must be none.")
                         .range(0, std::numeric_limits<std::int64_t>::max())
                         .example(example)};
}

const ErrorSpec kNoSetting{Code::kNotFound, "There is no such setting."};
const ErrorSpec kOtherVersion{Code::kConflict, "It has another version."};
const ErrorSpec kZonasOwn{Code::kForbidden, "It is zona's own: `build_type`."};

Operation list_operation() {
    return {
        .path = "/api/v1/system-settings",
        .id = "listSystemSettings",
        .tag = Tag::kConfiguration,
        .summary = "List the installation's settings",
        .description =
            "What holds on all instances: feature toggles, parameters of operation. In the order "
            "in which they were made, in pages. The settings of one daemon are others: "
            "listSettings.",
        .parameters = {{.name = "limit",
                        .shape = Shape::integer("So many at most.")
                                     .range(1, static_cast<std::int64_t>(store::kMaxPageSize))
                                     .default_value("20")
                                     .example("20")},
                       {.name = "cursor",
                        .shape = Shape::text("`next` of the page before.").example("\"\"")}},
        .answers = {
            {.description = "A page.",
             .shape = Shape::array("The oldest first.", Shape::component("SystemSetting")),
             .meta = Shape::object({required(
                 "next", Shape::text("The cursor of the next page; null: none.").nullable())}),
             .example = std::string("[") + kExample + "]"}}};
}

Operation get_operation() {
    return {.path = "/api/v1/system-settings/{key}",
            .id = "getSystemSetting",
            .tag = Tag::kConfiguration,
            .summary = "Show one of the installation's settings",
            .description = "Its value and version.",
            .parameters = {key_parameter()},
            .answers = {{.description = "The setting.",
                         .shape = Shape::component("SystemSetting"),
                         .example = kExample}},
            .errors = {kNoSetting}};
}

Operation put_operation() {
    return {.method = Method::kPut,
            .path = "/api/v1/system-settings/{key}",
            .id = "putSystemSetting",
            .tag = Tag::kConfiguration,
            .access = Access::kAdmin,
            .summary = "Set one of the installation's settings",
            .description = "Made or replaced; on the disk before the answer.",
            .parameters = {key_parameter(), version_parameter("0")},
            .body = BodySpec{Shape::object({required("value", Shape::any("Any JSON value."))}),
                             {{"sunday", "A text", R"({"value": "sunday"})"}}},
            .answers = {{.description = "The setting as it is now.",
                         .shape = Shape::component("SystemSetting"),
                         .example = kExample}},
            .errors = {kNoSetting, kOtherVersion, kZonasOwn}};
}

Operation remove_operation() {
    return {.method = Method::kDelete,
            .path = "/api/v1/system-settings/{key}",
            .id = "removeSystemSetting",
            .tag = Tag::kConfiguration,
            .access = Access::kAdmin,
            .summary = "Remove one of the installation's settings",
            .description = "It is gone before the answer.",
            .parameters = {key_parameter(), version_parameter("1")},
            .answers = {{.description = "It is not there any more.",
                         .shape = Shape::object({required("key", Shape::text("Its key."))}),
                         .example = R"({"key": "maintenance-window"})"}},
            .errors = {kNoSetting, kOtherVersion, kZonasOwn}};
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

class SystemSettingRoutes {
  public:
    explicit SystemSettingRoutes(tenancy::Tenants& tenants) : tenants_(tenants) {}

    Answer list(Call& call) const {
        store::PageRequest page{.limit = static_cast<std::size_t>(*call.integer("limit")),
                                .token = call.text("cursor").value_or("")};
        ZONA_CO_TRY(const auto core, opened());
        auto begin = [&](process::Callback<tenancy::TenantSettingPage> done) {
            list_system_settings(*core, std::move(page), std::move(done));
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
        ZONA_CO_TRY(const auto core, opened());
        auto begin = [&](process::Callback<TenantSetting> done) {
            find_system_setting(*core, call.path("key"), std::move(done));
        };
        ZONA_CO_TRY(const TenantSetting found, co_await answer_of<TenantSetting>(std::move(begin)));
        co_return Response::success(core::to_json(shown(found)));
    }

    Answer put(Call& call) const {
        ZONA_CO_TRY(const auto core, opened());
        auto value = std::make_shared<const json::value>(call.body().get_object().at("value"));
        auto begin = [&](process::Callback<PutSetting> done) {
            put_system_setting(*core, call.path("key"), std::move(value), version_in(call),
                               std::move(done));
        };
        ZONA_CO_TRY(const PutSetting put, co_await answer_of<PutSetting>(std::move(begin)));
        call.changed(put.before ? core::to_json(shown(*put.before)) : std::string(),
                     core::to_json(shown(put.now)));
        co_return Response::success(core::to_json(shown(put.now)));
    }

    Answer remove(Call& call) const {
        ZONA_CO_TRY(const auto core, opened());
        auto begin = [&](process::Callback<TenantSetting> done) {
            remove_system_setting(*core, call.path("key"), version_in(call), std::move(done));
        };
        ZONA_CO_TRY(const TenantSetting was, co_await answer_of<TenantSetting>(std::move(begin)));
        call.changed(core::to_json(shown(was)), {});
        co_return Response::success(core::to_json(json::object{{"key", call.path("key")}}));
    }

  private:
    Result<std::shared_ptr<store::Database>> opened() const {
        if (auto core = tenants_.core()) return core;
        return core::Error(Code::kUnavailable, "the core database is not open");
    }

    tenancy::Tenants& tenants_;
};

}  // namespace

Result<void> add_system_setting_routes(Service& service, tenancy::Tenants* tenants) {
    service.name("SystemSetting", setting_shape());
    const auto routes =
        tenants == nullptr ? nullptr : std::make_shared<const SystemSettingRoutes>(*tenants);
    using Member = Answer (SystemSettingRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {
        {list_operation(), &SystemSettingRoutes::list},
        {get_operation(), &SystemSettingRoutes::get},
        {put_operation(), &SystemSettingRoutes::put},
        {remove_operation(), &SystemSettingRoutes::remove}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
