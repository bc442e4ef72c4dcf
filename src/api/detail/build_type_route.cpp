#include "api/detail/build_type_route.h"

#include <utility>

#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "tenancy/operations/tenant_operations.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Result;
using tenancy::BuildTypeRecord;

namespace {

Shape type_shape(std::string doc) {
    return Shape::text(std::move(doc)).choices({"MSSP", "SINGLE_TENANT"});
}

Operation ask_for_build_type() {
    return {
        .method = net::Method::kPut,
        .path = "/api/v1/build-type",
        .id = "askForBuildType",
        .tag = Tag::kSystem,
        .access = Access::kAdmin,
        .summary = "Ask for another build type",
        .description =
            "The next start whose setting tenancy.build_type is this one copies what all tenants "
            "have from a database of each (MSSP) to one of all (SINGLE_TENANT), or back, compares "
            "counts and hashes, and serves them from there; until it is done no tenant is served. "
            "A start with the present setting changes nothing. The present type takes a wish back.",
        .body =
            BodySpec{Shape::object({required("build_type", type_shape("What it is to be."))},
                                   "What is asked for."),
                     {{"shared", "One database for all", R"({"build_type": "SINGLE_TENANT"})"}}},
        .answers = {{.description = "What is recorded now.",
                     .shape = Shape::object(
                         {required("build_type", type_shape("What it is.")),
                          required("asked", type_shape("What a next start may make of it; null: "
                                                       "nobody asks for another.")
                                                .nullable())}),
                     .example = R"({"build_type": "MSSP", "asked": "SINGLE_TENANT"})"}},
        .errors = {{Code::kConflict, "What the last change has left is not removed yet."},
                   {Code::kUnsupported, "Several hosts have one core database."}}};
}

class BuildTypeRoute {
  public:
    explicit BuildTypeRoute(const DaemonApiDeps& deps)
        : operations_(deps.operations), run_long_(deps.run_long) {}

    Answer ask(Call& call) const {
        ZONA_CO_TRY(
            const tenancy::BuildType wanted,
            tenancy::parse_build_type(std::string_view(call.body().at("build_type").as_string())));
        auto work = [this, wanted] { return operations_.ask_for(wanted); };
        ZONA_CO_TRY(const BuildTypeRecord record, co_await answer_by(run_long_, std::move(work)));
        const json::value asked =
            record.asked ? json::value(to_string(*record.asked)) : json::value(nullptr);
        const std::string after =
            core::to_json(json::object{{"build_type", to_string(record.type)}, {"asked", asked}});
        const json::object before{{"build_type", to_string(record.type)}};
        call.changed(core::to_json(before), after);
        co_return net::Response::success(after);
    }

  private:
    tenancy::TenantOperations& operations_;
    const RunBlocking run_long_;
};

}  // namespace

Result<void> add_build_type_route(Service& service, const DaemonApiDeps* deps) {
    const auto routes = deps == nullptr ? nullptr : std::make_shared<const BuildTypeRoute>(*deps);
    using Member = Answer (BuildTypeRoute::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{ask_for_build_type(), &BuildTypeRoute::ask}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
