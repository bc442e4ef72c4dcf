// A document of anybody's making: what the check lets in comes back from its text unchanged, can be
// asked for by any of its fields, and is changed by an update into another valid document or not at
// all.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "core/json.h"
#include "store/detail/encoding.h"
#include "store/query.h"
#include "store/update.h"

namespace {

using namespace zona;
using namespace zona::store;

/// Whether the text of a document gives the same document again.
void there_and_back(const CollectionSpec& spec, const Document& document) {
    const core::Result<std::string> text = detail::checked_text(spec, document);
    if (!text.has_value()) return;
    const auto back = detail::from_text(*text);
    if (!back.has_value() || detail::to_text(**back) != *text) std::abort();
}

/// One and the opposite of one, whatever is asked.
void ask(const Document& document, const Path& path, const Value& value) {
    const Filter asked[] = {Filter::eq(path, value), Filter::lt(path, value),
                            Filter::gte(path, value), Filter::in(path, {value, nullptr}),
                            Filter::exists(path, Exists::kYes)};
    for (const Filter& filter : asked)
        if (filter.matches(document) == Filter::negate(filter).matches(document)) std::abort();
}

/// Steps of an update that a stranger may cause: paths and values of his.
void change(const CollectionSpec& spec, const Document& document, const Path& path,
            const Value& value) {
    const Update updates[] = {Update().set(path, value), Update().unset(path),
                              Update().inc(path, value), Update().push(path, value, 4),
                              Update().add_to_set(path, value).pull(path, value)};
    for (const Update& update : updates) {
        Document changed = document;
        if (update.apply(changed).has_value())
            there_and_back(spec, changed);
        else if (detail::to_text(changed) != detail::to_text(document))
            std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const CollectionSpec kSpec{.name = "fuzz", .indexes = {{.name = "by_created"}}};
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    // As it lies in a database that somebody has changed.
    if (const auto read = detail::from_text(text); read.has_value()) {
        const std::string written = detail::to_text(**read);
        const auto again = detail::from_text(written);
        if (!again.has_value() || detail::to_text(**again) != written) std::abort();
    }
    // As it comes from outside.
    const auto parsed = core::parse_json(text, {core::ByteCount::kib(64), 40});
    if (!parsed.has_value() || !parsed->is_object()) return 0;
    const Document& document = parsed->get_object();
    there_and_back(kSpec, document);
    if (!check_document(kSpec, document).has_value()) return 0;
    for (const auto& [key, value] : document) {
        const Path path{std::string(key)};
        ask(document, path, value);
        change(kSpec, document, path, value);
        if (!value.is_object()) continue;
        for (const auto& [inner, part] : value.get_object()) {
            ask(document, Path{key, inner}, part);
            change(kSpec, document, Path{key, inner}, document);
        }
    }
    return 0;
}
