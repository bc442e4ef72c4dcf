#include "net/form.h"

#include <gtest/gtest.h>

namespace zona::net {
namespace {

TEST(Form, IsReadAsBrowsersWriteIt) {
    const auto fields =
        parse_form("name=anna+b&password=a%26b%3D%25%2B&empty=&alone&&two=1&two=2&n=%C3%B6%0D%0A");
    ASSERT_TRUE(fields) << fields.error().message();
    EXPECT_EQ(*fields, (std::vector<Parameter>{{"name", "anna b"},
                                               {"password", "a&b=%+"},
                                               {"empty", ""},
                                               {"alone", ""},
                                               {"two", "1"},
                                               {"two", "2"},
                                               {"n", "\xc3\xb6\r\n"}}));
    EXPECT_TRUE(parse_form("")->empty());
}

TEST(Form, WhatNoBrowserWritesIsRefusedWithoutItsWords) {
    std::string many;
    for (std::size_t i = 0; i <= kMostFormFields; ++i)
        many += "secret=1&";
    for (const std::string& body :
         {std::string("secret=%"), std::string("secret=%4"), std::string("secret=%zz"),
          std::string("secret=%00"), std::string("secret=%7f"), std::string("secret=%ff"), many}) {
        const auto fields = parse_form(body);
        ASSERT_FALSE(fields) << body;
        EXPECT_EQ(fields.error().code(), core::Code::kInvalidArgument);
        EXPECT_EQ(fields.error().message().find("secret"), std::string::npos);
    }
}

TEST(Form, ValueIsThatOfAFormAlone) {
    Request request;
    request.body = "a=1&b=2";
    EXPECT_EQ(form_value(request, "b"), std::nullopt);
    request.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8");
    EXPECT_EQ(form_value(request, "b"), "2");
    EXPECT_EQ(form_value(request, "c"), std::nullopt);
    request.body = "a=%";
    EXPECT_EQ(form_value(request, "a"), std::nullopt);
    request.headers.add("Content-Type", "application/json");
    request.body = "a=1";
    EXPECT_EQ(form_value(request, "a"), std::nullopt);
}

}  // namespace
}  // namespace zona::net
