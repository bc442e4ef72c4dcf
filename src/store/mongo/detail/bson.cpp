#include "store/mongo/detail/bson.h"

#include <variant>

#include <boost/json/array.hpp>
#include <boost/json/string.hpp>

#include "store/detail/compare.h"

namespace zona::store::mongo {
namespace {

constexpr std::string_view kEmptyKey = "%e";
constexpr std::string_view kArrayKey = "%a";
// Of what is read: deeper than any document that may be written.
constexpr std::size_t kMaxDepth = 512;

int length(std::string_view text) {
    return static_cast<int>(text.size());
}

std::string number_key(std::size_t index) {
    return std::to_string(index);
}

void append_object(bson_t* to, const json::object& object);
void append_array(bson_t* to, const json::array& array);

void append_value(bson_t* to, std::string_view key, const json::value& value) {
    bson_t child;
    switch (value.kind()) {
        case json::kind::null:
            bson_append_null(to, key.data(), length(key));
            return;
        case json::kind::bool_:
            bson_append_bool(to, key.data(), length(key), value.get_bool());
            return;
        case json::kind::int64:
        case json::kind::uint64:
            bson_append_int64(to, key.data(), length(key), as_integer(value).value_or(0));
            return;
        case json::kind::double_:
            bson_append_double(to, key.data(), length(key), value.get_double());
            return;
        case json::kind::string:
            bson_append_utf8(to, key.data(), length(key), value.get_string().data(),
                             length(value.get_string()));
            return;
        case json::kind::object:
            bson_append_document_begin(to, key.data(), length(key), &child);
            append_object(&child, value.get_object());
            bson_append_document_end(to, &child);
            return;
        case json::kind::array:
            bson_append_array_begin(to, key.data(), length(key), &child);
            append_array(&child, value.get_array());
            bson_append_array_end(to, &child);
            return;
    }
}

void append_object(bson_t* to, const json::object& object) {
    for (const json::key_value_pair& field : object)
        append_value(to, encoded_key(field.key()), field.value());
}

void append_array(bson_t* to, const json::array& array) {
    std::size_t index = 0;
    for (const json::value& element : array) {
        const std::string key = number_key(index++);
        if (!element.is_array()) {
            append_value(to, key, element);
            continue;
        }
        bson_t child;
        bson_append_document_begin(to, key.data(), length(key), &child);
        append_value(&child, kArrayKey, element);
        bson_append_document_end(to, &child);
    }
}

core::Error not_ours() {
    return {core::Code::kInternal, "a stored document is not the BSON that was written"};
}

core::Result<json::value> value_of(const bson_iter_t& field, std::size_t depth);

core::Result<json::object> object_of(bson_iter_t fields, std::size_t depth) {
    json::object out;
    while (bson_iter_next(&fields)) {
        const std::string_view stored(bson_iter_key(&fields), bson_iter_key_len(&fields));
        ZONA_TRY(json::value value, value_of(fields, depth));
        if (!stored.empty() && !stored.contains('%')) {  // nearly all of them
            out.emplace(stored, std::move(value));
            continue;
        }
        const auto key = decoded_key(stored);
        if (!key) return not_ours();
        out.emplace(*key, std::move(value));
    }
    return out;
}

core::Result<json::array> array_of(bson_iter_t fields, std::size_t depth) {
    json::array out;
    while (bson_iter_next(&fields)) {
        bson_iter_t inner = fields;
        if (BSON_ITER_HOLDS_DOCUMENT(&fields) && bson_iter_recurse(&fields, &inner) &&
            bson_iter_next(&inner) && bson_iter_key(&inner) == kArrayKey) {
            ZONA_TRY(json::value array, value_of(inner, depth + 1));
            out.push_back(std::move(array));
            continue;
        }
        ZONA_TRY(json::value value, value_of(fields, depth));
        out.push_back(std::move(value));
    }
    return out;
}

core::Result<json::value> value_of(const bson_iter_t& field, std::size_t depth) {
    if (depth > kMaxDepth) return not_ours();
    bson_iter_t inner;
    std::uint32_t size = 0;
    switch (bson_iter_type(&field)) {
        case BSON_TYPE_NULL:
            return json::value(nullptr);
        case BSON_TYPE_BOOL:
            return json::value(bson_iter_bool(&field));
        case BSON_TYPE_INT32:
            return json::value(std::int64_t{bson_iter_int32(&field)});
        case BSON_TYPE_INT64:
            return json::value(bson_iter_int64(&field));
        case BSON_TYPE_DOUBLE:
            return json::value(bson_iter_double(&field));
        case BSON_TYPE_UTF8: {
            const char* text = bson_iter_utf8(&field, &size);
            return json::value(std::string_view(text, size));
        }
        case BSON_TYPE_DOCUMENT: {
            if (!bson_iter_recurse(&field, &inner)) return not_ours();
            ZONA_TRY(json::object object, object_of(inner, depth + 1));
            return json::value(std::move(object));
        }
        case BSON_TYPE_ARRAY: {
            if (!bson_iter_recurse(&field, &inner)) return not_ours();
            ZONA_TRY(json::array array, array_of(inner, depth + 1));
            return json::value(std::move(array));
        }
        default:
            return not_ours();
    }
}

}  // namespace

Bson& Bson::put(std::string_view key, std::string_view text) {
    bson_append_utf8(get(), key.data(), length(key), text.data() == nullptr ? "" : text.data(),
                     length(text));
    return *this;
}

Bson& Bson::put(std::string_view key, std::int64_t number) {
    bson_append_int64(get(), key.data(), length(key), number);
    return *this;
}

Bson& Bson::put(std::string_view key, bool flag) {
    bson_append_bool(get(), key.data(), length(key), flag);
    return *this;
}

Bson& Bson::put(std::string_view key, const Bson& document) {
    bson_append_document(get(), key.data(), length(key), document.get());
    return *this;
}

Bson& Bson::put(std::string_view key, const std::vector<Bson>& array) {
    bson_t child;
    bson_append_array_begin(get(), key.data(), length(key), &child);
    std::size_t index = 0;
    for (const Bson& element : array) {
        const std::string name = number_key(index++);
        bson_append_document(&child, name.data(), length(name), element.get());
    }
    bson_append_array_end(get(), &child);
    return *this;
}

Bson& Bson::put(std::string_view key, const std::vector<std::string>& array) {
    bson_t child;
    bson_append_array_begin(get(), key.data(), length(key), &child);
    std::size_t index = 0;
    for (const std::string& element : array) {
        const std::string name = number_key(index++);
        bson_append_utf8(&child, name.data(), length(name), element.data(), length(element));
    }
    bson_append_array_end(get(), &child);
    return *this;
}

Bson& Bson::put(std::string_view key, const Id& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id)) return put(key, *number);
    return put(key, std::string_view(std::get<std::string>(id)));
}

