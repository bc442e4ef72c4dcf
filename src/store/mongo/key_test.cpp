// The order of keys by their bytes is the order of what they are made of.
#include "store/mongo/detail/key.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "core/random.h"
#include "core/text.h"
#include "store/detail/compare.h"

namespace zona::store::mongo {
namespace {

std::string key_of(const json::value& value) {
    std::string out;
    append_key(out, value);
    return out;
}

std::vector<json::value> numbers() {
    std::vector<json::value> out = {INT64_MIN,
                                    INT64_MAX,
                                    0,
                                    -0.0,
                                    1,
                                    1.0,
                                    1.5,
                                    -1,
                                    -1.5,
                                    5e-324,
                                    -5e-324,
                                    1e308,
                                    -1e308,
                                    9223372036854775808.0,
                                    -9223372036854775808.0,
                                    9223372036854774784.0};
    for (const std::int64_t near :
         {std::int64_t{1} << 53U, std::int64_t{1} << 62U, INT64_MAX - 600})
        for (std::int64_t i = -3; i <= 3; ++i) {
            out.emplace_back(near + i);
            out.emplace_back(-near - i);
            out.emplace_back(static_cast<double>(near + i));
        }
    core::SeededRandom random(1);
    for (int i = 0; i < 200; ++i)
        out.emplace_back(static_cast<std::int64_t>(random.next()));
    return out;
}

TEST(MongoKey, OrdersNumbersExactly) {
    const auto all = numbers();
    for (const json::value& a : all) {
        for (const json::value& b : all) {
            EXPECT_EQ(key_of(a) < key_of(b), compare(a, b) < 0) << a << " " << b;
            EXPECT_EQ(key_of(a) == key_of(b), equal(a, b)) << a << " " << b;
        }
    }
}

TEST(MongoKey, OrdersTextsByTheirBytesWhateverStandsBehindThem) {
    using namespace std::string_literals;
    const std::vector<std::string> texts = {
        "",   "\0"s,   "\x01",   "\x02",   "\x03",   "a",          "a\0"s,       "a\x01",
        "ab", "a\x7f", "\u00e9", "\ud7ff", "\ue000", "\U0010FFFF", "\U0010FFFFa"};
    for (const std::string& a : texts) {
        for (const std::string& b : texts) {
            const std::string x = key_of(json::value(a)) + "z";
            const std::string y = key_of(json::value(b)) + "-";
            if (a != b) EXPECT_EQ(x < y, a < b);
            EXPECT_FALSE(x.contains('\0'));
            EXPECT_TRUE(core::is_valid_utf8(x));
        }
    }
}

TEST(MongoKey, BoundsAPrefixByTheNextText) {
    const CollectionSpec spec{
        .name = "t",
        .indexes = {
            {.name = "by_a", .fields = {{"a", FieldType::kText}}, .coverage = Coverage::kSparse}}};
    const Scope scope = Scope::core();
    const std::vector<std::string> texts = {
        "",       "a",      "ab",   "a\x01", "a\x7f",      "b",           "\ud7ff",     "\ud7ffa",
        "\ue000", "\u00ff", "\x01", "\x02",  "\U0010FFFF", "\U0010FFFFa", "a\U0010FFFF"};
    for (const std::string& prefix : texts) {
        const Query query{.filter = Filter::prefix("a", prefix)};
        const Plan plan = detail::plan(spec, query, Ordered::kYes).value();
        const KeyRange range = range_of(scope, plan, nullptr);
        for (const std::string& text : texts) {
            const std::string key =
                *index_key(spec.indexes[0], scope, {{"a", text}}, core::SystemTime{}, 1);
            EXPECT_EQ(key >= range.from && key < range.to, text.starts_with(prefix))
                << prefix << " " << text;
        }
    }
}

}  // namespace
}  // namespace zona::store::mongo
