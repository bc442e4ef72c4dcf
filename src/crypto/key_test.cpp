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
    auto key = std::make_unique<Key>(Key::random(random));
    const Key copy = key->clone();
    // Stays mapped when the key is gone.
    const auto bytes = key->reveal();

    Key moved = std::move(*key);

    EXPECT_TRUE(moved.same_as(copy));
    EXPECT_EQ(moved.reveal().data(), bytes.data()) << "no copy is left behind";
    *key = std::move(moved);
    EXPECT_TRUE(key->same_as(copy));
    key.reset();
    EXPECT_EQ(std::ranges::count(bytes, std::byte{0}), std::ptrdiff_t{kKeySize});
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
