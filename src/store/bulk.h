/// @file
/// Many writes in one transaction, with an answer for each.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/result.h"
#include "store/database.h"

namespace zona::store {

/// Operations of one bulk().
inline constexpr std::size_t kMaxBulkOperations = 10000;

/// What one of them does; documents are shared with whoever made them, and never changed.
struct BulkOperation {
    /// As the members of Writer.
    enum class Kind : std::uint8_t { kInsert, kUpsert, kReplace, kModify, kRemove };
    Kind kind = Kind::kInsert;
    Id id;
    std::shared_ptr<const Document> document;  ///< of kInsert, kUpsert and kReplace
    Update update;                             ///< of kModify
    Expected expected;                         ///< of kReplace, kModify and kRemove
};

/// What happens after one that is refused.
enum class OnRefusal : std::uint8_t {
    kGoOn,  ///< it alone has no effect; the others are done
    kStop,  ///< it and all behind it have no effect; those before it stay
};

/// What became of one operation: success, the error, or kCancelled behind one that stopped.
using BulkAnswers = std::vector<core::Result<void>>;

/// Does them in order. Removing what is not there is kNotFound here.
/// Errors  kTooLarge: more than kMaxBulkOperations. kInvalidArgument: one without its document.
///         kResourceExhausted, kInternal, kUnavailable of any of them: the transaction should end.
core::Result<BulkAnswers> bulk(Writer& writer, const Collection& collection,
                               std::span<const BulkOperation> operations, OnRefusal on_refusal);

}  // namespace zona::store
