#include <fstream>
#include <set>
#include <sstream>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "api/daemon_api.h"
#include "api/detail/docs_page.h"
#include "core/json.h"

namespace zona::api {
namespace {

namespace json = boost::json;

class DeclarationTest : public testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(declare_daemon_routes(service_).has_value()); }

    json::value document() const { return core::parse_json(service_.openapi()).value(); }

    Service service_{ZONA_VERSION};
};

std::string text_of(const std::string& path) {
    std::ifstream file(std::string(ZONA_SOURCE_DIR) + path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

TEST_F(DeclarationTest, HasNoMistakes) {
    for (const Operation* operation : service_.operations()) {
        const std::vector<std::string> mistakes = mistakes_of(*operation, service_.components());
        EXPECT_TRUE(mistakes.empty()) << fmt::format("{}", fmt::join(mistakes, "\n"));
    }
}

// UX-06
TEST_F(DeclarationTest, PutsEveryRouteIntoTheDocumentAndThePage) {
    const json::value document = this->document();
    const std::string page = service_.page();
    const json::object& paths = document.at("paths").as_object();

    for (const net::RouteInfo& route : service_.router().routes()) {
        ASSERT_TRUE(paths.contains(route.pattern)) << route.pattern;
        std::string method(to_string(route.method));
        for (char& c : method)
            c = static_cast<char>(c + ('a' - 'A'));
        EXPECT_TRUE(paths.at(route.pattern).as_object().contains(method)) << route.pattern;
        EXPECT_NE(page.find(route.pattern), std::string::npos) << route.pattern;
    }
}

TEST_F(DeclarationTest, GivesTheSameBytesEachTime) {
    Service again(ZONA_VERSION);
    ASSERT_TRUE(declare_daemon_routes(again).has_value());

    EXPECT_EQ(again.openapi(), service_.openapi());
    EXPECT_EQ(again.page(), service_.page());
}

// HTTP-14
TEST_F(DeclarationTest, LetsViewersReadAndAdminsChange) {
    for (const Operation* operation : service_.operations()) {
        if (operation->access == Access::kOpen) continue;
        EXPECT_EQ(operation->method == net::Method::kGet, operation->access == Access::kViewer)
            << operation->id;
    }
}

// HTTP-23
TEST_F(DeclarationTest, OpensHealthAndDocumentsAndNothingElse) {
    std::set<std::string> open;
    for (const Operation* operation : service_.operations()) {
        if (operation->access == Access::kOpen) open.insert(operation->path);
    }

    EXPECT_EQ(
        open,
        (std::set<std::string>{
            "/livez", "/readyz", "/openapi.json", "/docs", "/", "/.well-known/jwks.json",
            "/api/v1/sessions", "/api/v1/sessions/renewals", "/api/v1/passwords",
            "/api/v1/invitations/acceptances", "/api/v1/sign-ins", "/api/v1/sign-ins/completions",
            "/api/v1/service-providers/{tenant}/{provider}",
            "/api/v1/service-providers/{tenant}/{provider}/answers", "/api/v1/whoami/rotations",
            "/login", "/login/passwords", "/login/providers", "/login/callback"}));
}

TEST_F(DeclarationTest, RefersOnlyToOperationsAndComponentsThatExist) {
    std::set<std::string> ids;
    for (const Operation* operation : service_.operations())
        ids.insert(operation->id);
    for (const Operation* operation : service_.operations()) {
        for (const AnswerSpec& answer : operation->answers) {
            for (const LinkSpec& link : answer.links)
                EXPECT_TRUE(ids.contains(link.operation)) << link.operation;
        }
    }
    const json::value document = this->document();
    const std::string text = service_.openapi();
    constexpr std::string_view kReference = R"("$ref":"#)";
    for (auto at = text.find(kReference); at != std::string::npos;
         at = text.find(kReference, at + 1)) {
        const std::size_t begin = at + kReference.size();
        const std::string pointer = text.substr(begin, text.find('"', begin) - begin);
        boost::system::error_code error;
        EXPECT_NE(document.find_pointer(pointer, error), nullptr) << pointer;
    }
}

// UX-06
TEST_F(DeclarationTest, IsWhatTheKeptDocumentSays) {
    EXPECT_EQ(text_of("/docs/openapi.json"),
              core::to_json(document(), core::JsonLayout::kIndented) + "\n")
        << "run scripts/generate-api-doc";
    EXPECT_NE(text_of("/docs/api.md").find(service_.tables()), std::string::npos)
        << "run scripts/generate-api-doc";
}

// UX-10
TEST(ErrorDocument, HoldsTheTableInForce) {
    EXPECT_NE(text_of("/docs/errors.md").find(core::render_errors_markdown()), std::string::npos)
        << "run scripts/generate-api-doc";
}

// UX-15
TEST_F(DeclarationTest, HasACurlLineAndAPythonProgramForEachOperation) {
    const std::string page = service_.page();

    for (const Operation* operation : service_.operations()) {
        EXPECT_TRUE(detail::curl_sample(*operation).starts_with("curl ")) << operation->id;
        EXPECT_NE(detail::python_sample(*operation).find("requests."), std::string::npos);
        EXPECT_EQ(detail::curl_sample(*operation).find('{') != std::string::npos,
                  operation->body && operation->body->form == BodyForm::kJson)
            << operation->id;
    }
}

TEST_F(DeclarationTest, MakesAPageThatLoadsNothing) {
    const std::string page = service_.page();

    for (const std::string_view word : {"src=", "<link", "@import", "url(", " style=", " onclick="})
        EXPECT_EQ(page.find(word), std::string::npos) << word;
    EXPECT_TRUE(service_.page_policy().starts_with("default-src 'none'; style-src 'sha256-"));
}

}  // namespace
}  // namespace zona::api
