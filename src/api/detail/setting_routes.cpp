#include "api/detail/setting_routes.h"

#include <limits>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "api/detail/await.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/time_format.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Result;
using net::Method;
using net::Response;
using tenancy::PutSetting;
using tenancy::TenantSetting;
using tenancy::TenantSettingPage;

namespace {

const ErrorSpec kNoSetting{Code::kNotFound, "There is no such setting."};
const ErrorSpec kOtherVersion{Code::kConflict, "It has another version."};

json::object object_of(const TenantSetting& setting) {
    return {{"key", setting.key},
            {"value", *setting.value},
            {"version", setting.version},
            {"updated_at", core::to_rfc3339(setting.updated_at)}};
}

/// The operations of one place.
class Declarations {
  public:
    explicit Declarations(const SettingWords& words)
        : words_(words),
          example_(fmt::format(
              R"({{"key": "{}", "value": "{}", "version": 1, "updated_at": "2026-01-31T12:00:00.000Z"}})",
              words.key, words.value)) {}

    Shape setting() const {
        return Shape::object(
            {required("key", Shape::text("What it is called.")),
             required("value", Shape::any("Any JSON value.")),
             required("version", Shape::integer("1 when it was made, one more with each change.")),
             required("updated_at",
                      Shape::text("When it was changed last.").format(Format::kTime))},
            words_.about);
    }

    Operation list() const {
        Operation out = operation("list", Method::kGet, "", {});
        out.id += "s";
        out.summary = "List " + words_.all;
        out.description = words_.listed;
        out.parameters.push_back(
            {.name = "limit",
             .shape = Shape::integer("So many at most.")
                          .range(1, static_cast<std::int64_t>(store::kMaxPageSize))
                          .default_value("20")
                          .example("20")});
        out.parameters.push_back(
            {.name = "cursor", .shape = Shape::text("`next` of the page before.").example("\"\"")});
        out.answers = {
            {.description = "A page.",
             .shape = Shape::array(words_.order, Shape::component(words_.component)),
             .meta = Shape::object({required(
                 "next", Shape::text("The cursor of the next page; null: none.").nullable())}),
             .example = "[" + example_ + "]"}};
        return out;
    }

    Operation get() const {
        Operation out = operation("get", Method::kGet, "/{key}", {kNoSetting});
        out.summary = "Show " + words_.one;
        out.description = "Its value and version.";
        out.answers = {one("The setting.")};
        return out;
    }

    Operation put() const {
        Operation out = change("put", Method::kPut, "0");
        out.summary = "Set " + words_.one;
        out.description = "Made or replaced; on the disk before the answer.";
        out.body =
            BodySpec{Shape::object({required("value", Shape::any("Any JSON value."))}),
                     {{words_.value, "A text", fmt::format(R"({{"value": "{}"}})", words_.value)}}};
        out.answers = {one("The setting as it is now.")};
        return out;
    }

    Operation remove() const {
        Operation out = change("remove", Method::kDelete, "1");
        out.summary = "Remove " + words_.one;
        out.description = "It is gone before the answer.";
        out.answers = {{.description = "It is not there any more.",
                        .shape = Shape::object({required("key", Shape::text("Its key."))}),
                        .example = fmt::format(R"({{"key": "{}"}})", words_.key)}};
        return out;
    }

  private:
    Operation operation(const char* verb, Method method, const char* below,
                        std::vector<ErrorSpec> errors) const {
        errors.insert(errors.end(), words_.errors.begin(), words_.errors.end());
        Operation out{.method = method,
                      .path = words_.path + below,
                      .id = verb + words_.component,
                      .tag = words_.tag,
                      .access = method == Method::kGet ? Access::kViewer : Access::kAdmin,
                      .reach = words_.reach,
                      .parameters = words_.parameters,
                      .errors = std::move(errors)};
        if (*below != '\0') {
            out.parameters.push_back(
                {.name = "key",
                 .shape = Shape::text("What it is called: letters, digits and any of `._-`.")
                              .example(fmt::format("\"{}\"", words_.key)),
                 .place = Place::kPath,
                 .presence = Presence::kRequired});
        }
        return out;
    }

