#include "store/detail/encoding.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace zona::store::detail {

std::string to_text(const Document& document) {
    return boost::json::serialize(document);
}

core::Result<std::shared_ptr<const Document>> from_text(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = 256;
    boost::system::error_code failed;
    boost::json::value value = boost::json::parse(text, failed, {}, options);
    if (failed || !value.is_object()) {
        return core::Error(core::Code::kInternal,
                           "a stored document is not the JSON that was written");
    }
    return std::make_shared<const Document>(std::move(value.get_object()));
}

}  // namespace zona::store::detail
