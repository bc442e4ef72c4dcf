#include "process/selector.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace zona::process {
namespace {

using core::Code;
using Indexes = std::vector<std::size_t>;

constexpr std::string_view kId = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

core::Uuid uuid(std::string_view text) {
    auto id = core::Uuid::parse(text);
    EXPECT_TRUE(id.has_value());
    return id.value_or(core::Uuid{});
}

/// api x 2, worker in namespace jobs, and names that look like other selectors.
std::vector<SelectableProcess> processes() {
    std::vector<SelectableProcess> list(7);
    for (std::size_t i = 0; i < list.size(); ++i) {
        list[i].pm_id = static_cast<std::uint32_t>(i + 10);
        list[i].namespace_ = "default";
    }
    list[0].name = list[1].name = "api";
    list[2].name = "worker";
    list[2].namespace_ = "jobs";
    list[2].id = uuid(kId);
    list[3].name = "/api/";
    list[4].name = "ns:jobs";
    list[5].name = "jobs-mail";
    list[5].namespace_ = "worker";
    list[6].name = "00000000-4f89-41d3-9a0c-0305e82c3301";
    return list;
}

Indexes match(std::string_view text, const std::vector<SelectableProcess>& list = processes()) {
    const auto selector = Selector::parse(text);
    EXPECT_TRUE(selector.has_value()) << text;
    if (!selector.has_value()) return {};
    const auto result = selector->match(list);
    EXPECT_TRUE(result.has_value()) << result.error().message();
    return result.value_or(Indexes{});
}

core::Error refused(std::string_view text) {
    auto selector = Selector::parse(text);
    EXPECT_FALSE(selector.has_value()) << text;
    return selector.has_value() ? core::Error(Code::kInternal, "") : selector.take_error();
}

core::Error missed(std::string_view text,
                   const std::vector<SelectableProcess>& list = processes()) {
    const auto selector = Selector::parse(text);
    EXPECT_TRUE(selector.has_value()) << text;
    auto result = selector->match(list);
    EXPECT_FALSE(result.has_value()) << text;
    return result.has_value() ? core::Error(Code::kInternal, "") : result.take_error();
}

TEST(Selector, FindsByEveryForm) {
    EXPECT_EQ(match("all"), (Indexes{0, 1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(match("12"), Indexes{2});
    EXPECT_EQ(match("0012"), Indexes{2});
    EXPECT_EQ(match(kId), Indexes{2});
    EXPECT_EQ(match("3F2504E0-4F89-41D3-9A0C-0305E82C3301"), Indexes{2});
    EXPECT_EQ(match("api"), (Indexes{0, 1}));
    EXPECT_EQ(match("jobs"), Indexes{2});
    EXPECT_EQ(match("ns:default"), (Indexes{0, 1, 3, 4, 6}));
    EXPECT_EQ(match("/^(api|worker)$/"), (Indexes{0, 1, 2}));
    EXPECT_EQ(match("/o/"), (Indexes{2, 4, 5}));
}

TEST(Selector, LetsANameWinWhereItLooksLikeSomethingElse) {
    EXPECT_EQ(match("worker"), Indexes{2});
    EXPECT_EQ(match("ns:worker"), Indexes{5});
    EXPECT_EQ(match("/api/"), Indexes{3});
    EXPECT_EQ(match("ns:jobs"), Indexes{4});
    EXPECT_EQ(match("00000000-4f89-41d3-9a0c-0305e82c3301"), Indexes{6});
}

TEST(Selector, OfAllMatchesAnEmptyList) {
    EXPECT_EQ(match("all", {}), Indexes{});
    EXPECT_EQ(missed("api", {}).details().front().hint, "no process is managed");
}

TEST(Selector, NamesTheNearestWhenNothingMatches) {
    const core::Error error = missed("wroker");

    EXPECT_EQ(error.code(), Code::kNotFound);
    EXPECT_EQ(error.message(), "there is no process or namespace \"wroker\"");
    ASSERT_EQ(error.details().size(), 1U);
    EXPECT_EQ(error.details().front().hint, "did you mean \"worker\"?");
    EXPECT_EQ(missed("ns:defualt").details().front().hint, "did you mean \"default\"?");
    EXPECT_EQ(missed("99").message(), "no process has the id 99");
    EXPECT_EQ(missed("/zzz/").details().front().hint, "zona list shows what there is");
    EXPECT_EQ(missed("11111111-4f89-41d3-9a0c-0305e82c3301").code(), Code::kNotFound);
}

// PM-62
TEST(Selector, RefusesWhatCannotBeOne) {
    for (const std::string_view text :
         {std::string_view(""), std::string_view("a\nb"), std::string_view("a\0b", 3),
          std::string_view("\xff"), std::string_view("ns:"), std::string_view("//"),
          std::string_view("4294967296"), std::string_view("/(/"), std::string_view("/[a/"),
          std::string_view("/(a)\\1/")}) {
        EXPECT_EQ(refused(text).code(), Code::kInvalidArgument) << text;
    }
    EXPECT_EQ(refused(std::string(257, 'a')).details().front().problem,
              "has 257 bytes; the limit is 256");
}

TEST(Selector, BoundsTheCostOfExpressions) {
    EXPECT_EQ(refused("/((a{8}){8}){8}/").details().front().problem,
              "its repetitions multiply to more than 32");
    EXPECT_EQ(refused("/a{99999999999999999999}/").code(), Code::kInvalidArgument);
    EXPECT_EQ(match("/[{]?ap{1,1}i$/"), (Indexes{0, 1}));

    // Exponential with backtracking: 2^127 steps.
    std::vector<SelectableProcess> list(1);
    const std::string name = std::string(127, 'a') + "!";
    list[0].name = name;
    EXPECT_EQ(missed("/^(a+)+$/", list).code(), Code::kNotFound);
    EXPECT_EQ(missed("/^(a|aa|a?)*$/", list).code(), Code::kNotFound);
    const std::string nested = "/^" + std::string(100, '(') + "a" + std::string(100, ')') + "+$/";
    EXPECT_EQ(missed(nested, list).code(), Code::kNotFound);
    std::string optional = "/^";
    for (int i = 0; i < 60; ++i)
        optional += "a?a*";
    EXPECT_EQ(missed(optional + "$/", list).code(), Code::kNotFound);
}

TEST(SelectProcesses, UnitesAndOrders) {
    const std::vector<std::string> texts = {"worker", "api", "10", "ns:worker"};
    EXPECT_EQ(select_processes(texts, processes()).value(), (Indexes{0, 1, 2, 5}));
    EXPECT_EQ(select_processes({}, processes())->size(), 7U);

    const std::vector<std::string> wrong = {"api", "nothing"};
    EXPECT_EQ(select_processes(wrong, processes()).error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace zona::process
