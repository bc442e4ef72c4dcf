// Copies of backups in other places: what comes there, and what goes.
#include "tenancy/backup/backup_copies.h"

#include "tenancy/backup/copy_ledger.h"
#include "tenancy/testing/platform.h"

namespace zona::tenancy {
namespace {

using std::chrono::hours;
using testing::ElementsAre;

Result<void> go_on() {
    return {};
}

std::set<std::string> files_in(const std::string& folder) {
    std::set<std::string> out;
    for (const auto& file : fs::recursive_directory_iterator(folder)) {
        if (file.is_regular_file()) out.insert(fs::relative(file.path(), folder));
    }
    return out;
}

class CopiesTest : public OperationsTest {
  protected:
    CopiesTest() : away_(make_folder()) { fill(); }
    ~CopiesTest() override { fs::remove_all(away_); }

    void begin(CopyOptions options) {
        platform_.copy = std::move(options);
        const auto opened = platform_.open();
        ASSERT_TRUE(opened.has_value()) << opened.error().message();
    }
    CopyReport pass() {
        const auto done = platform_.copies().pass(go_on);
        EXPECT_TRUE(done.has_value()) << done.error().message();
        return done.value_or(CopyReport());
    }
    WholeBackup back_up() {
        platform_.clock.advance(hours(1));
        return operations().back_up_all().value();
    }
    std::string from() const { return platform_.folder() + "/backups"; }
    /// Notes what it is called with, and fails as long as there is a file FAIL.
    std::string command() const {
        return "sh -c 'test ! -e " + away_ +
               "/FAIL || { echo password=x9z >&2; exit 7; }; cp \"$0\" " + away_ +
               "/last; echo \"$1\" >>" + away_ + "/names; env >" + away_ +
               "/environment' {file} {name}";
    }
    std::vector<std::string> taken() const {
        std::ifstream in(away_ + "/names");
        std::vector<std::string> out;
        for (std::string line; std::getline(in, line);)
            out.push_back(line);
        return out;
    }

