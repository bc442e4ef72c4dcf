// Whatever is said to be an archive is read or refused; nobody here has signed one. Once as it is,
// and once as what is compressed in one: no fuzzer finds the checksum of gzip by itself.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <zlib.h>

#include "audit/archive.h"

namespace {

std::string gzip(const std::uint8_t* data, std::size_t size) {
    constexpr int kWindow = 15 + 16;
    constexpr int kMemory = 8;
    z_stream stream{};
    if (::deflateInit2(&stream, Z_NO_COMPRESSION, Z_DEFLATED, kWindow, kMemory,
                       Z_DEFAULT_STRATEGY) != Z_OK)
        std::abort();
    std::string out(::deflateBound(&stream, size), '\0');
    stream.next_in = const_cast<Bytef*>(data);
    stream.avail_in = static_cast<uInt>(size);
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    if (::deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
    out.resize(stream.total_out);
    ::deflateEnd(&stream);
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (zona::audit::read_archive(bytes, {})) std::abort();
    if (zona::audit::read_archive(gzip(data, size), {})) std::abort();
    return 0;
}
