#include "os/shared_memory.h"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>

#include "os/fd.h"

namespace zona::os {

core::Result<SharedMapping> SharedMapping::map(const std::string& path, std::size_t size) {
    ZONA_TRY(UniqueFd fd, open_file(path, O_RDWR));
    ZONA_TRY(FileStat stat, stat_fd(fd.get()));
    if (stat.size < size) return core::Error(core::Code::kConflict, path + " is too short");
    SharedMapping out;
    out.data_ = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    if (out.data_ == MAP_FAILED) {
        out.data_ = nullptr;
        return core::Error::from_errno(errno, "map " + path);
    }
    out.size_ = size;
    return out;
}

SharedMapping::SharedMapping(SharedMapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SharedMapping& SharedMapping::operator=(SharedMapping&& other) noexcept {
    if (this != &other) {
        if (data_ != nullptr) ::munmap(data_, size_);
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

SharedMapping::~SharedMapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace zona::os
