// Random operations on the model and on SQLite give the same answers.
#include "store/testing/property.h"

#include "store/testing/sqlite_file.h"

namespace zona::store {
namespace {

// DATA-42
TEST(StoreProperty, SqliteAnswersAsTheModelDoes) {
    expect_answers_of_the_model(make_sqlite_backend, 3, 1500);
}

}  // namespace
}  // namespace zona::store
