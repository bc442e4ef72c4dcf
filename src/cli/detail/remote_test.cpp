#include "cli/detail/remote.h"

#include <gtest/gtest.h>

#include "cli/detail/carry_out.h"
#include "cli/detail/contexts.h"
#include "cli/detail/parse.h"
#include "cli/detail/place.h"
#include "cli/testing/fakes.h"

namespace zona::cli {
namespace {

using core::Code;
using Scheme = net::RemoteEndpoint::Scheme;

std::string url_of(std::string_view text) {
    const auto endpoint = parse_host(text);
    return endpoint ? Remote{.name = {}, .endpoint = *endpoint}.url() : endpoint.error().message();
}

Remote remote_at(std::string_view text) {
    Remote remote;
    remote.endpoint = parse_host(text).value();
    return remote;
}

TEST(Host, IsEncryptedUnlessItIsThisHost) {
    EXPECT_EQ(url_of("zona.example"), "https://zona.example:8063");
    EXPECT_EQ(url_of("zona.example:9"), "https://zona.example:9");
    EXPECT_EQ(url_of("http://zona.example"), "http://zona.example:8063");
    EXPECT_EQ(url_of("localhost"), "http://localhost:8063");
    EXPECT_EQ(url_of("127.0.0.1:1"), "http://127.0.0.1:1");
    EXPECT_EQ(url_of("[::1]"), "http://[::1]:8063");
    EXPECT_EQ(url_of("https://127.0.0.1/"), "https://127.0.0.1:8063");
    // A name that only looks like a loopback address.
    EXPECT_EQ(url_of("127.0.0.1.example"), "https://127.0.0.1.example:8063");
}

TEST(Host, OtherFormsAreRefusedWithoutTheirSecrets) {
    for (const std::string_view text :
         {"", "http://", "ftp://h", "h:", "h:0", "h:65536", "h/x", "::1", "h h", "h\n"}) {
        EXPECT_FALSE(parse_host(text)) << text;
    }
    for (const std::string_view text : {"https://user:hidden@h", "h?key=hidden", "hidden@h"}) {
        const auto endpoint = parse_host(text);
        ASSERT_FALSE(endpoint) << text;
        EXPECT_EQ(endpoint.error().message().find("hidden"), std::string::npos);
    }
}

// PM-52
TEST(Remote, KeyStaysHereWhenTheWayIsNotProtected) {
    Remote remote = remote_at("http://zona.example");
    ASSERT_FALSE(check(remote));
    EXPECT_NE(check(remote).error().message().find("not encrypted"), std::string::npos);
    remote.unprotected = Unprotected::kAllowed;
    EXPECT_TRUE(check(remote));
    EXPECT_TRUE(check(remote_at("127.0.0.1")));
    remote.fingerprint = std::string(64, 'a');
    EXPECT_FALSE(check(remote));
}

TEST(Fingerprint, IsTakenAsOpensslWritesIt) {
    std::string written;
    for (int i = 0; i < 32; ++i)
        written += i == 0 ? "AB" : ":AB";
    std::string digits;
    for (int i = 0; i < 32; ++i)
        digits += "ab";
    EXPECT_EQ(parse_fingerprint(written).value(), digits);
    EXPECT_FALSE(parse_fingerprint("ab:cd"));
    EXPECT_FALSE(parse_fingerprint(std::string(64, 'g')));
}

TEST(Key, OfTheEnvironmentIsOneWordAndNeverRepeated) {
    RecordingConsole console;
    const std::vector<std::string> one{"ZONA_API_KEY= zona_key_abc\n"};
    EXPECT_EQ(read_key(remote_at("h"), one, "/", console).value().reveal(), "zona_key_abc");
    EXPECT_TRUE(read_key(remote_at("h"), {}, "/", console).value().empty());
    const std::vector<std::string> two{"ZONA_API_KEY=hidden words"};
    const auto refused = read_key(remote_at("h"), two, "/", console);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message(), "ZONA_API_KEY does not hold one key");
}

Contexts two_contexts() {
    Contexts contexts;
    contexts.current = "b";
    contexts.others = {remote_at("a.example"), remote_at("http://b.example:9")};
    contexts.others[0].name = "a";
    contexts.others[0].key_file = "/k";
    contexts.others[0].fingerprint = std::string(64, '0');
    contexts.others[1].name = "b";
    contexts.others[1].unprotected = Unprotected::kAllowed;
    return contexts;
}

TEST(Contexts, AreReadAsTheyWereWritten) {
    const auto read = parse_contexts(contexts_text(two_contexts()));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->current, "b");
    ASSERT_EQ(read->others.size(), 2U);
    EXPECT_EQ(read->others[0].label(), "a (https://a.example:8063)");
    EXPECT_EQ(read->others[0].key_file, "/k");
    EXPECT_EQ(read->others[0].fingerprint, std::string(64, '0'));
    EXPECT_EQ(read->others[1].unprotected, Unprotected::kAllowed);
    EXPECT_EQ(contexts_text(*read), contexts_text(two_contexts()));
}

