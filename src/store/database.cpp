#include "store/database.h"

#include <fmt/format.h>

namespace zona::store {

core::Result<void> Writer::restore(const Collection& collection, const Record& record) {
    return core::Error(core::Code::kUnsupported,
                       fmt::format("{} {} cannot be stored as it was: this kind of database has no "
                                   "way to",
                                   collection.name(), to_string(record.id)));
}

}  // namespace zona::store
