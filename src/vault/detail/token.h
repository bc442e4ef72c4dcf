/// @file
/// Token: one session with one PKCS#11 token, made anew when it is lost.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <p11-kit/pkcs11.h>

#include "core/result.h"
#include "vault/token_provider.h"

namespace zona::vault::detail {

/// All members from any thread, one at a time. Looking for a token that is not there begins the
/// module anew, which ends the sessions of other objects in this process; they make new ones.
/// Errors: those of make_token_provider().
class Token {
  public:
    explicit Token(TokenOptions options) : options_(std::move(options)) {}
    Token(const Token&) = delete;
    Token& operator=(const Token&) = delete;
    ~Token();

    const TokenOptions& options() const { return options_; }

    /// The ids of all keys with the label.
    core::Result<std::vector<std::string>> ids();
    /// Makes a key with this id, 16 hexadecimal digits, in the token.
    core::Result<void> make(std::string_view id);
    /// Destroys the keys with the label but this one.
    core::Result<void> destroy_others(std::string_view id);

    /// What AES-256-GCM is told beside the text.
    struct Gcm {
        std::span<const std::byte> nonce;
        std::span<const std::byte> context;
    };
    /// Cipher text and tag. Errors also: kNotFound: no such key.
    core::Result<std::string> encrypt(std::string_view id, const Gcm& gcm,
                                      std::span<const std::byte> text);
    /// Errors also: kConflict: it is not what encrypt() gave; kNotFound.
    core::Result<core::Secret> decrypt(std::string_view id, const Gcm& gcm,
                                       std::span<const std::byte> text);

  private:
    /// What a step gave: CKR_OK, or why it failed and at what.
    struct Step {
        CK_RV code = CKR_OK;
        const char* call = "";
    };
    template <class Work>
    core::Result<void> run(Work work);
    core::Result<void> connect();
    core::Result<void> load();
    core::Result<CK_SLOT_ID> find_slot();
    core::Result<CK_SLOT_ID> look_for_slot() const;
    core::Result<void> log_in();
    void disconnect();
    core::Error failure(Step step) const;
    Step find_keys(std::optional<std::string_view> id, std::vector<CK_OBJECT_HANDLE>& found);
    Step id_of(CK_OBJECT_HANDLE key, std::string& id);

    const TokenOptions options_;
    std::mutex mutex_;
    // All guarded by mutex_.
    CK_FUNCTION_LIST* calls_ = nullptr;
    CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
    std::optional<core::Secret> refused_pin_;
};

}  // namespace zona::vault::detail
