/// @file
/// verify(): whether a record is what it was when it was written.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "audit/books.h"
#include "audit/notary.h"
#include "core/result.h"

namespace zona::audit {

/// The first thing that is wrong with a record.
struct Flaw {
    std::int64_t seq = 0;  ///< the number of the entry, or of the signed head
    std::string problem;   ///< what, and what it means
    bool operator==(const Flaw&) const = default;
};

/// What a walk over a chain has shown.
struct Verification {
    std::string scope;            ///< Scope::code()
    std::uint64_t entries = 0;    ///< that were looked at and are right
    std::int64_t first = 0;       ///< the number of the first; those before are in archives
    std::int64_t last = 0;        ///< and of the last one
    std::string hash;             ///< of the last
    std::uint64_t heads = 0;      ///< signed heads that fit
    std::int64_t signed_seq = 0;  ///< up to where the last of them covers it
    std::optional<Flaw> flaw;     ///< none: all of it is as it was written
};

/// A head that somebody keeps elsewhere: on paper, in a log of another host.
struct KnownHead {
    std::int64_t seq = 0;
    std::string hash;
};

/// Walks the chain of `scope` from where the last archive ended, while others go on writing: every
/// number, link and hash, each signed head, and `known`, if there is one. What was changed, taken
/// out, put in, exchanged, cut at the end, written anew before a signed head, or brought from
/// another tenant is found; an erased subject is no flaw. `go_on` is asked between two pages.
/// Blocks. Errors, which are no answer about the record: kNotFound: `known` is of an entry that has
/// left into an archive, and is not the last one; those of the databases and of `go_on`.
/// Source: AUDIT-05.
core::Result<Verification> verify(Books& books, const store::Scope& scope, const PublicKeys& keys,
                                  const std::optional<KnownHead>& known = {},
                                  const std::function<core::Result<void>()>& go_on = {});

}  // namespace zona::audit
