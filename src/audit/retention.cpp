#include "audit/retention.h"

#include <memory>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "audit/detail/codec.h"

namespace zona::audit {

namespace json = boost::json;
using core::Result;

namespace {

/// Spans that are read at once.
constexpr std::size_t kPage = 500;

Entry about(Entry entry, std::string_view action, std::string resource, json::object context) {
    entry.category = Category::kCompliance;
    entry.action = action;
    entry.resource = std::move(resource);
    entry.context = std::make_shared<const json::object>(std::move(context));
    return entry;
}

}  // namespace

Entry archived_entry(Entry entry, const ArchivedSpan& span) {
    entry.details = fmt::format("entries {} to {} are in {}", span.first, span.last, span.file);
    return about(std::move(entry), kArchiveAction, "/audit/archives/" + span.file,
                 {{"first", span.first}, {"last", span.last}, {"hash", span.hash}});
}

Entry purged_entry(Entry entry, const std::string& collection, std::uint64_t documents) {
    entry.details = fmt::format("{} documents were older than they are kept", documents);
    return about(std::move(entry), kPurgeAction, "/collections/" + collection,
                 {{"collection", collection}, {"documents", documents}});
}

Entry failed_entry(Entry entry, std::string_view action, const core::Error& why) {
    entry.outcome = Outcome::kFailure;
    entry.category = Category::kCompliance;
    entry.action = action;
    entry.resource = action == kArchiveAction ? "/audit/archives" : "/collections";
    entry.details = why.message();
    return entry;
}

void RetentionReport::count(const Recorded& recorded) {
    const Entry& entry = recorded.entry;
    if (entry.actor.kind != "system") return;
    const bool is_purge = entry.action == kPurgeAction;
    if (!is_purge && entry.action != kArchiveAction) return;
    if (entry.outcome != Outcome::kSuccess)
        return fail({.at = entry.at, .action = entry.action, .problem = entry.details});
    if (!is_purge || !entry.context) return;
    const std::int64_t documents = detail::whole_in(*entry.context, "documents");
    purged[detail::text_in(*entry.context, "collection")] += static_cast<std::uint64_t>(documents);
}

void RetentionReport::fail(RetentionFailure failure) {
    ++failed;
    if (failures.size() < kMostFailures) failures.push_back(std::move(failure));
}

Result<void> count_archives(RetentionReport& report, Books& books, const store::Scope& scope,
                            core::SystemTime from, core::SystemTime to, const PublicKeys& keys) {
    std::vector<ArchivedSpan> spans;
    do {
        const std::int64_t next = spans.empty() ? 0 : spans.back().last + 1;
        ZONA_TRY_VOID(books.read(store::Scope::core(), [&](store::Reader& core) -> Result<void> {
            ZONA_TRY(spans, archived_spans(core, scope, next, kPage));
            return {};
        }));
        for (const ArchivedSpan& span : spans) {
            if (span.at < from || span.at >= to) continue;
            if (!is_genuine(span, keys)) {
                report.fail({.at = span.at,
                             .action = std::string(kArchiveAction),
                             .problem = fmt::format("{}: what is kept of it is not signed by a key "
                                                    "of this installation",
                                                    span.file)});
                continue;
            }
            ++report.archives;
            report.archived += static_cast<std::uint64_t>(span.last - span.first + 1);
        }
    } while (spans.size() == kPage);
    return {};
}

}  // namespace zona::audit
