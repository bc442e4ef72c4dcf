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

/// One file for the whole run, rewritten for each input; in memory where there is such a place.
const std::string& index_path() {
    static const std::string path = [] {
        const char* place = ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        std::string pattern = std::string(place) + "/zona-index-fuzz-XXXXXX";
        const int fd = ::mkstemp(pattern.data());
        require(fd >= 0);
        ::close(fd);
        return pattern;
    }();
    return path;
}

void put(std::string_view bytes) {
    auto file = zona::os::open_file(index_path(), O_WRONLY | O_CREAT | O_TRUNC);
    require(file.has_value() && zona::os::write_all(file->get(), bytes).has_value());
}

/// An index with good records of any offsets and times, then damaged: a byte changed, an end cut
/// off.
void put_damaged(std::string_view bytes) {
    using namespace zona;
    put("");
    process::LogIndexWriter writer(index_path());
    require(writer.begin(1, 0).has_value());
    const auto number = [&](std::size_t at, std::size_t count) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < count; ++i)
            value = value << 8U | static_cast<unsigned char>(bytes[at + i]);
        return value;
    };
    core::SteadyTime steady{};
    std::size_t at = 4;
    for (; at + 8 <= bytes.size(); at += 8) {
        const auto time = std::chrono::milliseconds(number(at + 4, 4));
        require(writer.note(number(at, 4), steady, core::SystemTime(time)).has_value());
        steady += std::chrono::seconds(1);
    }
    std::string text = os::read_file(index_path()).value();
    if (bytes.size() >= 4) {
        text[number(0, 2) % text.size()] ^= bytes[2];
        text.resize(text.size() - number(3, 1) % 17 % text.size());
    }
    put(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona;
    if (size < 8) return 0;
    std::uint64_t offset = 0;
    for (int i = 1; i < 8; ++i)
        offset = offset << 8U | data[i];
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 8, size - 8);
    if ((data[0] & 1U) == 0) {
        put(bytes);
    } else {
        put_damaged(bytes);
        offset &= 0xFFFFFFFFU;
    }

    auto reader = process::LogIndexReader::open(index_path());
    require(reader.has_value());
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
    ::unlink(index_path().c_str());
    return 0;
}
