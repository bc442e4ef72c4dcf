#include "crypto/key.h"

#include <algorithm>
#include <concepts>
#include <cstring>
#include <memory>
#include <new>
#include <sstream>
#include <type_traits>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/random.h"

namespace zona::crypto {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) { out << value; };

// SEC-01
TEST(Key, CannotBePrintedCopiedOrComparedByAccident) {
    static_assert(!fmt::is_formattable<Key>::value);
    static_assert(!Streamable<Key>);
    static_assert(!std::is_copy_constructible_v<Key> && !std::is_copy_assignable_v<Key>);
    static_assert(!std::equality_comparable<Key>);
}

// SEC-01
TEST(Key, IsOverwrittenWhenItDiesAndWhenItIsMovedFrom) {
    core::SeededRandom random(1);
    alignas(Key) std::byte memory[sizeof(Key)];
    Key* const key = new (memory) Key(Key::random(random));
    const Key copy = key->clone();

    Key moved = std::move(*key);

    EXPECT_TRUE(moved.same_as(copy));
    EXPECT_EQ(std::ranges::count(key->reveal(), std::byte{0}), std::ptrdiff_t{kKeySize});
    *key = std::move(moved);
    EXPECT_TRUE(key->same_as(copy));
    EXPECT_FALSE(moved.same_as(copy));
    key->~Key();
    EXPECT_EQ(std::ranges::count(std::span(memory), std::byte{0}), std::ptrdiff_t{sizeof memory});
}

TEST(Key, TellsKeysApart) {
    core::SeededRandom random(1);
    const Key one = Key::random(random);
    const Key other = Key::random(random);
    EXPECT_FALSE(one.same_as(other));
    EXPECT_TRUE(one.same_as(Key(one.reveal())));
}

}  // namespace
}  // namespace zona::crypto
