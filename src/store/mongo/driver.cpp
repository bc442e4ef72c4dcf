// The shared object: all that links libmongoc, behind one symbol.
#include "store/mongo/detail/driver.h"

#include "store/mongo/detail/open.h"

extern "C" [[gnu::visibility("default")]] const zona::store::mongo::MongoDriver zona_mongo_driver;

const zona::store::mongo::MongoDriver zona_mongo_driver = {
    .version = ZONA_VERSION,
    .open =
        [](const zona::store::MongoOptions& options, const zona::core::Clock& clock,
           const zona::core::Logger& log) {
            return zona::store::mongo::open_here(options, clock, log);
        },
    .probe =
        [](const zona::store::MongoOptions& options) {
            return zona::store::mongo::probe_here(options);
        }};