Bson& Bson::put(std::string_view key, const json::value& scalar) {
    append_value(get(), key, scalar);
    return *this;
}

Bson& Bson::put_document(std::string_view key, const json::object& document) {
    bson_t child;
    bson_append_document_begin(get(), key.data(), length(key), &child);
    append_object(&child, document);
    bson_append_document_end(get(), &child);
    return *this;
}

std::optional<Field> Bson::find(std::string_view key) const {
    Field field;
    if (!bson_iter_init_find_w_len(&field.at, get(), key.data(), length(key))) return std::nullopt;
    return field;
}

std::string_view Bson::text(std::string_view key, std::string_view otherwise) const {
    const auto field = find(key);
    if (!field || !BSON_ITER_HOLDS_UTF8(&field->at)) return otherwise;
    std::uint32_t size = 0;
    const char* text = bson_iter_utf8(&field->at, &size);
    return {text, size};
}

std::int64_t Bson::integer(std::string_view key, std::int64_t otherwise) const {
    const auto field = find(key);
    if (!field || !BSON_ITER_HOLDS_NUMBER(&field->at)) return otherwise;
    return bson_iter_as_int64(&field->at);
}

bool Bson::flag(std::string_view key) const {
    const auto field = find(key);
    return field && bson_iter_as_bool(&field->at);
}

Bson Bson::object(std::string_view key) const {
    const auto field = find(key);
    const std::uint8_t* bytes = nullptr;
    std::uint32_t size = 0;
    if (field && BSON_ITER_HOLDS_DOCUMENT(&field->at))
        bson_iter_document(&field->at, &size, &bytes);
    if (field && BSON_ITER_HOLDS_ARRAY(&field->at)) bson_iter_array(&field->at, &size, &bytes);
    bson_t inner;
    if (bytes == nullptr || !bson_init_static(&inner, bytes, size)) return {};
    return Bson(&inner);
}

std::string encoded_key(std::string_view key) {
    if (key.empty()) return std::string(kEmptyKey);
    std::string out;
    for (const char c : key) {
        switch (c) {
            case '%':
                out += "%25";
                break;
            case '.':
                out += "%2E";
                break;
            case '$':
                out += "%24";
                break;
            case '\0':
                out += "%00";
                break;
            default:
                out += c;
        }
    }
    return out;
}

std::optional<std::string> decoded_key(std::string_view key) {
    if (key == kEmptyKey) return std::string();
    std::string out;
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (key[i] != '%') {
            out += key[i];
            continue;
        }
        const std::string_view code = key.substr(i, 3);
        if (code == "%25") {
            out += '%';
        } else if (code == "%2E") {
            out += '.';
        } else if (code == "%24") {
            out += '$';
        } else if (code == "%00") {
            out += '\0';
        } else {
            return std::nullopt;
        }
        i += 2;
    }
    if (out.empty()) return std::nullopt;
    return out;
}

core::Result<std::shared_ptr<const Document>> document_of(const bson_iter_t& field) {
    bson_iter_t fields;
    if (!BSON_ITER_HOLDS_DOCUMENT(&field) || !bson_iter_recurse(&field, &fields)) return not_ours();
    ZONA_TRY(json::object object, object_of(fields, 1));
    return std::make_shared<const Document>(std::move(object));
}

}  // namespace zona::store::mongo
