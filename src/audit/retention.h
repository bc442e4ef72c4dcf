/// @file
/// What retention has done: as it is put on record, and as a report tells it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "audit/archive.h"
#include "audit/books.h"
#include "audit/chain.h"
#include "audit/notary.h"
#include "core/clock.h"
#include "core/result.h"

namespace zona::audit {

inline constexpr std::string_view kArchiveAction = "archiveAudit";  ///< entries left a record
inline constexpr std::string_view kPurgeAction = "purgeDocuments";  ///< documents were removed

/// @{
/// `entry`, which is one of now (Recorder::begin()), about retention: that a span has left; that
/// `documents` of a collection were removed; that an action could not be done, and why.
Entry archived_entry(Entry entry, const ArchivedSpan& span);
Entry purged_entry(Entry entry, const std::string& collection, std::uint64_t documents);
Entry failed_entry(Entry entry, std::string_view action, const core::Error& why);
/// @}

/// Something that retention was to do and could not.
struct RetentionFailure {
    core::SystemTime at{};
    std::string action;  ///< kArchiveAction or kPurgeAction
    std::string problem;
};
/// Failures that a report tells one by one.
inline constexpr std::size_t kMostFailures = 100;

/// What retention did in a period. Source: AUDIT-12.
struct RetentionReport {
    std::uint64_t archives = 0;                   ///< that were made
    std::uint64_t archived = 0;                   ///< entries in them
    std::map<std::string, std::uint64_t> purged;  ///< documents, by collection
    std::uint64_t failed = 0;                     ///< times that it could not
    std::vector<RetentionFailure> failures;       ///< the first kMostFailures of them

    /// Counts an entry of the period, if retention has put it on record: nobody else's counts.
    void count(const Recorded& recorded);
    /// Notes that it could not.
    void fail(RetentionFailure failure);
};

/// Counts the archives that were made with `from` <= time < `to`, whether or not the entries about
/// them are in an archive by now. One whose span nobody of `keys` has signed is a failure. Blocks.
/// Errors: those of the core database.
core::Result<void> count_archives(RetentionReport& report, Books& books, const store::Scope& scope,
                                  core::SystemTime from, core::SystemTime to,
                                  const PublicKeys& keys);

}  // namespace zona::audit
