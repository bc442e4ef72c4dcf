#include "vault/testing/losing_vfs.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include <sqlite3.h>

#include "vault/testing/connection.h"

namespace zona::vault {
namespace {

constexpr std::size_t kSector = 512;

/// A write, or a cut when there is no data.
struct Change {
    std::size_t offset;
    std::string data;
    bool cut = false;
};

/// One file: what a power cut leaves in any case, and what it may leave.
struct Disk {
    std::string durable;
    std::vector<Change> pending;
};

void apply(std::string& image, const Change& change) {
    if (change.cut) {
        image.resize(std::min(image.size(), change.offset));
        return;
    }
    image.resize(std::max(image.size(), change.offset + change.data.size()));
    image.replace(change.offset, change.data.size(), change.data);
}

void apply_sectors(std::string& image, const Change& change, core::Random& random) {
    for (std::size_t at = 0; at < change.data.size();) {
        const std::size_t count =
            std::min(kSector - (change.offset + at) % kSector, change.data.size() - at);
        if (random.below(2) == 0)
            apply(image, {.offset = change.offset + at, .data = change.data.substr(at, count)});
        at += count;
    }
}

struct File {
    sqlite3_file head;
    LosingVfs::Body* body;
    Disk* disk;
    sqlite3_file* base() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

File& file_of(sqlite3_file* file) {
    return *reinterpret_cast<File*>(file);
}

sqlite3_file* base_of(sqlite3_file* file) {
    return file_of(file).base();
}

}  // namespace

struct LosingVfs::Body {
    /// Whether an operation may be done; one less is left.
    bool spend() {
        if (left > 0) --left;
        return left > 0;
    }

    std::string name;
    sqlite3_vfs* base = ::sqlite3_vfs_find("unix-excl");
    sqlite3_vfs vfs{};
    mutable std::mutex mutex;
    std::map<std::string, Disk> disks;  // all below: guarded by mutex
    std::uint64_t left = std::numeric_limits<std::uint64_t>::max();
};

namespace {

int write_file(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    File& self = file_of(file);
    const std::scoped_lock lock(self.body->mutex);
    if (self.body->left == 0) return SQLITE_IOERR_WRITE;
    self.disk->pending.push_back(
        {.offset = static_cast<std::size_t>(offset),
         .data = std::string(static_cast<const char*>(data), static_cast<std::size_t>(size))});
    if (!self.body->spend()) return SQLITE_IOERR_WRITE;
    return self.base()->pMethods->xWrite(self.base(), data, size, offset);
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
    File& self = file_of(file);
    const std::scoped_lock lock(self.body->mutex);
    if (self.body->left == 0) return SQLITE_IOERR_TRUNCATE;
    self.disk->pending.push_back(
        {.offset = static_cast<std::size_t>(size), .data = {}, .cut = true});
    if (!self.body->spend()) return SQLITE_IOERR_TRUNCATE;
    return self.base()->pMethods->xTruncate(self.base(), size);
}

int sync_file(sqlite3_file* file, int) {
    File& self = file_of(file);
    const std::scoped_lock lock(self.body->mutex);
    if (!self.body->spend()) return SQLITE_IOERR_FSYNC;
    for (const Change& change : self.disk->pending)
        apply(self.disk->durable, change);
    self.disk->pending.clear();
    return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = [](sqlite3_file* file) { return base_of(file)->pMethods->xClose(base_of(file)); },
    .xRead =
        [](sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
            return base_of(file)->pMethods->xRead(base_of(file), out, size, at);
        },
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize =
        [](sqlite3_file* file, sqlite3_int64* out) {
            return base_of(file)->pMethods->xFileSize(base_of(file), out);
        },
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
    .xShmLock =
        [](sqlite3_file* file, int offset, int count, int flags) {
            return base_of(file)->pMethods->xShmLock(base_of(file), offset, count, flags);
        },
    .xShmBarrier = [](sqlite3_file* file) { base_of(file)->pMethods->xShmBarrier(base_of(file)); },
    .xShmUnmap =
        [](sqlite3_file* file, int remove) {
            return base_of(file)->pMethods->xShmUnmap(base_of(file), remove);
        },
};

LosingVfs::Body& body_of(sqlite3_vfs* vfs) {
    return *static_cast<LosingVfs::Body*>(vfs->pAppData);
}

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* out, int flags, int* out_flags) {
    LosingVfs::Body& body = body_of(vfs);
    File* const file = new (out) File{};
    const int code = body.base->xOpen(body.base, path, file->base(), flags, out_flags);
    if (code != SQLITE_OK) return code;
    const std::scoped_lock lock(body.mutex);
    const std::string name = path == nullptr ? "" : path;
    if (!body.disks.contains(name)) body.disks[name].durable = bytes_of(name);
    file->body = &body;
    file->disk = &body.disks[name];
    file->head.pMethods = &kMethods;
    return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* path, int sync) {
    LosingVfs::Body& body = body_of(vfs);
    const std::scoped_lock lock(body.mutex);
    if (body.left == 0) return SQLITE_IOERR_DELETE;
    const auto disk = body.disks.find(path);
    if (disk != body.disks.end()) disk->second = {};
    return body.base->xDelete(body.base, path, sync);
}

}  // namespace

LosingVfs::LosingVfs(std::string name) : body_(std::make_unique<Body>()) {
    body_->name = std::move(name);
    body_->vfs = *body_->base;
    body_->vfs.pNext = nullptr;
    body_->vfs.zName = body_->name.c_str();
    body_->vfs.pAppData = body_.get();
    body_->vfs.szOsFile = static_cast<int>(sizeof(File)) + body_->base->szOsFile;
    body_->vfs.xOpen = open_file;
    body_->vfs.xDelete = delete_file;
    ::sqlite3_vfs_register(&body_->vfs, 0);
}

LosingVfs::~LosingVfs() {
    ::sqlite3_vfs_unregister(&body_->vfs);
}

void LosingVfs::cut_power_after(std::uint64_t operations) {
    const std::scoped_lock lock(body_->mutex);
    body_->left = operations;
}

bool LosingVfs::power_is_gone() const {
    const std::scoped_lock lock(body_->mutex);
    return body_->left == 0;
}

void LosingVfs::settle(core::Random& random) {
    const std::scoped_lock lock(body_->mutex);
    for (auto& [path, disk] : body_->disks) {
        int there = 0;
        body_->base->xAccess(body_->base, path.c_str(), SQLITE_ACCESS_EXISTS, &there);
        if (path.empty() || (there == 0 && disk.durable.empty() && disk.pending.empty())) continue;
        std::string image = std::move(disk.durable);
        for (const Change& change : disk.pending) {
            const std::uint64_t fate = random.below(3);
            if (fate == 0) apply(image, change);
            if (fate == 1 && !change.cut) apply_sectors(image, change, random);
        }
        put_bytes(path, image);
    }
    body_->disks.clear();
    body_->left = std::numeric_limits<std::uint64_t>::max();
}

}  // namespace zona::vault
