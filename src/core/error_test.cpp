#include "core/error.h"

#include <cerrno>
#include <set>

#include <gtest/gtest.h>

#include "core/result.h"

namespace zona::core {
namespace {

// HTTP-15
TEST(ErrorTable, HasOneRowPerCodeAndEveryRowIsUsable) {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < all_codes().size(); ++i) {
        const CodeInfo& row = all_codes()[i];
        SCOPED_TRACE(row.name);
        EXPECT_EQ(static_cast<std::size_t>(row.code), i);
        EXPECT_EQ(&info(row.code), &row);
        EXPECT_EQ(code_from_name(row.name), row.code);
        EXPECT_TRUE(names.insert(row.name).second);
        EXPECT_GE(row.http_status, 400);
        EXPECT_LE(row.http_status, 599);
        EXPECT_GE(row.exit_status, 1);
        EXPECT_LE(row.exit_status, 125);
        EXPECT_FALSE(row.meaning.empty());
    }
    EXPECT_EQ(all_codes().back().code, Code::kRequestBlocked) << "the last one";
}

// HTTP-15
TEST(ErrorTable, LogsOurFaultsLouderThanTheCallers) {
    EXPECT_EQ(info(Code::kInternal).log_level, LogLevel::kError);
    EXPECT_EQ(info(Code::kUnavailable).log_level, LogLevel::kWarn);
    EXPECT_EQ(info(Code::kInvalidArgument).log_level, LogLevel::kInfo);
    EXPECT_EQ(info(Code::kNotFound).log_level, LogLevel::kInfo);
}

TEST(ErrorFromErrno, MapsTheNumberAndSaysWhatTheSystemSaid) {
    const Error error = Error::from_errno(ENOENT, "open /etc/zona.toml");
    EXPECT_EQ(error.code(), Code::kNotFound);
    EXPECT_EQ(error.system_error(), ENOENT);
    EXPECT_EQ(error.message(), "open /etc/zona.toml: No such file or directory");
    EXPECT_EQ(Error::from_errno(EMFILE, "x").code(), Code::kResourceExhausted);
    EXPECT_EQ(Error::from_errno(EPIPE, "x").code(), Code::kUnavailable);
    EXPECT_EQ(Error::from_errno(EXDEV, "x").code(), Code::kInternal);
}

TEST(Error, ContextGoesBeforeTheMessageAndDetailsAreKept) {
    Error error = Error(Code::kConflict, "port 80 is taken")
                      .context("start api")
                      .detail({"/port", "taken", ""});
    const Error copy = error;
    error.context("zona start");

    EXPECT_EQ(error.message(), "zona start: start api: port 80 is taken");
    EXPECT_EQ(copy.message(), "start api: port 80 is taken");
    ASSERT_EQ(copy.details().size(), 1U);
    EXPECT_EQ(copy.details()[0].where, "/port");
    EXPECT_EQ(Error(copy).recode(Code::kTimeout).code(), Code::kTimeout);
}

Result<int> half(int number) {
    if (number % 2 != 0) return Error(Code::kInvalidArgument, "odd");
    return number / 2;
}

Result<int> quarter(int number) {
    ZONA_TRY(const int once, half(number));
    ZONA_TRY(const int twice, half(once));
    return twice;
}

Result<void> check(int number) {
    ZONA_TRY_VOID(quarter(number));
    return {};
}

TEST(Try, BindsTheValueOrReturnsTheError) {
    EXPECT_EQ(quarter(12).value(), 3);
    EXPECT_EQ(quarter(6).error().message(), "odd");
    EXPECT_TRUE(check(4).has_value());
    EXPECT_FALSE(check(5).has_value());
}

}  // namespace
}  // namespace zona::core
