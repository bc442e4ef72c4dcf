// Any bytes as a sealed file: refused. And any bytes sealed: read back as they were; cut or with
// one byte changed: refused, and what came out before is a beginning of them.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "vault/sealed_file.h"
#include "vault/testing/fake_keys.h"

namespace {

using namespace zona;

void put(int fd, const void* data, std::size_t size) {
    if (::ftruncate(fd, 0) < 0 || ::pwrite(fd, data, size, 0) != static_cast<ssize_t>(size) ||
        ::lseek(fd, 0, SEEK_SET) != 0)
        std::abort();
}

/// Whether all of it is genuine; `out` gets what came out.
bool read_all(int fd, const vault::FakeKeys& keys, std::string& out) {
    auto reader = vault::SealedReader::open(fd, keys, "fuzz");
    if (!reader) return false;
    std::vector<std::byte> piece(1000);
    for (;;) {
        const auto got = reader->read(piece);
        if (!got) return false;
        if (*got == 0) return true;
        out.append(reinterpret_cast<const char*>(piece.data()), *got);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static core::SystemRandom random;
    static const vault::FakeKeys keys(1);
    static const int fd = ::memfd_create("sealed", MFD_CLOEXEC);
    std::string out;
    put(fd, data, size);
    if (read_all(fd, keys, out)) std::abort();

    put(fd, data, 0);
    auto writer = vault::SealedWriter::create(fd, keys, "fuzz", random);
    if (!writer || !writer->write(std::as_bytes(std::span(data, size))) || !writer->finish())
        std::abort();
    std::string sealed(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
    if (::pread(fd, sealed.data(), sealed.size(), 0) != std::ssize(sealed)) std::abort();
    const std::string plain(reinterpret_cast<const char*>(data), size);
    put(fd, sealed.data(), sealed.size());
    out.clear();
    if (!read_all(fd, keys, out) || out != plain) std::abort();
    if (size < 3) return 0;
    const std::size_t at = (data[0] | std::size_t{data[1]} << 8U) % sealed.size();
    out.clear();
    if (data[2] % 2 == 0) {
        put(fd, sealed.data(), at);
    } else {
        sealed[at] = static_cast<char>(sealed[at] ^ (data[2] | 1));
        put(fd, sealed.data(), sealed.size());
    }
    if (read_all(fd, keys, out) || !plain.starts_with(out)) std::abort();
    return 0;
}
