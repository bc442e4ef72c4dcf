#include "audit/spool.h"

#include <fcntl.h>

#include "audit/testing/books.h"
#include "core/testing/memory_log.h"
#include "core/testing/temporary_directory.h"

namespace zona::audit {
namespace {

using core::ByteCount;
using core::Code;

class SpoolTest : public AuditTest {
  protected:
    std::unique_ptr<Spool> open(SpoolOptions options = {}) {
        options.directory = directory_.path() + "/spool";
        auto opened = Spool::open(std::move(options), random_, log_.logger());
        EXPECT_TRUE(opened) << opened.error().message();
        return opened ? std::move(*opened) : nullptr;
    }
    void add(Spool& spool, const char* scope, const std::string& action) {
        ASSERT_TRUE(spool.add(scope, entry(action)));
    }
    static std::vector<std::string> waiting(const Spool& spool, const char* scope) {
        std::vector<std::string> out;
        for (const Spooled& one : spool.peek(scope, 1000).value())
            out.push_back(one.entry.action);
        return out;
    }
    std::vector<std::string> files() {
        return os::list_directory(directory_.path() + "/spool").value();
    }
    std::string only_file() {
        const auto names = files();
        EXPECT_EQ(names.size(), 1U);
        return directory_.path() + "/spool/" + names.front();
    }

    using Actions = std::vector<std::string>;
    core::MemoryLog log_;
    core::TemporaryDirectory directory_;
};

// AUDIT-16
TEST_F(SpoolTest, KeepsWhatWaitsOverADeath) {
    std::string id;
    {
        const auto spool = open();
        id = spool->id();
        add(*spool, "acme", "a1");
        add(*spool, "core", "c1");
        add(*spool, "acme", "a2");
        spool->done("core", 2);
    }
    const auto spool = open();
    EXPECT_EQ(spool->id(), id);
    EXPECT_EQ(waiting(*spool, "acme"), (Actions{"a1", "a2"}));
    EXPECT_EQ(waiting(*spool, "core"), (Actions{"c1"})) << "what was done is told by the chain";
    add(*spool, "acme", "a3");
    EXPECT_EQ(spool->peek("acme", 9)->back().number, 4) << "numbers go on";
}

// AUDIT-16
TEST_F(SpoolTest, TakesAwayFilesOfWhichNothingWaits) {
    const auto spool = open({.directory = {}, .segment = ByteCount(600)});
    for (int i = 0; i < 10; ++i)
        add(*spool, "acme", "a");
    const std::size_t before = files().size();
    EXPECT_GT(before, 3U);
    spool->done("acme", 5);
    EXPECT_LT(files().size(), before);
    spool->done("acme", 10);
    EXPECT_EQ(files().size(), 1U);
    EXPECT_TRUE(spool->scopes().empty());
    EXPECT_EQ(spool->size(), os::stat_path(only_file()).value()->size);
}

// AUDIT-16
TEST_F(SpoolTest, NumbersGoOnWhenAllWasDone) {
    std::int64_t last = 0;
    for (int life = 0; life < 3; ++life) {
        const auto spool = open({.directory = {}, .segment = ByteCount(100)});
        const std::int64_t number = spool->add("acme", entry("a")).value();
        EXPECT_GT(number, last);
        last = number;
        spool->done("acme", number);
    }
}

// AUDIT-16
TEST_F(SpoolTest, RefusesWhatHasNoRoom) {
    const auto spool = open({.directory = {}, .limit = ByteCount(2000)});
    EXPECT_FALSE(spool->has_room());
    core::Result<std::int64_t> added = 0;
    int count = 0;
    while ((added = spool->add("acme", entry("a")))) {
        ++count;
        ASSERT_LT(count, 100);
    }
    EXPECT_EQ(added.error().code(), Code::kResourceExhausted);
    EXPECT_EQ(waiting(*spool, "acme").size(), static_cast<std::size_t>(count));
    EXPECT_TRUE(open()->has_room());
}

// AUDIT-16
TEST_F(SpoolTest, CutsOffWhatWasHalfWritten) {
    {
        const auto spool = open();
        add(*spool, "acme", "a1");
        add(*spool, "acme", "a2");
    }
    const std::string path = only_file();
    const std::string whole = os::read_file(path).value();
    const auto first =
        static_cast<std::size_t>(read_spool(whole).records.at(1).scope.data() - whole.data()) - 20;
    for (std::size_t size = first; size < whole.size(); ++size) {
        ASSERT_TRUE(os::replace_file(path, whole.substr(0, size), 0600));
        const auto spool = open();
        EXPECT_EQ(waiting(*spool, "acme"), (Actions{"a1"})) << size;
    }
    for (std::size_t size = 0; size < first; ++size) {
        const SpoolContent content = read_spool(std::string_view(whole).substr(0, size));
        EXPECT_TRUE(content.records.empty());
        EXPECT_LE(content.good, size);
    }
}

// AUDIT-16
TEST_F(SpoolTest, KeepsADamagedFileBesideIt) {
    {
        const auto spool = open({.directory = {}, .segment = ByteCount(100)});
        add(*spool, "acme", "a1");
        add(*spool, "acme", "a2");
        add(*spool, "acme", "a3");
    }
    ASSERT_EQ(files().size(), 3U);
    const std::string path = directory_.path() + "/spool/" + files()[1];
    std::string content = os::read_file(path).value();
    content[content.size() - 5] ^= 1;
    ASSERT_TRUE(os::replace_file(path, content, 0600));
    const auto spool = open();
    EXPECT_EQ(waiting(*spool, "acme"), (Actions{"a1", "a3"}));
    EXPECT_TRUE(log_.has("damaged"));
    spool->done("acme", 3);
    bool kept = false;
    for (const std::string& name : files())
        kept = kept || name.ends_with(".damaged");
    EXPECT_TRUE(kept);
}

}  // namespace
}  // namespace zona::audit
