/// @file
/// Counters: numbers that are given out once. They are documents of a collection that the core
/// database declares, so they are as durable and as isolated as any other. Source: DATA-09,
/// DATA-25..DATA-27.
#pragma once

#include <cstdint>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "store/database.h"

namespace zona::store {

/// The declaration of `counters`: the id is the counter's name; fields `current_value`,
/// `increment_by`, `last_updated` (microseconds since 1970), `metadata`.
const CollectionSpec& counters_spec();

/// The next number of the counter `name`: its current value and its step more. One that is not
/// there begins with its first step, 1. Numbers that were given to a transaction which failed later
/// are given again; gaps come only from a step above 1 and from callers who do not use theirs.
/// Errors: kResourceExhausted at the end of 64 bits; those of Writer::modify().
core::Result<std::int64_t> next_number(Writer& writer, const Collection& counters,
                                       const std::string& name, core::SystemTime now);

/// Makes the counter, or sets the step of one that exists; its value stays.
/// Errors: kInvalidArgument for a step below 1.
core::Result<void> set_step(Writer& writer, const Collection& counters, const std::string& name,
                            std::int64_t increment_by, core::SystemTime now);

}  // namespace zona::store
