#include "store/mongo/detail/storage_sums.h"

#include <algorithm>
#include <utility>

#include "store/mongo/detail/stored.h"

namespace zona::store::mongo {

using core::Result;

namespace {

constexpr std::chrono::minutes kShortest{1};
constexpr std::chrono::hours kLongest{1};
// How long a sum is good for that others wrote beside.
constexpr std::chrono::seconds kUnsure{1};
// A sum may take a hundredth of the server's time.
constexpr int kShare = 100;
// How often a sum is taken until nobody writes beside it.
constexpr int kTries = 3;

}  // namespace

Result<Amount> StorageSums::of(Client& client, const Scope& scope) {
    std::unique_lock lock(mutex_);
    Sum& sum = sums_[scope.code()];
    taken_.wait(lock, [&sum] { return sum.is_known || !sum.is_taken; });
    const bool is_good = sum.is_known && clock_.steady() < sum.good_until;
    if (is_good || sum.is_taken) return sum.now;
    sum.is_taken = true;
    auto done = take(client, scope, sum, lock);
    sum.is_taken = false;
    taken_.notify_all();
    if (!done.has_value()) return done.take_error();
    return sum.now;
}

Result<void> StorageSums::take(Client& client, const Scope& scope, Sum& sum,
                               std::unique_lock<std::mutex>& lock) {
    const core::SteadyTime begun = clock_.steady();
    for (int i = 1;; ++i) {
        const Amount before = sum.now;
        const std::uint64_t changes = sum.changes;
        // A transaction of the server's sees what was there when it began.
        const bool was_quiet = sum.under_way == 0 && !client.in_transaction();
        lock.unlock();
        Result<Amount> there = sum_there(client, scope);
        lock.lock();
        if (!there.has_value()) return there.take_error();
        const bool is_sure = was_quiet && sum.changes == changes;
        if (!is_sure && i < kTries) continue;
        const Amount meanwhile{.documents = sum.now.documents - before.documents,
                               .bytes = sum.now.bytes - before.bytes};
        sum.now = *there;
        sum.now += meanwhile;
        sum.is_known = true;
        const core::SteadyTime now = clock_.steady();
        const auto good_for =
            std::clamp<core::SteadyTime::duration>((now - begun) * kShare, kShortest, kLongest);
        sum.good_until = now + (is_sure ? good_for : kUnsure);
        return {};
    }
}

/// Keys of a scope's documents begin with its code and a slash. Asked twice: FerretDB gives the
/// second of two numbers over one group as 0.
Result<Amount> StorageSums::sum_there(Client& client, const Scope& scope) const {
    const Bson range = Bson().put("$gte", scope.code() + "/").put("$lt", scope.code() + "0");
    const Bson live = Bson().put("$ne", true);
    const Bson match = Bson().put("$match", Bson().put(kIdField, range).put(kGoneField, live));
    const Bson size = Bson().put("$sum", std::string("$") + kBytesField);
    const Bson sum = Bson().put("$group", Bson().put(kIdField, "").put("n", size));
    const Bson count = Bson().put("$count", "n");
    const auto number = [&](const CollectionSpec& spec, const Bson& of) -> Result<std::int64_t> {
        Cursor cursor = client.aggregate(spec.name, {match, of});
        ZONA_TRY(const bson_t* const answer, cursor.next());
        return answer == nullptr ? 0 : Bson(answer).integer("n");
    };
    Amount total;
    for (const CollectionSpec* spec : collections_) {
        if (!spec->is_counted()) continue;
        ZONA_TRY(const std::int64_t documents, number(*spec, count));
        if (documents == 0) continue;
        ZONA_TRY(const std::int64_t bytes, number(*spec, sum));
        total += {.documents = documents, .bytes = bytes};
    }
    return total;
}

void StorageSums::begin(const Amounts& changes) {
    const std::lock_guard lock(mutex_);
    for (const auto& [scope, amount] : changes) {
        Sum& sum = sums_[scope];
        ++sum.changes;
        ++sum.under_way;
    }
}

void StorageSums::end(const Amounts& changes, bool were_made) {
    const std::lock_guard lock(mutex_);
    for (const auto& [scope, amount] : changes) {
        Sum& sum = sums_[scope];
        ++sum.changes;
        --sum.under_way;
        if (were_made) sum.now += amount;
    }
}

void StorageSums::distrust() {
    const std::lock_guard lock(mutex_);
    const core::SteadyTime soon = clock_.steady() + kUnsure;
    for (auto& [scope, sum] : sums_) {
        ++sum.changes;  // for one that is being taken
        sum.good_until = std::min(sum.good_until, soon);
    }
}

}  // namespace zona::store::mongo
