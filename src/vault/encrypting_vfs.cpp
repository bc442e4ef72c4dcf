#include "vault/encrypting_vfs.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "crypto/aead.h"
#include "os/fd.h"
#include "vault/detail/base_file.h"
#include "vault/detail/database_file.h"
#include "vault/detail/key_count.h"
#include "vault/detail/rekey.h"
#include "vault/detail/scratch_file.h"
#include "vault/detail/wal_file.h"

namespace zona::vault {
namespace {

using core::Code;
using core::Error;
using core::Result;
using detail::BaseFile;
using detail::DatabaseFile;
using detail::PageCipher;
using detail::ScratchFile;
using detail::VfsFile;
using detail::WalFile;

/// The rollback journal. SQLite writes one, without a page in it, while it makes a new database;
/// afterwards there is a write-ahead log. So page content is refused instead of encrypted.
class JournalFile final : public VfsFile {
  public:
    using VfsFile::VfsFile;
    int write(std::span<const std::byte> in, sqlite3_int64 offset) override {
        constexpr std::size_t kMostHeader = 512;
        if (in.size() <= kMostHeader) return VfsFile::write(in, offset);
        sqlite3_log(SQLITE_IOERR_WRITE,
                    "an encrypted database is written through a write-ahead log only");
        return SQLITE_IOERR_WRITE;
    }
};

/// What SQLite holds, aligned to 8 bytes: its own head, ours, and the memory of the file beneath.
struct OpenFile {
    sqlite3_file head;
    VfsFile* file;
    DatabaseFile* database;  ///< of a database: itself; of its log: that of the same connection
    sqlite3_file* base() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

OpenFile* opened(sqlite3_file* file) {
    return reinterpret_cast<OpenFile*>(file);
}

VfsFile& file_of(sqlite3_file* file) {
    return *opened(file)->file;
}

sqlite3_file* base_of(sqlite3_file* file) {
    return opened(file)->base();
}

int close_file(sqlite3_file* file) {
    OpenFile* const open = opened(file);
    const int code = open->file->close();
    if (open->database != nullptr && open->file != open->database) open->database->set_log(nullptr);
    delete open->file;
    open->file = nullptr;
    const int closed = open->base()->pMethods->xClose(open->base());
    return code == SQLITE_OK ? closed : code;
}

int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    // Lock 0 is the right to write to the log. Source: SQLite's walformat, "WAL locks".
    constexpr int kRelease = SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE;
    if (flags == kRelease && offset == 0) file_of(file).write_lock_released();
    return base_of(file)->pMethods->xShmLock(base_of(file), offset, count, flags);
}

/// Version 2: without memory mapping, which would show SQLite what is encrypted.
constexpr sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead =
        [](sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
            return file_of(file).read(
                {static_cast<std::byte*>(out), static_cast<std::size_t>(size)}, offset);
        },
    .xWrite =
        [](sqlite3_file* file, const void* in, int size, sqlite3_int64 offset) {
            return file_of(file).write(
                {static_cast<const std::byte*>(in), static_cast<std::size_t>(size)}, offset);
        },
    .xTruncate = [](sqlite3_file* file,
                    sqlite3_int64 size) { return file_of(file).truncate(size); },
    .xSync = [](sqlite3_file* file, int flags) { return file_of(file).sync(flags); },
    .xFileSize = [](sqlite3_file* file, sqlite3_int64* out) { return file_of(file).size(out); },
    .xLock = [](sqlite3_file* file,
                int level) { return base_of(file)->pMethods->xLock(base_of(file), level); },
    .xUnlock = [](sqlite3_file* file,
                  int level) { return base_of(file)->pMethods->xUnlock(base_of(file), level); },
    .xCheckReservedLock =
        [](sqlite3_file* file, int* out) {
            return base_of(file)->pMethods->xCheckReservedLock(base_of(file), out);
        },
    .xFileControl =
        [](sqlite3_file* file, int operation, void* argument) {
            return base_of(file)->pMethods->xFileControl(base_of(file), operation, argument);
        },
    .xSectorSize =
        [](sqlite3_file* file) { return base_of(file)->pMethods->xSectorSize(base_of(file)); },
    .xDeviceCharacteristics =
        [](sqlite3_file* file) {
            return base_of(file)->pMethods->xDeviceCharacteristics(base_of(file));
        },
    .xShmMap =
        [](sqlite3_file* file, int region, int size, int extend, volatile void** out) {
            return base_of(file)->pMethods->xShmMap(base_of(file), region, size, extend, out);
        },
    .xShmLock = shm_lock,
    .xShmBarrier = [](sqlite3_file* file) { base_of(file)->pMethods->xShmBarrier(base_of(file)); },
    .xShmUnmap =
        [](sqlite3_file* file, int remove) {
            return base_of(file)->pMethods->xShmUnmap(base_of(file), remove);
        },
};

struct Encryption {
    core::Uuid id;
    std::shared_ptr<const DataKeys> keys;
    std::shared_ptr<detail::DatabaseState> state = std::make_shared<detail::DatabaseState>();
};

/// What the registered VFS points to.
struct Engine {
    Engine(std::string the_name, sqlite3_vfs* the_base, core::Random& the_random)
        : name(std::move(the_name)), base(the_base), random(the_random), nonces(the_random) {}

