#include "core/shell.h"

#include <gtest/gtest.h>

namespace zona::core {
namespace {

// UX-11
TEST(Shell, WordIsQuotedOnlyWhereItMustBe) {
    EXPECT_EQ(shell_word("/srv/zona-1/a.zbk"), "/srv/zona-1/a.zbk");
    EXPECT_EQ(shell_word("https://h:1/x?a=1&b=2"), "'https://h:1/x?a=1&b=2'");
    EXPECT_EQ(shell_word("/my zona"), "'/my zona'");
    EXPECT_EQ(shell_word("~/$HOME"), "'~/$HOME'");
    EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
    EXPECT_EQ(shell_word(""), "''");
    EXPECT_EQ(shell_word("müll"), "'müll'");
}

}  // namespace
}  // namespace zona::core
