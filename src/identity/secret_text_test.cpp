#include "identity/secret_text.h"

#include <string>

#include <gtest/gtest.h>

namespace zona::identity {
namespace {

// GAP-13, PM-51
TEST(SecretText, HoldsATokenWhereverItStands) {
    const std::string token = "eyJhbGciOiJFZERTQSJ9.e30.c2ln";
    for (const std::string& text :
         {token, "/api/v1/processes/" + token, token + "/x", "a=" + token + "&b",
          token.substr(0, token.rfind('.')), "eyJ/" + token, "eyJ." + token})
        EXPECT_TRUE(holds_token(text)) << text;
    for (const std::string text : {"", "eyJ", "eyJ.", "/eyJhbGciOi/x.y", "a.b.c", "/keyJam.x"})
        EXPECT_EQ(holds_token(text), text == "/keyJam.x") << text;
}

// GAP-13
TEST(SecretText, PathsThatAreNotTold) {
    for (const std::string path :
         {"/updateUserSessionExpiretime/anything/2026", "/updateUserSessionExpiretime/",
          "/api/v1/eyJhbGciOiJFZERTQSJ9.e30.c2ln"})
        EXPECT_TRUE(is_secret_path(path)) << path;
    EXPECT_TRUE(is_secret_path("/x/zona_key_" + std::string(43, 'A')));
    for (const std::string path : {"/", "/api/v1/sessions", "/updateUserSession", "/docs"})
        EXPECT_FALSE(is_secret_path(path)) << path;
}

}  // namespace
}  // namespace zona::identity
