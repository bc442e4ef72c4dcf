/// @file
/// A report of one scope's record over a period, for those who have to show what was done and that
/// the record is whole.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "audit/books.h"
#include "audit/query.h"
#include "audit/retention.h"
#include "audit/verify.h"
#include "core/clock.h"
#include "core/result.h"

namespace zona::audit {

/// Different actions, and actors, that a report counts by name; others are counted together under
/// "(others)".
inline constexpr std::size_t kMostNamed = 200;

/// How much of what, by whom, in a period, and what retention did. Source: AUDIT-09, AUDIT-12.
struct Report {
    core::SystemTime from{};
    core::SystemTime to{};
    std::uint64_t entries = 0;
    std::map<std::string, std::uint64_t> categories;
    std::map<std::string, std::uint64_t> outcomes;
    std::map<std::string, std::uint64_t> actions;
    std::map<std::string, std::uint64_t> actors;
    std::uint64_t erased = 0;     ///< entries with data of subjects that were erased
    RetentionReport retention;    ///< of the period
    Verification verification{};  ///< of the whole record, not of the period alone
};

/// Counts the entries with `from` <= time < `to` and verifies the record. `go_on` is asked between
/// two pages. Blocks. Errors: those of find_entries() and verify().
core::Result<Report> make_report(Books& books, const store::Scope& scope, core::SystemTime from,
                                 core::SystemTime to,
                                 const std::function<core::Result<void>()>& go_on = {});

}  // namespace zona::audit
