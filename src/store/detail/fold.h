/// @file
/// Fold: the numbers of an aggregation, one document after the other.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include <boost/json/object.hpp>

#include "core/result.h"
#include "store/detail/compare.h"
#include "store/query.h"

namespace zona::store::detail {

/// Whether the aggregation makes sense for the collection.
/// Errors: kInvalidArgument: group_by is in no index; a measure without its path.
core::Result<void> check_aggregation(const CollectionSpec& spec, const Aggregation& aggregation);

/// One aggregation under way. One thread.
class Fold {
  public:
    /// `aggregation` outlives it.
    explicit Fold(const Aggregation& aggregation) : aggregation_(aggregation) {}

    /// What a measure of whole numbers comes to over some documents.
    struct Whole {
        std::uint64_t count = 0;  ///< of documents for kCount, else of numbers
        __int128 sum = 0;
        std::int64_t least = 0;  ///< without a number, nothing, as `most`
        std::int64_t most = 0;
    };

    /// @{
    /// One document; or all those of a group, by the measures in their order.
    /// Errors: kTooLarge: one group too many.
    core::Result<void> add(const Document& document);
    core::Result<void> add(const json::value& key, const std::vector<Whole>& measures);
    /// @}
    /// The groups, in the order of their keys. Errors: kInvalidArgument: a sum over 64 bits.
    core::Result<std::vector<Group>> finish() const;

  private:
    /// What one measure has seen. Whole numbers are summed in 128 bits, which no number of
    /// documents that can be stored exceeds.
    struct Sum {
        std::uint64_t count = 0;
        std::uint64_t reals = 0;
        __int128 whole = 0;
        double real = 0;
        json::value least;
        json::value most;
    };
    struct ByKey {
        bool operator()(const json::value& a, const json::value& b) const {
            if (kind_of(a) != kind_of(b)) return kind_of(a) < kind_of(b);
            return compare(a, b) < 0;
        }
    };
    static void add_number(Sum& sum, const json::value& number);
    core::Result<std::vector<Sum>*> group(const json::value& key);

    const Aggregation& aggregation_;
    std::map<json::value, std::vector<Sum>, ByKey> groups_;
};

}  // namespace zona::store::detail
