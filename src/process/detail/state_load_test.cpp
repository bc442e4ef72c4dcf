#include "process/detail/state_load.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "process/detail/state_checksum.h"
#include "process/detail/state_codec.h"
#include "process/detail/state_files.h"
#include "process/detail/state_journal.h"
#include "process/detail/state_testing.h"

namespace zona::process::detail {
namespace {

using Files = std::map<std::string, std::string, std::less<>>;
using Texts = std::vector<std::string>;

core::Result<StateLoading> load(const Files& files) {
    StateSource source;
    for (std::uint64_t segment = 1; segment < 10; ++segment) {
        if (files.contains(journal_name(segment))) source.segments.push_back(segment);
    }
    source.read = [&files](std::string_view name) -> core::Result<std::optional<std::string>> {
        const auto file = files.find(name);
        if (file == files.end()) return std::optional<std::string>();
        return std::optional<std::string>(file->second);
    };
    return load_state(source);
}

/// The processes and the killed ones, as text.
Texts contents(const StateModel& model) {
    Texts out;
    for (const ProcessPtr& process : in_order(model.processes()))
        out.push_back(describe(*process));
    for (const ProcessPtr& process : model.killed())
        out.push_back("killed " + describe(*process));
    return out;
}

/// Builds a journal and remembers the state after each record.
class StateLoadTest : public testing::Test {
  protected:
    StateLoadTest() {
        states_.push_back({});
        const StoredProcess shared = make_process(2, make_process(1).app);
        add(encode_put(make_process(1), 1, make_process(1).app.get()));
        add(encode_put(shared, 1, nullptr));
        add(encode_desired(id_of(1), Desired::kStopped));
        add(encode_put(make_process(3), 4, make_process(3).app.get()));
        add(encode_remove(id_of(2)));
        add(encode_kill());
        add(encode_put(make_process(4), 7, make_process(4).app.get()));
    }

    void add(const std::string& body) {
        journal_ += journal_line(states_.size(), body);
        states_.push_back(contents(load({{"journal.1", journal_}}).value().model));
        ends_.push_back(journal_.size());
    }

    /// A snapshot of the state after `sequence` records, which needs `segment` and those behind it.
    std::string snapshot(std::size_t sequence, std::uint64_t segment) const {
        const std::string part = journal_.substr(0, sequence == 0 ? 0 : ends_[sequence - 1]);
        StateImage image = image_of(load({{"journal.1", part}}).value().model);
        image.sequence = sequence;
        image.journal = segment;
        return encode_image(image);
    }
    std::string records(std::size_t first, std::size_t last) const {
        const std::size_t begin = first == 1 ? 0 : ends_[first - 2];
        return journal_.substr(begin, ends_[last - 1] - begin);
    }
    /// How many records a state took; nullopt for a state that never was.
    std::optional<std::size_t> place(const StateModel& model) const {
        const auto found = std::ranges::find(states_, contents(model));
        if (found == states_.end()) return std::nullopt;
        return static_cast<std::size_t>(found - states_.begin());
    }

    std::string journal_;
    std::vector<Texts> states_;
    std::vector<std::size_t> ends_;
};

// REL-21
TEST_F(StateLoadTest, GivesThePrefixOfWholeRecordsWhereverTheJournalIsCut) {
    for (std::size_t size = 0; size <= journal_.size(); ++size) {
        const auto loading = load({{"journal.1", journal_.substr(0, size)}});

        ASSERT_TRUE(loading.has_value()) << size;
        const auto whole = static_cast<std::size_t>(
            std::ranges::count_if(ends_, [size](std::size_t end) { return end <= size; }));
        ASSERT_EQ(contents(loading->model), states_[whole]) << size;
        const bool between = size != (whole == 0 ? 0 : ends_[whole - 1]);
        ASSERT_EQ(loading->warnings.size(), between ? 1U : 0U) << size;
        ASSERT_FALSE(loading->rewrite);
    }
}

// REL-21
TEST_F(StateLoadTest, FindsEveryFlippedByteOfTheJournal) {
    for (std::size_t at = 0; at < journal_.size(); ++at) {
        std::string damaged = journal_;
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));

