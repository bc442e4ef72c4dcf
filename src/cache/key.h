/// @file
/// Names of what is cached: keys, patterns and tags. Plain values.
///
/// A key is tenant / entity / id. Its text has each part escaped, so that no two keys have the same
/// text, whatever is in the parts, and tenants cannot meet. An id stands in Redis as it is: whoever
/// caches by something secret, such as a token, hashes it first. Source: CACHE-10, TEN-45.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace zona::cache {

/// The part of a key, of a tag or of a tenant as it stands in texts: bytes that mean something in a
/// key, a pattern, a message or Redis (`/ : % { } * ? [ ] \`, space, controls) are percent-encoded.
std::string escaped(std::string_view part);
/// What escaped() was given.
std::string unescaped(std::string_view part);

/// Names one document, listing or result.
class Key {
  public:
    /// `tenant` may be empty: what belongs to the installation.
    Key(std::string_view tenant, std::string_view entity, std::string_view id);
    /// Of a text(). Errors: kInvalidArgument: it is none.
    static core::Result<Key> parse(std::string_view text);

    /// "tenant/entity/id", escaped.
    const std::string& text() const { return text_; }
    /// @{
    /// Its parts, escaped.
    std::string_view tenant() const { return std::string_view(text_).substr(0, entity_ - 1); }
    std::string_view entity() const {
        return std::string_view(text_).substr(entity_, id_ - 1 - entity_);
    }
    std::string_view id() const { return std::string_view(text_).substr(id_); }
    /// @}
    /// XXH3 of the text; the same in every process of this machine's byte order.
    std::uint64_t hash() const { return hash_; }

    bool operator==(const Key& other) const { return text_ == other.text_; }

  private:
    Key(std::string text, std::size_t entity, std::size_t id);

    std::string text_;
    std::size_t entity_;  ///< where it begins
    std::size_t id_;
    std::uint64_t hash_;
};

/// Which of a tenant's keys are meant.
struct Pattern {
    std::string tenant;
    std::string entity;    ///< empty: any
    std::string id = "*";  ///< `*` stands for any bytes, `?` for one; every other byte for itself
    /// Only what has a lower version. None: any.
    std::optional<std::int64_t> below_version{};

    /// Whether it means that key with that version.
    bool matches(const Key& key, std::int64_t version) const;
    /// The same as a glob over key texts, as Redis matches them.
    std::string glob() const;
};

/// XXH3 of any text.
std::uint64_t hash_of(std::string_view text);

}  // namespace zona::cache