TEST(Contexts, OfAnotherFormAreRefused) {
    for (const std::string_view text :
         {"", "[]", R"({"format":2,"contexts":[]})", R"({"format":1})",
          R"({"format":1,"current":"x","contexts":[]})",
          R"({"format":1,"contexts":[{"name":"local","host":"h"}]})",
          R"({"format":1,"contexts":[{"name":"a","host":"h"},{"name":"a","host":"i"}]})",
          R"({"format":1,"contexts":[{"name":"a","host":"http://h"}]})",
          R"({"format":1,"contexts":[{"name":"a","host":"h","fingerprint":"1"}]})"}) {
        EXPECT_FALSE(parse_contexts(text)) << text;
    }
}

TEST(Contexts, LieInTheConfigurationOfTheUser) {
    const std::vector<std::string> both{"HOME=/home/u", "XDG_CONFIG_HOME=/cfg"};
    EXPECT_EQ(contexts_path(both, "/db"), "/cfg/zona/contexts.json");
    const std::vector<std::string> relative{"HOME=/home/u", "XDG_CONFIG_HOME=cfg"};
    EXPECT_EQ(contexts_path(relative, "/db"), "/home/u/.config/zona/contexts.json");
    EXPECT_EQ(contexts_path({}, "/db"), "/db/.config/zona/contexts.json");
    EXPECT_EQ(contexts_path({}, ""), "");
}

Command command_of(std::vector<std::string> words) {
    auto parsed = parse(words);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
    return std::get<Command>(std::move(*parsed));
}

TEST(Place, FlagsThatLeadNowhereAreRefused) {
    for (const std::vector<std::string>& words : {
             std::vector<std::string>{"--host", "h", "--context", "c", "list"},
             {"--home", "/x", "--host", "h", "list"},
             {"--insecure", "list"},
             {"--ca-file", "f", "list"},
             {"--host", "h", "--set", "a.b=c", "start", "x"},
         }) {
        EXPECT_FALSE(find_place(command_of(words).global, {}, "", "/"));
    }
    const auto place =
        find_place(command_of({"--host", "h", "--key-file", "f", "list"}).global, {}, "", "/here");
    ASSERT_TRUE(place && place->remote);
    EXPECT_EQ(place->remote->key_file, "/here/f");
}

// PM-51
TEST(Arguments, ThatAreKeysAreRefusedBeforeAnythingElse) {
    for (const std::vector<std::string>& words : {
             std::vector<std::string>{"--key", "hidden", "list"},
             {"list", "--api-key=hidden"},
             {"zona_key_hidden"},
             {"--key-file", "zona_key_hidden", "list"},
             {"--key-file=zona_key_hidden", "list"},
         }) {
        const auto parsed = parse(words);
        ASSERT_FALSE(parsed);
        EXPECT_EQ(parsed.error().code(), Code::kInvalidArgument);
        EXPECT_NE(parsed.error().message().find("/proc"), std::string::npos);
        EXPECT_EQ(parsed.error().message().find("hidden"), std::string::npos);
    }
    // What stands behind -- is the program's.
    EXPECT_TRUE(parse(std::vector<std::string>{"start", "x", "--", "--key", "k"}));
}

class CallerThere : public testing::Test {
  protected:
    core::Result<Caller> caller(std::vector<std::string> words) {
        return caller_there(surroundings_, command_of(std::move(words)), remote_at("h.example"));
    }

    Surroundings surroundings_{.environment = {"MINE=1", "ZONA_API_KEY=zona_key_x"},
                               .cwd = "/home/u"};
};

TEST_F(CallerThere, IsAStrangerUnlessItIsWantedOtherwise) {
    const auto stranger = caller({"start", "x"});
    ASSERT_TRUE(stranger);
    EXPECT_EQ(stranger->cwd, "/");
    ASSERT_EQ(stranger->environment.size(), 1U);
    EXPECT_TRUE(stranger->environment[0].starts_with("PATH="));
    EXPECT_EQ(caller({"start", "x", "--cwd", "/srv"})->cwd, "/srv");
    EXPECT_EQ(caller({"run", "x.yaml", "--cwd", "/srv"})->cwd, "/srv");
    EXPECT_FALSE(caller({"start", "x", "--cwd", "srv"}));
}

TEST_F(CallerThere, ShowsItsVariablesOnlyWhenAskedAndNeverItsKey) {
    const auto known = caller({"start", "x", "--env-from-here"});
    ASSERT_TRUE(known);
    EXPECT_EQ(known->environment, std::vector<std::string>{"MINE=1"});
    EXPECT_FALSE(caller({"restart", "x", "--update-env"}));
    EXPECT_EQ(caller({"restart", "x", "--update-env", "--env-from-here"})->environment,
              std::vector<std::string>{"MINE=1"});
}

}  // namespace
}  // namespace zona::cli
