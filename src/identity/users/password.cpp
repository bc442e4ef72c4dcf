#include "identity/users/password.h"

#include <array>
#include <optional>
#include <span>
#include <utility>

#include <argon2.h>
#include <fmt/format.h>

namespace zona::identity {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;
constexpr std::uint32_t kLanes = 1;
/// Of the longest text that our parameters give; one of the library's bounds.
constexpr std::size_t kMostEncoded = 256;

Error failed(int code) {
    const bool memory = code == ARGON2_MEMORY_ALLOCATION_ERROR;
    return {memory ? Code::kResourceExhausted : Code::kInternal,
            fmt::format("a password's hash cannot be computed: {}", argon2_error_message(code))};
}

}  // namespace

/// A place among those that compute; waits until there is one.
class PasswordHasher::Turn {
  public:
    explicit Turn(PasswordHasher& hasher) : hasher_(hasher) {
        std::unique_lock lock(hasher_.mutex_);
        hasher_.freed_.wait(lock, [this] { return hasher_.free_ > 0; });
        --hasher_.free_;
        hasher_.computed_.fetch_add(1, std::memory_order_relaxed);
        hasher_.counter_.add();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
        {
            const std::lock_guard lock(hasher_.mutex_);
            ++hasher_.free_;
        }
        hasher_.freed_.notify_one();
    }

  private:
    PasswordHasher& hasher_;
};

PasswordHasher::PasswordHasher(HashCost cost, std::size_t at_once, core::Random& random,
                               core::MetricRegistry& metrics)
    : cost_(cost),
      random_(random),
      counter_(metrics.counter("zona_password_hashes_total", "Hashes of passwords computed.")),
      own_prefix_(fmt::format("$argon2id$v={}$m={},t={},p={}$", int{ARGON2_VERSION_NUMBER},
                              cost.memory_kib, cost.passes, kLanes)),
      free_(at_once) {}

Result<std::string> PasswordHasher::hash(const core::Secret& password) {
    const std::string_view text = password.reveal();
    if (text.size() > kMaxPasswordBytes)
        return Error(Code::kTooLarge,
                     fmt::format("a password has at most {} bytes", kMaxPasswordBytes));
    std::array<std::byte, kSaltBytes> salt{};
    random_.fill(salt);
    std::string out(kMostEncoded, '\0');
    const Turn turn(*this);
    const int code =
        argon2id_hash_encoded(cost_.passes, cost_.memory_kib, kLanes, text.data(), text.size(),
                              salt.data(), salt.size(), kHashBytes, out.data(), out.size());
    if (code != ARGON2_OK) return failed(code);
    out.resize(out.find('\0'));
    return out;
}

Result<PasswordMatch> PasswordHasher::verify(const core::Secret& password, std::string_view hash) {
    const std::string_view text = password.reveal();
    if (text.size() > kMaxPasswordBytes) {
        ZONA_TRY_VOID(verify_nothing(password));
        return PasswordMatch::kNo;
    }
    const std::string encoded(hash);
    std::optional<int> code;
    {
        const Turn turn(*this);
        code = argon2id_verify(encoded.c_str(), text.data(), text.size());
    }
    if (code == ARGON2_OK)
        return encoded.starts_with(own_prefix_) ? PasswordMatch::kYes : PasswordMatch::kYesRehash;
    if (code == ARGON2_VERIFY_MISMATCH) return PasswordMatch::kNo;
    if (code == ARGON2_MEMORY_ALLOCATION_ERROR) return failed(*code);
    ZONA_TRY_VOID(verify_nothing(password));
    return PasswordMatch::kNo;
}

Result<void> PasswordHasher::verify_nothing(const core::Secret& password) {
    const std::string_view text = password.reveal().substr(0, kMaxPasswordBytes);
    const std::array<std::byte, kSaltBytes> salt{};
    std::array<std::byte, kHashBytes> out{};
    const Turn turn(*this);
    const int code =
        argon2id_hash_raw(cost_.passes, cost_.memory_kib, kLanes, text.data(), text.size(),
                          salt.data(), salt.size(), out.data(), out.size());
    if (code != ARGON2_OK) return failed(code);
    return {};
}

}  // namespace zona::identity
