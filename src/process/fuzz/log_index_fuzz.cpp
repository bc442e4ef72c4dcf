#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "os/fd.h"
#include "process/log_index.h"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

/// One file for the whole run, rewritten for each input.
const std::string& index_path() {
    static const std::string path = [] {
        std::string pattern = "/tmp/zona-index-fuzz-XXXXXX";
        const int fd = ::mkstemp(pattern.data());
        if (fd >= 0) ::close(fd);
        return pattern;
    }();
    return path;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona;
    if (size < 8) return 0;
    std::uint64_t offset = 0;
    for (int i = 0; i < 8; ++i)
        offset = offset << 8U | data[i];
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 8, size - 8);
    {
        auto file = os::open_file(index_path(), O_WRONLY | O_CREAT | O_TRUNC);
        require(file.has_value() && os::write_all(file->get(), bytes).has_value());
    }

    auto reader = process::LogIndexReader::open(index_path());
    require(reader.has_value());
    require(reader->records() <= bytes.size() / 16);
    if (const auto block = reader->find(offset)) {
        require(block->record.offset <= offset && offset < block->end);
        (void)reader->offset_since(block->record.time);
    }
    (void)reader->offset_since(
        core::SystemTime(std::chrono::nanoseconds(static_cast<std::int64_t>(offset))));

    // Whatever was there, a writer takes it over and its own record is found.
    process::LogIndexLimits limits;
    limits.bytes = 512;
    process::LogIndexWriter writer(index_path(), limits);
    const std::uint64_t inode = reader->inode();
    const std::uint64_t log_size = (std::uint64_t{1} << 47U) - 1;
    require(writer.begin(inode, log_size).has_value());
    const core::SystemTime now{std::chrono::seconds(1)};
    require(writer.set_writer(5).has_value() && writer.writer() == 5U);
    require(writer.note(log_size, core::SteadyTime{}, now).has_value());
    require(reader->refresh().has_value());
    require(reader->inode() == inode && reader->records() > 0);
    return 0;
}
