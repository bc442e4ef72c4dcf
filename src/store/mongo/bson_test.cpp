// Whatever JSON a document is, it comes back as it was, and no key of it is one that the server
// understands.
#include "store/mongo/detail/bson.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include "store/mongo/detail/pushdown.h"

namespace zona::store::mongo {
namespace {

std::string shown(const Bson& bson) {
    char* text = bson_as_relaxed_extended_json(bson.get(), nullptr);
    std::string out(text);
    bson_free(text);
    return out;
}

TEST(MongoBson, GivesBackEveryDocumentAsItWas) {
    for (
        const char* text :
        {R"({})",
         R"({"$where":"1","$ne":{"$gt":{}},"a.b":{"c.d":[{"$x.y":1}]},"__proto__":{"x":1}})",
         R"({"":{"":[]},"%":1,"%25":2,"%2E":3,"%24":4,"%e":5,"%a":[1],".":6,"$":7,"..":8,"%%":9})",
         R"({"nul\u0000key":"nul\u0000value","\u0000":1,"%00":2})",
         R"({"nested":[[1,[2,[]]],{"%a":[3]},{"a":[[]]}],"0":[[0]]})",
         R"({"most":9223372036854775807,"least":-9223372036854775808,"one":1,"real":1.0,"n":null})"}) {
        const json::object document = json::parse(text).as_object();
        Bson holder;
        holder.put_document("d", document);
        const auto back = document_of(holder.find("d")->at);
        ASSERT_TRUE(back.has_value()) << text;
        EXPECT_EQ(json::serialize(**back), json::serialize(document));
    }
}

TEST(MongoBson, WritesNoKeyThatTheServerUnderstands) {
    for (const std::string key : {"$where", "a.b", "$", ".", "", "x$y", "a..b"}) {
        const std::string encoded = encoded_key(key);
        EXPECT_FALSE(encoded.empty());
        EXPECT_FALSE(encoded.contains('$') || encoded.contains('.')) << key;
        EXPECT_EQ(decoded_key(encoded), key);
    }
    EXPECT_EQ(encoded_key("__proto__"), "__proto__");
}

TEST(MongoBson, RefusesWhatItCannotHaveWritten) {
    EXPECT_EQ(decoded_key(""), std::nullopt);
    EXPECT_EQ(decoded_key("%zz"), std::nullopt);
    EXPECT_EQ(decoded_key("%2"), std::nullopt);
    Bson date;
    Bson inner;
    bson_append_date_time(inner.get(), "a", 1, 5);
    date.put("d", inner);
    EXPECT_FALSE(document_of(date.find("d")->at).has_value());
}

// A value of a filter is compared, whatever it looks like.
TEST(MongoBson, ShowsTheServerNoOperatorOfAFilter) {
    const Filter attack = Filter::all({Filter::eq("$where", "function() { return true }"),
                                       Filter::eq("status", json::parse(R"({"$ne":"x"})")),
                                       Filter::gt({"a.b", "$c"}, 5)});
    const Bson seen = Bson().put("$and", pushdown(attack));
    EXPECT_EQ(shown(seen),
              R"({ "$and" : [ { "d.%24where" : { "$eq" : "function() { return true }" } }, )"
              R"({ "d.status" : { "$exists" : true } }, { "d.a%2Eb.%24c" : { "$gt" : 5 } } ] })");
}

}  // namespace
}  // namespace zona::store::mongo
