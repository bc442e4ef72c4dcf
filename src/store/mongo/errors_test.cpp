// What the driver and the server say, in our codes; and what is never said.
#include "store/mongo/detail/errors.h"

#include <gmock/gmock.h>

#include "store/mongo/testing/mongo_fixture.h"

namespace zona::store {
namespace {

using testing::HasSubstr;
using testing::Not;

Error shown(mongoc_error_domain_t domain, std::uint32_t code, const char* message) {
    bson_error_t error{};
    bson_set_error(&error, domain, code, "%s", message);
    return mongo::error_of(error, mongo::failure_of(error, nullptr), message);
}

TEST(MongoErrors, GivesEachItsCode) {
    const auto code = [](mongoc_error_domain_t domain, std::uint32_t number,
                         const char* said = "") { return shown(domain, number, said).code(); };
    EXPECT_EQ(code(MONGOC_ERROR_SERVER, 11000), Code::kConflict);
    EXPECT_EQ(code(MONGOC_ERROR_SERVER, 10107), Code::kUnavailable) << "not primary";
    EXPECT_EQ(code(MONGOC_ERROR_SERVER, 189), Code::kUnavailable) << "stepped down";
    EXPECT_EQ(code(MONGOC_ERROR_SERVER_SELECTION, 13053), Code::kUnavailable);
    EXPECT_EQ(code(MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET), Code::kUnavailable);
    EXPECT_EQ(code(MONGOC_ERROR_SERVER, 14031), Code::kResourceExhausted);
    EXPECT_EQ(code(MONGOC_ERROR_SERVER, 1, "write: No space left on device"),
              Code::kResourceExhausted);
    EXPECT_EQ(code(MONGOC_ERROR_SERVER, 13), Code::kForbidden);
    EXPECT_EQ(code(MONGOC_ERROR_SERVER, 10334), Code::kTooLarge);
    EXPECT_EQ(code(MONGOC_ERROR_SERVER, 18), Code::kUnauthenticated);
    EXPECT_EQ(code(MONGOC_ERROR_CLIENT, MONGOC_ERROR_CLIENT_AUTHENTICATE), Code::kUnauthenticated);
    EXPECT_EQ(code(MONGOC_ERROR_SERVER, 8), Code::kInternal);
    EXPECT_THAT(shown(MONGOC_ERROR_SERVER, 18, "").message(), HasSubstr("user name or password"));
    EXPECT_THAT(shown(MONGOC_ERROR_SERVER, 13, "").message(), HasSubstr("readWrite"));
}

TEST(MongoErrors, NamesTheIndexOfADuplicate) {
    EXPECT_EQ(mongo::index_in("E11000 duplicate key error collection: a.tasks index: by_email dup "
                              "key: { x.by_email: \"acme\" }"),
              "by_email");
    EXPECT_EQ(mongo::index_in("something else"), "");
}

TEST(MongoErrors, ScrubsPasswordsAndCredentialsInUris) {
    EXPECT_EQ(mongo::scrub("no p@ss: mongodb://u:p%40ss@host/?a=b p%40ss", "p@ss"),
              "no ***: mongodb://***@host/?a=b ***");
    EXPECT_EQ(mongo::scrub("mongodb+srv://me:secret@h.example/db", ""),
              "mongodb+srv://***@h.example/db");
    EXPECT_EQ(mongo::scrub("at mongodb://host/ somebody@x", ""), "at mongodb://host/ somebody@x");
}

TEST(MongoErrors, SaysNothingOfThePasswordWhateverIsWrong) {
    core::FakeClock clock;
    core::MemoryLog log;
    MongoOptions options{.uri = "mongodb://%2Fnonexistent%2Fs3cret.sock/",
                         .database = "zona_x",
                         .username = "me",
                         .password = core::Secret("s3cret"),
                         .page_token_key = core::Secret(std::string(32, 'k')),
                         .connect_timeout = std::chrono::milliseconds(50),
                         .selection_timeout = std::chrono::milliseconds(50)};
    const auto refusal = [&] {
        const auto database = mongo::open_here(options, clock, log.logger());
        return database.has_value() ? Error(Code::kInternal, "opened") : database.error();
    };

    EXPECT_EQ(refusal().code(), Code::kUnavailable);
    EXPECT_THAT(refusal().message(), Not(HasSubstr("s3cret")));
    options.uri = "mongodb://me:s3cret@localhost/";
    EXPECT_EQ(refusal().code(), Code::kInvalidArgument);
    EXPECT_THAT(refusal().message(), Not(HasSubstr("s3cret")));
    options.uri = "mongodb://me:s3cret@local host:what/";
    EXPECT_EQ(refusal().code(), Code::kInvalidArgument);
    EXPECT_THAT(refusal().message(), Not(HasSubstr("s3cret")));
    options.uri = "mongodb://localhost/?tlsInsecure=true";
    EXPECT_THAT(refusal().message(), HasSubstr("tlsinsecure"));
}

}  // namespace
}  // namespace zona::store
