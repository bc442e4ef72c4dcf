// Any bytes as the shared table: what is not this boot's and this version's is refused, and of a
// table that is taken no slot is read beyond its end. The first byte chooses how much of a good
// table is left as it is.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process/table.h"
#include "process/table_layout.h"

namespace {

using namespace zona;
using namespace zona::process;

constexpr const char* kBoot = "0b8f3a52-8a0e-4f6c-9d0c-2f7a1e6b5c4d";

void require(bool holds) {
    if (!holds) std::abort();
}

std::string make_file() {
    const int fd = ::memfd_create("table", MFD_CLOEXEC);
    require(fd >= 0 && ::ftruncate(fd, static_cast<off_t>(kTableBytes)) == 0);
    return "/proc/self/fd/" + std::to_string(fd);
}

TableHeader good_header() {
    TableHeader header;
    std::memset(static_cast<void*>(&header), 0, sizeof header);
    std::memcpy(header.magic, kTableMagic, sizeof header.magic);
    header.version = kTableVersion;
    header.slot_size = sizeof(Slot);
    header.slot_count = kTableSlots;
    header.used.store(4);
    std::memcpy(header.boot_id, kBoot, std::strlen(kBoot));
    return header;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::string path = make_file();
    if (size < 2) return 0;
    // The bytes go over the header from some place on, and over the first slots.
    std::vector<std::uint8_t> image(sizeof(TableHeader) + 8 * sizeof(Slot));
    const TableHeader header = good_header();
    std::memcpy(image.data(), &header, sizeof header);
    const std::size_t skip = (data[0] & 1U) != 0 ? sizeof(TableHeader) : data[0] >> 1U;
    const std::size_t count = std::min(size - 1, image.size() - skip);
    std::memcpy(image.data() + skip, data + 1, count);

    const TableVerdict verdict = judge_table(image.data(), kTableBytes, kBoot);
    for (const std::size_t cut : {std::size_t{0}, count, sizeof(TableHeader)})
        (void)judge_table(image.data(), cut, kBoot);

    const int fd = ::open(path.c_str(), O_WRONLY);
    require(::pwrite(fd, image.data(), image.size(), 0) == static_cast<ssize_t>(image.size()));
    ::close(fd);
    auto table = Table::open(path, kBoot);
    require(table.has_value() == (verdict == TableVerdict::kGood));
    if (!table) return 0;
    require(table->used() <= kTableSlots);
    for (std::uint32_t i = 0; i < table->used(); ++i) {
        const Slot& slot = table->slot(i);
        (void)slot.state();
        (void)Table::owner(slot).to_string();
    }
    const auto taken = table->take(core::Uuid{});
    if (taken) {
        require(*taken < kTableSlots && table->slot(*taken).state() == SlotState::kIdle);
        table->release(*taken);
    }
    return 0;
}
