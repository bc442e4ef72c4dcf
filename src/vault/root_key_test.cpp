#include "vault/root_key.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "core/testing/temporary_directory.h"
#include "vault/testing/connection.h"

namespace zona::vault {
namespace {

namespace fs = std::filesystem;
using core::Code;

// SEC-07
TEST(RootKeyText, IsReadBackAndAnyWrongCharacterIsNoticed) {
    core::SeededRandom random(1);
    const crypto::Key key = crypto::Key::random(random);
    const std::string text(root_key_text(key).reveal());
    EXPECT_EQ(text.size(), 58U);
    EXPECT_TRUE(parse_root_key("  " + text + "\r\n").value().same_as(key));
    for (std::size_t at = 0; at < text.size(); ++at) {
        std::string wrong = text;
        wrong[at] = wrong[at] == 'A' ? 'B' : 'A';
        const auto parsed = parse_root_key(wrong);
        ASSERT_FALSE(parsed.has_value()) << at;
        EXPECT_EQ(parsed.error().message().find(text.substr(20, 10)), std::string::npos);
    }
    for (const std::string& wrong : {std::string(), text + "A", text.substr(1), text + " " + text})
        EXPECT_FALSE(parse_root_key(wrong).has_value());
}

// SEC-07
TEST(RootKey, OpensWhatItWrappedAtItsPlaceOnly) {
    core::SeededRandom random(1);
    const auto root = make_root_key(crypto::Key::random(random), random);
    const auto other = make_root_key(crypto::Key::random(random), random);
    const crypto::Key key = crypto::Key::random(random);
    const std::string wrapped = root->wrap(key, "here").value();
    EXPECT_TRUE(root->unwrap(wrapped, "here").value().same_as(key));
    EXPECT_EQ(root->unwrap(wrapped, "there").error().code(), Code::kConflict);
    EXPECT_EQ(other->unwrap(wrapped, "here").error().code(), Code::kConflict);
    EXPECT_EQ(root->unwrap("", "here").error().code(), Code::kConflict);
    EXPECT_NE(root->id(), other->id());
    EXPECT_NE(root->wrap(key, "here").value(), wrapped);
}

// SEC-07
TEST(RootKeyFile, IsRefusedWhenOthersCanReadIt) {
    const core::TemporaryDirectory directory;
    const std::string path = directory.path() + "/root-key";
    core::SystemRandom random;
    const auto provider = make_file_provider(path, random);
    const std::string id = provider->make().value()->id();
    EXPECT_TRUE(provider->get(id).has_value());
    for (const fs::perms more :
         {fs::perms::group_read, fs::perms::others_read, fs::perms::group_write}) {
        fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write | more);
        const auto opened = provider->get(id);
        ASSERT_FALSE(opened.has_value());
        EXPECT_EQ(opened.error().code(), Code::kForbidden);
    }
}

// SEC-07
TEST(RootKeyFile, SaysWhichKeyIsDamagedAndWhichIsMissing) {
    const core::TemporaryDirectory directory;
    const std::string path = directory.path() + "/root-key";
    core::SystemRandom random;
    const auto provider = make_file_provider(path, random);
    EXPECT_EQ(provider->get("0123").error().code(), Code::kNotFound);
    const std::string first = provider->make().value()->id();
    const std::string second = provider->make().value()->id();
    EXPECT_TRUE(provider->get(first).has_value());
    EXPECT_EQ(provider->keep_only("0123").error().code(), Code::kNotFound);
    ASSERT_TRUE(provider->keep_only(second).has_value());
    EXPECT_EQ(provider->get(first).error().code(), Code::kNotFound);
    EXPECT_TRUE(provider->get(second).has_value());
    std::string text = bytes_of(path);
    text[20] = text[20] == 'x' ? 'y' : 'x';
    put_bytes(path, text);
    const auto opened = provider->get(second);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code(), Code::kConflict);
    EXPECT_NE(opened.error().message().find("key 1 in " + path), std::string::npos)
        << opened.error().message();
}

// SEC-07
TEST(RootKeyOfAnEnvironment, TakesSeveralAndMakesNone) {
    core::SystemRandom random;
    const crypto::Key fresh = crypto::Key::random(random);
    const crypto::Key old = crypto::Key::random(random);
    const std::string text =
        std::string(root_key_text(fresh).reveal()) + " " + std::string(root_key_text(old).reveal());
    const auto provider = make_text_provider(core::Secret(text), "ZONA_ROOT_KEY", random);
    EXPECT_TRUE(provider->get(root_key_id(fresh)).has_value());
    EXPECT_TRUE(provider->get(root_key_id(old)).has_value());
    EXPECT_EQ(provider->make().value()->id(), root_key_id(fresh));
    const auto none = make_text_provider(core::Secret(), "ZONA_ROOT_KEY", random);
    EXPECT_EQ(none->make().error().code(), Code::kUnsupported);
    EXPECT_NE(none->get("01").error().message().find("ZONA_ROOT_KEY"), std::string::npos);
}

}  // namespace
}  // namespace zona::vault
