#include "store/detail/fold.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace zona::store::detail {
namespace {

using core::Code;
using core::Error;
using core::Result;
using Number = std::variant<std::int64_t, double>;

std::optional<Number> as_number(const json::value& value) {
    if (const auto whole = as_integer(value)) return *whole;
    if (value.is_double()) return value.get_double();
    return std::nullopt;
}

}  // namespace

Result<void> check_aggregation(const CollectionSpec& spec, const Aggregation& aggregation) {
    for (const Measure& measure : aggregation.measures) {
        if (measure.kind != Measure::Kind::kCount && !measure.path)
            return Error(Code::kInvalidArgument, "a measure other than the count needs a path");
    }
    if (!aggregation.group_by) return {};
    const bool indexed = std::ranges::any_of(spec.indexes, [&](const IndexSpec& index) {
        return std::ranges::find(index.fields, *aggregation.group_by, &IndexField::path) !=
               index.fields.end();
    });
    if (indexed) return {};
    return Error(Code::kInvalidArgument,
                 fmt::format("collection {}: groups are by a field of an index, and {} is in none",
                             spec.name, aggregation.group_by->pointer()));
}

void Fold::add_number(Sum& sum, const json::value& number) {
    ++sum.count;
    if (const auto whole = as_integer(number)) {
        sum.whole += *whole;
    } else {
        ++sum.reals;
        sum.real += number.get_double();
    }
    if (sum.count == 1 || compare(number, sum.least) < 0) sum.least = number;
    if (sum.count == 1 || compare(number, sum.most) > 0) sum.most = number;
}

Result<std::vector<Fold::Sum>*> Fold::group(const json::value& key) {
    const auto [group, fresh] = groups_.try_emplace(key, aggregation_.measures.size());
    if (fresh && groups_.size() > aggregation_.max_groups) {
        return Error(Code::kTooLarge, fmt::format("more than {} groups: narrow the filter",
                                                  aggregation_.max_groups));
    }
    return &group->second;
}

Result<void> Fold::add(const json::value& key, const std::vector<Whole>& measures) {
    ZONA_TRY(std::vector<Sum>* const sums, group(key));
    for (std::size_t i = 0; i < measures.size(); ++i) {
        const Whole& whole = measures[i];
        (*sums)[i] = {.count = whole.count, .whole = whole.sum};
        if (whole.count == 0) continue;
        (*sums)[i].least = whole.least;
        (*sums)[i].most = whole.most;
    }
    return {};
}

Result<void> Fold::add(const Document& document) {
    const json::value* key =
        aggregation_.group_by ? find(document, *aggregation_.group_by) : nullptr;
    ZONA_TRY(std::vector<Sum>* const sums, group(key == nullptr ? json::value() : *key));
    for (std::size_t i = 0; i < aggregation_.measures.size(); ++i) {
        const Measure& measure = aggregation_.measures[i];
        Sum& sum = (*sums)[i];
        if (measure.kind == Measure::Kind::kCount) {
            ++sum.count;
            continue;
        }
        const json::value* value = find(document, *measure.path);
        if (value != nullptr && value->is_number()) add_number(sum, *value);
    }
    return {};
}

Result<std::vector<Group>> Fold::finish() const {
    std::vector<Group> out;
    for (const auto& [key, sums] : groups_) {
        Group group;
        if (!key.is_null()) group.key = std::make_shared<const Value>(key);
        for (std::size_t i = 0; i < sums.size(); ++i) {
            const Sum& sum = sums[i];
            const double total = static_cast<double>(sum.whole) + sum.real;
            switch (aggregation_.measures[i].kind) {
                case Measure::Kind::kCount:
                    group.values.emplace_back(static_cast<std::int64_t>(sum.count));
                    break;
                case Measure::Kind::kMin:
                    group.values.push_back(as_number(sum.least));
                    break;
                case Measure::Kind::kMax:
                    group.values.push_back(as_number(sum.most));
                    break;
                case Measure::Kind::kAverage:
                    group.values.push_back(
                        sum.count == 0
                            ? std::nullopt
                            : std::optional<Number>(total / static_cast<double>(sum.count)));
                    break;
                case Measure::Kind::kSum:
                    if (sum.reals > 0) {
                        group.values.emplace_back(total);
                        break;
                    }
                    if (sum.whole > std::numeric_limits<std::int64_t>::max() ||
                        sum.whole < std::numeric_limits<std::int64_t>::min())
                        return Error(Code::kInvalidArgument, "a sum is over 64 bits");
                    group.values.emplace_back(static_cast<std::int64_t>(sum.whole));
                    break;
            }
        }
        out.push_back(std::move(group));
    }
    return out;
}

}  // namespace zona::store::detail
