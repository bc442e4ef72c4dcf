/// @file
/// The chain: the entries of one scope, each with its number and the hash of the one before.
///
/// Who changes data calls append() in the same transaction: the entry is there if and only if the
/// change is, and costs one small insert. It has no number yet. One at a time then gives numbers:
/// advance() takes what waits, and what a spool brings (spool.h), many entries in one transaction.
/// So nobody waits for the head of a chain, and a group of writers is committed together as
/// before; docs/adr/0019-audit.md says what was measured.
///
/// The hash of an entry is the SHA-256 of the canonical text of its whole document but `hash`: its
/// number, the hash before, tenant, personal data as cipher text. Source: AUDIT-01, AUDIT-05.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "audit/entry.h"
#include "audit/subjects.h"
#include "core/clock.h"
#include "core/result.h"
#include "store/database.h"

namespace zona::audit {

/// What the first entry follows.
inline constexpr std::string_view kNoHash = "0";
/// Entries that one advance() takes of those that wait, and that it should be given of a spool.
inline constexpr std::size_t kMostAtOnce = 500;

/// Where a chain ends, and where it begins.
struct Head {
    std::int64_t seq = 0;  ///< of the last entry; 0: there is none
    std::string hash{kNoHash};
    core::SystemTime at{};      ///< when it was given its number
    std::int64_t archived = 0;  ///< entries up to this one have left into archives
    std::string archived_hash{kNoHash};
    bool operator==(const Head&) const = default;
};

/// Entries out of a spool; numbers grow.
struct Spooled {
    std::int64_t number = 0;
    Entry entry;
};
/// What a spool brings to a scope. `spool` is where the number is kept up to which its entries are
/// in: the same entry brought again is left out.
struct Batch {
    std::string spool{};
    std::vector<Spooled> entries{};
};

/// What advance() did.
struct Advanced {
    Head head;
    std::uint64_t added = 0;  ///< entries that have a number now
    bool more = false;        ///< others still wait
};

/// Whether the caller may write to this scope, checked in the transaction: a lease's fence.
using Permit = std::function<core::Result<void>(store::Writer&, const store::Scope&)>;

/// Puts an entry on record with the transaction that it is about. Its data in clear is seen by
/// nobody but advance(). Errors: those of the database.
core::Result<void> append(store::Writer& writer, const store::Scope& scope, const Entry& entry);

/// Gives numbers to entries of `batch` and to those that wait, the oldest first, and links them.
/// Errors: those of `permit`, which may be empty; kConflict: somebody else has just given the same
/// numbers; those of the database.
core::Result<Advanced> advance(store::Writer& writer, const store::Scope& scope, const Batch& batch,
                               const Subjects& subjects, const Permit& permit,
                               core::SystemTime now);

/// append() of all of a batch, for a host that does not give numbers.
core::Result<void> park(store::Writer& writer, const store::Scope& scope, const Batch& batch);

/// The number up to which a spool's entries are in; 0: none.
core::Result<std::int64_t> taken(store::Reader& reader, const store::Scope& scope,
                                 const std::string& spool);

/// The chain's head.
core::Result<Head> find_head(store::Reader& reader, const store::Scope& scope);
/// Whether entries wait for their number.
core::Result<bool> has_pending(store::Reader& reader, const store::Scope& scope);

/// An entry as it is in the chain.
struct Recorded {
    std::int64_t seq = 0;
    std::string previous;
    std::string hash;
    Entry entry;          ///< its personal fields are empty if the subject was erased
    bool erased = false;  ///< some of it was sealed under a key that is no more
};
/// The entry in a document of the chain. Errors: kConflict for what does not open, or is no entry;
/// those of the database.
core::Result<Recorded> recorded_in(const store::Document& document, const store::Scope& scope,
                                   SubjectReader& subjects);

/// The hash that the document of an entry should have.
std::string hash_of(const store::Document& document);

}  // namespace zona::audit