        const auto loading = load({{"journal.1", damaged}});

        ASSERT_TRUE(loading.has_value()) << at;
        const auto before = static_cast<std::size_t>(
            std::ranges::count_if(ends_, [at](std::size_t end) { return end <= at; }));
        // The last newline may be told from a record that was cut short.
        const bool last_newline = at + 1 == journal_.size();
        ASSERT_EQ(place(loading->model), last_newline ? before + 1 : before) << at;
        ASSERT_FALSE(loading->warnings.empty()) << at;
        ASSERT_TRUE(loading->rewrite || last_newline || before + 1 == ends_.size()) << at;
        ASSERT_GE(loading->sequence, before);
    }
}

// REL-21
TEST_F(StateLoadTest, LosesNothingToAnyFlippedByteOfTheSnapshot) {
    const std::string newest = snapshot(5, 2);
    const Files files = {{"snapshot.previous.json", snapshot(2, 1)},
                         {"journal.1", records(3, 5)},
                         {"journal.2", records(6, 7)}};
    for (std::size_t at = 0; at <= newest.size(); ++at) {
        Files damaged = files;
        damaged["snapshot.json"] = newest;
        if (at < newest.size()) {
            damaged["snapshot.json"][at] = static_cast<char>(newest[at] ^ (1 << (at % 8)));
        }

        const auto loading = load(damaged);

        ASSERT_TRUE(loading.has_value()) << at << loading.error().message();
        ASSERT_EQ(contents(loading->model), states_.back()) << at;
        ASSERT_EQ(loading->warnings.empty(), at == newest.size()) << at;
    }
}

// REL-21
TEST_F(StateLoadTest, LosesNothingWhereverTheSnapshotIsCut) {
    const std::string newest = snapshot(5, 2);
    Files files = {{"snapshot.previous.json", snapshot(2, 1)},
                   {"journal.1", records(3, 5)},
                   {"journal.2", records(6, 7)}};
    for (std::size_t size = 0; size < newest.size(); ++size) {
        files["snapshot.json"] = newest.substr(0, size);
        const auto loading = load(files);
        ASSERT_TRUE(loading.has_value()) << size;
        ASSERT_EQ(contents(loading->model), states_.back()) << size;
        ASSERT_EQ(loading->damaged, Texts{"snapshot.json"}) << size;
    }
}

TEST_F(StateLoadTest, NeverTakesADamagedFormatNumberForANewerVersion) {
    const std::string good = snapshot(7, 1);
    const std::size_t digit = good.find(':') + 1;
    for (int bit = 0; bit < 8; ++bit) {
        std::string damaged = good;
        damaged[digit] = static_cast<char>(damaged[digit] ^ (1 << bit));
        EXPECT_TRUE(load({{"snapshot.json", damaged}, {"journal.1", journal_}}).has_value()) << bit;
    }
}

TEST_F(StateLoadTest, SkipsWhatTheSnapshotHoldsAlready) {
    const auto loading = load({{"snapshot.json", snapshot(5, 1)}, {"journal.1", journal_}});

    EXPECT_EQ(contents(loading->model), states_.back());
    EXPECT_EQ(loading->warnings, Texts());
}

TEST_F(StateLoadTest, UsesAnOlderJournalWhenItsOnlySnapshotIsDamaged) {
    const auto loading = load(
        {{"snapshot.json", "rubbish"}, {"journal.1", records(1, 5)}, {"journal.2", records(6, 7)}});

    EXPECT_EQ(contents(loading->model), states_.back());
    EXPECT_TRUE(loading->rewrite);
}

TEST_F(StateLoadTest, ReportsRecordsThatAreMissing) {
    const auto gap = load({{"snapshot.json", snapshot(2, 1)}, {"journal.1", records(5, 7)}});

    EXPECT_EQ(contents(gap->model), states_[2]);
    EXPECT_EQ(gap->sequence, 7U) << "no number is used twice";
    EXPECT_EQ(gap->replaced, Texts{"journal.1"});

    const auto gone = load({{"snapshot.json", snapshot(2, 1)}});
    ASSERT_EQ(gone->warnings.size(), 1U);
    EXPECT_NE(gone->warnings[0].find("journal.1 is missing"), std::string::npos);
}

