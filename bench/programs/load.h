// What the load generators share: a clock, and an end for what cannot go on.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <ctime>

inline long long now_ns() {
    timespec t;
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

[[noreturn]] inline void fail(const char* what) {
    std::perror(what);
    std::exit(3);
}