    /// As SQLite will name it.
    std::string full_path(const std::string& path) const {
        std::string full(static_cast<std::size_t>(base->mxPathname) + 1, '\0');
        base->xFullPathname(base, path.c_str(), static_cast<int>(full.size()), full.data());
        full.resize(std::strlen(full.c_str()));
        return full;
    }

    std::optional<Encryption> find(const char* path) {
        const std::scoped_lock lock(mutex);
        const auto found = files.find(path);
        return found == files.end() ? std::nullopt : std::optional(found->second);
    }

    int open(const char* path, OpenFile* out, int flags, int* out_flags);
    int adopt(const char* path, OpenFile* out, int flags, const Encryption* encryption);
    int check_identity(const char* path, DatabaseFile& file, const Encryption& encryption);
    int look_into_log(const char* log, const Encryption& encryption);
    Result<void> finish_rekey(const std::string& path, const Encryption& encryption);

    const std::string name;
    sqlite3_vfs* const base;
    core::Random& random;
    crypto::NonceSource nonces;
    std::mutex mutex;
    std::map<std::string, Encryption, std::less<>> files;  // guarded by mutex
};

constexpr int kReadWrite = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE;
constexpr int kScratch = SQLITE_OPEN_TEMP_DB | SQLITE_OPEN_TEMP_JOURNAL | SQLITE_OPEN_TRANSIENT_DB |
                         SQLITE_OPEN_SUBJOURNAL;
constexpr int kKnown = kScratch | SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL;

Engine& engine_of(sqlite3_vfs* vfs) {
    return *static_cast<Engine*>(vfs->pAppData);
}

sqlite3_vfs* base_vfs(sqlite3_vfs* vfs) {
    return engine_of(vfs).base;
}

/// Opens the file beneath, then what encrypts it; half open is closed again.
int Engine::open(const char* path, OpenFile* out, int flags, int* out_flags) {
    *out = {};
    std::optional<Encryption> encryption;
    if ((flags & kKnown) == 0) return SQLITE_CANTOPEN;
    if ((flags & kScratch) == 0) {
        const bool is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
        const char* const database = is_database ? path : ::sqlite3_filename_database(path);
        encryption = find(database);
        if (!encryption) {
            sqlite3_log(SQLITE_CANTOPEN, "nothing says how %s is encrypted", database);
            return SQLITE_CANTOPEN;
        }
    }
    const int code = base->xOpen(base, path, out->base(), flags, out_flags);
    if (code != SQLITE_OK) return code;
    const int adopted = adopt(path, out, flags, encryption ? &*encryption : nullptr);
    if (adopted == SQLITE_OK) {
        out->head.pMethods = &kMethods;
        return SQLITE_OK;
    }
    delete std::exchange(out->file, nullptr);
    out->base()->pMethods->xClose(out->base());
    return adopted;
}

int Engine::adopt(const char* path, OpenFile* out, int flags, const Encryption* encryption) {
    if (encryption == nullptr) {
        out->file = new ScratchFile(out->base(), random);
        return SQLITE_OK;
    }
    if ((flags & SQLITE_OPEN_MAIN_JOURNAL) != 0) {
        out->file = new JournalFile(out->base());
        return SQLITE_OK;
    }
    PageCipher cipher(encryption->id, encryption->keys, nonces);
    if ((flags & SQLITE_OPEN_WAL) != 0) {
        out->file = new WalFile(out->base(), std::move(cipher));
        out->database = opened(::sqlite3_database_file_object(path))->database;
        if (out->database != nullptr) out->database->set_log(out->file);
        return SQLITE_OK;
    }
    out->database = new DatabaseFile(out->base(), std::move(cipher), encryption->state);
    out->file = out->database;
    return check_identity(path, *out->database, *encryption);
}

/// Refuses a database with keys that are not its own before SQLite takes its log for worthless and
/// deletes it. A first page that a power cut tore is whole in the log, or, of a database that was
/// just being made, there is a rollback journal.
int Engine::check_identity(const char* path, DatabaseFile& file, const Encryption& encryption) {
    const int code = file.check_first_page();
    if (code == SQLITE_OK || code == SQLITE_NOTFOUND) return SQLITE_OK;
    int there = 0;
    base->xAccess(base, ::sqlite3_filename_journal(path), SQLITE_ACCESS_EXISTS, &there);
    if (there != 0) return SQLITE_OK;
    if (look_into_log(::sqlite3_filename_wal(path), encryption) == SQLITE_OK) return SQLITE_OK;
    sqlite3_log(
        code, "%s is not opened: neither its first page nor its log is of this key and file", path);
    return code;
}

int Engine::look_into_log(const char* log, const Encryption& encryption) {
    BaseFile file;
    constexpr int kFlags = SQLITE_OPEN_WAL | SQLITE_OPEN_READONLY;
    if (file.open(base, log, kFlags) != SQLITE_OK) return SQLITE_NOTFOUND;
    WalFile wal(file.get(), PageCipher(encryption.id, encryption.keys, nonces));
    return wal.has_good_frame() ? SQLITE_OK : SQLITE_NOTFOUND;
}

Result<void> Engine::finish_rekey(const std::string& path, const Encryption& encryption) {
    ZONA_TRY(const auto beside, os::stat_path(detail::rekey_path(path)));
    if (!beside) return {};
    BaseFile file;
    if (const int code = file.open(base, path, kReadWrite); code != SQLITE_OK) {
        return Error(
            Code::kUnavailable,
            fmt::format("{} was left by a crash, and its database does not open: {}; remove "
                        "it when the database is gone for good",
                        detail::rekey_path(path), ::sqlite3_errstr(code)));
    }
    VfsFile whole(file.get());
    PageCipher cipher(encryption.id, encryption.keys, nonces);
    return detail::finish_rekey(path, whole, cipher);
}

/// Our own open, the rest passed on.
sqlite3_vfs make_vfs(Engine& engine) {
    return {
        .iVersion = 2,
        .szOsFile = static_cast<int>(sizeof(OpenFile)) + engine.base->szOsFile,
        .mxPathname = engine.base->mxPathname,
        .zName = engine.name.c_str(),
        .pAppData = &engine,
        .xOpen =
            [](sqlite3_vfs* self, const char* path, sqlite3_file* out, int flags, int* out_flags) {
                return engine_of(self).open(path, new (out) OpenFile, flags, out_flags);
            },
        .xDelete = [](sqlite3_vfs* self, const char* path,
                      int sync) { return base_vfs(self)->xDelete(base_vfs(self), path, sync); },
        .xAccess =
            [](sqlite3_vfs* self, const char* path, int flags, int* out) {
                return base_vfs(self)->xAccess(base_vfs(self), path, flags, out);
            },
        .xFullPathname =
            [](sqlite3_vfs* self, const char* path, int size, char* out) {
                return base_vfs(self)->xFullPathname(base_vfs(self), path, size, out);
            },
        // Extensions from shared objects have no place in a database of tenants.
        .xDlOpen = [](sqlite3_vfs*, const char*) -> void* { return nullptr; },
        .xDlError = [](sqlite3_vfs*, int size,
                       char* out) { ::sqlite3_snprintf(size, out, "not supported"); },
        .xDlSym = [](sqlite3_vfs*, void*, const char*) -> void (*)() { return nullptr; },
        .xDlClose = [](sqlite3_vfs*, void*) {},
        .xRandomness =
            [](sqlite3_vfs* self, int size, char* out) {
                return base_vfs(self)->xRandomness(base_vfs(self), size, out);
            },
        .xSleep =
            [](sqlite3_vfs* self, int microseconds) {
                return base_vfs(self)->xSleep(base_vfs(self), microseconds);
            },
        .xCurrentTime =
            [](sqlite3_vfs* self, double* out) {
                return base_vfs(self)->xCurrentTime(base_vfs(self), out);
            },
        .xGetLastError =
            [](sqlite3_vfs* self, int size, char* out) {
                return base_vfs(self)->xGetLastError(base_vfs(self), size, out);
            },
        .xCurrentTimeInt64 =
            [](sqlite3_vfs* self, sqlite3_int64* out) {
                return base_vfs(self)->xCurrentTimeInt64(base_vfs(self), out);
            },
    };
}

}  // namespace

