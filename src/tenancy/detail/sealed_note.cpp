#include "tenancy/detail/sealed_note.h"

#include <span>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

#include "os/fd.h"
#include "tenancy/detail/operation_parts.h"
#include "vault/sealed_file.h"

namespace zona::tenancy::detail {

using core::Result;

namespace {

constexpr std::size_t kMostText = std::size_t{64} << 20U;
constexpr std::size_t kPiece = std::size_t{1} << 16U;

}  // namespace

Result<void> write_note(const std::string& path, std::string_view purpose, const SealedNote& note,
                        const vault::DataKeys& keys, core::Random& random) {
    ZONA_TRY(NewFile file, NewFile::create(path));
    const std::string line = render_title(note.title);
    ZONA_TRY_VOID(os::write_all(file.fd(), line));
    ZONA_TRY(auto sealed, vault::SealedWriter::create(file.fd(), keys,
                                                      fmt::format("{} {}", purpose, line), random));
    ZONA_TRY_VOID(sealed.write(std::as_bytes(std::span(note.text))));
    ZONA_TRY_VOID(sealed.finish());
    ZONA_TRY_VOID(file.commit());
    return {};
}

Result<SealedNote> read_note(const std::string& path, std::string_view purpose,
                             const vault::DataKeys& keys) {
    ZONA_TRY(const os::UniqueFd file, os::open_file(path, O_RDONLY));
    SealedNote out;
    ZONA_TRY(out.title, read_title(file.get()));
    ZONA_TRY(auto sealed,
             vault::SealedReader::open(file.get(), keys,
                                       fmt::format("{} {}", purpose, render_title(out.title))));
    std::vector<std::byte> piece(kPiece);
    for (;;) {
        ZONA_TRY(const std::size_t got, sealed.read(piece));
        if (got == 0) return out;
        out.text.append(reinterpret_cast<const char*>(piece.data()), got);
        if (out.text.size() > kMostText)
            return core::Error(core::Code::kConflict, fmt::format("{} has no end", path));
    }
}

}  // namespace zona::tenancy::detail
