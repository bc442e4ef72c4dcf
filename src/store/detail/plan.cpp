#include "store/detail/plan.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ranges>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include "store/detail/compare.h"

namespace zona::store::detail {
namespace {

using core::Code;
using core::Error;
using core::Result;
using FilterKind = Filter::Kind;

Error invalid(std::string message) {
    return Error(Code::kInvalidArgument, std::move(message));
}

Result<void> check_value(const json::value& value) {
    if (value.is_double() && !std::isfinite(value.get_double()))
        return invalid("a filter compares with a number that is not finite");
    if (value.is_uint64() && !as_integer(value))
        return invalid("a filter compares with a number above 9223372036854775807");
    return {};
}

Result<void> check_search(const CollectionSpec& spec, const Filter& search) {
    if (spec.search.empty())
        return invalid(fmt::format("collection {} declares no texts for search", spec.name));
    if (search.paths() != spec.search) {
        return invalid(fmt::format("a search in other texts than those that collection {} declares",
                                   spec.name));
    }
    if (search.values().empty())
        return invalid("a search without a word: it takes one letter or digit at least");
    if (search.values().size() > kMaxSearchWords)
        return invalid(fmt::format("a search for more than {} words", kMaxSearchWords));
    return {};
}

Result<void> check_filter(const CollectionSpec& spec, const Filter& filter, std::size_t depth,
                          std::size_t& conditions) {
    if (depth > kMaxFilterDepth)
        return invalid(fmt::format("a filter nested deeper than {} levels", kMaxFilterDepth));
    if (++conditions > kMaxConditions)
        return invalid(fmt::format("a filter of more than {} conditions", kMaxConditions));
    if (filter.values().size() > kMaxInValues)
        return invalid(fmt::format("more than {} values in one `in`", kMaxInValues));
    for (const json::value& value : filter.values())
        ZONA_TRY_VOID(check_value(value));
    if (filter.kind() == FilterKind::kSearch) ZONA_TRY_VOID(check_search(spec, filter));
    for (const Filter& member : filter.members())
        ZONA_TRY_VOID(check_filter(spec, member, depth + 1, conditions));
    return {};
}

/// The conditions that all must hold.
void flatten(const Filter& filter, std::vector<const Filter*>& out) {
    if (filter.kind() == FilterKind::kEverything) return;
    if (filter.kind() != FilterKind::kAll) {
        out.push_back(&filter);
        return;
    }
    for (const Filter& member : filter.members())
        flatten(member, out);
}

/// Those of all searches that must hold.
std::vector<std::string> words_of(const std::vector<const Filter*>& conditions) {
    std::vector<std::string> out;
    for (const Filter* condition : conditions) {
        if (condition->kind() != FilterKind::kSearch) continue;
        for (const json::value& word : condition->values())
            out.emplace_back(word.get_string());
    }
    return out;
}

/// Whether an index field of this type can be searched for the value.
bool fits(FieldType type, const json::value& value) {
    switch (type) {
        case FieldType::kText:
            return value.is_string();
        case FieldType::kInteger:
        case FieldType::kNumber:
            return value.is_number();
        case FieldType::kBoolean:
            return value.is_bool();
        default:
            return false;
    }
}

/// The plan that one index gives, and how good it is.
class Candidate {
  public:
    Candidate(const IndexSpec& index, const std::vector<const Filter*>& conditions)
        : index_(index), conditions_(conditions) {
        plan_.index = &index;
    }

    void bind(Ordered ordered, const Query& query) {
        for (; at_ < index_.fields.size(); ++at_) {
            const Filter* equal = take(FilterKind::kEqual);
            if (equal == nullptr) break;
            plan_.equal.push_back(equal->values().front());
            score_ += 8;
        }
        bound_ = at_;
        if (at_ < index_.fields.size() && !bind_in()) bind_range();
        finish_order();
        plan_.exact = used_ == conditions_.size();
        ordered_ = ordered == Ordered::kNo || serves(query.sort);
    }

    bool usable() const {
        return ordered_ && (index_.coverage == Coverage::kAll || bound_ == index_.fields.size());
    }
    int score() const { return score_; }
    Plan take_plan() { return std::move(plan_); }

  private:
    /// The first unused condition of this kind on the present field.
    const Filter* take(FilterKind kind) {
        const IndexField& field = index_.fields[at_];
        for (const Filter* condition : conditions_) {
            if (condition->kind() != kind || condition->path() != field.path) continue;
            if (!std::ranges::all_of(condition->values(), [&field](const json::value& value) {
                    return fits(field.type, value);
                }))
                continue;
            ++used_;
            return condition;
        }
        return nullptr;
    }

    bool bind_in() {
        const Filter* in = take(FilterKind::kIn);
        if (in == nullptr) return false;
        std::vector<json::value> values = in->values();
        std::ranges::sort(
            values, [](const json::value& a, const json::value& b) { return compare(a, b) < 0; });
        values.erase(std::unique(values.begin(), values.end(), equal), values.end());
        plan_.in = std::move(values);
        bound_ = ++at_;
        score_ += 6;
        return true;
    }

