#include "identity/users/detail/throttle.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/text.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "identity/detail/fields.h"
#include "identity/users/collections.h"

namespace zona::identity::detail {

using core::Code;
using core::Error;
using core::Result;
using std::chrono::seconds;
using store::Collection;
using store::Writer;

namespace {

constexpr seconds kForgotten{3600};
constexpr seconds kFirstDelay{1};

/// One line of the table.
struct Rule {
    std::string_view kind;
    std::int64_t from;  ///< the failure with which waiting begins
    seconds longest;
    bool for_known;  ///< it holds for a name where it has signed in before, too
};
constexpr Rule kPair{"pair", 5, std::chrono::minutes(15), true};
constexpr Rule kName{"name", 30, std::chrono::minutes(15), false};
constexpr Rule kAddress{"address", 20, std::chrono::minutes(1), false};

seconds delay_after(const Rule& rule, std::int64_t failures) {
    if (failures < rule.from) return seconds(0);
    constexpr std::int64_t kMostDoublings = 20;
    const auto doublings = std::min(failures - rule.from, kMostDoublings);
    return std::min(rule.longest, kFirstDelay * (std::int64_t{1} << doublings));
}

Collection failures() {
    return {sign_in_failures_spec(), store::Scope::core()};
}

/// What is counted and under which id. Names are hashed: people type passwords in their place.
struct Counted {
    const Rule* rule;
    std::string id;
};

std::vector<Counted> counted(const Attempt& attempt) {
    const auto id = [](const Rule& rule, std::initializer_list<std::string_view> parts) {
        crypto::Sha256 hash;
        for (const std::string_view part : parts) {
            hash.add(fmt::format("{}:", part.size()));
            hash.add(part);
        }
        return fmt::format("{}:{}", rule.kind, crypto::base64url(hash.finish()));
    };
    std::vector<Counted> out;
    out.push_back({&kPair, id(kPair, {attempt.tenant, attempt.name_key, attempt.network})});
    out.push_back({&kName, id(kName, {attempt.tenant, attempt.name_key})});
    if (!attempt.network.empty()) out.push_back({&kAddress, id(kAddress, {attempt.network})});
    return out;
}

struct Count {
    std::int64_t failures = 0;
    core::SystemTime last{};
};

Result<Count> count_of(Writer& core, const std::string& id) {
    ZONA_TRY(const auto found, core.find(failures(), id));
    if (!found) return Count();
    return Count{.failures = whole_in(*found->document, "failures"),
                 .last = time_in(*found->document, "last").value_or(core::SystemTime())};
}

/// Whose it is: nobody's that is an address's, or of a tenant that cannot exist, whose name may be
/// of any length.
std::string tenant_of(const Counted& one, const Attempt& attempt) {
    return one.rule != &kAddress && scope_of(attempt.tenant) ? attempt.tenant : "";
}

Result<void> put(Writer& core, const Attempt& attempt, const Counted& one, const Count& count) {
    ZONA_TRY(const auto stored, core.upsert(failures(), one.id,
                                            {{"tenant", tenant_of(one, attempt)},
                                             {"failures", count.failures},
                                             {"last", to_field(count.last)}}));
    return {};
}

}  // namespace

Result<void> begin_attempt(Writer& core, const Attempt& attempt, core::SystemTime now) {
    for (const Counted& one : counted(attempt)) {
        ZONA_TRY(Count count, count_of(core, one.id));
        if (now - count.last >= kForgotten || now < count.last) count.failures = 0;
        const seconds delay = delay_after(*one.rule, count.failures);
        const bool holds = one.rule->for_known || !attempt.known;
        const auto waited = now - count.last;
        if (holds && waited < delay) {
            const auto left = std::chrono::ceil<seconds>(delay - waited);
            return Error(Code::kTooManyRequests,
                         fmt::format("too many failed tries to sign in: wait {} before the next",
                                     core::format_duration(left)));
        }
        ++count.failures;
        count.last = now;
        ZONA_TRY_VOID(put(core, attempt, one, count));
    }
    return {};
}

Result<void> end_attempt(Writer& core, const Attempt& attempt, Verdict verdict) {
    for (const Counted& one : counted(attempt)) {
        ZONA_TRY(Count count, count_of(core, one.id));
        count.failures = std::max<std::int64_t>(count.failures - 1, 0);
        const bool forget = one.rule == &kPair && verdict == Verdict::kGood;
        if (forget || count.failures == 0) {
            ZONA_TRY([[maybe_unused]] const bool was_there, core.remove(failures(), one.id));
        } else {
            ZONA_TRY_VOID(put(core, attempt, one, count));
        }
    }
    return {};
}

}  // namespace zona::identity::detail
