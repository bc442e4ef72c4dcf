/// @file
/// Archives: spans of a record that leave its database, and still verify and join the chain.
///
/// An archive is one gzip text: a line that says what it is (scope, first, last, the hash before),
/// each entry as it was stored, and a line with the last hash and a signature over all of it. That
/// a span has left, and with which hash, is kept, signed, in the core database: verify() takes no
/// gap at the front of a record without that. Source: AUDIT-10, AUDIT-11.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/books.h"
#include "audit/notary.h"
#include "core/clock.h"
#include "core/result.h"

namespace zona::audit {

/// Entries of one archive at most.
inline constexpr std::int64_t kMostArchived = 10'000;
/// Bytes of their text, but for the last of them: an archive is made, and read, in memory.
inline constexpr std::size_t kMostArchivedText = std::size_t{16} << 20U;

/// One span that has left, as the core database keeps it.
struct ArchivedSpan {
    std::string scope;  ///< Scope::code()
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::string previous;   ///< the hash before the first
    std::string hash;       ///< of the last
    core::SystemTime at{};  ///< when it left
    std::string key;        ///< the id of the public key
    std::string signature;  ///< base64url of the signature of text_of()
    std::string file{};     ///< the name that `store` gave; not signed
};
/// What is signed, as text_of(SignedHead): "zona audit archive 1" and the fields above in lines.
std::string text_of(const ArchivedSpan& span);
/// Whether one of these keys has signed it.
bool is_genuine(const ArchivedSpan& span, const PublicKeys& keys);

/// Archives the oldest entries that are older than `before`, kMostArchived and kMostArchivedText at
/// most; none: there are none. `store` puts the archive where it is kept, durably, and gives its
/// name; then the span is kept in the core database, then the entries are removed. Interrupted
/// anywhere, the next call goes on: nothing is removed that was not stored. `permit` as in
/// advance(). Blocks. Errors: those of `store`, `permit` and the databases; kConflict: an entry is
/// not as it was written: nothing leaves a record that does not verify.
core::Result<std::optional<ArchivedSpan>> archive_oldest(
    Books& books, const store::Scope& scope, const Notary& notary, core::SystemTime before,
    core::SystemTime now,
    const std::function<core::Result<std::string>(const ArchivedSpan& span,
                                                  const std::string& archive)>& store,
    const Permit& permit = {});

/// Spans of a scope that have left, the oldest first, at most `limit` from the one with entry
/// `from` on.
core::Result<std::vector<ArchivedSpan>> archived_spans(store::Reader& core,
                                                       const store::Scope& scope, std::int64_t from,
                                                       std::size_t limit);
/// The span that ends with this entry.
core::Result<std::optional<ArchivedSpan>> archived_until(store::Reader& core,
                                                         const store::Scope& scope,
                                                         std::int64_t last);

/// An archive that was read: its span, and its entries as JSON texts.
struct Archive {
    ArchivedSpan span;
    std::vector<std::string> entries;
};
/// Reads an archive and verifies every number, link and hash, and its signature; for any bytes.
/// Errors: kConflict, naming what is wrong; kTooLarge: over twice kMostArchivedText.
core::Result<Archive> read_archive(std::string_view bytes, const PublicKeys& keys);

}  // namespace zona::audit