struct EncryptingVfs::Body {
    Engine engine;
    sqlite3_vfs vfs = make_vfs(engine);
};

EncryptingVfs::EncryptingVfs(std::unique_ptr<Body> body) : body_(std::move(body)) {}

EncryptingVfs::~EncryptingVfs() {
    ::sqlite3_vfs_unregister(&body_->vfs);
}

Result<std::unique_ptr<EncryptingVfs>> EncryptingVfs::create(Options options,
                                                             core::Random& random) {
    sqlite3_vfs* const base = ::sqlite3_vfs_find(options.base.c_str());
    if (base == nullptr)
        return Error(Code::kNotFound, fmt::format("SQLite has no VFS '{}'", options.base));
    if (::sqlite3_vfs_find(options.name.c_str()) != nullptr)
        return Error(Code::kConflict, fmt::format("SQLite has a VFS '{}' already", options.name));
    auto body = std::unique_ptr<Body>(new Body{{std::move(options.name), base, random}});
    ::sqlite3_vfs_register(&body->vfs, 0);
    return std::unique_ptr<EncryptingVfs>(new EncryptingVfs(std::move(body)));
}

const std::string& EncryptingVfs::name() const {
    return body_->engine.name;
}

Result<void> EncryptingVfs::add(const std::string& path, const core::Uuid& id,
                                std::shared_ptr<const DataKeys> keys) {
    if (!path.starts_with('/'))
        return Error(Code::kInvalidArgument, fmt::format("{} is not an absolute path", path));
    Engine& engine = body_->engine;
    const std::string full = engine.full_path(path);
    const std::scoped_lock lock(engine.mutex);
    if (engine.files.contains(full))
        return Error(Code::kConflict, fmt::format("{} is known already", path));
    Encryption encryption{.id = id, .keys = std::move(keys)};
    ZONA_TRY_VOID(engine.finish_rekey(full, encryption));
    engine.files.emplace(full, std::move(encryption));
    return {};
}

