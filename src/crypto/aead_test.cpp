#include "crypto/aead.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/crypto.h>

#include "core/random.h"
#include "crypto/encoding.h"

namespace zona::crypto {
namespace {

std::atomic<std::size_t> g_allocations = 0;

void* counted_malloc(std::size_t size, const char*, int) {
    ++g_allocations;
    return std::malloc(size);
}

void* counted_realloc(void* memory, std::size_t size, const char*, int) {
    ++g_allocations;
    return std::realloc(memory, size);
}

void counted_free(void* memory, const char*, int) {
    std::free(memory);
}

/// Before OpenSSL allocates for the first time, which is the only moment at which it lets.
const int g_counting = ::CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free);

struct Vector {
    std::string_view key, nonce, associated, plain, cipher, tag;
};

// The GCM specification's test cases 13 to 16 (McGrew and Viega), which NIST took over.
constexpr std::string_view kZeros =
    "0000000000000000000000000000000000000000000000000000000000000000";
constexpr std::string_view kKey =
    "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
constexpr Vector kVectors[] = {
    {kZeros, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {kZeros, "000000000000000000000000", "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
    {kKey, "cafebabefacedbaddecaf888", "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {kKey, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"}};

std::vector<std::byte> unhex(std::string_view text) {
    const std::string bytes = from_hex(text).value();
    const auto view = std::as_bytes(std::span(bytes));
    return {view.begin(), view.end()};
}

template <class Array>
Array array_of(std::string_view text) {
    Array out;
    std::ranges::copy(unhex(text), out.begin());
    return out;
}

Key key_of(std::string_view text) {
    return Key(array_of<std::array<std::byte, kKeySize>>(text));
}

// SEC-01, SEC-04
TEST(Aead, GivesTheKnownAnswers) {
    for (const Vector& vector : kVectors) {
        Aes256Gcm cipher(key_of(vector.key));
        const auto nonce = array_of<Nonce>(vector.nonce);
        std::vector<std::byte> text = unhex(vector.plain);

        const Tag tag = cipher.seal(nonce, unhex(vector.associated), text, text);

        EXPECT_EQ(hex(text), vector.cipher);
        EXPECT_EQ(hex(tag), vector.tag);
        EXPECT_TRUE(cipher.open(nonce, unhex(vector.associated), text, tag, text));
        EXPECT_EQ(hex(text), vector.plain);
    }
}

// SEC-01, SEC-04
TEST(Aead, OpensNothingOfWhichOneBitIsAnother) {
    const Vector& vector = kVectors[3];
    Aes256Gcm cipher(key_of(vector.key));
    const auto nonce = array_of<Nonce>(vector.nonce);
    const auto associated = unhex(vector.associated);
    const auto sealed = unhex(vector.cipher);
    const auto tag = array_of<Tag>(vector.tag);
    std::vector<std::byte> plain(sealed.size());
    const auto flipped = [](auto bytes, std::size_t bit) {
        bytes[bit / 8] ^= std::byte{1} << (bit % 8);
        return bytes;
    };

    for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
        std::ranges::fill(plain, std::byte{7});
        ASSERT_FALSE(cipher.open(nonce, associated, flipped(sealed, bit), tag, plain));
        ASSERT_EQ(std::ranges::count(plain, std::byte{0}), std::ssize(plain))
            << "left in the clear";
    }
    for (std::size_t bit = 0; bit < 8 * kTagSize; ++bit)
        ASSERT_FALSE(cipher.open(nonce, associated, sealed, flipped(tag, bit), plain));
    for (std::size_t bit = 0; bit < 8 * kNonceSize; ++bit)
        ASSERT_FALSE(cipher.open(flipped(nonce, bit), associated, sealed, tag, plain));
    for (std::size_t bit = 0; bit < 8 * associated.size(); ++bit)
        ASSERT_FALSE(cipher.open(nonce, flipped(associated, bit), sealed, tag, plain));
    EXPECT_TRUE(cipher.open(nonce, associated, sealed, tag, plain));
}

// SEC-01
TEST(Aead, AnotherKeyOpensNothing) {
    core::SeededRandom random(1);
    Aes256Gcm ours(Key::random(random));
    Aes256Gcm theirs(Key::random(random));
    std::vector<std::byte> text(100);
    const Tag tag = ours.seal({}, {}, text, text);
    EXPECT_FALSE(theirs.open({}, {}, text, tag, text));
}

TEST(Aead, AllocatesNothingForAPage) {
    ASSERT_EQ(g_counting, 1);
    core::SeededRandom random(1);
    NonceSource nonces(random);
    Aes256Gcm cipher(Key::random(random));
    std::vector<std::byte> page(4064);
    const std::array<std::byte, 25> associated{};
    const auto there_and_back = [&] {
        const Nonce nonce = nonces.next();
        const Tag tag = cipher.seal(nonce, associated, page, page);
        return cipher.open(nonce, associated, page, tag, page);
    };
    ASSERT_TRUE(there_and_back());

    const std::size_t before = g_allocations;
    for (int i = 0; i < 10; ++i)
        ASSERT_TRUE(there_and_back());

    EXPECT_EQ(g_allocations, before);
}

// SEC-01
TEST(NonceSource, GivesNoneTwiceFromSeveralThreads) {
    core::SystemRandom random;
    NonceSource source(random);
    std::vector<std::vector<Nonce>> given(4);
    {
        std::vector<std::jthread> threads;
        for (auto& mine : given) {
            threads.emplace_back([&source, &mine] {
                for (int i = 0; i < 2'000; ++i)
                    mine.push_back(source.next());
            });
        }
    }
    NonceSource second(random);
    std::set<Nonce> all{second.next()};
    for (const auto& mine : given)
        all.insert(mine.begin(), mine.end());
    EXPECT_EQ(all.size(), 8'001U);
}

}  // namespace
}  // namespace zona::crypto
