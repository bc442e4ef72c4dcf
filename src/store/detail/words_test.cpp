#include "store/detail/words.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

#include "store/query.h"

namespace zona::store::detail {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> of(std::string_view document, const std::vector<Path>& paths) {
    return document_words(json::parse(document).as_object(), paths);
}

// DATA-39
TEST(Words, AreRunsOfLettersAndDigitsWhateverTheirCase) {
    EXPECT_THAT(search_words("Disk-full: /dev/sda1, FAILED_login"),
                ElementsAre("disk", "full", "dev", "sda1", "failed", "login"));
    EXPECT_THAT(search_words("\u00dcBER \u0391\u03a3 \u03b1\u03c2 \u0416\u0443\u043a \u0663"),
                ElementsAre("\u00fcber", "\u03b1\u03c3", "\u0436\u0443\u043a", "\u0663"));
    EXPECT_THAT(search_words("\u65e5\u672c\u8a9e\u3002\U0001d7d8 \U00010400"),
                ElementsAre("\u65e5\u672c\u8a9e", "\U0001d7d8", "\U00010428"));
    EXPECT_THAT(search_words("a a A b"), ElementsAre("a", "b"));
    EXPECT_THAT(search_words(" \t*'\";--\xff\xfe"), IsEmpty());
}

TEST(Words, LastOneIsABeginningWhenAStarIsBehindIt) {
    EXPECT_THAT(search_words("full Dis*"), ElementsAre("full", "dis*"));
    EXPECT_THAT(search_words("dis*  \n"), ElementsAre("dis*"));
    EXPECT_THAT(search_words("d*s full"), ElementsAre("d", "s", "full"));
    EXPECT_THAT(search_words("full *"), ElementsAre("full"));
}

TEST(Words, CountByTheirFirstLetters) {
    std::string letters;
    for (std::size_t i = 0; i < kMaxWordLetters; ++i)
        letters += "\u00e9";
    EXPECT_THAT(search_words(letters + "abc"), ElementsAre(letters));
    std::string many;
    for (int i = 0; i < 5000; ++i)
        many += std::to_string(i) + " ";
    EXPECT_EQ(search_words(many).size(), kMaxSearchWords + 1);
    const json::object document = {{"a", many}, {"b", "last"}};
    EXPECT_EQ(document_words(document, {"a", "b"}).size(), kMaxDocumentWords);
    EXPECT_EQ(document_words(document, {"b", "a"}).front(), "last");
}

TEST(Words, OfADocumentAreThoseOfAllTextsAtItsPaths) {
    const char* document =
        R"({"title":"One two","tags":["Three",["four"],5],"x":{"y":{"z":"six"},"n":null},"no":"no"})";
    EXPECT_THAT(of(document, {"title", "tags", "x", "absent"}),
                ElementsAre("one", "two", "three", "four", "six"));
    EXPECT_THAT(of(document, {Path({"x", "y"})}), ElementsAre("six"));
    EXPECT_THAT(of(document, {Path({"tags", "0"})}), IsEmpty());
}

TEST(Words, AllOfASearchMustBeThere) {
    const auto holds = [](const char* search) {
        std::vector<json::value> words;
        for (const std::string& word : search_words(search))
            words.emplace_back(word);
        return holds_words({{"title", "Disk full on HOST-17"}}, {"title"}, words);
    };
    EXPECT_TRUE(holds("full disk"));
    EXPECT_TRUE(holds("17 ho*"));
    EXPECT_FALSE(holds("full moon"));
    EXPECT_FALSE(holds("dis"));
    EXPECT_FALSE(holds("ost*"));
}

}  // namespace
}  // namespace zona::store::detail
