#include "store/testing/recording_vfs.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <string_view>
#include <utility>

namespace zona::store {
namespace {

constexpr std::size_t kSector = 512;

/// A file of this VFS; that of the default VFS stands behind it in the same memory.
struct RecordedFile {
    sqlite3_file base;
    RecordingVfs* vfs;
    std::string* name;
};

RecordedFile& own(sqlite3_file* file) {
    return *reinterpret_cast<RecordedFile*>(file);
}
sqlite3_file* real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<RecordedFile*>(file) + 1);
}

using Kind = RecordingVfs::Operation::Kind;

int close_file(sqlite3_file* file) {
    delete own(file).name;
    return real(file)->pMethods->xClose(real(file));
}
int read_file(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
    return real(file)->pMethods->xRead(real(file), to, size, at);
}
int write_file(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    own(file).vfs->record(
        {.kind = Kind::kWrite,
         .file = *own(file).name,
         .offset = at,
         .bytes = {static_cast<const char*>(from), static_cast<std::size_t>(size)}});
    return real(file)->pMethods->xWrite(real(file), from, size, at);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
    own(file).vfs->record({.kind = Kind::kTruncate, .file = *own(file).name, .offset = size});
    return real(file)->pMethods->xTruncate(real(file), size);
}
int sync_file(sqlite3_file* file, int flags) {
    const int code = real(file)->pMethods->xSync(real(file), flags);
    own(file).vfs->record({.kind = Kind::kSync, .file = *own(file).name});
    return code;
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
    return real(file)->pMethods->xFileSize(real(file), size);
}
int lock(sqlite3_file* file, int level) {
    return real(file)->pMethods->xLock(real(file), level);
}
int unlock(sqlite3_file* file, int level) {
    return real(file)->pMethods->xUnlock(real(file), level);
}
int check_lock(sqlite3_file* file, int* out) {
    return real(file)->pMethods->xCheckReservedLock(real(file), out);
}
int control(sqlite3_file* file, int what, void* argument) {
    return real(file)->pMethods->xFileControl(real(file), what, argument);
}
int sector_size(sqlite3_file*) {
    return kSector;
}
int characteristics(sqlite3_file*) {
    return 0;  // no promise of what a power cut leaves
}
int shm_map(sqlite3_file* file, int page, int size, int extend, volatile void** out) {
    return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) {
    real(file)->pMethods->xShmBarrier(real(file));
}
int shm_unmap(sqlite3_file* file, int remove) {
    return real(file)->pMethods->xShmUnmap(real(file), remove);
}

constexpr sqlite3_io_methods kMethods = {
    2,        close_file,  read_file,  write_file, truncate_file, sync_file,       file_size,
    lock,     unlock,      check_lock, control,    sector_size,   characteristics, shm_map,
    shm_lock, shm_barrier, shm_unmap,  nullptr,    nullptr};

std::string name_of(const char* path) {
    const std::string_view text = path == nullptr ? "" : path;
    return std::string(text.substr(text.rfind('/') + 1));
}

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    auto* recorded = new (file) RecordedFile{};
    auto* original = sqlite3_vfs_find(nullptr);
    const int code = original->xOpen(original, name, real(file), flags, out);
    if (code != SQLITE_OK) return code;
    recorded->vfs = static_cast<RecordingVfs*>(vfs->pAppData);
    recorded->name = new std::string(name_of(name));
    recorded->base.pMethods = &kMethods;
    return SQLITE_OK;
}

void overwrite(std::string& content, std::size_t at, std::string_view bytes) {
    content.resize(std::max(content.size(), at + bytes.size()));
    std::memcpy(content.data() + at, bytes.data(), bytes.size());
}

}  // namespace

RecordingVfs::RecordingVfs(std::string name)
    : name_(std::move(name)), vfs_(*sqlite3_vfs_find(nullptr)) {
    vfs_.pNext = nullptr;
    vfs_.zName = name_.c_str();
    vfs_.szOsFile += static_cast<int>(sizeof(RecordedFile));
    vfs_.pAppData = this;
    vfs_.xOpen = open_file;
    // The default VFS has its own data, which its functions look for: they get it by its own.
    vfs_.xDelete = [](sqlite3_vfs* vfs, const char* file, int sync) {
        static_cast<RecordingVfs*>(vfs->pAppData)
            ->record({.kind = Kind::kDelete, .file = name_of(file)});
        auto* original = sqlite3_vfs_find(nullptr);
        return original->xDelete(original, file, sync);
    };
    vfs_.xAccess = [](sqlite3_vfs*, const char* file, int flags, int* out) {
        auto* original = sqlite3_vfs_find(nullptr);
        return original->xAccess(original, file, flags, out);
    };
    vfs_.xFullPathname = [](sqlite3_vfs*, const char* file, int size, char* out) {
        auto* original = sqlite3_vfs_find(nullptr);
        return original->xFullPathname(original, file, size, out);
    };
    sqlite3_vfs_register(&vfs_, 0);
}

RecordingVfs::~RecordingVfs() {
    sqlite3_vfs_unregister(&vfs_);
}

void RecordingVfs::record(Operation operation) {
    const std::lock_guard lock(mutex_);
    operations_.push_back(std::move(operation));
}

std::size_t RecordingVfs::moment() const {
    const std::lock_guard lock(mutex_);
    return operations_.size();
}

void RecordingVfs::cut_power(std::size_t moment, Syncs syncs, core::Random& random,
                             const std::string& directory) const {
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::size_t> synced;  // operations of a file before this one are safe
    for (std::size_t i = 0; i < moment; ++i) {
        if (operations_[i].kind == Operation::Kind::kSync && syncs == Syncs::kHold)
            synced[operations_[i].file] = i;
    }
    std::map<std::string, std::string> files;
    for (std::size_t i = 0; i < moment; ++i) {
        const Operation& operation = operations_[i];
        if (operation.kind == Operation::Kind::kDelete) {
            files.erase(operation.file);  // the directory is synced with it
            continue;
        }
        std::string& content = files[operation.file];
        const bool safe = i < synced[operation.file];
        if (operation.kind == Operation::Kind::kTruncate) {
            if (safe || random.below(2) == 0)
                content.resize(static_cast<std::size_t>(operation.offset));
            continue;
        }
        if (operation.kind != Operation::Kind::kWrite) continue;
        const auto offset = static_cast<std::size_t>(operation.offset);
        if (safe) {
            overwrite(content, offset, operation.bytes);
            continue;
        }
        const std::uint64_t fate = random.below(3);  // all of it, nothing, or some
        for (std::size_t at = 0; at < operation.bytes.size(); at += kSector) {
            if (fate == 0 || (fate == 2 && random.below(2) == 0))
                overwrite(content, offset + at,
                          std::string_view(operation.bytes).substr(at, kSector));
        }
    }
    for (const auto& [name, content] : files)
        std::ofstream(std::filesystem::path(directory) / name, std::ios::binary) << content;
}

}  // namespace zona::store
