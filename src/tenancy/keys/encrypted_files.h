/// @file
/// EncryptedFiles: the database files of this host, each encrypted under the keys of whoever it
/// belongs to.
///
/// The keys are those of a key ring under a root key (vault/key_ring.h). The first start makes
/// both; from then on a missing or wrong root key is an error, and nothing is opened. The threads
/// of one engine (store/sqlite_engine.h) do the work of all files. Source: SEC-04, SEC-07, design
/// decision 6.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "store/database.h"
#include "vault/ring_storage.h"

namespace zona::store {
class ImageWriter;
}

namespace zona::vault {
class EncryptingVfs;
class DataKeys;
class FieldSealer;
class KeyRing;
class RootKeyProvider;
}  // namespace zona::vault

namespace zona::tenancy {

/// Where a ring is.
enum class RingPlace : std::uint8_t {
    kFile,
    kCoreDatabase,  ///< where several hosts have it in common (shared_ring.h)
};

/// Where the ring is, and what it works with; all outlive it and its databases.
struct EncryptedFilesOptions {
    std::string ring;  ///< absolute; made with the first start
    vault::RootKeyProvider& root_keys;
    const core::Clock& clock;
    core::Random& random;  ///< any thread
    core::Logger log;
    core::Secret page_token_key;   ///< of the databases (store/sqlite_database.h)
    std::size_t open_files = 128;  ///< at one time; others are closed until they are needed
    /// Where the ring is, if several hosts have one (shared_ring.h); null: in the file.
    std::unique_ptr<vault::RingStorage> shared_ring{};
};

/// Any thread. Blocks.
class EncryptedFiles {
  public:
    /// Opens the ring, or makes it if there is none. Errors: those of KeyRing::open() and create().
    static core::Result<std::unique_ptr<EncryptedFiles>> open(EncryptedFilesOptions options);
    EncryptedFiles() = default;
    EncryptedFiles(const EncryptedFiles&) = delete;
    EncryptedFiles& operator=(const EncryptedFiles&) = delete;
    /// Precondition: every database is closed.
    virtual ~EncryptedFiles() = default;

    /// Opens or makes the database at the absolute `path`. `owner` is whose keys it is encrypted
    /// under, "core" or a tenant's code, which gets keys if it has none; a file opens for the owner
    /// and under the name that it was made with, and no other.
    /// Errors: those of the ring and of store::SqliteEngine::open().
    virtual core::Result<std::shared_ptr<store::Database>> open_database(
        const std::string& path, std::string_view owner,
        const std::vector<const store::CollectionSpec*>& collections) = 0;

    /// Holds an open database's file against its own structure (SqliteDatabase::check()); somebody
    /// keeps it open meanwhile. Errors: kNotFound: it is not open; those of the check.
    virtual core::Result<void> check(const std::string& path) = 0;
    /// @{
    /// For those who change keys.
    virtual vault::EncryptingVfs& vfs() = 0;
    /// @}
    /// Begins a database file from an image, encrypted as open_database() would. It may be opened
    /// once the writer is gone. Errors: those of the ring and of ImageWriter::create().
    virtual core::Result<std::unique_ptr<store::ImageWriter>> write_image(
        const std::string& path, std::string_view owner) = 0;
    /// An owner's keys. Errors: kNotFound: it has none, or they were erased.
    virtual core::Result<std::shared_ptr<const vault::DataKeys>> find_keys(
        std::string_view owner) const = 0;
    /// The same; an owner without keys gets some. Errors: those of the ring.
    virtual core::Result<std::shared_ptr<const vault::DataKeys>> keys(std::string_view owner) = 0;
    /// Forgets an owner's keys for good, as KeyRing::erase(); one without keys is success.
    virtual core::Result<void> erase_keys(std::string_view owner) = 0;
    /// The ring's file, unless it is shared.
    virtual const std::string& ring() const = 0;

    /// All keys, and where the one is that they are wrapped with; both live as long as this.
    /// @{
    virtual vault::KeyRing& key_ring() = 0;
    virtual vault::RootKeyProvider& root_keys() = 0;
    /// @}

    /// For the flagged fields of an owner, in whichever database they are; one without keys gets
    /// some. Errors: those of the ring; kNotFound: its keys were erased.
    virtual core::Result<std::shared_ptr<const vault::FieldSealer>> fields(
        std::string_view owner) = 0;
    /// For the flagged fields of the core database.
    virtual const vault::FieldSealer& core_fields() const = 0;
};

}  // namespace zona::tenancy
