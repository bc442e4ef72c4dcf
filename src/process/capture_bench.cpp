/// Raw capture: what a process writes, by splice into a file on /dev/shm, every line verified
/// afterwards.
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "os/fd.h"
#include "process/capture.h"

namespace {

using namespace zona;

constexpr std::size_t kWidth = 100;
constexpr std::size_t kDigits = 12;

/// A block of numbered lines that can be renumbered in place, faster than any pipe takes it.
class NumberedBlock {
  public:
    explicit NumberedBlock(std::size_t lines) : text_(lines * kWidth, 'x') {
        for (std::size_t i = 0; i < lines; ++i) {
            fmt::format_to(text_.data() + i * kWidth, "{:0{}}", i, kDigits);
            text_[i * kWidth + kDigits] = ' ';
            text_[(i + 1) * kWidth - 1] = '\n';
        }
    }
    /// Makes the lines those that follow.
    void next() {
        const std::size_t lines = text_.size() / kWidth;
        for (std::size_t i = 0; i < lines; ++i)
            add(text_.data() + i * kWidth, lines);
    }
    std::string_view text() const { return text_; }

  private:
    static void add(char* digits, std::size_t amount) {
        for (std::size_t i = kDigits; amount > 0 && i-- > 0;) {
            const std::size_t sum = static_cast<std::size_t>(digits[i] - '0') + amount;
            digits[i] = static_cast<char>('0' + sum % 10);
            amount = sum / 10;
        }
    }
    std::string text_;
};

/// A directory below /dev/shm for the length of a run.
class Home {
  public:
    Home() : path_(fmt::format("/dev/shm/zona-bench-{}", ::getpid())) {
        std::filesystem::create_directories(path_ + "/fifo");
    }
    Home(const Home&) = delete;
    Home& operator=(const Home&) = delete;
    ~Home() { std::filesystem::remove_all(path_); }
    std::string operator/(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

  private:
    std::string path_;
};

std::unique_ptr<process::Capture> start(const Home& home, const core::Clock& clock) {
    process::CaptureOptions options;
    options.fifo_directory = home / "fifo";
    options.index_directory = home / "index";
    return std::move(process::Capture::start(std::move(options), clock, core::Logger()).value());
}

process::LogTargets targets(const Home& home, std::string_view out, std::string_view err) {
    process::LogTargets made;
    made.out_file = home / out;
    made.error_file = home / err;
    made.owner = {.uid = ::geteuid(), .gid = ::getegid()};
    return made;
}

/// A capture of one slot. The log files are called "out" and `err`.
struct Rig {
    Rig(benchmark::State& state, std::string_view err) : capture(start(home, clock)) {
        if (!capture->attach(0, targets(home, "out", err))) state.SkipWithError("attach");
        streams = capture->open_for_child(0).value();
    }
    Home home;
    core::RealClock clock;
    std::unique_ptr<process::Capture> capture;
    process::ChildStreams streams;
};

pid_t write_numbered(int fd, std::size_t lines_per_write, std::size_t writes) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    NumberedBlock block(lines_per_write);
    for (std::size_t i = 0; i < writes; ++i) {
        const std::string_view text = block.text();
        if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(1);
        block.next();
    }
    ::_exit(0);
}

/// Whether the file is exactly the numbered lines from 0 on.
bool verify(const std::string& path, std::size_t lines_per_write, std::size_t writes) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const std::size_t size = lines_per_write * writes * kWidth;
    if (std::filesystem::file_size(path) != size) return false;
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    if (mapped == MAP_FAILED) return false;
    NumberedBlock block(lines_per_write);
    bool same = true;
    for (std::size_t i = 0; same && i < writes; ++i) {
        const std::string_view text = block.text();
        same = std::memcmp(static_cast<const char*>(mapped) + i * text.size(), text.data(),
                           text.size()) == 0;
        block.next();
    }
    ::munmap(mapped, size);
    return same;
}

/// Seconds of CPU that the capture thread has used, from /proc/self/task/TID/schedstat: unlike the
/// throughput, nearly the same on a busy machine.
double capture_cpu() {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        const auto name = os::read_file(task.path() / "comm");
        const auto spent = os::read_file(task.path() / "schedstat");
        if (!name || !spent || *name != "zona-capture\n") continue;
        return std::stod(*spent) * 1e-9;
    }
    return 0;
}

