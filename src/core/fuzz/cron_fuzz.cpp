// Any text as a cron expression: refused with words, or one that comes due, again and again, at
// whole minutes.
#include <cstdlib>
#include <string_view>

#include "core/cron.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace zona::core;
    const auto cron =
        CronExpression::parse(std::string_view(reinterpret_cast<const char*>(data), size));
    if (!cron) {
        if (cron.error().message().empty()) std::abort();
        return 0;
    }
    SystemTime at = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
    for (int i = 0; i < 3; ++i) {
        const SystemTime next = cron->next(at);
        if (next <= at || next == SystemTime::max()) std::abort();
        if (next.time_since_epoch() % std::chrono::minutes(1) != std::chrono::nanoseconds(0))
            std::abort();
        at = next;
    }
    return 0;
}
