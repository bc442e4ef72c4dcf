#include "core/fault.h"

#ifdef ZONA_FAULTS

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <string>

namespace zona::core {
namespace {

/// One label of the variable and how many passes are left until the end.
struct ArmedFault {
    ArmedFault(std::string_view name, std::int64_t hits) : label(name), left(hits) {}
    std::string label;
    std::atomic<std::int64_t> left;
};

/// The list in ZONA_FAULT, or in the file that ZONA_FAULT_FILE names.
std::string fault_list() {
    if (const char* list = std::getenv("ZONA_FAULT")) return list;
    const char* path = std::getenv("ZONA_FAULT_FILE");
    if (path == nullptr) return {};
    std::ifstream file(path);
    std::string list;
    std::getline(file, list);
    return list;
}

/// Entries that cannot be read are ignored: a test that hits nothing notices.
std::deque<ArmedFault> read_faults() {
    std::deque<ArmedFault> faults;
    const std::string list = fault_list();
    std::string_view rest = list;
    while (!rest.empty()) {
        const std::string_view entry = rest.substr(0, rest.find(','));
        rest.remove_prefix(entry.size() == rest.size() ? entry.size() : entry.size() + 1);
        const std::size_t colon = entry.rfind(':');
        if (colon == std::string_view::npos) continue;
        const std::string_view number = entry.substr(colon + 1);
        std::int64_t hits = 0;
        const auto [end, error] =
            std::from_chars(number.data(), number.data() + number.size(), hits);
        if (error != std::errc() || end != number.data() + number.size() || hits < 1) continue;
        faults.emplace_back(entry.substr(0, colon), hits);
    }
    return faults;
}

/// Tells the test which point it was; one short write, appended.
void report_hit(std::string_view label) {
    const char* path = std::getenv("ZONA_FAULT_FILE");
    if (path == nullptr) return;
    std::ofstream(std::string(path) + ".hits", std::ios::app) << label << std::endl;
}

}  // namespace

void fault_point(std::string_view label) {
    static std::deque<ArmedFault> faults = read_faults();
    if (faults.empty()) return;
    for (ArmedFault& fault : faults) {
        if (fault.label != label || fault.left.fetch_sub(1) != 1) continue;
        report_hit(label);
        std::raise(SIGKILL);
    }
}

}  // namespace zona::core

#endif