double children_cpu() {
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Arguments: megabytes in all, lines per write(2).
void BM_CaptureRaw(benchmark::State& state) {
    const auto lines = static_cast<std::size_t>(state.range(1));
    const std::size_t writes =
        static_cast<std::size_t>(state.range(0)) * 1'000'000 / (lines * kWidth);
    std::size_t bytes = 0;
    for ([[maybe_unused]] auto _ : state) {
        Rig rig(state, "err");
        const double writers_before = children_cpu();
        const auto begin = rig.clock.steady();
        const pid_t writer = write_numbered(rig.streams.out.get(), lines, writes);
        int status = 0;
        ::waitpid(writer, &status, 0);
        rig.capture->drain(0, process::Final::kYes);
        const std::chrono::duration<double> took = rig.clock.steady() - begin;
        state.SetIterationTime(took.count());
        bytes += writes * lines * kWidth;
        const double gigabytes = static_cast<double>(bytes) * 1e-9;
        state.counters["capture_cpu_s_per_GB"] = capture_cpu() / gigabytes;
        state.counters["writer_cpu_s_per_GB"] = (children_cpu() - writers_before) / gigabytes;
        state.counters["GB_per_s"] = gigabytes / took.count();
        if (status != 0 || !verify(rig.home / "out", lines, writes)) {
            state.SkipWithError("a line is missing, doubled or damaged");
        }
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(BM_CaptureRaw)
    ->Args({4000, 655})
    ->UseManualTime()
    ->Iterations(1)
    ->Unit(benchmark::kSecond);
// A program that does not buffer: one write(2) a line.
BENCHMARK(BM_CaptureRaw)->Args({100, 1})->UseManualTime()->Iterations(1)->Unit(benchmark::kSecond);

/// Two writers, one file, whole lines.
void BM_CaptureShared(benchmark::State& state) {
    constexpr std::size_t kLines = 655;
    const std::size_t writes =
        static_cast<std::size_t>(state.range(0)) * 500'000 / (kLines * kWidth);
    std::size_t bytes = 0;
    for ([[maybe_unused]] auto _ : state) {
        Rig rig(state, "out");
        const auto begin = rig.clock.steady();
        const pid_t a = write_numbered(rig.streams.out.get(), kLines, writes);
        const pid_t b = write_numbered(rig.streams.err.get(), kLines, writes);
        ::waitpid(a, nullptr, 0);
        ::waitpid(b, nullptr, 0);
        const auto end = rig.capture->drain(0, process::Final::kYes);
        const std::chrono::duration<double> took = rig.clock.steady() - begin;
        state.SetIterationTime(took.count());
        bytes += end.out;
        if (end.out != 2 * writes * kLines * kWidth) state.SkipWithError("bytes are missing");
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK(BM_CaptureShared)->Arg(1000)->UseManualTime()->Iterations(1)->Unit(benchmark::kSecond);

void BM_DrainNothing(benchmark::State& state) {
    Rig rig(state, "err");
    if (state.range(0) != 0 && (::write(rig.streams.out.get(), "x\n", 2) != 2 ||
                                ::write(rig.streams.err.get(), "x\n", 2) != 2)) {
        state.SkipWithError("write");
    }
    while (state.range(0) != 0 && rig.capture->drain(0, process::Final::kYes).err == 0) {
    }
    for ([[maybe_unused]] auto _ : state)
        benchmark::DoNotOptimize(rig.capture->drain(0, process::Final::kYes));
}
BENCHMARK(BM_DrainNothing)->Arg(0)->Arg(1)->ArgName("log_files_open");

void BM_Attach(benchmark::State& state) {
    const Home home;
    const core::RealClock clock;
    const auto capture = start(home, clock);
    for ([[maybe_unused]] auto _ : state) {
        if (!capture->attach(0, targets(home, "out", "err")) ||
            !capture->detach(0, process::RemoveFifos::kYes)) {
            state.SkipWithError("attach");
        }
    }
}
BENCHMARK(BM_Attach);

}  // namespace
