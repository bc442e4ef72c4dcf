// A page of the store: what encryption costs where nothing else is done.
#include <array>
#include <cstdlib>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/random.h"
#include "crypto/aead.h"

namespace zona::crypto {
namespace {

void seal_page(benchmark::State& state) {
    core::SystemRandom random;
    NonceSource nonces(random);
    Aes256Gcm cipher(Key::random(random));
    std::vector<std::byte> page(4064);
    const std::array<std::byte, 25> associated{};
    for (auto _ : state)
        benchmark::DoNotOptimize(cipher.seal(nonces.next(), associated, page, page));
    state.SetBytesProcessed(state.iterations() * std::ssize(page));
}
BENCHMARK(seal_page);

void open_page(benchmark::State& state) {
    core::SystemRandom random;
    Aes256Gcm cipher(Key::random(random));
    std::vector<std::byte> page(4064);
    std::vector<std::byte> plain(4064);
    const std::array<std::byte, 25> associated{};
    const Tag tag = cipher.seal({}, associated, page, page);
    for (auto _ : state) {
        if (!cipher.open({}, associated, page, tag, plain)) std::abort();
    }
    state.SetBytesProcessed(state.iterations() * std::ssize(page));
}
BENCHMARK(open_page);

}  // namespace
}  // namespace zona::crypto