Result<bool> EncryptingVfs::rekey(const std::string& path, std::size_t most_pages) {
    Engine& engine = body_->engine;
    const std::string full = engine.full_path(path);
    const auto encryption = engine.find(full.c_str());
    if (!encryption) return Error(Code::kNotFound, fmt::format("{} was not added", path));
    BaseFile base;
    if (const int code = base.open(engine.base, full, kReadWrite); code == SQLITE_NOTFOUND) {
        return true;
    } else if (code != SQLITE_OK) {
        return Error(Code::kUnavailable, fmt::format("{}: {}", path, ::sqlite3_errstr(code)));
    }
    VfsFile file(base.get());
    PageCipher cipher(encryption->id, encryption->keys, engine.nonces);
    const std::scoped_lock lock(encryption->state->writing);
    auto done = detail::rekey_some(full, file, cipher, *encryption->state, most_pages);
    if (!done) return std::move(done.take_error()).context(path);
    return done;
}

Result<std::map<KeyId, std::uint64_t>> EncryptingVfs::keys_in_use(const std::string& path) const {
    const Engine& engine = body_->engine;
    return detail::count_keys(engine.base, engine.full_path(path));
}

std::optional<std::vector<std::uint64_t>> EncryptingVfs::take_written(const std::string& path) {
    Engine& engine = body_->engine;
    const auto encryption = engine.find(engine.full_path(path).c_str());
    if (!encryption) return std::nullopt;
    std::optional<std::vector<bool>> taken;
    {
        const std::scoped_lock lock(encryption->state->writing);
        taken = std::exchange(encryption->state->written, std::vector<bool>());
    }
    if (!taken) return std::nullopt;
    std::vector<std::uint64_t> out;
    for (std::size_t page = 0; page < taken->size(); ++page) {
        if ((*taken)[page]) out.push_back(page);
    }
    return out;
}

void EncryptingVfs::remove(const std::string& path) {
    Engine& engine = body_->engine;
    const std::scoped_lock lock(engine.mutex);
    engine.files.erase(engine.full_path(path));
}

}  // namespace zona::vault