    std::string away_;
};

// SEC-09, REL-07
TEST_P(CopiesTest, EachFinishedFileIsCopiedOnceAndAgainWhenItIsGoneThere) {
    begin({.to = away_});
    const WholeBackup whole = back_up();
    std::ofstream(from() + "/_all/half.zbk.tmp") << "not finished";
    EXPECT_FALSE(operations().whole_backups()->front().copied_at.has_value());
    platform_.clock.advance(hours(1));

    const CopyReport first = pass();

    EXPECT_EQ(first.copied, first.files);
    EXPECT_EQ(operations().whole_backups()->front().copied_at, platform_.clock.system());
    EXPECT_EQ(pass().copied, 0U);
    EXPECT_FALSE(fs::exists(away_ + "/_all/half.zbk.tmp"));
    fs::remove(away_ + "/_all/" + whole.uuid.to_string() + "/core.zbk");
    EXPECT_EQ(pass().copied, 1U);
    ASSERT_TRUE(platform_.open().has_value());  // a restart
    EXPECT_EQ(pass().copied, 0U);
    EXPECT_TRUE(operations().whole_backups()->front().copied_at.has_value());
    begin({.to = away_ + "/missing"});
    EXPECT_EQ(platform_.copies().pass(go_on).error().code(), Code::kInvalidArgument);
    begin({.to = from() + "/_all"});
    EXPECT_EQ(platform_.copies().pass(go_on).error().code(), Code::kInvalidArgument);
}

// SEC-09, REL-07
TEST_P(CopiesTest, CopyGoesWithItsBackupAndNothingElseDoes) {
    platform_.keep = 1;
    begin({.to = away_});
    const BackupRecord own = operations().back_up_tenant("acme").value();
    const WholeBackup first = back_up();
    pass();
    const std::string old = away_ + "/_all/" + first.uuid.to_string();
    std::ofstream(old + "/notes.txt") << "somebody else's";
    const WholeBackup second = back_up();
    ASSERT_EQ(operations().whole_backups()->size(), 1U);

    EXPECT_GT(pass().removed, 0U);

    EXPECT_EQ(files_in(old), std::set<std::string>{"notes.txt"});
    EXPECT_TRUE(fs::exists(away_ + "/_all/" + second.uuid.to_string() + "/whole.zbk"));
    ASSERT_TRUE(operations().remove_backup("acme", own.uuid.to_string()).has_value());
    pass();
    EXPECT_FALSE(fs::exists(away_ + "/acme"));

    // A disk that is lost is no deletion.
    fs::rename(from(), from() + ".lost");
    EXPECT_EQ(pass().removed, 0U);
    EXPECT_TRUE(fs::exists(away_ + "/_all/" + second.uuid.to_string() + "/whole.zbk"));
    fs::rename(from() + ".lost", from());
}

// SEC-09, REL-07
TEST_P(CopiesTest, WhatIsDeletedGoesThoughNothingCanBeCopied) {
    platform_.keep = 1;
    begin({.to = away_});
    const WholeBackup first = back_up();
    pass();
    const std::string old = away_ + "/_all/" + first.uuid.to_string();
    std::ofstream(old + "/core.zbk.tmp") << "what a copy that was cut off has left";
    const WholeBackup second = back_up();
    const std::string there = away_ + "/_all/" + second.uuid.to_string();
    fs::create_directories(there + "/acme.zbk/in the way");

    EXPECT_FALSE(platform_.copies().pass(go_on).has_value());

    EXPECT_FALSE(fs::exists(old));
    EXPECT_TRUE(platform_.copies().has_news());
    fs::remove_all(there);
    pass();
    EXPECT_TRUE(fs::exists(there + "/whole.zbk"));
    EXPECT_FALSE(platform_.copies().has_news());
}

// SEC-09, REL-07
TEST_P(CopiesTest, NewsIsToldOnceForEachPass) {
    begin({.to = away_});
    pass();
    const BackupRecord one = operations().back_up_tenant("acme").value();
    ASSERT_TRUE(operations().back_up_tenant("globex").has_value());
    EXPECT_EQ(platform_.copies_told, 1);
    pass();
    ASSERT_TRUE(operations().remove_backup("acme", one.uuid.to_string()).has_value());
    EXPECT_EQ(platform_.copies_told, 2);
    pass();
    back_up();
    EXPECT_EQ(platform_.copies_told, 3);
    pass();
    ASSERT_TRUE(operations().log_changes().has_value());
    EXPECT_EQ(platform_.copies_told, 4);
}

// SEC-09, REL-07
TEST_P(CopiesTest, NothingIsWrittenWhereTheCopiesAreNot) {
    begin({.to = away_});
    const WholeBackup first = back_up();
    pass();
    const std::string share = away_ + ".share";
    fs::rename(away_, share);
    fs::create_directory(away_);  // the mount point
    back_up();

    const auto unmounted = platform_.copies().pass(go_on);

    ASSERT_FALSE(unmounted.has_value());
    EXPECT_EQ(unmounted.error().code(), Code::kInvalidArgument);
    EXPECT_THAT(unmounted.error().message(), HasSubstr("is it mounted?"));
    EXPECT_TRUE(fs::is_empty(away_));
    fs::remove(away_);
    fs::rename(share, away_);
    EXPECT_GT(pass().copied, 0U);

    // Copies of before there was such a file are known by themselves.
    fs::remove(away_ + "/.zona-copies");
    EXPECT_EQ(pass().copied, 0U);
    EXPECT_TRUE(fs::exists(away_ + "/.zona-copies"));

    // Another disk is marked by hand.
    fs::remove_all(away_);
    fs::create_directory(away_);
    std::ofstream(away_ + "/.zona-copies") << "";
    const CopyReport anew = pass();
    EXPECT_EQ(anew.copied, anew.files);
    EXPECT_TRUE(fs::exists(away_ + "/_all/" + first.uuid.to_string() + "/whole.zbk"));
}

// SEC-09
TEST_P(CopiesTest, CopyThatWasThereAlreadyIsNotTakenAway) {
    begin({});
    const WholeBackup whole = back_up();
    fs::copy(from(), away_, fs::copy_options::recursive);
    begin({.to = away_});
    EXPECT_EQ(pass().copied, 0U);
    EXPECT_TRUE(operations().whole_backups()->front().copied_at.has_value());
    const auto before = files_in(away_);

    ASSERT_TRUE(operations().remove_whole(whole.uuid.to_string()).has_value());

    EXPECT_EQ(pass().removed, 0U);
    EXPECT_EQ(files_in(away_), before);
}

// SEC-09, TEN-11
TEST_P(CopiesTest, CopiesStayForTheirTimeButThoseOfTheErased) {
    begin({.to = away_, .keep = hours(10)});
    const BackupRecord one = operations().back_up_tenant("globex").value();
    ASSERT_TRUE(operations().back_up_tenant("acme").has_value());
    const WholeBackup whole = back_up();
    pass();
    ASSERT_TRUE(operations().remove_backup("globex", one.uuid.to_string()).has_value());
    ASSERT_TRUE(operations().erase("acme", Backups::kErase).has_value());

    pass();

    EXPECT_TRUE(fs::exists(away_ + "/" + one.file));
    EXPECT_FALSE(fs::exists(away_ + "/acme"));
    EXPECT_FALSE(fs::exists(away_ + "/_all/" + whole.uuid.to_string() + "/acme.zbk"));
    platform_.clock.advance(hours(11));
    pass();
    EXPECT_FALSE(fs::exists(away_ + "/" + one.file));
}

// SEC-09, REL-07
TEST_P(CopiesTest, CommandIsRunForEachFileUntilItHasTakenIt) {
    begin({.command = command(), .environment = {"PATH=/usr/bin:/bin", "HOME=/nowhere"}});
    const WholeBackup whole = back_up();
    std::ofstream(away_ + "/FAIL") << "";
    const auto failed = platform_.copies().pass(go_on);
    ASSERT_FALSE(failed.has_value());
    EXPECT_THAT(failed.error().message(), HasSubstr("sh exited 7 for _all/"));
    EXPECT_FALSE(operations().whole_backups()->front().copied_at.has_value());
    fs::remove(away_ + "/FAIL");

    const CopyReport report = pass();

    EXPECT_EQ(report.copied, report.files);
    EXPECT_EQ(taken().size(), report.files);
    EXPECT_EQ(taken().back(), "_all/" + whole.uuid.to_string() + "/whole.zbk");
    EXPECT_EQ(content_of(away_ + "/last"), content_of(whole.directory + "/whole.zbk"));
    const std::string environment = content_of(away_ + "/environment");
    EXPECT_THAT(environment, HasSubstr("HOME=/nowhere\n"));
    EXPECT_FALSE(environment.contains("ZONA"));
    EXPECT_TRUE(operations().whole_backups()->front().copied_at.has_value());
    ASSERT_TRUE(platform_.open().has_value());
    EXPECT_EQ(pass().copied, 0U);
    begin({.command = "sh -c 'sleep 1000' {file}",
           .command_limit = std::chrono::milliseconds(100),
           .environment = {"PATH=/usr/bin:/bin"}});
    EXPECT_THAT(platform_.copies().pass(go_on).error().message(), HasSubstr("did not end in time"));
}

INSTANTIATE_TEST_SUITE_P(OneMode, CopiesTest, testing::Values(BuildType::kMssp));

// SEC-09
TEST(CopyCommand, WordsAreKeptTogetherAndMistakesAreTold) {
    EXPECT_THAT(parse_copy_command(R"(rclone copyto  "{file}" 'my remote:'{name} a\ b)").value(),
                ElementsAre("rclone", "copyto", "{file}", "my remote:{name}", "a b"));
    EXPECT_TRUE(parse_copy_command(" ")->empty());
    EXPECT_THAT(parse_copy_command("cp {name} /mnt").error().message(),
                HasSubstr("{file} does not stand in it"));
    EXPECT_THAT(parse_copy_command("cp '{file} /mnt").error().message(),
                HasSubstr("a ' does not end"));
}

// SEC-27
TEST(CopyCommand, OutputIsToldWithoutSecrets) {
    EXPECT_EQ(without_secrets("put https://me:hunter2@host/x: denied"),
              "put https://***@host/x: denied");
    EXPECT_EQ(without_secrets("aws_secret_access_key = AbC/9, region=eu"),
              "aws_secret_access_key = ***, region=eu");
    EXPECT_EQ(without_secrets("Authorization: Bearer abc.def failed"),
              "Authorization: Bearer *** failed");
    EXPECT_EQ(without_secrets("password=\"a b\" token:xyz&k=1"),
              "password=\"*** b\" token:***&k=1");
    EXPECT_EQ(without_secrets("copied _all/1.zbk"), "copied _all/1.zbk");
}

// SEC-09
TEST(CopyLedger, KnowsAfterARestartWhatItKnewAndForgetsAnotherPlace) {
    const std::string folder = make_folder();
    const std::string path = folder + "/ledger";
    const auto at = [](int seconds) { return core::SystemTime(std::chrono::seconds(seconds)); };
    {
        const auto ledger = CopyLedger::open(path, "/mnt").value();
        ASSERT_TRUE(ledger->begun("a/1").has_value());
        ASSERT_TRUE(ledger->put("a/1", {.bytes = 1, .mtime_ns = 2}, at(3)).has_value());
        ASSERT_TRUE(
            ledger->found("a/2 with blanks", {.bytes = 4, .mtime_ns = 5}, at(6)).has_value());
        ASSERT_TRUE(ledger->begun("b").has_value());
        ASSERT_TRUE(ledger->removed("a", CopyEnd::kAtOnce, at(7)).has_value());
        ASSERT_TRUE(ledger->put("ab", {}, at(8)).has_value());
    }
    std::ofstream(path, std::ios::app) << "put 9 9 9 half";
    {
        const auto ledger = CopyLedger::open(path, "/mnt").value();
        EXPECT_EQ(ledger->removed().size(), 2U);
        EXPECT_EQ(ledger->find("a/1")->file, (CopiedFile{.bytes = 1, .mtime_ns = 2}));
        EXPECT_EQ(ledger->find("a/1")->removed_at, at(7));
        EXPECT_EQ(ledger->find("a/1")->end, CopyEnd::kAtOnce);
        EXPECT_FALSE(ledger->find("a/2 with blanks")->is_ours);
        EXPECT_FALSE(ledger->find("ab")->removed_at.has_value());
        EXPECT_FALSE(ledger->find("b")->copied_at.has_value());
        EXPECT_FALSE(ledger->find("half").has_value());
        // What comes there while it is being deleted here goes all the same.
        ASSERT_TRUE(ledger->put("a/1", {}, at(9)).has_value());
        EXPECT_TRUE(ledger->find("a/1")->removed_at.has_value());
        ASSERT_TRUE(ledger->gone("a/1").has_value());
        EXPECT_FALSE(ledger->find("a/1").has_value());
    }
    EXPECT_FALSE(CopyLedger::open(path, "/elsewhere").value()->find("ab").has_value());
    fs::remove_all(folder);
}

}  // namespace
}  // namespace zona::tenancy
