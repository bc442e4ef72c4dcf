#include "core/detail/json_builder.h"

#include <fmt/format.h>

#include "core/json.h"

namespace zona::core::detail {

std::string JsonBuilder::pointer() const {
    std::string path;
    for (const Frame& frame : frames_) {
        if (const boost::json::array* array = frame.container.if_array()) {
            path = pointer_to(path, fmt::format("{}", array->size()));
        } else {
            path = pointer_to(path, frame.key);
        }
    }
    return path;
}

}  // namespace zona::core::detail
