/// @file
/// Licensing: the licences of this installation as requests see them, and what is done about them
/// in the background.
///
/// Requests ask a copy in memory: no request waits for a database to learn what it may do. The copy
/// is made anew when a licence is installed here, and by look(), which the job `license-check`
/// calls on each instance; so another instance's licence counts within `license.check_interval`.
/// Moments are looked at when somebody asks: nothing has to happen for a licence to expire.
///
/// A licence that has expired turns changes of tenants' data off, and nothing else: what there is
/// can be read, exported and backed up, people sign in, and no process notices.
/// Source: LIC-05..LIC-11, docs/guides/licence.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/result.h"
#include "jobs/definition.h"
#include "store/database.h"
#include "tenancy/limits/license.h"

namespace zona::tenancy {

/// Between two times that what is used is noted with the licence.
inline constexpr std::chrono::hours kUsagePause{1};

/// Whose licences are taken, where from, and when it is warned.
struct LicensingOptions {
    LicenseKeys keys;
    std::string file;                     ///< absolute; there need be none
    std::vector<std::int64_t> warn_days;  ///< before the end
};

/// Numbers, each at least 1, separated by commas. Errors: kInvalidArgument, naming the setting.
core::Result<std::vector<std::int64_t>> parse_warn_days(std::string_view text);

/// What is put on record; `id` is a licence's.
using LicenseEvent =
    std::function<void(std::string_view action, const std::string& id, const std::string& details)>;

/// What it works with; all outlive it.
struct LicensingDeps {
    const core::Clock& clock;
    core::Logger log;
    core::MetricRegistry& metrics;
    LicenseEvent record{};  ///< any thread; may be empty
};

/// What is in use of what a licence may limit.
struct LicenseUsage {
    std::uint64_t active = 0;     ///< tenants
    std::uint64_t suspended = 0;  ///< tenants
    std::uint64_t inactive = 0;   ///< tenants that were not erased
    std::uint64_t users = 0;      ///< of all tenants that were not erased, and Super Admins
    std::uint64_t roles = 0;      ///< that tenants have made

    std::uint64_t tenants() const { return active + suspended + inactive; }
    bool operator==(const LicenseUsage&) const = default;
};

/// Counts it. Errors: those of the database.
core::Result<LicenseUsage> count_usage(store::Reader& core);

/// All members from any thread.
class Licensing {
  public:
    Licensing(LicensingOptions options, LicensingDeps deps);  ///< knows no database yet

    /// Knows the core database from now on, and what is installed there. What cannot be read is in
    /// the log, and is read by the next look(). Blocks.
    void start(std::shared_ptr<store::Database> core);
    /// Lets go of the core database; what needs it is refused from then on.
    void stop();
    /// One round: takes a new licence out of the file, reads what is installed, warns of what
    /// expires soon, notes what is used. Blocks. Errors: kUnavailable before start(); those of the
    /// core database.
    core::Result<void> look();
    /// As LicenseRepository::install(); here it counts before the answer. Blocks. Errors:
    /// kUnavailable before start().
    core::Result<License> install(const std::string& text);
    /// What is used now. Blocks. Errors: kUnavailable before start(); those of the core database.
    core::Result<LicenseUsage> usage() const;

    /// What is installed, the strongest first.
    std::vector<License> installed() const;
    /// As tenancy::governing(), now; whatever the case of the code.
    License of(std::string_view tenant) const;
    /// By which licences are judged.
    core::SystemTime now() const { return deps_.clock.system(); }
    /// Why the file's licence is not taken; empty: it is, or there is none.
    std::string file_problem() const;
    /// Whether anybody's licences are taken: else there is nothing to look for.
    bool takes_licenses() const { return !options_.keys.empty(); }
    /// The days from which on it is warned of an end; 0: it never is.
    std::int64_t warns_from() const;

  private:
    std::shared_ptr<store::Database> core() const;
    core::Result<void> read(const std::shared_ptr<store::Database>& core);
    core::Result<License> put(const std::shared_ptr<store::Database>& core,
                              const std::string& text);
    void take_file(const std::shared_ptr<store::Database>& core);
    void tell_file_problem(const core::Error& error);
    core::Result<void> warn(const std::shared_ptr<store::Database>& core, const License& license);
    core::Result<void> note_usage(const std::shared_ptr<store::Database>& core);
    void measure(const std::vector<License>& all) const;

    LicensingOptions options_;
    LicensingDeps deps_;
    std::optional<core::SteadyTime> usage_noted_;  // of look() alone
    mutable std::mutex mutex_;
    // All guarded by mutex_.
    std::shared_ptr<store::Database> core_;
    std::shared_ptr<const std::vector<License>> installed_;
    std::string file_problem_;
};

/// The job `license-check`, which calls look(); `licensing` outlives the scheduler.
jobs::Definition license_check(Licensing& licensing, std::chrono::milliseconds interval);

}  // namespace zona::tenancy
