/// @file
/// Scan: the documents of a plan, one after the other, from the server and from what a session has
/// changed.
///
/// Each value of a plan's `in` is a range of its own with a cursor of its own; the ranges are
/// merged by the plan's order, as they stand side by side in the index and not one in the other.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "core/result.h"
#include "store/detail/plan.h"
#include "store/mongo/detail/client.h"
#include "store/mongo/detail/key.h"
#include "store/mongo/detail/stored.h"

namespace zona::store::mongo {

/// What is wanted; all referred to outlives the scan.
struct ScanRequest {
    const Collection& collection;
    const Filter& filter;
    const Plan& plan;
    Ordered ordered = Ordered::kNo;
    Direction direction = Direction::kAscending;
    const Place* after = nullptr;
    std::size_t wanted = 0;  ///< so many are likely to be taken; 0: all
};

/// What a session has changed.
struct Overlay {
    std::vector<Record> records;   ///< that the scan should find; in any order
    std::set<std::string> hidden;  ///< what is stored under these keys is not what there is
};

class Scan {
  public:
    Scan(Client& client, const ScanRequest& request, Overlay overlay);

    /// The next one, whether it meets the filter or not; nothing: there is no more. One that was
    /// laid over has no tag. Errors: those of Client; kForbidden: it is of another scope.
    core::Result<std::optional<Stored>> next();

  private:
    struct Source {
        std::optional<Cursor> cursor;
        std::optional<Stored> head;
        Place place;
    };
    void open(const json::value* in);
    void lay_over();
    core::Result<void> advance(Source& source);
    core::Result<std::optional<Stored>> fetch(Source& source);
    bool is_before(const Place& a, const Place& b) const;

    Client& client_;
    const ScanRequest request_;
    Overlay overlay_;
    std::size_t overlaid_ = 0;  // of its records, those that were given
    std::vector<Source> sources_;
    bool begun_ = false;
};

/// The filter by which the server finds what is in a range.
Bson range_filter(const IndexSpec& index, const KeyRange& range);

}  // namespace zona::store::mongo
