#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "core/setting.h"
#include "core/settings.h"

namespace zona::core {
namespace {

TEST(SettingsDocument, HoldsTheTableInForce) {
    const std::string wanted = render_settings_markdown(daemon_settings());
    // How scripts/generate-configuration-doc gets the text.
    if (const char* path = std::getenv("ZONA_WRITE_CONFIGURATION_DOC")) {
        std::ofstream file(path, std::ios::trunc);
        file << wanted << std::flush;
        ASSERT_TRUE(file.good()) << path;
        return;
    }
    std::ifstream file(std::string(ZONA_SOURCE_DIR) + "/docs/configuration.md");
    std::stringstream text;
    text << file.rdbuf();

    EXPECT_TRUE(text.str() == wanted)
        << "docs/configuration.md is not what the table of settings says: run "
           "scripts/generate-configuration-doc, or give it this text:\n"
        << wanted;
}

}  // namespace
}  // namespace zona::core
