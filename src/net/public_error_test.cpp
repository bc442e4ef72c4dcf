#include "net/public_error.h"

#include <gtest/gtest.h>

namespace zona::net {
namespace {

using core::Code;
using core::Detail;
using core::Error;

Request over_tcp(std::string path = "/api/v1/processes") {
    Request request;
    request.path = std::move(path);
    request.peer = TcpPeer{"203.0.113.7", 49152};
    return request;
}

// PM-64, SEC-30
TEST(WithoutPaths, TakesOutEveryFormOfAPath) {
    for (const auto& [text, shown] : std::vector<std::pair<std::string, std::string>>{
             {"open /srv/app/x: No such file or directory",
              "open (a path on the host): No such file or directory"},
             {"/var/lib/zona: disk full", "(a path on the host): disk full"},
             {"'/srv/my app/it's/x' is not a file", "'(a path on the host)' is not a file"},
             {"(see /etc/zona.toml)", "(see (a path on the host))"},
             {"open /srv/my app/secret folder/x", "open (a path on the host)"},
             {"PATH=/usr/bin:/bin, HOME=~/x",
              "PATH=(a path on the host), HOME=(a path on the host)"},
             {"file:/etc/passwd", "file:(a path on the host)"},
             {"a [/x/y] b", "a [(a path on the host)"}}) {
        EXPECT_EQ(without_paths(text), shown);
    }
}

TEST(WithoutPaths, LeavesWhatIsNoPath) {
    for (const std::string text :
         {"give a number from 1 / 2", "application/json", "https://example.org/docs is fine",
          "read and/or write", "try GET /api/v1/processes next", "see /docs"}) {
        EXPECT_EQ(without_paths(text), text);
    }
}

TEST(WithoutPaths, LeavesThePathThatTheAskerGave) {
    EXPECT_EQ(without_paths("cwd: /srv/app is not there", R"({"cwd": "/srv/app"})"),
              "cwd: /srv/app is not there");
    EXPECT_EQ(without_paths("cwd: /srv/app/deep is not there", R"({"cwd": "/srv/app"})"),
              "cwd: (a path on the host)");
}

// PM-64, SEC-30
TEST(ShownTo, StripsTheErrorOfATcpClientWhole) {
    const Error error = Error::from_errno(ENOENT, "open /home/ann/zona.toml")
                            .detail({"/home/ann/zona.toml:3", "no key in '/x/y'", "edit /x/y"});

    const Error shown = shown_to(over_tcp(), error);

    EXPECT_EQ(shown.code(), Code::kNotFound);
    EXPECT_EQ(shown.message(), "open (a path on the host): No such file or directory");
    EXPECT_EQ(shown.details()[0].where, "(a path on the host)");
    EXPECT_EQ(shown.details()[0].problem, "no key in '(a path on the host)'");
    EXPECT_EQ(shown.details()[0].hint, "edit (a path on the host)");
}

TEST(ShownTo, ShowsTheLocalUserEverything) {
    Request request;
    request.peer = UnixPeer{};
    const Error error = Error(Code::kNotFound, "open /home/ann/x").detail({"/a/b:1", "p", "h"});

    EXPECT_EQ(shown_to(request, error).message(), "open /home/ann/x");
    EXPECT_EQ(shown_to(request, error).details()[0].where, "/a/b:1");
}

TEST(ShownTo, KeepsPointersIntoTheRequestAndItsOwnPath) {
    const Error error = Error(Code::kInvalidArgument, "the request: /apps/0/script: is required")
                            .detail({"/apps/0/script", "is required", "", Detail::Place::kPointer});

    EXPECT_EQ(shown_to(over_tcp(), error).message(), error.message());
    EXPECT_EQ(shown_to(over_tcp(), error).details()[0].where, "/apps/0/script");
    const Error unknown(Code::kNotFound, "there is no GET '/etc/passwd'");
    EXPECT_EQ(shown_to(over_tcp("/etc/passwd"), unknown).message(), unknown.message());
}

}  // namespace
}  // namespace zona::net
