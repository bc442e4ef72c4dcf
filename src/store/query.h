/// @file
/// What is asked for: filter, order, page, aggregation.
///
/// A filter is a tree that is built by functions, never parsed from a text. Values are compared by
/// kind: a number never equals a text; 1 equals 1.0; texts and keys compare byte by byte; false
/// is before true; objects are equal whatever the order of their keys. Range conditions hold for
/// numbers, texts and booleans of the condition's own kind and nothing else. A field that is
/// absent meets only `ne`, `exists(kNo)` and what `negate` makes of others.
///
/// Every query is served by a declared index, or refused: the conditions that all must hold (the
/// filter itself, or the members of its outermost `all`) are matched against the indexes. An index
/// serves when `eq` binds its first fields, then at most one `in` of the next field or a range of
/// it, and the rest of its order is the order that is asked for. All other conditions are checked
/// document by document on the way. Where no index is bound by a condition, the query is refused
/// unless Walk::kAllow says that looking at all documents of the scope is meant.
///
/// A search that must hold is served in whatever order is asked for, by the index of words or by
/// the way through the order, whichever looks at fewer documents; it needs no Walk::kAllow.
/// docs/adr/0014-text-search.md. Value types; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/result.h"
#include "store/collection.h"
#include "store/value.h"

namespace zona::store {

/// Values of one `in`.
inline constexpr std::size_t kMaxInValues = 64;
/// Conditions of one filter, counted at all levels.
inline constexpr std::size_t kMaxConditions = 256;
/// How deep conditions may be nested.
inline constexpr std::size_t kMaxFilterDepth = 16;
/// Words of one search.
inline constexpr std::size_t kMaxSearchWords = 16;
/// Letters by which a word counts; what is behind them does not.
inline constexpr std::size_t kMaxWordLetters = 64;
/// Different words by which a document is found: the first ones, in the order of the declared
/// paths.
inline constexpr std::size_t kMaxDocumentWords = 1000;
/// Documents of one page.
inline constexpr std::size_t kMaxPageSize = 1000;

/// Whether a field is there, with any value, null included.
enum class Exists : std::uint8_t { kNo, kYes };

/// Which documents. Immutable; copies share the tree. One made by default holds for all.
class Filter {
  public:
    /// What a condition asks.
    enum class Kind : std::uint8_t {
        kEverything,
        kEqual,
        kNotEqual,
        kIn,
        kLess,
        kLessOrEqual,
        kGreater,
        kGreaterOrEqual,
        kExists,
        kPrefix,
        kSearch,
        kAll,
        kAny,
        kNot,
    };

    Filter();
    /// @{
    /// The field is there, and compares so with `value`; ne: is not there, or is not equal.
    static Filter eq(Path path, const Value& value);
    static Filter ne(Path path, const Value& value);
    static Filter lt(Path path, const Value& value);
    static Filter lte(Path path, const Value& value);
    static Filter gt(Path path, const Value& value);
    static Filter gte(Path path, const Value& value);
    /// @}
    /// Equal to one of `values`; of none for an empty list.
    static Filter in(Path path, std::vector<Value> values);
    /// Whatever it holds, null included.
    static Filter exists(Path path, Exists exists);
    /// A text that begins with `text`, which is no pattern.
    static Filter prefix(Path path, std::string_view text);
    /// The texts at `paths`, which are those of the collection's declaration
    /// (CollectionSpec::search), hold all words of `text`, anywhere and in any order. A word is a
    /// run of letters and digits of Unicode, whatever their case; accents count. If `text` ends in
    /// a word and `*`, that is the beginning of one. Queries refuse one without a word, of more
    /// than kMaxSearchWords, or of other paths, with kInvalidArgument. Source: DATA-39.
    static Filter search(std::vector<Path> paths, std::string_view text);
    static Filter all(std::vector<Filter> members);  ///< of none: holds
    static Filter any(std::vector<Filter> members);  ///< of none: does not hold
    /// Holds where `member` does not.
    static Filter negate(Filter member);

    Kind kind() const;         ///< which of the functions above made it
    const Path& path() const;  ///< of a condition on a field
    /// One; of kIn any number, of kExists a boolean, of kSearch the different words in lower case,
    /// the last with a `*` if it is a beginning.
    const std::vector<Value>& values() const;
    const std::vector<Path>& paths() const;      ///< of kSearch
    const std::vector<Filter>& members() const;  ///< of kAll, kAny and kNot

    /// Whether `document` meets it. This function is what all backends agree with.
    bool matches(const Document& document) const;

  private:
    struct Node;
    explicit Filter(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
    std::shared_ptr<const Node> node_;
};

/// The way through an order.
enum class Direction : std::uint8_t { kAscending, kDescending };
/// Whether a query that no index bounds may look at all documents of the scope in the order of one.
enum class Walk : std::uint8_t { kRefuse, kAllow };

/// Which documents, in which order.
struct Query {
    Filter filter;
    /// Fields to sort by; the order goes on with the rest of the index, the moment of creation and
    /// the id. Empty: by the fields of the index that serves the filter best, whichever that is.
    std::vector<Path> sort;
    Direction direction = Direction::kAscending;  ///< of all of it
    Walk walk = Walk::kRefuse;
};

/// Which part of the answer.
struct PageRequest {
    std::size_t limit = 20;  ///< 1 to kMaxPageSize
    /// `next` of the page before; empty: the first page.
    std::string token;
};

/// A part of the answer.
struct Page {
    std::vector<Record> records;
    /// Empty: there is no more. A page may hold fewer than it was asked for, even none, and have a
    /// next one: when as many documents were looked at as the store allows for one page.
    std::string next;
};

/// What is computed of each group.
struct Measure {
    /// kCount counts documents; the others take the numbers at `path` and pass over all else.
    enum class Kind : std::uint8_t { kCount, kSum, kMin, kMax, kAverage };
    Kind kind = Kind::kCount;
    std::optional<Path> path;  ///< of all but kCount
};

/// Numbers over the documents of a filter.
struct Aggregation {
    Filter filter;
    std::optional<Path> group_by;  ///< a field of an index; none: all is one group
    std::vector<Measure> measures;
    Walk walk = Walk::kRefuse;
    std::size_t max_groups = 1000;
};

/// One group.
struct Group {
    std::shared_ptr<const Value> key;  ///< null: there is no group_by, or the field is absent
    /// In the order of the measures; none for kMin, kMax and kAverage of no numbers. A sum of whole
    /// numbers is exact or an error, and an average is that of the exact sum.
    std::vector<std::optional<std::variant<std::int64_t, double>>> values;
};

}  // namespace zona::store
