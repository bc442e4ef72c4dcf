#include "store/mongo/detail/scan.h"

#include <algorithm>
#include <utility>

#include "store/detail/compare.h"
#include "store/detail/refusals.h"
#include "store/mongo/detail/pushdown.h"

namespace zona::store::mongo {

using core::Result;

namespace {

// A page's worth at least, of which the server keeps nothing behind.
constexpr std::size_t kBatch = 101;

bool is_in(const KeyRange& range, std::string_view key) {
    return (range.without_from ? key > range.from : key >= range.from) && key < range.to;
}

}  // namespace

Bson range_filter(const IndexSpec& index, const KeyRange& range) {
    Bson bounds;
    bounds.put(range.without_from ? "$gt" : "$gte", range.from).put("$lt", range.to);
    Bson out;
    out.put(key_field(index), bounds);
    return out;
}

namespace {

/// One of the words is in the range: not one above its begin and another below its end.
Bson word_filter(const KeyRange& range) {
    const Bson bounds = Bson().put("$gte", range.from).put("$lt", range.to);
    return Bson().put(kWordsField, Bson().put("$elemMatch", bounds));
}

}  // namespace

Scan::Scan(Client& client, const ScanRequest& request, Overlay overlay)
    : client_(client), request_(request), overlay_(std::move(overlay)) {
    if (request_.plan.in) {
        for (const json::value& value : *request_.plan.in)
            open(&value);
    } else {
        open(nullptr);
    }
    lay_over();
}

void Scan::open(const json::value* in) {
    const Plan& plan = request_.plan;
    const Scope& scope = request_.collection.scope();
    KeyRange range = range_of(scope, plan, in);
    if (request_.after != nullptr && holds_place(plan))
        go_behind(range, scope, plan, in, *request_.after, request_.direction);
    if (range.from >= range.to) return;
    std::vector<Bson> conditions = {range_filter(*plan.index, range)};
    if (!plan.exact) {
        for (Bson& condition : pushdown(request_.filter))
            conditions.push_back(std::move(condition));
    }
    for (const std::string& word : plan.words)
        conditions.push_back(word_filter(range_of_word(scope, word)));
    Bson filter = conditions.size() == 1 ? conditions.front() : Bson().put("$and", conditions);
    Bson options;
    if (request_.ordered == Ordered::kYes) {
        const bool forward = request_.direction == Direction::kAscending;
        options.put("sort", Bson().put(key_field(*plan.index), forward ? 1 : -1));
    }
    // Whether few have the words or many, the server tries out.
    if (plan.words.empty()) options.put("hint", plan.index->name);
    if (request_.wanted > 0) {
        const std::size_t most = request_.wanted + overlay_.hidden.size();
        if (plan.exact) options.put("limit", static_cast<std::int64_t>(most));
        options.put("batchSize", static_cast<std::int64_t>(std::max(most, kBatch)));
    }
    sources_.push_back(
        {.cursor = client_.find(request_.collection.name(), filter, std::move(options))});
}

void Scan::lay_over() {
    if (overlay_.records.empty()) return;
    const Plan& plan = request_.plan;
    const Scope& scope = request_.collection.scope();
    std::vector<KeyRange> ranges;
    if (plan.in) {
        for (const json::value& value : *plan.in)
            ranges.push_back(range_of(scope, plan, &value));
    } else {
        ranges.push_back(range_of(scope, plan, nullptr));
    }
    std::erase_if(overlay_.records, [&](const Record& record) {
        const auto key = index_key(*plan.index, scope, *record.document, record.created, record.id);
        return !key || std::ranges::none_of(
                           ranges, [&](const KeyRange& range) { return is_in(range, *key); });
    });
    std::ranges::sort(
        overlay_.records, [this](const Place& a, const Place& b) { return is_before(a, b); },
        [&plan](const Record& record) { return place_of(plan, record); });
    if (!overlay_.records.empty()) sources_.push_back({});
}

bool Scan::is_before(const Place& a, const Place& b) const {
    const auto order = compare_places(a, b);
    return request_.direction == Direction::kAscending ? order < 0 : order > 0;
}

Result<std::optional<Stored>> Scan::fetch(Source& source) {
    if (!source.cursor) {
        if (overlaid_ == overlay_.records.size()) return std::nullopt;
        return Stored{.record = overlay_.records[overlaid_++]};
    }
    while (true) {
        ZONA_TRY(const bson_t* const document, source.cursor->next());
        if (document == nullptr) return std::nullopt;
        ZONA_TRY(Stored stored, read_stored(request_.collection.spec(), document));
        if (stored.gone || overlay_.hidden.contains(stored.key)) continue;
        ZONA_TRY_VOID(check_owner(request_.collection, stored.record));
        return stored;
    }
}

Result<void> Scan::advance(Source& source) {
    while (true) {
        ZONA_TRY(source.head, fetch(source));
        if (!source.head) return {};
        // The places of an only source are as it gives them.
        if (sources_.size() > 1 || request_.after != nullptr)
            source.place = place_of(request_.plan, source.head->record);
        if (request_.after == nullptr || is_before(*request_.after, source.place)) return {};
    }
}

Result<std::optional<Stored>> Scan::next() {
    if (!begun_) {
        begun_ = true;
        for (Source& source : sources_)
            ZONA_TRY_VOID(advance(source));
    }
    Source* best = nullptr;
    for (Source& source : sources_) {
        if (!source.head) continue;
        if (best == nullptr || is_before(source.place, best->place)) best = &source;
        if (request_.ordered == Ordered::kNo) break;
    }
    if (best == nullptr) return std::nullopt;
    std::optional<Stored> out = std::move(best->head);
    ZONA_TRY_VOID(advance(*best));
    return out;
}

}  // namespace zona::store::mongo
