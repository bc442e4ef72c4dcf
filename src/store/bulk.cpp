#include "store/bulk.h"

#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace zona::store {
namespace {

using core::Code;
using core::Error;
using core::Result;

template <class T>
Result<void> forget(Result<T> result) {
    if (!result.has_value()) return result.take_error();
    return {};
}

Result<void> remove(Writer& writer, const Collection& collection, const BulkOperation& operation) {
    ZONA_TRY(const bool removed, writer.remove(collection, operation.id, operation.expected));
    if (removed) return {};
    return Error(Code::kNotFound,
                 fmt::format("{} has no document {}", collection.name(), to_string(operation.id)));
}

Result<void> run(Writer& writer, const Collection& collection, const BulkOperation& operation) {
    const auto& [kind, id, document, update, expected] = operation;
    switch (kind) {
        case BulkOperation::Kind::kInsert:
            return forget(writer.insert(collection, id, *document));
        case BulkOperation::Kind::kUpsert:
            return forget(writer.upsert(collection, id, *document));
        case BulkOperation::Kind::kReplace:
            return forget(writer.replace(collection, id, *document, expected));
        case BulkOperation::Kind::kModify:
            return forget(writer.modify(collection, id, update, expected));
        case BulkOperation::Kind::kRemove:
            return remove(writer, collection, operation);
    }
    return {};
}

/// What says nothing about this operation and all about the database.
bool ends_all(Code code) {
    return code == Code::kResourceExhausted || code == Code::kInternal ||
           code == Code::kUnavailable;
}

}  // namespace

Result<BulkAnswers> bulk(Writer& writer, const Collection& collection,
                         std::span<const BulkOperation> operations, OnRefusal on_refusal) {
    if (operations.size() > kMaxBulkOperations) {
        return Error(Code::kTooLarge, fmt::format("{} operations at once: at most {}",
                                                  operations.size(), kMaxBulkOperations));
    }
    for (const BulkOperation& operation : operations) {
        if (operation.kind <= BulkOperation::Kind::kReplace && operation.document == nullptr)
            return Error(Code::kInvalidArgument,
                         fmt::format("{}: no document is given", to_string(operation.id)));
    }
    BulkAnswers answers;
    bool stopped = false;
    for (const BulkOperation& operation : operations) {
        if (stopped) {
            answers.emplace_back(Error(Code::kCancelled, "an operation before it was refused"));
            continue;
        }
        Result<void> answer = run(writer, collection, operation);
        if (!answer.has_value()) {
            if (ends_all(answer.error().code())) return answer.take_error();
            stopped = on_refusal == OnRefusal::kStop;
        }
        answers.push_back(std::move(answer));
    }
    return answers;
}

}  // namespace zona::store
