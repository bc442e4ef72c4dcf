#include "audit/report.h"

#include <utility>

namespace zona::audit {

using core::Result;

namespace {

void count(std::map<std::string, std::uint64_t>& in, std::string name) {
    if (in.size() >= kMostNamed && !in.contains(name)) name = "(others)";
    ++in[std::move(name)];
}

void count(Report& in, const Recorded& one) {
    ++in.entries;
    count(in.categories, std::string(to_string(one.entry.category)));
    count(in.outcomes, std::string(to_string(one.entry.outcome)));
    count(in.actions, one.entry.action);
    count(in.actors, one.entry.actor.subject());
    if (one.erased) ++in.erased;
    in.retention.count(one);
}

}  // namespace

Result<Report> make_report(Books& books, const store::Scope& scope, core::SystemTime from,
                           core::SystemTime to, const std::function<Result<void>()>& go_on) {
    Report out{.from = from,
               .to = to,
               .categories = {},
               .outcomes = {},
               .actions = {},
               .actors = {},
               .retention = {}};
    const Wanted wanted{.from = from, .to = to, .direction = store::Direction::kAscending};
    std::string token;
    do {
        if (go_on) ZONA_TRY_VOID(go_on());
        EntryPage page;
        ZONA_TRY_VOID(books.read(scope, [&](store::Reader& reader) -> Result<void> {
            ZONA_TRY(page,
                     find_entries(reader, scope, wanted, {.limit = kMostAtOnce, .token = token}));
            return {};
        }));
        for (const Recorded& one : page.entries)
            count(out, one);
        token = std::move(page.next);
    } while (!token.empty());
    ZONA_TRY(const PublicKeys keys, public_keys(books));
    ZONA_TRY_VOID(count_archives(out.retention, books, scope, from, to, keys));
    ZONA_TRY(out.verification, verify(books, scope, keys, {}, go_on));
    return out;
}

}  // namespace zona::audit
