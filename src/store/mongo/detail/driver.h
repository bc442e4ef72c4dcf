/// @file
/// MongoDriver: what the shared object zona-mongo.so gives to the rest of the program. Both are
/// built together; a version that differs is refused.
#pragma once

#include <memory>

#include "store/mongo_database.h"

namespace zona::store::mongo {

/// Its one symbol is of this type.
struct MongoDriver {
    const char* version;
    core::Result<std::unique_ptr<MongoDatabase>> (*open)(const MongoOptions& options,
                                                         const core::Clock& clock,
                                                         const core::Logger& log);
    core::Result<void> (*probe)(const MongoOptions& options);
};

/// The name of the symbol.
inline constexpr const char* kMongoDriver = "zona_mongo_driver";
/// The name of the file, which stands beside the program's.
inline constexpr const char* kMongoLibrary = "zona-mongo.so";

}  // namespace zona::store::mongo
