#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "core/setting.h"
#include "core/settings.h"

namespace zona::core {
namespace {

TEST(SettingsDocument, HoldsTheTableInForce) {
    std::ifstream file(std::string(ZONA_SOURCE_DIR) + "/docs/configuration.md");
    std::stringstream text;
    text << file.rdbuf();

    const std::string table = render_settings_markdown(daemon_settings());

    EXPECT_NE(text.str().find(table), std::string::npos)
        << "docs/configuration.md does not hold this table:\n"
        << table;
}

}  // namespace
}  // namespace zona::core