    Operation change(const char* verb, Method method, const char* version) const {
        std::vector<ErrorSpec> errors = {kNoSetting, kOtherVersion};
        errors.insert(errors.end(), words_.change_errors.begin(), words_.change_errors.end());
        Operation out = operation(verb, method, "/{key}", std::move(errors));
        out.parameters.push_back(
            {.name = "version",
             .shape = Shape::integer("The version that it must have now; 0: there must be none.")
                          .range(0, std::numeric_limits<std::int64_t>::max())
                          .example(version)});
        return out;
    }

    AnswerSpec one(const char* description) const {
        return {.description = description,
                .shape = Shape::component(words_.component),
                .example = example_};
    }

    const SettingWords& words_;
    const std::string example_;
};

class SettingRoutes {
  public:
    explicit SettingRoutes(std::shared_ptr<const SettingPlace> place) : place_(std::move(place)) {}

    Answer list(Call& call) const {
        store::PageRequest page{.limit = static_cast<std::size_t>(*call.integer("limit")),
                                .token = call.text("cursor").value_or("")};
        auto begin = [&](process::Callback<TenantSettingPage> done) {
            place_->list(call, std::move(page), std::move(done));
        };
        ZONA_CO_TRY(const auto found, co_await answer_of<TenantSettingPage>(std::move(begin)));
        json::array settings;
        for (const TenantSetting& setting : found.settings)
            settings.push_back(object_of(setting));
        const json::object meta = {
            {"next", found.next.empty() ? json::value(nullptr) : json::value(found.next)}};
        co_return Response::success(core::to_json(settings), core::to_json(meta));
    }

    Answer get(Call& call) const {
        if (const cache::Found known = place_->known(call))
            co_return Response::success(known->bytes);
        auto begin = [&](process::Callback<cache::Found> done) {
            place_->find(call, std::move(done));
        };
        ZONA_CO_TRY(const cache::Found found, co_await answer_of<cache::Found>(std::move(begin)));
        if (!found) co_return tenancy::no_setting(call.path("key"));
        co_return Response::success(found->bytes);
    }

    Answer put(Call& call) const {
        auto value = std::make_shared<const json::value>(call.body().get_object().at("value"));
        auto begin = [&](process::Callback<PutSetting> done) {
            place_->put(call, std::move(value), std::move(done));
        };
        ZONA_CO_TRY(const PutSetting put, co_await answer_of<PutSetting>(std::move(begin)));
        const std::string now = shown(put.now);
        call.changed(put.before ? shown(*put.before) : std::string(), now);
        co_return Response::success(now);
    }

    Answer remove(Call& call) const {
        auto begin = [&](process::Callback<TenantSetting> done) {
            place_->remove(call, std::move(done));
        };
        ZONA_CO_TRY(const TenantSetting was, co_await answer_of<TenantSetting>(std::move(begin)));
        call.changed(shown(was), {});
        co_return Response::success(core::to_json(json::object{{"key", call.path("key")}}));
    }

  private:
    std::shared_ptr<const SettingPlace> place_;
};

}  // namespace

std::string shown(const TenantSetting& setting) {
    return core::to_json(object_of(setting));
}

Result<void> add_setting_routes(Service& service, const SettingWords& words,
                                std::shared_ptr<const SettingPlace> place) {
    const Declarations declared(words);
    service.name(words.component, declared.setting());
    const auto routes =
        place == nullptr ? nullptr : std::make_shared<const SettingRoutes>(std::move(place));
    using Member = Answer (SettingRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{declared.list(), &SettingRoutes::list},
                                                 {declared.get(), &SettingRoutes::get},
                                                 {declared.put(), &SettingRoutes::put},
                                                 {declared.remove(), &SettingRoutes::remove}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
