// Any bytes as the inside of a backup, as its title and as a record of it: refused, or read as what
// they are, and nothing besides. What is read and written again is read as the same.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <boost/json.hpp>

#include "tenancy/backup/backup_format.h"

namespace {

using namespace zona;

void read_as_frames(std::string_view bytes) {
    std::uint64_t records = 0;
    tenancy::BackupVisitor visitor;
    visitor.record = [&](const store::Record& record) -> core::Result<void> {
        if (record.document == nullptr) std::abort();
        ++records;
        return {};
    };
    std::uint64_t bytes_at_end = 0;
    visitor.link = [&](const tenancy::LogLink& link) -> core::Result<void> {
        bytes_at_end = link.bytes;
        return {};
    };
    visitor.changes = [&](std::uint64_t offset,
                          std::span<const std::byte> pages) -> core::Result<void> {
        if (pages.empty() || offset + pages.size() > bytes_at_end) std::abort();
        return {};
    };
    std::size_t at = 0;
    const tenancy::ByteSource source = [&](std::span<std::byte> into) -> core::Result<std::size_t> {
        const std::size_t size = std::min(into.size(), bytes.size() - at);
        std::ranges::copy(std::as_bytes(std::span(bytes.substr(at, size))), into.begin());
        at += size;
        return size;
    };
    const auto read = tenancy::read_frames(source, {.owner = "acme", .id = {}}, visitor);
    if (!read) return;
    const bool documents = read->content == tenancy::BackupContent::kDocuments;
    if (at != bytes.size() || (documents && read->documents != records)) std::abort();
}

void read_as_record(std::string_view bytes) {
    const auto scope = store::Scope::tenant("acme");
    const auto record = tenancy::decode_record(bytes, *scope);
    if (!record) return;
    const auto again = tenancy::decode_record(tenancy::encode_record(*record), *scope);
    if (!again || again->id != record->id || again->version != record->version ||
        again->created != record->created || *again->document != *record->document)
        std::abort();
}

void read_as_title(std::string_view bytes) {
    const auto title = tenancy::parse_title(bytes);
    if (!title) return;
    const auto again = tenancy::parse_title(tenancy::render_title(*title));
    if (!again || again->id != title->id || again->owner != title->owner) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    read_as_frames(bytes);
    read_as_record(bytes);
    read_as_title(bytes);
    return 0;
}
