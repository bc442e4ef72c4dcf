#include <cstdint>
#include <cstdlib>

#include <boost/json.hpp>

#include "store/mongo/detail/stored.h"

// What a server sends as a stored document, checked by nobody: it is refused, or it is one that can
// be stored again and comes back the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona::store;
    static const CollectionSpec kSpec{.name = "fuzz", .indexes = {{.name = "by_created"}}};
    bson_t sent;
    if (!bson_init_static(&sent, data, size)) return 0;
    const auto stored = mongo::read_stored(kSpec, &sent);
    if (!stored || stored->gone) return 0;

    const Record& record = stored->record;
    const mongo::Bson again = mongo::stored_form(kSpec, mongo::stored_key(record.scope, record.id),
                                                 record, stored->bytes, "tag");
    const auto back = mongo::read_stored(kSpec, again.get());
    if (!back || back->gone || back->record.scope != record.scope) std::abort();
    if (back->record.id != record.id || back->record.version != record.version) std::abort();
    // Compared as texts: a NaN is not the same as itself.
    const std::string before = boost::json::serialize(*record.document);
    if (boost::json::serialize(*back->record.document) != before) std::abort();
    return 0;
}
