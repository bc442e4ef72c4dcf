#include "net/cookie.h"

#include <gtest/gtest.h>

namespace zona::net {
namespace {

std::optional<std::string_view> found(const std::vector<std::string>& fields,
                                      std::string_view name = "a") {
    static Headers headers;
    headers.clear();
    for (const std::string& field : fields)
        headers.add("Cookie", field);
    return find_cookie(headers, name);
}

// SEC-13
TEST(Cookie, IsFoundByItsWholeNameWhereverItStands) {
    EXPECT_EQ(found({"a=1"}), "1");
    EXPECT_EQ(found({"b=2; a=1; c=3"}), "1");
    EXPECT_EQ(found({"b=2", "a=1"}), "1");
    EXPECT_EQ(found({" a = 1 ;"}), "1");
    EXPECT_EQ(found({"a=\"x=y\""}), "x=y");
    EXPECT_EQ(found({"a="}), "");
    EXPECT_EQ(found({"a=1; a=1"}), "1");
    for (const char* other : {"", "a", ";;;", "A=1", "ba=1", "b=a=1", "b=1, a=2", "=a"})
        EXPECT_EQ(found({other}), std::nullopt) << other;
}

// SEC-13
TEST(Cookie, TwoThatDifferAreNone) {
    EXPECT_EQ(found({"a=1; a=2"}), std::nullopt);
    EXPECT_EQ(found({"a=1", "a=2"}), std::nullopt);
}

// SEC-13
TEST(Cookie, OverTlsOnlyThisHostCanHaveSetIt) {
    Request request;
    request.headers.add("Cookie", "a=plain; __Host-a=tls");
    EXPECT_EQ(find_own_cookie(request, "a"), "plain");
    request.over_tls = true;
    EXPECT_EQ(find_own_cookie(request, "a"), "tls");
    request.headers.set("Cookie", "a=plain");
    EXPECT_EQ(find_own_cookie(request, "a"), std::nullopt);
}

// SEC-13
TEST(Cookie, IsSetForThisHostAlone) {
    Request request;
    const Cookie secret{.name = "a", .value = "1"};
    EXPECT_EQ(set_cookie(secret, request), "a=1; Path=/; SameSite=Lax; HttpOnly");
    const Cookie read{.name = "a",
                      .value = "1",
                      .same_site = SameSite::kStrict,
                      .scripts = Scripts::kMayRead,
                      .life = std::chrono::seconds(0)};
    EXPECT_EQ(set_cookie(read, request), "a=1; Path=/; SameSite=Strict; Max-Age=0");
    const Cookie crosses{.name = "a", .value = "1", .same_site = SameSite::kNone};
    EXPECT_EQ(set_cookie(crosses, request), "a=1; Path=/; SameSite=Lax; HttpOnly");
    request.over_tls = true;
    EXPECT_EQ(set_cookie(secret, request), "__Host-a=1; Path=/; SameSite=Lax; HttpOnly; Secure");
    EXPECT_EQ(set_cookie(crosses, request), "__Host-a=1; Path=/; SameSite=None; HttpOnly; Secure");
}

}  // namespace
}  // namespace zona::net
