// Writes N numbered lines of 100 bytes to stdout as fast as it can, or MB_PER_S; --verify FILE
// checks that they are all there, in order, once, and prints their number.
//   line_flood N [MB_PER_S]
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace {

constexpr std::size_t kLine = 100;
constexpr std::size_t kLines = 640;

void number(char* line, unsigned long long n) {
    for (int digit = 19; digit >= 0; --digit, n /= 10)
        line[digit] = static_cast<char>('0' + n % 10);
}

int verify(const char* path) {
    std::FILE* file = std::fopen(path, "r");
    if (file == nullptr) return 3;
    std::vector<char> block(kLine * 10000);
    char wanted[20];
    unsigned long long n = 0;
    std::size_t got = 0;
    while ((got = std::fread(block.data(), 1, block.size(), file)) > 0) {
        if (got % kLine != 0) return 4;
        for (std::size_t at = 0; at < got; at += kLine, ++n) {
            number(wanted, n);
            if (std::memcmp(block.data() + at, wanted, 20) != 0 || block[at + kLine - 1] != '\n') {
                std::fprintf(stderr, "line %llu is wrong\n", n);
                return 5;
            }
        }
    }
    std::printf("%llu\n", n);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::strcmp(argv[1], "--verify") == 0) return verify(argv[2]);
    const unsigned long long count = argc >= 2 ? std::strtoull(argv[1], nullptr, 10) : 0;
    const unsigned long long rate = argc >= 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
    timespec next;
    ::clock_gettime(CLOCK_MONOTONIC, &next);
    std::string block(kLine * kLines, 'x');
    for (std::size_t i = 0; i < kLines; ++i)
        block[i * kLine + kLine - 1] = '\n';
    for (unsigned long long n = 0; n < count;) {
        std::size_t lines = 0;
        for (; lines < kLines && n < count; ++lines, ++n)
            number(block.data() + lines * kLine, n);
        const char* at = block.data();
        std::size_t left = lines * kLine;
        while (left > 0) {
            const ssize_t written = ::write(1, at, left);
            if (written < 0) return 6;
            at += written;
            left -= static_cast<std::size_t>(written);
        }
        if (rate > 0) {
            next.tv_nsec += static_cast<long>(lines * kLine * 1000 / rate);
            next.tv_sec += next.tv_nsec / 1000000000;
            next.tv_nsec %= 1000000000;
            ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr);
        }
    }
}
