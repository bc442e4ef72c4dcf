#include "net/tls.h"

#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/clock.h"
#include "net/testing/certificates.h"
#include "os/fd.h"

namespace zona::net {
namespace {

void write(const std::string& path, std::string_view text) {
    std::ofstream(path) << text;
}

class Tls : public testing::Test {
  protected:
    core::Error error_of(const TlsFiles& files) {
        auto loaded = TlsContext::load(files, clock_);
        if (!loaded) return loaded.take_error();
        ADD_FAILURE() << "it was loaded";
        return {core::Code::kInternal, ""};
    }
    std::string warning_of(const TlsFiles& files) {
        const auto loaded = TlsContext::load(files, clock_);
        if (!loaded) return "ERROR: " + loaded.error().message();
        const auto warnings = (*loaded)->warnings();
        return warnings.size() == 1 ? warnings.front() : std::to_string(warnings.size());
    }

    core::RealClock clock_;
    TestAuthority authority_;
};

TEST_F(Tls, TellsWhatItShows) {
    const auto loaded = TlsContext::load(authority_.issue(), clock_);

    ASSERT_TRUE(loaded.has_value()) << loaded.error().message();
    const TlsCertificate shown = (*loaded)->certificate();
    EXPECT_EQ(shown.subject, "CN=server");
    EXPECT_EQ(shown.fingerprint.size(), 64U);
    EXPECT_LT(shown.not_before, clock_.system());
    EXPECT_GT(shown.not_after, clock_.system());
    EXPECT_TRUE((*loaded)->warnings().empty());
}

TEST_F(Tls, NamesTheFileThatIsNotThere) {
    TlsFiles files = authority_.issue();
    const TlsFiles no_key{files.certificates, authority_.path("no.key")};
    const TlsFiles no_certificate{authority_.path("no.pem"), files.key};

    EXPECT_EQ(error_of(no_key).code(), core::Code::kNotFound);
    EXPECT_TRUE(error_of(no_key).message().contains(no_key.key)) << error_of(no_key).message();
    EXPECT_TRUE(error_of(no_key).message().starts_with("the TLS key"));
    EXPECT_EQ(error_of(no_certificate).code(), core::Code::kNotFound);
    EXPECT_TRUE(error_of(no_certificate).message().contains(no_certificate.certificates));
}

TEST_F(Tls, SaysWhyFilesCannotBeUsed) {
    const TlsFiles good = authority_.issue();
    const std::string empty = authority_.path("empty");
    write(empty, "");
    const std::string damaged = authority_.path("damaged.pem");
    write(damaged, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    const std::string large = authority_.path("large");
    write(large, std::string((1U << 20U) + 1, 'x'));
    const std::string locked = authority_.lone_key("locked.key", "secret");

    const struct {
        TlsFiles files;
        core::Code code;
        std::string text;
    } cases[] = {
        {{empty, good.key}, core::Code::kInvalidArgument, empty + " holds no certificate in PEM"},
        {{damaged, good.key}, core::Code::kInvalidArgument, damaged},
        {{good.certificates, empty}, core::Code::kInvalidArgument, "holds no private key in PEM"},
        {{good.certificates, good.certificates}, core::Code::kInvalidArgument, "no private key"},
        {{good.certificates, large}, core::Code::kTooLarge, large},
        {{good.certificates, locked}, core::Code::kInvalidArgument, locked + " is encrypted"},
        {{good.certificates, authority_.lone_key("other.key")},
         core::Code::kInvalidArgument,
         "is not the key of the certificate " + good.certificates},
    };
    for (const auto& one : cases) {
        const core::Error error = error_of(one.files);
        EXPECT_EQ(error.code(), one.code) << one.text;
        EXPECT_TRUE(error.message().contains(one.text)) << error.message();
        EXPECT_FALSE(error.message().contains("secret"));
    }
}

TEST_F(Tls, WarnsOfTheWrongTimeWithTheDate) {
    const std::string expired = warning_of(authority_.issue("old", {.ends_in = -60}));
    const std::string early =
        warning_of(authority_.issue("early", {.begins_in = 3600, .ends_in = 7200}));

    EXPECT_TRUE(expired.contains("old.pem expired at 20")) << expired;
    EXPECT_TRUE(early.contains("early.pem is valid from 20")) << early;
}

TEST_F(Tls, WarnsOfAKeyThatEverybodyCanRead) {
    const TlsFiles files = authority_.issue();
    ::chmod(files.key.c_str(), 0644);

    EXPECT_EQ(warning_of(files),
              "the TLS key " + files.key +
                  " can be read or written by everybody (mode 0644); chmod 600 it");
}

// PM-69
TEST_F(Tls, ReloadsWhatIsGoodAndKeepsItWhenTheNewIsBad) {
    const TlsFiles files = authority_.issue();
    const auto tls = TlsContext::load(files, clock_).value();
    const std::string first = tls->certificate().fingerprint;

    authority_.issue();
    EXPECT_TRUE(tls->reload().has_value());
    const std::string second = tls->certificate().fingerprint;
    EXPECT_NE(first, second);

    authority_.lone_key("server.key");
    const auto mismatch = tls->reload();
    ASSERT_FALSE(mismatch.has_value());
    EXPECT_TRUE(mismatch.error().message().contains("is not the key of"));
    EXPECT_EQ(tls->certificate().fingerprint, second);
    EXPECT_TRUE(os::remove_file(files.certificates).has_value());
    EXPECT_EQ(tls->reload().error().code(), core::Code::kNotFound);
    EXPECT_EQ(tls->certificate().fingerprint, second);
}

TEST_F(Tls, TakesAChainAndAKeyInOneFile) {
    const TlsFiles files = authority_.issue();
    const std::string both = authority_.path("both.pem");
    write(both, os::read_file(files.certificates).value() +
                    os::read_file(authority_.ca_file()).value() + os::read_file(files.key).value());
    ::chmod(both.c_str(), 0600);

    const auto loaded = TlsContext::load({both, both}, clock_);

    ASSERT_TRUE(loaded.has_value()) << loaded.error().message();
    EXPECT_EQ((*loaded)->certificate().subject, "CN=server");
}

}  // namespace
}  // namespace zona::net
