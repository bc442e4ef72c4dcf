/// @file
/// What is asked of a record, and how its entries are written down: JSON Lines and CSV.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "audit/chain.h"
#include "core/clock.h"
#include "core/result.h"
#include "store/database.h"

namespace zona::audit {

/// Which entries; what is empty does not matter. Each of the texts has an index, by which the
/// newest are found first. Source: AUDIT-07, AUDIT-08.
struct Wanted {
    std::string actor{};     ///< Actor::subject(), "user:17"
    std::string action{};    ///< all of it
    std::string resource{};  ///< all of it
    std::string subject{};   ///< whose personal data it holds
    std::optional<Category> category{};
    std::optional<Outcome> outcome{};
    std::optional<std::int64_t> seq{};       ///< this one
    std::optional<core::SystemTime> from{};  ///< not before
    std::optional<core::SystemTime> to{};    ///< before
    /// Which ones come first.
    store::Direction direction = store::Direction::kDescending;
};

/// Whether an entry is one of them, which find_entries() asks the database.
bool matches(const Wanted& wanted, const Recorded& recorded);

/// A part of an answer.
struct EntryPage {
    std::vector<Recorded> entries;
    std::string next;  ///< empty: there is no more
};

/// Entries of a scope, by time. Errors: those of store::Reader::find_page() and recorded_in().
core::Result<EntryPage> find_entries(store::Reader& reader, const store::Scope& scope,
                                     const Wanted& wanted, const store::PageRequest& page);

/// Puts kMasked in place of what is personal: name, address and session of who acted, and the data
/// of an entry that holds somebody's. Kind and id stay. Source: SEC-08.
void mask_personal(Recorded& recorded);

/// The JSON text of an entry in the chain: its fields, number, hashes and `erased`.
std::string to_json_text(const Recorded& recorded);
/// The first line of a CSV file, with CRLF. Source: RFC 4180.
std::string csv_header();
/// One line, with CRLF. A cell that a spreadsheet would take for a formula gets an apostrophe in
/// front. Source: OWASP, "CSV Injection".
std::string csv_line(const Recorded& recorded);

}  // namespace zona::audit
