#include "api/detail/license_routes.h"

#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/route_table.h"
#include "core/json.h"
#include "core/time_format.h"
#include "tenancy/limits/licensing.h"
#include "tenancy/tenants.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Result;
using net::Method;
using net::Response;
using tenancy::License;
using tenancy::Licensing;

namespace {

constexpr identity::Permission kRead{identity::Resource::kLicense, identity::Action::kRead};
constexpr identity::Permission kChange{identity::Resource::kLicense, identity::Action::kUpdate};

const char* const kLicenseExample = R"({"id": "2026-0017", "type": "enterprise",
    "holder": "Acme Ltd.", "state": "valid", "issued_at": "2026-01-01T00:00:00.000Z",
    "not_before": "2026-01-01T00:00:00.000Z", "expires_at": "2027-01-01T00:00:00.000Z",
    "days_left": 334, "tenants": [], "max_tenants": 50, "max_integrations": null,
    "features": {"custom_roles": true, "invitations": true, "tenant_moves": true},
    "compliance_features": {"audit_export": true, "audit_report": true}})";

Shape count(std::string doc) {
    return Shape::integer(std::move(doc)).range(0, std::numeric_limits<std::int64_t>::max());
}

Shape flags_shape(std::string doc, bool of_compliance) {
    std::vector<Field> fields;
    for (const tenancy::Feature feature : tenancy::kAllFeatures) {
        if (is_compliance(feature) == of_compliance)
            fields.push_back(required(std::string(to_string(feature)),
                                      Shape::boolean("Whether it is turned on.")));
    }
    return Shape::object(std::move(fields), std::move(doc));
}

Shape license_shape() {
    return Shape::object(
        {required("id", Shape::text("Its number; empty: nobody has signed it, it is built in.")),
         required("type", Shape::text("What it is.").choices({"community", "trial", "enterprise"})),
         required("holder", Shape::text("To whom it was given.")),
         required("state", Shape::text("Whether it is valid now; after that tenants' data is read "
                                       "and exported, and not changed.")
                               .choices({"valid", "expired", "not_yet"})),
         required("issued_at", Shape::text("When.").format(Format::kTime).nullable()),
         required("not_before",
                  Shape::text("From when on it is valid.").format(Format::kTime).nullable()),
         required("expires_at",
                  Shape::text("Until when; null: for ever.").format(Format::kTime).nullable()),
         required("days_left", count("Until then, begun ones counted.").nullable()),
         required("tenants", Shape::array("The codes of those that it governs; none: all that no "
                                          "other one names.",
                                          Shape::text("A code."))),
         required("max_tenants", count("How many there may be; null: any number.").nullable()),
         required("max_integrations", count("How many there may be; null: any number.").nullable()),
         required("features", flags_shape("What it turns on and off.", false)),
         required("compliance_features", flags_shape("The same, of the record.", true))},
        "What the installation, or a tenant, may be used for.");
}

Shape usage_shape() {
    return Shape::object(
        {required("tenants", Shape::object({required("active", count("That are served.")),
                                            required("suspended", count("That are suspended.")),
                                            required("inactive", count("That are inactive.")),
                                            required("total", count("All of these.")),
                                            required("limit", count("That there may be; null: any "
                                                                    "number.")
                                                                  .nullable()),
                                            required("peak", count("The most that were seen under "
                                                                   "this licence."))},
                                           "Those that were erased are not among them.")),
         required("users", count("Of all tenants, and Super Admins.")),
         required("roles", count("That tenants have made.")),
         required("license", Shape::component("License", "What the installation is under."))},
        "What is used of what the licence limits, counted now.");
}

const char* const kUsageExample = R"({"tenants": {"active": 3, "suspended": 1, "inactive": 0,
    "total": 4, "limit": 50, "peak": 5}, "users": 17, "roles": 2, "license": )";

