// For LD_PRELOAD: every fsync and fdatasync takes $ZONA_BENCH_SYNC_MS longer, as on a slower disk.
// Syncs of different files are slowed beside each other, as a disk with a queue has it.
#include <chrono>
#include <cstdlib>
#include <thread>

#include <dlfcn.h>

namespace {

int slowed(const char* name, int fd) {
    static const int kMilliseconds = [] {
        const char* text = std::getenv("ZONA_BENCH_SYNC_MS");
        return text == nullptr ? 0 : std::atoi(text);
    }();
    const auto real = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, name));
    std::this_thread::sleep_for(std::chrono::milliseconds(kMilliseconds));
    return real(fd);
}

}  // namespace

extern "C" int fsync(int fd) {
    return slowed("fsync", fd);
}
extern "C" int fdatasync(int fd) {
    return slowed("fdatasync", fd);
}