TEST_F(StateLoadTest, SetsAsideEverySegmentBehindADamagedOne) {
    std::string damaged = records(1, 3);
    damaged[30] = static_cast<char>(damaged[30] ^ 1);

    const auto loading =
        load({{"journal.1", damaged}, {"journal.2", records(4, 5)}, {"journal.3", records(6, 7)}});

    EXPECT_EQ(contents(loading->model), states_[0]);
    EXPECT_EQ(loading->replaced, (Texts{"journal.1", "journal.2", "journal.3"}));
}

TEST_F(StateLoadTest, LeavesOutWhatItCannotReadAndKeepsTheFile) {
    std::string body = encode_put(make_process(9), 8, make_process(9).app.get());
    body.replace(body.find("\"script\""), 8, "\"script_\"");
    const std::string unknown = R"({"op":"promote","id":"x"})";
    const auto loading =
        load({{"journal.1", journal_ + journal_line(8, body) + journal_line(9, unknown) +
                                journal_line(10, encode_remove(id_of(4)))}});

    EXPECT_EQ(contents(loading->model), states_[6]) << "what follows is applied";
    ASSERT_EQ(loading->warnings.size(), 2U);
    EXPECT_NE(loading->warnings[0].find("record 8"), std::string::npos);
    EXPECT_NE(loading->warnings[1].find("promote"), std::string::npos);
    EXPECT_EQ(loading->replaced, Texts{"journal.1"});
}

TEST_F(StateLoadTest, LeavesOutEntriesOfASnapshotThatItCannotRead) {
    StateImage image;
    image.apps = {{1, make_app("good")}, {2, make_app("bad")}};
    image.processes = {std::make_shared<StoredProcess>(make_process(1, image.apps[0].second)),
                       std::make_shared<StoredProcess>(make_process(2, image.apps[1].second))};
    std::string text = encode_image(image);
    text = text.substr(text.find('\n') + 1);
    text.replace(text.find("\"bad\""), 5, "\"all\"");  // a name that no app may have

    const auto loading = load({{"snapshot.json", seal(text)}});

    ASSERT_EQ(loading->model.processes().size(), 1U);
    EXPECT_TRUE(loading->model.processes().contains(id_of(1)));
    EXPECT_EQ(loading->model.apps().entries().size(), 1U);
    EXPECT_EQ(loading->replaced, Texts{"snapshot.previous.json"});
    for (const std::string& warning : loading->warnings)
        EXPECT_EQ(warning.find("s3cret"), std::string::npos) << warning;
}

TEST_F(StateLoadTest, ReportsAFileThatMayNotBeRead) {
    StateSource source;
    source.read = [](std::string_view) -> core::Result<std::optional<std::string>> {
        return core::Error(core::Code::kForbidden, "no");
    };

    EXPECT_EQ(load_state(source).error().code(), core::Code::kForbidden);
}

TEST_F(StateLoadTest, TakesAFileThatTheDiskCannotReadForDamaged) {
    StateSource source;
    source.segments = {1};
    source.read = [&](std::string_view name) -> core::Result<std::optional<std::string>> {
        if (name == "snapshot.json") return core::Error(core::Code::kInternal, "I/O error");
        if (name == "journal.1") return std::optional<std::string>(journal_);
        return std::optional<std::string>();
    };

    const auto loading = load_state(source);

    EXPECT_EQ(contents(loading->model), states_.back());
    EXPECT_EQ(loading->damaged, Texts{"snapshot.json"});
}

// RFC 3720, appendix B.4.
TEST(StateChecksum, IsThePublishedCrc32c) {
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
    EXPECT_EQ(crc32c("56789", crc32c("1234")), 0xe3069283U);
}

}  // namespace
}  // namespace zona::process::detail