Operation get_license() {
    return {
        .path = "/api/v1/license",
        .id = "getLicense",
        .tag = Tag::kSystem,
        .permission = kRead,
        .summary = "Show the licence",
        .description = "The one that the installation is under, and all that are installed.",
        .answers = {
            {.description = "The licences.",
             .shape = Shape::object(
                 {required("license", Shape::component("License", "That counts now.")),
                  required("installed",
                           Shape::array("The strongest first.", Shape::component("License"))),
                  required("file_problem",
                           Shape::text("Why that in license.file is not installed.").nullable())},
                 "The licences."),
             .example = std::string(R"({"license": )") + kLicenseExample + R"(, "installed": [)" +
                        kLicenseExample + R"(], "file_problem": null})"}}};
}

Operation install_license() {
    const Shape body =
        Shape::object({required("license", Shape::text("The text of the file, as it was sent.")
                                               .length(1, tenancy::kMostLicenseBytes))},
                      "What is installed.");
    return {.method = Method::kPut,
            .path = "/api/v1/license",
            .id = "installLicense",
            .tag = Tag::kSystem,
            .access = Access::kAdmin,
            .permission = kChange,
            .summary = "Install a licence",
            .description =
                "In the place of the one of its type, at once; other instances follow "
                "within license.check_interval.",
            .body = BodySpec{body,
                             {{"signed", "One line of three parts",
                               R"({"license": "eyJhbGciOiJFZERTQSJ9.e30.c2ln"})"}}},
            .answers = {{.description = "It is installed.",
                         .shape = Shape::component("License"),
                         .example = kLicenseExample}},
            .errors = {{Code::kInvalidArgument,
                        "It was changed, is somebody else's, has expired or holds only later."},
                       {Code::kConflict, "One that was issued later is installed."}}};
}

Operation report_usage() {
    return {.path = "/api/v1/license/usage",
            .id = "reportLicenseUsage",
            .tag = Tag::kSystem,
            .permission = kRead,
            .summary = "Report what is used",
            .description = "Of what the licence limits.",
            .answers = {{.description = "The report.",
                         .shape = Shape::component("LicenseUsage"),
                         .example = std::string(kUsageExample) + kLicenseExample + "}"}}};
}

Operation get_tenant_license() {
    return {.path = "/api/v1/tenants/{code}/license",
            .id = "getTenantLicense",
            .tag = Tag::kTenants,
            .reach = Reach::kTenant,
            .summary = "Show the licence that a tenant is under",
            .description = "Its own, or that of the installation.",
            .parameters = {{.name = std::string(kTenantParameter),
                            .shape = Shape::text("The tenant's code; case does not matter.")
                                         .example("\"default\""),
                            .place = Place::kPath,
                            .presence = Presence::kRequired}},
            .answers = {{.description = "The licence.",
                         .shape = Shape::component("License"),
                         .example = kLicenseExample}},
            .errors = {{Code::kNotFound, "There is no such tenant."}}};
}

template <class Number>
json::value shown(const std::optional<Number>& number) {
    return number ? json::value(*number) : json::value(nullptr);
}

json::object flags_of(const License& license, bool of_compliance) {
    json::object out;
    for (const tenancy::Feature feature : tenancy::kAllFeatures) {
        if (is_compliance(feature) == of_compliance) out[to_string(feature)] = license.has(feature);
    }
    return out;
}

json::object shown(const License& license, core::SystemTime now) {
    const bool is_signed = !license.id.empty();
    const auto moment = [is_signed](core::SystemTime at) {
        return is_signed ? json::value(core::to_rfc3339(at)) : json::value(nullptr);
    };
    json::array tenants;
    for (const std::string& code : license.tenants)
        tenants.emplace_back(code);
    return {{"id", license.id},
            {"type", to_string(license.type)},
            {"holder", license.holder},
            {"state", to_string(license.state(now))},
            {"issued_at", moment(license.issued_at)},
            {"not_before", moment(license.not_before)},
            {"expires_at",
             license.expiry_date ? json::value(core::to_rfc3339(*license.expiry_date)) : nullptr},
            {"days_left", shown(license.days_left(now))},
            {"tenants", std::move(tenants)},
            {"max_tenants", shown(license.max_tenants)},
            {"max_integrations", shown(license.max_integrations)},
            {"features", flags_of(license, false)},
            {"compliance_features", flags_of(license, true)}};
}

