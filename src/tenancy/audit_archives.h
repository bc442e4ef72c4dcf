/// @file
/// AuditArchives: where the archives of tenants' records are, DIRECTORY/CODE/FIRST-LAST.zaa, each
/// sealed under its tenant's keys.
#pragma once

#include <string>

#include "audit/archive.h"
#include "audit/books.h"
#include "audit/notary.h"
#include "core/random.h"
#include "core/result.h"
#include "tenancy/tenants.h"
#include "vault/data_keys.h"

namespace zona::tenancy {

/// Any thread; all members block.
class AuditArchives {
  public:
    /// `tenants` and `random`, which is fit for keys, outlive it.
    AuditArchives(std::string directory, Tenants& tenants, core::Random& random)
        : directory_(std::move(directory)), tenants_(tenants), random_(random) {}

    /// Stores the archive of a span of a tenant's record, on the disk when it returns, whole or not
    /// at all; gives its name. Errors: those of the file and of the tenant's keys.
    core::Result<std::string> store(const audit::ArchivedSpan& span,
                                    const std::string& archive) const;
    /// Reads what store() has stored for this span, and verifies it. Errors, each naming the file
    /// and what is to be done: kNotFound: it is not there; kConflict: it was cut or changed, is
    /// another's or of another span, or `known` has signed none of it; those of reading.
    core::Result<audit::Archive> read(const audit::ArchivedSpan& span,
                                      const audit::PublicKeys& known) const;
    /// Whether an archive of the record of `scope` is sealed under this key, or may be, because it
    /// is not here but elsewhere: with another host, or in a copy. It must not be forgotten then.
    /// Errors: those of the core database and of reading.
    core::Result<bool> needs_key(audit::Books& books, const store::Scope& scope,
                                 vault::KeyId key) const;

  private:
    core::Result<bool> may_be_under(const audit::ArchivedSpan& span, vault::KeyId key) const;
    core::Result<std::string> unsealed(const audit::ArchivedSpan& span) const;

    const std::string directory_;
    Tenants& tenants_;
    core::Random& random_;
};

}  // namespace zona::tenancy
