// zona as a service provider of SAML: what identity providers read about it and bring to it.
#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/identity_routes.h"
#include "core/text.h"
#include "identity/federation/federation.h"

namespace zona::api {

using core::Code;
using core::Result;
using net::Method;
using net::Response;

namespace {

constexpr std::string_view kBefore = "/api/v1/service-providers/";
constexpr std::string_view kAfter = "/answers";
constexpr const char* kPath = "/api/v1/service-providers/{tenant}/{provider}";
/// An answer of 128 KiB in base64, of which a form makes more.
constexpr core::ByteCount kMostForm = core::ByteCount::kib(256);
constexpr std::size_t kMostResponse = 180'000;
constexpr std::size_t kMostRelayState = 1024;
constexpr int kSeeOther = 303;

std::vector<ParameterSpec> place() {
    return {{.name = "tenant",
             .shape = Shape::text("The tenant's code.").example("\"default\""),
             .place = Place::kPath,
             .presence = Presence::kRequired},
            {.name = "provider",
             .shape = Shape::text("The identity provider's name.").example("\"corp\""),
             .place = Place::kPath,
             .presence = Presence::kRequired}};
}

Operation describe() {
    return {.path = kPath,
            .id = "getServiceProvider",
            .tag = Tag::kIdentity,
            .access = Access::kOpen,
            .reach = Reach::kEveryone,
            .summary = "Show zona's SAML metadata",
            .description =
                "For an identity provider by SAML: zona's entity id, which is this URL, "
                "where answers go, and the certificate to which they may be encrypted.",
            .parameters = place(),
            .answers = {{.description = "An EntityDescriptor.",
                         .shape = Shape::text("XML."),
                         .meta = {},
                         .media_type = "application/samlmetadata+xml",
                         .envelope = Envelope::kNo,
                         .example = "<md:EntityDescriptor/>"}},
            .errors = {{Code::kNotFound, "There is no such provider by SAML."},
                       {Code::kUnavailable, "The core database is not open."}}};
}

Operation take() {
    const Shape body = Shape::object(
        {required("SAMLResponse",
                  Shape::text("The provider's answer, in base64.").length(1, kMostResponse)),
         optional("RelayState", Shape::text("As zona gave it.").length(0, kMostRelayState))});
    return {
        .method = Method::kPost,
        .path = kProviderAnswersPath,
        .id = "takeProviderAnswer",
        .tag = Tag::kPages,
        .access = Access::kOpen,
        .reach = Reach::kEveryone,
        .summary = "Bring an identity provider's answer by SAML",
        .description =
            "The assertion consumer service: a browser brings here what the provider signed "
            "(HTTP-POST), and is sent back to where it began to sign in, with `state`, and a "
            "`code` for finishSignIn, or an `error`.",
        .parameters = place(),
        .body = BodySpec{body,
                         {{"answer", "An answer to a request of zona's",
                           R"({"SAMLResponse": "PHg+", "RelayState": "x"})"}},
                         BodyForm::kForm},
        .answers = {{.status = kSeeOther,
                     .description = "On to where the sign-in began.",
                     .shape = Shape::text("Nothing."),
                     .meta = {},
                     .media_type = ""}},
        .errors = {{Code::kNotFound, "There is no such provider by SAML, or it is switched off."},
                   {Code::kInvalidToken, "The answer is not good, or was not asked for."},
                   {Code::kUnavailable, "The provider's metadata cannot be had."},
                   {Code::kTimeout, "The provider does not answer in time."},
                   {Code::kUnsupported, "This host lacks what reads SAML."}},
        .limits = {.body = kMostForm}};
}

class ServiceProviderRoutes {
  public:
    explicit ServiceProviderRoutes(identity::Federation& federation) : federation_(federation) {}

    Answer describe(Call& call) const {
        auto begin = [&](process::Callback<std::string> done) {
            federation_.describe(core::lower_ascii(call.path("tenant")), call.path("provider"),
                                 std::move(done));
        };
        ZONA_CO_TRY(const std::string text, co_await answer_of<std::string>(std::move(begin)));
        co_return Response::text(text, "application/samlmetadata+xml");
    }

    Answer take(Call& call) const {
        const boost::json::object& body = call.body().get_object();
        identity::SamlAnswer answer{.tenant = core::lower_ascii(call.path("tenant")),
                                    .provider = call.path("provider"),
                                    .response = text_of(body, "SAMLResponse"),
                                    .relay_state = text_of(body, "RelayState")};
        auto begin = [&](process::Callback<std::string> done) {
            federation_.take(std::move(answer), std::move(done));
        };
        ZONA_CO_TRY(const std::string url, co_await answer_of<std::string>(std::move(begin)));
        Response out;
        out.status = kSeeOther;
        out.headers.add("Location", url);
        co_return out;
    }

  private:
    identity::Federation& federation_;
};

}  // namespace

bool takes_forms_of_others(std::string_view target) {
    return target.starts_with(kBefore) && target.ends_with(kAfter) && !target.contains('?');
}

Result<void> add_service_provider_routes(Service& service, const IdentityDeps* deps) {
    const auto routes = deps == nullptr
                            ? nullptr
                            : std::make_shared<const ServiceProviderRoutes>(*deps->federation);
    using Member = Answer (ServiceProviderRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{describe(), &ServiceProviderRoutes::describe},
                                                 {take(), &ServiceProviderRoutes::take}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
