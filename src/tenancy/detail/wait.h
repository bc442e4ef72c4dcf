// Waiting for an answer, on a thread that has nothing else to do.
#pragma once

#include <future>
#include <utility>

#include "core/result.h"
#include "store/database.h"

namespace zona::tenancy::detail {

/// The answer that `ask` gives to the callback it is called with.
template <class T, class Ask>
core::Result<T> wait_for(Ask ask) {
    std::promise<core::Result<T>> answer;
    auto future = answer.get_future();
    ask(store::Callback<T>(
        [&answer](core::Result<T> result) { answer.set_value(std::move(result)); }));
    return future.get();
}

}  // namespace zona::tenancy::detail
