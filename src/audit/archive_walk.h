/// @file
/// What is asked of archives as it is of a record: whether they are whole and join it, and which
/// entries they hold.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "audit/archive.h"
#include "audit/books.h"
#include "audit/chain.h"
#include "audit/query.h"
#include "audit/verify.h"
#include "core/result.h"

namespace zona::audit {

/// Reads the archive of a span and verifies it, as read_archive() does. Errors, which name the
/// archive and say what is wrong: kNotFound: it is not there, or the keys that it is sealed under
/// are not; kConflict, kTooLarge: it is not what was stored.
using ReadArchive = std::function<core::Result<Archive>(const ArchivedSpan& span)>;

/// What a walk over the archives of a record has shown.
struct ArchiveVerification {
    std::uint64_t archives = 0;  ///< that were looked at and are right
    std::uint64_t entries = 0;   ///< in them
    std::optional<Flaw> flaw{};  ///< none: they are whole, and join each other and the record
};

/// Walks the archives of `scope` from its first entry to where the record in the database begins:
/// each is there, signed, and begins with the hash that the one before ends with; the last ends
/// with the hash that the record goes on from. `known` is an entry that some archive has to hold
/// with this hash. `go_on` is asked between two of them. Blocks. Errors, which are no answer about
/// the archives: those of the databases, of `go_on`, and of `read` with another code than the ones
/// it names. Source: AUDIT-05, AUDIT-11.
core::Result<ArchiveVerification> verify_archives(
    Books& books, const store::Scope& scope, const PublicKeys& keys,
    const std::optional<KnownHead>& known, const ReadArchive& read,
    const std::function<core::Result<void>()>& go_on = {});

/// Entries of one archive.
struct ArchivedEntries {
    std::vector<Recorded> entries;
    std::int64_t next = 0;  ///< where the next archive begins; 0: there is none
};
/// Entries that meet `wanted`, but for its direction, of the archive with the entry `from`; that of
/// a subject that was erased in the record is erased in them, too. Blocks. Errors: those of `read`
/// and of recorded_in().
core::Result<ArchivedEntries> find_archived(Books& books, const store::Scope& scope,
                                            const Wanted& wanted, std::int64_t from,
                                            const ReadArchive& read);

}  // namespace zona::audit