    void bind_range() {
        using Ends = Bound::Ends;
        if (const Filter* prefix = take(FilterKind::kPrefix)) {
            const json::value& text = prefix->values().front();
            plan_.lower = {text, Ends::kInclusive};
            // No byte of UTF-8 is as large.
            json::string end = text.get_string();
            end.push_back('\xFF');
            plan_.upper = {json::value(std::move(end)), Ends::kExclusive};
        } else {
            bind_end(plan_.lower, FilterKind::kGreaterOrEqual, FilterKind::kGreater);
            bind_end(plan_.upper, FilterKind::kLessOrEqual, FilterKind::kLess);
        }
        if (plan_.lower || plan_.upper) {
            bound_ = at_ + 1;
            score_ += plan_.lower && plan_.upper ? 3 : 2;
        }
    }

    void bind_end(std::optional<Bound>& end, FilterKind inclusive, FilterKind exclusive) {
        if (const Filter* found = take(inclusive)) {
            end = {found->values().front(), Bound::Ends::kInclusive};
        } else if (const Filter* other = take(exclusive)) {
            end = {other->values().front(), Bound::Ends::kExclusive};
        }
    }

    void finish_order() {
        plan_.order.assign(index_.fields.begin() + static_cast<std::ptrdiff_t>(at_),
                           index_.fields.end());
        plan_.by_creation = index_.uniqueness == Uniqueness::kAny || plan_.order.empty();
        // Over the values of an `in` its fields are not total any more.
        if (index_.uniqueness == Uniqueness::kUnique && plan_.in && !plan_.order.empty())
            ordered_possible_ = false;
        if (index_.uniqueness == Uniqueness::kUnique && plan_.order.empty()) score_ += 4;
    }

    bool serves(const std::vector<Path>& sort) const {
        return ordered_possible_ && sort.size() <= plan_.order.size() &&
               std::ranges::equal(sort, plan_.order | std::views::take(sort.size()), {}, {},
                                  &IndexField::path);
    }

    const IndexSpec& index_;
    const std::vector<const Filter*>& conditions_;
    Plan plan_;
    std::size_t at_ = 0;     // field that is bound next
    std::size_t bound_ = 0;  // fields that conditions bind
    std::size_t used_ = 0;   // conditions that the index answers
    int score_ = 0;
    bool ordered_possible_ = true;
    bool ordered_ = true;
};

std::string describe(const CollectionSpec& spec, const std::vector<const Filter*>& conditions,
                     const std::vector<Path>& sort) {
    std::vector<std::string> fields;
    for (const Filter* condition : conditions) {
        if (condition->kind() == FilterKind::kAny || condition->kind() == FilterKind::kNot ||
            condition->kind() == FilterKind::kSearch)
            continue;
        fields.push_back(condition->path().pointer());
    }
    std::vector<std::string> order;
    order.reserve(sort.size());
    for (const Path& path : sort)
        order.push_back(path.pointer());
    return fmt::format(
        "collection {}: no index serves the conditions on [{}] in the order [{}]: declare one that "
        "begins with the fields compared by eq and goes on with the order",
        spec.name, fmt::join(fields, ", "), fmt::join(order, ", "));
}

}  // namespace

Result<Plan> plan(const CollectionSpec& spec, const Query& query, Ordered ordered) {
    std::size_t count = 0;
    ZONA_TRY_VOID(check_filter(spec, query.filter, 1, count));
    std::vector<const Filter*> conditions;
    flatten(query.filter, conditions);
    std::optional<Candidate> best;
    for (const IndexSpec& index : spec.indexes) {
        Candidate candidate(index, conditions);
        candidate.bind(ordered, query);
        if (!candidate.usable()) continue;
        if (!best || candidate.score() > best->score()) best.emplace(std::move(candidate));
    }
    std::vector<std::string> words = words_of(conditions);
    const bool walks = best && best->score() == 0 && !conditions.empty() && words.empty();
    if (!best || (walks && query.walk == Walk::kRefuse))
        return invalid(describe(spec, conditions, query.sort));
    Plan plan = best->take_plan();
    plan.words = std::move(words);
    return plan;
}

bool is_walk(const Plan& plan) {
    return plan.equal.empty() && !plan.in && !plan.lower && !plan.upper;
}

Place place_of(const Plan& plan, const Record& record) {
    Place place;
    for (const IndexField& field : plan.order) {
        const json::value* value = find(*record.document, field.path);
        place.push_back(value == nullptr ? json::value() : *value);
    }
    if (plan.by_creation) {
        place.emplace_back(microseconds(record.created));
        std::visit([&place](const auto& id) { place.emplace_back(id); }, record.id);
    }
    return place;
}

std::strong_ordering compare_places(const Place& a, const Place& b) {
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        if (kind_of(a[i]) != kind_of(b[i])) return kind_of(a[i]) <=> kind_of(b[i]);
        const std::partial_ordering order = compare(a[i], b[i]);
        if (order < 0) return std::strong_ordering::less;
        if (order > 0) return std::strong_ordering::greater;
    }
    return a.size() <=> b.size();
}

std::int64_t microseconds(core::SystemTime time) {
    return std::chrono::floor<std::chrono::microseconds>(time).time_since_epoch().count();
}

core::SystemTime from_microseconds(std::int64_t count) {
    return core::SystemTime(std::chrono::microseconds(count));
}

}  // namespace zona::store::detail