/// The most tenants that were seen under the licence, these included.
std::int64_t peak_of(const License& license, std::int64_t tenants) {
    const json::value* const peak =
        license.usage_metrics ? license.usage_metrics->if_contains("peak_tenants") : nullptr;
    return peak != nullptr && peak->is_int64() ? std::max(tenants, peak->get_int64()) : tenants;
}

class LicenseRoutes {
  public:
    explicit LicenseRoutes(const DaemonApiDeps& deps)
        : licensing_(deps.licensing), tenants_(deps.tenants), run_long_(deps.run_long) {}

    Answer get(Call&) const {
        const core::SystemTime now = licensing_.now();
        json::array installed;
        for (const License& license : licensing_.installed())
            installed.push_back(shown(license, now));
        const std::string problem = licensing_.file_problem();
        const json::object data = {
            {"license", shown(licensing_.of({}), now)},
            {"installed", std::move(installed)},
            {"file_problem", problem.empty() ? json::value(nullptr) : json::value(problem)}};
        co_return Response::success(core::to_json(data));
    }

    Answer install(Call& call) const {
        const std::string text(call.body().at("license").as_string());
        const License before = licensing_.of({});
        auto work = [this, text] { return licensing_.install(text); };
        ZONA_CO_TRY(const License installed, co_await answer_by(run_long_, std::move(work)));
        const core::SystemTime now = licensing_.now();
        const std::string after = core::to_json(shown(installed, now));
        call.changed(core::to_json(shown(before, now)), after);
        co_return Response::success(after);
    }

    Answer usage(Call&) const {
        auto work = [this] { return licensing_.usage(); };
        ZONA_CO_TRY(const tenancy::LicenseUsage used,
                    co_await answer_by(run_long_, std::move(work)));
        const License license = licensing_.of({});
        const auto total = static_cast<std::int64_t>(used.tenants());
        const json::object data = {{"tenants",
                                    {{"active", used.active},
                                     {"suspended", used.suspended},
                                     {"inactive", used.inactive},
                                     {"total", total},
                                     {"limit", shown(license.max_tenants)},
                                     {"peak", peak_of(license, total)}}},
                                   {"users", used.users},
                                   {"roles", used.roles},
                                   {"license", shown(license, licensing_.now())}};
        co_return Response::success(core::to_json(data));
    }

    Answer of_tenant(Call& call) const {
        const std::string code = call.path(kTenantParameter);
        auto begin = [this, code](process::Callback<tenancy::Tenant> done) {
            tenants_.find(code, std::move(done));
        };
        ZONA_CO_TRY(const tenancy::Tenant tenant,
                    co_await answer_of<tenancy::Tenant>(std::move(begin)));
        co_return Response::success(
            core::to_json(shown(licensing_.of(tenant.code), licensing_.now())));
    }

  private:
    Licensing& licensing_;
    tenancy::Tenants& tenants_;
    const RunBlocking run_long_;
};

}  // namespace

Result<void> add_license_routes(Service& service, const DaemonApiDeps* deps) {
    service.name("License", license_shape());
    service.name("LicenseUsage", usage_shape());
    const auto routes = deps == nullptr ? nullptr : std::make_shared<const LicenseRoutes>(*deps);
    using Member = Answer (LicenseRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{get_license(), &LicenseRoutes::get},
                                                 {install_license(), &LicenseRoutes::install},
                                                 {report_usage(), &LicenseRoutes::usage},
                                                 {get_tenant_license(), &LicenseRoutes::of_tenant}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
