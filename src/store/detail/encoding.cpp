#include "store/detail/encoding.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "core/json.h"

namespace zona::store::detail {

std::string to_text(const Document& document) {
    return boost::json::serialize(document);
}

core::Result<std::shared_ptr<const Document>> from_text(std::string_view text) {
    core::Result<boost::json::value> value = core::parse_written_json(text);
    if (!value.has_value() || !value->is_object()) {
        return core::Error(core::Code::kInternal,
                           "a stored document is not the JSON that was written");
    }
    return std::make_shared<const Document>(std::move(value->get_object()));
}

}  // namespace zona::store::detail
