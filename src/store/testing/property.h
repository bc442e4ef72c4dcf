/// @file
/// Random operations on the model and on a backend give the same answers. A failure prints its
/// seed: ZONA_TEST_SEED=N runs it again, ZONA_TEST_STEPS makes it longer.
#pragma once

#include <cstdint>
#include <memory>

#include "store/testing/contract.h"

namespace zona::store {

/// Random transactions on both, compared answer by answer, page tokens included. So many runs of so
/// many transactions, each run with a backend of its own.
void expect_answers_of_the_model(std::unique_ptr<Backend> (*make)(), std::uint64_t seeds,
                                 std::uint64_t steps);

}  // namespace zona::store
