/// @file
/// The format of a backup: one file that holds the documents of one tenant, or of the installation,
/// as they were at one moment.
///
///     {"backup_format":1,"owner":"acme","id":"...","made_at":"...","zona":"..."}\n    clear
///     a sealed file (vault/sealed_file.h), whose purpose is the line above, of frames:
///         type 1, length 4 (little endian), payload
///         'H' JSON: build_type, content, log           first
///         'C' JSON: name, version                      begins a collection
///         'R' a record of it (encode_record())
///         'P' whole pages of a database file, in order
///         'D' offset 8, then whole pages that stand there
///         'E' JSON: what was written, with counts and hashes; last
///
/// So the line is as good as sealed: with another one nothing opens. `content` is "documents"
/// (frames C and R: any database can give and take them) or "image" (frames P: the file of a tenant
/// that has its own; as fast as copying a file). From an image a log of changes goes on, a file
/// like this for each link (backup_log.h): its `content` is "changes" (frames D), and `log` is
/// {"base":"id of the image","number":1,"previous":"hash of the link before, or of the image",
/// "bytes":size of the file then}; of others it is null. The key is not in it.
/// Source: TEN-41, REL-07, SEC-09, docs/adr/0010-point-in-time.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "store/value.h"
#include "tenancy/tenant.h"
#include "vault/data_keys.h"

namespace zona::tenancy {

/// What a backup is made of.
enum class BackupContent : std::uint8_t { kDocuments, kImage, kChanges };
/// "documents", "image", "changes".
std::string_view to_string(BackupContent content);

/// The line in clear.
struct BackupTitle {
    std::string owner;  ///< a tenant's code, or "core"
    core::Uuid id;
    core::SystemTime made_at{};  ///< in milliseconds
    std::string zona;            ///< the version that made it
};
/// The line, with its end.
std::string render_title(const BackupTitle& title);
/// What render_title() gave. Errors: kConflict: no backup, or one of a newer format.
core::Result<BackupTitle> parse_title(std::string_view line);

/// What is in a collection, or in the pages of an image.
struct CollectionSum {
    std::string name;
    std::uint64_t documents = 0;
    /// SHA-256, hexadecimal, over encode_record() of each in the order of the store; empty in an
    /// image.
    std::string sha256;

    bool operator==(const CollectionSum&) const = default;
};

/// What a link of a log goes on from.
struct LogLink {
    core::Uuid base;           ///< the title's id of the image that the log began with
    std::uint64_t number = 0;  ///< 1 is the first
    std::string previous;      ///< BackupSummary::sha256 of the link before, or of the image
    std::uint64_t bytes = 0;   ///< of the database file with its changes

    bool operator==(const LogLink&) const = default;
};

/// What a backup holds.
struct BackupSummary {
    BackupTitle title;
    BuildType build_type = BuildType::kMssp;
    BackupContent content = BackupContent::kDocuments;
    std::vector<CollectionSum> collections;
    std::uint64_t documents = 0;
    std::uint64_t bytes = 0;  ///< of records or pages
    /// Of the collections' hashes, or of the pages; of a link also of what it says of itself.
    std::string sha256;
    std::optional<LogLink> link;                  ///< of changes
    std::optional<core::SystemTime> restored_to;  ///< of a restore by a log: the moment that it has
};

/// A record as bytes: version, created, updated (8 each, little endian, microseconds), the kind of
/// its id and the id, the document's JSON.
std::string encode_record(const store::Record& record);
/// What encode_record() gave, in this scope. Errors: kConflict.
core::Result<store::Record> decode_record(std::string_view bytes, const store::Scope& scope);

/// Writes one. One thread at a time.
class BackupWriter {
  public:
    /// Writes title and head to `fd`, which stays the caller's. Errors: as SealedWriter::create().
    static core::Result<std::unique_ptr<BackupWriter>> create(int fd, BackupTitle title,
                                                              BuildType build_type,
                                                              BackupContent content,
                                                              const vault::DataKeys& keys,
                                                              core::Random& random);
    /// A link of a log. Errors: as create().
    static core::Result<std::unique_ptr<BackupWriter>> create_link(int fd, BackupTitle title,
                                                                   BuildType build_type,
                                                                   LogLink link,
                                                                   const vault::DataKeys& keys,
                                                                   core::Random& random);
    BackupWriter() = default;
    BackupWriter(const BackupWriter&) = delete;
    BackupWriter& operator=(const BackupWriter&) = delete;
    /// Without finish() the file is none.
    virtual ~BackupWriter() = default;

    /// Errors of all: those of writing.
    virtual core::Result<void> begin_collection(const std::string& name, int version) = 0;
    virtual core::Result<void> add(const store::Record& record) = 0;  ///< to the present collection
    virtual core::Result<void> add_pages(std::span<const std::byte> pages) = 0;  ///< the next ones
    /// Of a link: pages that stand at `offset` now.
    virtual core::Result<void> put_pages(std::uint64_t offset,
                                         std::span<const std::byte> pages) = 0;
    /// Of an image: how many documents are in it.
    virtual void count(CollectionSum sum) = 0;
    /// Writes the end. The caller syncs the file and gives it its name.
    virtual core::Result<BackupSummary> finish() = 0;
};

/// What is done with the parts of a backup, in their order; empty ones are passed over. An error
/// ends the reading.
struct BackupVisitor {
    std::function<core::Result<void>(BuildType, BackupContent)> head;
    std::function<core::Result<void>(const LogLink&)> link;  ///< behind the head
    std::function<core::Result<void>(std::uint64_t offset, std::span<const std::byte>)> changes;
    std::function<core::Result<void>(const std::string& name, int version)> collection;
    std::function<core::Result<void>(const store::Record&)> record;
    std::function<core::Result<void>(std::span<const std::byte>)> pages;
    std::function<core::Result<void>(std::uint64_t bytes)> progress;  ///< that were read so far
};

/// Gives the next bytes, at least one; 0: the end.
using ByteSource = std::function<core::Result<std::size_t>(std::span<std::byte>)>;

/// Reads the frames. Success: everything was there, and is what its end says.
/// Errors: kConflict: what is no backup, cut, or not what its end says; those of the visitor and of
/// the source.
core::Result<BackupSummary> read_frames(const ByteSource& source, BackupTitle title,
                                        const BackupVisitor& visitor);

/// Reads the title from the beginning of `fd`, up to its sealed part. Errors: as parse_title().
core::Result<BackupTitle> read_title(int fd);
/// Reads a whole backup behind its title. Errors: as read_frames() and SealedReader; kNotFound: the
/// keys that it was sealed with are not there, with what to do.
core::Result<BackupSummary> read_backup(int fd, const BackupTitle& title,
                                        const vault::DataKeys& keys, const BackupVisitor& visitor);

}  // namespace zona::tenancy
