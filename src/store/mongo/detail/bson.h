/// @file
/// Bson: a BSON document that owns its bytes; and how a JSON document becomes a part of one.
///
/// Keys of stored documents are data, and the server must not find an operator, a path or an end in
/// one: `%`, `.`, `$` and NUL are written as `%25`, `%2E`, `%24` and `%00`, the empty key as `%e`.
/// An array in an array becomes an object with the one key `%a`, because not every server takes it
/// as it is. All of it is reversible, so any JSON document comes back as it was. Pure; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <bson/bson.h>

#include "core/result.h"
#include "store/value.h"

namespace zona::store::detail {}
namespace zona::store::mongo {

// What all backends share; the classes of others stand in the same place, so these do not.
using namespace detail;

namespace json = boost::json;

/// A place in a document. libbson wants it aligned as its type says, which templates forget.
struct Field {
    alignas(128) bson_iter_t at;
};

/// Built by its members; an array is one whose keys are 0, 1, 2 and so on.
class Bson {
  public:
    Bson() : bson_(bson_new()) {}
    explicit Bson(const bson_t* other) : bson_(bson_copy(other)) {}
    Bson(const Bson& other) : Bson(other.get()) {}
    Bson(Bson&& other) noexcept = default;
    Bson& operator=(Bson other) noexcept {
        bson_ = std::move(other.bson_);
        return *this;
    }
    ~Bson() = default;

    /// @{
    /// Appends a field. The key is taken as it is, and must hold no NUL.
    Bson& put(std::string_view key, std::string_view text);
    Bson& put(std::string_view key, const char* text) { return put(key, std::string_view(text)); }
    Bson& put(std::string_view key, const std::string& text) {
        return put(key, std::string_view(text));
    }
    Bson& put(std::string_view key, std::int64_t number);
    Bson& put(std::string_view key, int number) { return put(key, std::int64_t{number}); }
    Bson& put(std::string_view key, bool flag);
    Bson& put(std::string_view key, const Bson& document);
    Bson& put(std::string_view key, const std::vector<Bson>& array);
    Bson& put(std::string_view key, const std::vector<std::string>& array);
    Bson& put(std::string_view key, const Id& id);
    /// A number, text or boolean as it is, in what it is compared with.
    Bson& put(std::string_view key, const json::value& scalar);
    /// A document of ours, with its keys encoded.
    Bson& put_document(std::string_view key, const json::object& document);
    /// @}

    const bson_t* get() const { return bson_.get(); }
    bson_t* get() { return bson_.get(); }
    std::size_t size() const { return bson_->len; }

    /// The field; nothing if there is none.
    std::optional<Field> find(std::string_view key) const;
    /// @{
    /// The field, or `otherwise` if it is not there or of another type. A number of any type.
    std::string_view text(std::string_view key, std::string_view otherwise = {}) const;
    std::int64_t integer(std::string_view key, std::int64_t otherwise = 0) const;
    bool flag(std::string_view key) const;
    /// @}
    /// The object or array; an empty one if there is none.
    Bson object(std::string_view key) const;

  private:
    struct Destroy {
        void operator()(bson_t* bson) const noexcept { bson_destroy(bson); }
    };
    // A bson_t holds pointers into itself. Null only in what was moved from.
    std::unique_ptr<bson_t, Destroy> bson_;
};

/// The key of a stored document as the server knows it, and back; nothing for what no key gives.
std::string encoded_key(std::string_view key);
std::optional<std::string> decoded_key(std::string_view key);

/// What put_document() wrote. Errors: kInternal for anything that it cannot have written.
core::Result<std::shared_ptr<const Document>> document_of(const bson_iter_t& field);

}  // namespace zona::store::mongo
