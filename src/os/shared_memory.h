/// @file
/// A file mapped for sharing between processes.
#pragma once

#include <cstddef>
#include <string>

#include "core/result.h"

namespace zona::os {

/// A MAP_SHARED mapping of a whole file; unmapped when it dies. What is written survives the
/// process.
class SharedMapping {
  public:
    SharedMapping() = default;
    /// Maps `size` bytes of an existing file that has at least that many. kConflict: it is shorter.
    static core::Result<SharedMapping> map(const std::string& path, std::size_t size);
    SharedMapping(SharedMapping&& other) noexcept;
    SharedMapping& operator=(SharedMapping&& other) noexcept;
    SharedMapping(const SharedMapping&) = delete;
    SharedMapping& operator=(const SharedMapping&) = delete;
    ~SharedMapping();

    void* data() const { return data_; }
    std::size_t size() const { return size_; }

  private:
    void* data_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace zona::os
