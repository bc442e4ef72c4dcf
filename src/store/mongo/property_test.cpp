// Random operations on the model and on MongoDB give the same answers.
#include "store/testing/property.h"

#include "store/mongo/testing/mongo_fixture.h"

namespace zona::store {
namespace {

class MongoProperty : public MongoTest {};

// DATA-42
TEST_F(MongoProperty, MongoAnswersAsTheModelDoes) {
    expect_answers_of_the_model(make_mongo_backend, 2, 300);
}

}  // namespace
}  // namespace zona::store
