/// @file
/// Whole backups: what is in one, and what those need who have no running zona: restoring
/// everything into a fresh home, and proving that it can be done. Source: REL-07, REL-08, SEC-07,
/// SEC-09.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/progress.h"
#include "core/random.h"
#include "core/result.h"
#include "tenancy/backup/backup_format.h"
#include "tenancy/keys/encrypted_files.h"

namespace zona::vault {
class RootKeyProvider;
}

namespace zona::tenancy {

/// A tenant that is not in a whole backup.
struct MissingTenant {
    std::string tenant;  ///< its code
    std::string reason;  ///< for people

    bool operator==(const MissingTenant&) const = default;
};

/// A backup of everything: a directory _all/UUID with a file for the core database and for each
/// tenant, the ring's file (wrapped keys; the root key is not in it), and a sealed list of them.
struct WholeBackup {
    core::Uuid uuid;
    core::SystemTime made_at{};
    std::string zona;
    std::size_t tenants = 0;
    std::uint64_t documents = 0;
    std::uint64_t bytes = 0;
    std::string directory;  ///< absolute
    /// Whose documents could not be read when it was made; all else is in it.
    std::vector<MissingTenant> missing;
    /// By its log it can be restored as it was at each moment from made_at to this one.
    core::SystemTime until{};
    /// When it came to the last place that backups are copied to, without its log; none: not yet.
    std::optional<core::SystemTime> copied_at{};
};

/// One file of a whole backup, as its list has it.
struct WholeMember {
    std::string owner;  ///< "core", or a tenant's code; the file is OWNER.zbk
    std::uint64_t documents = 0;
    std::string sha256;  ///< as BackupSummary
};
/// A tenant that is in a whole backup, and whose documents restore_whole() has put nowhere.
struct NotRestored {
    std::string tenant;  ///< its code
    std::string reason;  ///< for people
    std::string file;    ///< in the backup, for TenantOperations::restore()
    std::uint64_t documents = 0;
};
/// The list, whole.zbk: sealed with the keys of the core database.
struct WholeList {
    WholeBackup whole;
    std::vector<WholeMember> members;
    /// The database that all tenants share was no file; false too where that was not yet noted.
    bool shared_elsewhere = false;
    std::vector<NotRestored> not_restored;  ///< of restore_whole() alone; not written

    /// Null: it has no such member.
    const WholeMember* find(std::string_view owner) const;
};
/// Writes it. Errors: those of the disk and of the keys.
core::Result<void> write_list(const WholeList& list, const vault::DataKeys& keys,
                              core::Random& random);
/// Reads it from a whole backup's directory. Errors: kConflict: it was changed, or is none.
/// kNotFound: it is not there, or its key is not.
core::Result<WholeList> read_list(const std::string& directory, const vault::DataKeys& keys);

/// What restore_whole() works with; all outlive it.
struct WholeRestore {
    std::string backup;  ///< the directory of a whole backup, absolute
    std::string state;   ///< `state` of the new home, absolute; made by it
    vault::RootKeyProvider& root_keys;
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    core::Logger log;
    /// As everything was then, by the logs of the backup.
    std::optional<core::SystemTime> at{};
};

/// Restores everything into a fresh home, and reads each database that was made once more: it must
/// hold what the backup says, by count and hash. A tenant of whom the backup has no file (it was
/// erased since, or is `missing`, to which those are added whose file has gone otherwise) is there
/// without documents, and not in the count of `tenants`; with `at` one that was missing has
/// those of the image that its log began with later, and is no longer in the list's `missing`;
/// one that is only in the core database of then comes into it.
/// Databases in MongoDB are left as they are: they may be alive, and this may be a drill. Whose
/// record names one is in `not_restored`, and so is, with `at`, who was in MongoDB at the backup:
/// there is no log of that. Their files are read to the end and proven all the same, documents by
/// being stored and compared beside the home; TenantOperations::restore() takes them from there.
/// Errors: kConflict: there is something in `state`; the backup is damaged, or what was made is not
/// the same. kNotFound: the root key that the backup's keys are wrapped with is not there, saying
/// which. After an error what was made is taken away.
core::Result<WholeList> restore_whole(const WholeRestore& restore, const core::ProgressSink& tell);

}  // namespace zona::tenancy
