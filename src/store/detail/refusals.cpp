#include "store/detail/refusals.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/text.h"

namespace zona::store::detail {

using core::Code;
using core::Error;
using core::Result;

Result<void> check_id(const Id& id) {
    const auto* text = std::get_if<std::string>(&id);
    if (text == nullptr) return {};
    if (text->empty() || text->size() > kMaxIdBytes || !core::is_valid_utf8(*text)) {
        return Error(
            Code::kInvalidArgument,
            fmt::format("an id is a number or a text of 1 to {} bytes of UTF-8", kMaxIdBytes));
    }
    return {};
}

Result<void> check_restored(const Record& record) {
    ZONA_TRY_VOID(check_id(record.id));
    if (record.version >= 1) return {};
    return Error(Code::kInvalidArgument,
                 fmt::format("a record of version {}: the first one is 1", record.version));
}

Result<void> check_page(const PageRequest& page) {
    if (page.limit >= 1 && page.limit <= kMaxPageSize) return {};
    return Error(Code::kInvalidArgument,
                 fmt::format("a page of {} documents: it holds 1 to {}", page.limit, kMaxPageSize));
}

Result<void> check_declared(std::span<const CollectionSpec* const> declared,
                            const Collection& collection) {
    if (std::ranges::find(declared, &collection.spec()) != declared.end()) return {};
    return Error(
        Code::kInvalidArgument,
        fmt::format("this database was not opened with the collection {}", collection.name()));
}

Result<void> check_owner(const Collection& collection, const Record& record) {
    if (record.scope == collection.scope()) return {};
    return Error(Code::kForbidden,
                 fmt::format("a document of {} belongs to another scope than the one it was asked "
                             "for in",
                             collection.name()));
}

Result<void> check_version(const Collection& collection, const Record& record,
                           const Expected& expected) {
    if (!expected || *expected == record.version) return {};
    return Error(Code::kConflict,
                 fmt::format("{} {} has version {} by now, not {}: read it again",
                             collection.name(), to_string(record.id), record.version, *expected));
}

Error exists_already(const Collection& collection, const Id& id) {
    return Error(Code::kConflict,
                 fmt::format("{} has a document {} already", collection.name(), to_string(id)));
}

Error not_there(const Collection& collection, const Id& id) {
    return Error(Code::kNotFound,
                 fmt::format("{} has no document {}", collection.name(), to_string(id)));
}

Error not_unique(const Collection& collection, const IndexSpec& index) {
    std::vector<std::string> fields;
    fields.reserve(index.fields.size());
    for (const IndexField& field : index.fields)
        fields.push_back(field.path.pointer());
    return Error(Code::kConflict,
                 fmt::format("{} has another document with this {} (index {})", collection.name(),
                             fmt::join(fields, " and "), index.name));
}

Error too_many_examined(const Collection& collection, std::size_t limit) {
    return Error(Code::kTooLarge,
                 fmt::format("{}: more than {} documents to look at: narrow the filter, or declare "
                             "an index for it",
                             collection.name(), limit));
}

}  // namespace zona::store::detail
