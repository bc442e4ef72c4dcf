#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "process/detail/ecosystem_tree.h"
#include "process/ecosystem.h"

namespace zona::process::detail {
namespace {

namespace json = boost::json;

/// Copies a document's values together with their places.
class Copier {
  public:
    explicit Copier(const core::Document& document) : document_(document) {}

    Node copy(const json::value& value, const std::string& pointer) const {
        Node node;
        node.at = document_.position(pointer);
        if (const json::object* object = value.if_object()) {
            node.kind = Kind::kMap;
            for (const auto& member : *object) {
                Node child = copy(member.value(), core::pointer_to(pointer, member.key()));
                const Position at = child.at;
                node.map.push_back({member.key(), at, std::move(child)});
            }
        } else if (const json::array* array = value.if_array()) {
            node.kind = Kind::kList;
            for (std::size_t i = 0; i < array->size(); ++i) {
                node.list.push_back(
                    copy((*array)[i], core::pointer_to(pointer, std::to_string(i))));
            }
        } else {
            scalar(value, node);
        }
        return node;
    }

  private:
    static void scalar(const json::value& value, Node& node) {
        switch (value.kind()) {
            case json::kind::string:
                node.kind = Kind::kString;
                node.text = value.get_string();
                break;
            case json::kind::bool_:
                node.kind = Kind::kBool;
                node.text = value.get_bool() ? "true" : "false";
                break;
            case json::kind::int64:
                node.kind = Kind::kInteger;
                node.text = std::to_string(value.get_int64());
                break;
            case json::kind::uint64:
                node.kind = Kind::kInteger;
                node.text = std::to_string(value.get_uint64());
                break;
            case json::kind::double_:
                node.kind = Kind::kFloat;
                node.text = fmt::format("{}", value.get_double());
                break;
            default:
                break;
        }
    }

    const core::Document& document_;
};

}  // namespace

core::Result<Node> read_document(std::string_view text, core::DocumentFormat format,
                                 std::string_view file) {
    const core::DocumentLimits limits{.max_bytes = kMaxEcosystemBytes,
                                      .max_depth = TreeLimits::kDepth,
                                      .max_values = TreeLimits::kNodes};
    auto document = core::parse_document(text, format, file, limits);
    if (!document.has_value()) {
        core::Error error = document.take_error();
        const std::string& message = error.message();
        const std::size_t colon = message.find(": ", file.size());
        if (colon == std::string::npos) return error;
        core::Detail detail{message.substr(0, colon), message.substr(colon + 2), {}};
        return std::move(error).detail(std::move(detail));
    }
    return Copier(*document).copy(document->value(), "");
}

}  // namespace zona::process::detail
