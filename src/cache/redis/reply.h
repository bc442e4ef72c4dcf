/// @file
/// Redis' protocol: what is sent and what comes back. RESP2, which every Redis speaks.
///
/// Reading is hiredis' own reader, over any stream of bytes. Source: Redis serialization protocol
/// specification.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

struct redisReader;

namespace zona::cache::redis {

/// One answer.
struct Reply {
    /// What came.
    enum class Kind : std::uint8_t { kNil, kStatus, kError, kInteger, kText, kArray };

    Kind kind = Kind::kNil;
    std::int64_t integer = 0;
    std::string text;  ///< of a status, an error or a text
    std::vector<Reply> elements;

    bool is_error() const { return kind == Kind::kError; }
    bool is_nil() const { return kind == Kind::kNil; }
    bool operator==(const Reply&) const = default;
};

/// Makes answers of bytes as they come. One thread at a time.
class ReplyReader {
  public:
    /// Of one answer, with all that is in it.
    static constexpr std::size_t kMostBytes = std::size_t{64} << 20U;
    static constexpr std::size_t kMostElements = std::size_t{1} << 16U;

    ReplyReader();

    /// Takes the next bytes. Errors: kTooLarge; those of next().
    core::Result<void> feed(std::string_view bytes);
    /// The next whole answer, if there is one. Errors: kUnavailable: this is not Redis' protocol,
    /// or beyond the limits; nothing more can be read then.
    core::Result<std::optional<Reply>> next();

  private:
    struct Free {
        void operator()(redisReader* reader) const noexcept;
    };
    std::unique_ptr<redisReader, Free> reader_;
};

/// @{
/// A command as it is sent.
std::string command(std::span<const std::string_view> words);
std::string command(std::initializer_list<std::string_view> words);
/// @}

}  // namespace zona::cache::redis
