/// @file
/// LicenseRepository: licences in the core database, one of each type at most, and the use that is
/// made of what they allow.
///
/// What a record says is not believed: its licence is read from the text that was signed. So a
/// record that somebody has changed, or written, governs nobody. Source: LIC-08, LIC-09, LIC-10.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "store/database.h"
#include "tenancy/limits/license.h"

namespace zona::tenancy {

/// Licences in the core database. Any thread; callbacks come on threads of the database's own.
/// Errors of all besides their own: those of the database (store/database.h).
class LicenseRepository {
  public:
    /// `core` was opened with core_collections().
    LicenseRepository(std::shared_ptr<store::Database> core, LicenseKeys keys)
        : core_(std::move(core)), keys_(std::move(keys)) {}

    /// Puts the licence in the place of the one of its type; installed once more, it stays as it
    /// is. Errors: those of parse_license(); kInvalidArgument: it has expired, or holds from later
    /// on; kConflict: one that was issued later is installed.
    void install(const std::string& text, core::SystemTime now, store::Callback<License> done);
    /// All that can be believed, the strongest first.
    void list(store::Callback<std::vector<License>> done);
    /// Notes that somebody was told so many days before the end of a licence of this type. False:
    /// that was known, so whoever it was has told it; or there is no such licence any more.
    void note_warning(LicenseType type, const std::string& id, std::int64_t days,
                      store::Callback<bool> done);
    /// Keeps what is used: USAGE of the licence of this type. False: there is none.
    void note_usage(LicenseType type, store::Document usage, store::Callback<bool> done);

  private:
    std::shared_ptr<store::Database> core_;
    LicenseKeys keys_;
};

/// As LicenseRepository::list().
core::Result<std::vector<License>> installed_licenses(store::Reader& core, const LicenseKeys& keys);

}  // namespace zona::tenancy
