/// @file
/// Result<T>: a value or an Error. The return type of everything that can fail as part of normal
/// work.
///
/// Exceptions are left to broken contracts and exhausted memory; none crosses a module's public
/// header.
#pragma once

#include <expected>
#include <utility>

#include "core/error.h"

namespace zona::core {

/// A value or an Error. Not an alias of std::expected: libstdc++ 12's is not [[nodiscard]].
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
  public:
    using std::expected<T, Error>::expected;
    /// What it is apart from [[nodiscard]].
    using Base = std::expected<T, Error>;
    /// So that a function of this type can `return error;`.
    Result(Error error) : Base(std::unexpect, std::move(error)) {}
    /// The error moved out. Precondition: !has_value().
    Error take_error() { return std::move(this->error()); }
};

/// Success or an Error: of what has no value to give.
template <>
class [[nodiscard]] Result<void> : public std::expected<void, Error> {
  public:
    using std::expected<void, Error>::expected;
    /// What it is apart from [[nodiscard]].
    using Base = std::expected<void, Error>;
    Result() = default;
    /// So that a function of this type can `return error;`.
    Result(Error error) : Base(std::unexpect, std::move(error)) {}
    /// The error moved out. Precondition: !has_value().
    Error take_error() { return std::move(this->error()); }
};

}  // namespace zona::core

/// @cond
#define ZONA_CONCAT_INNER(a, b) a##b
#define ZONA_CONCAT(a, b) ZONA_CONCAT_INNER(a, b)

#define ZONA_TRY_IMPL(tmp, decl, ...)              \
    auto tmp = (__VA_ARGS__);                      \
    if (!tmp.has_value()) return tmp.take_error(); \
    decl = std::move(*tmp)
#define ZONA_CO_TRY_IMPL(tmp, decl, ...)              \
    auto tmp = (__VA_ARGS__);                         \
    if (!tmp.has_value()) co_return tmp.take_error(); \
    decl = std::move(*tmp)
/// @endcond

/// Statement: evaluates a Result; on error returns it from the enclosing function, else binds the
/// value.
///
///     ZONA_TRY(auto doc, store.load(id));
///     ZONA_TRY_VOID(file.sync());
#define ZONA_TRY(decl, ...) ZONA_TRY_IMPL(ZONA_CONCAT(zona_try_, __COUNTER__), decl, __VA_ARGS__)
/// The same for a Result<void>.
#define ZONA_TRY_VOID(...)                                                  \
    do {                                                                    \
        if (auto zona_try_void = (__VA_ARGS__); !zona_try_void.has_value()) \
            return zona_try_void.take_error();                              \
    } while (false)

/// ZONA_TRY inside a coroutine that returns awaitable<Result<T>>: the expression may hold a
/// co_await.
#define ZONA_CO_TRY(decl, ...) \
    ZONA_CO_TRY_IMPL(ZONA_CONCAT(zona_try_, __COUNTER__), decl, __VA_ARGS__)
/// ZONA_TRY_VOID inside such a coroutine.
#define ZONA_CO_TRY_VOID(...)                                               \
    do {                                                                    \
        if (auto zona_try_void = (__VA_ARGS__); !zona_try_void.has_value()) \
            co_return zona_try_void.take_error();                           \
    } while (false)
