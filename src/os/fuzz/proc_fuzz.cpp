// Every parser of /proc and of control groups on any bytes. The first byte chooses nothing: all of
// them read all.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "os/cgroup.h"
#include "os/host.h"
#include "os/proc.h"

namespace {

void require(bool truth) {
    if (!truth) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    using namespace zona::os;
    if (const auto stat = parse_stat(text)) {
        require(stat->pid > 0);
        require(stat->name.size() <= text.size());
    }
    for (const CgroupMembership& m : parse_memberships(text))
        require(m.path.starts_with('/'));
    if (const auto value = find_variable(text, "ZONA_PROCESS")) {
        require(value->find('\0') == std::string_view::npos);
    }
    (void)parse_real_uid(text);
    (void)parse_limit(text, "Max open files");
    (void)find_counter(text, "oom_kill");
    (void)parse_cgroup_mounts(text);
    require(parse_numbers(text, 3).size() <= 3);
    (void)parse_kernel_version(std::string(text));
    return 0;
}
