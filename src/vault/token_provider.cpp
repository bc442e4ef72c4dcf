#include "vault/token_provider.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "crypto/aead.h"
#include "crypto/encoding.h"
#include "vault/detail/token.h"

namespace zona::vault {
namespace {

using core::Code;
using core::Error;
using core::Result;
using crypto::Key;

constexpr std::size_t kIdBytes = 8;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

/// Wrapped: nonce, encrypted key, tag; base64url, as a root key in memory does it.
class TokenRootKey final : public RootKey {
  public:
    // The token is shared with the provider, which may end before.
    TokenRootKey(std::string id, std::shared_ptr<detail::Token> token, core::Random& random)
        : id_(std::move(id)), token_(std::move(token)), nonces_(random) {}

    const std::string& id() const override { return id_; }

    Result<std::string> wrap(const Key& key, std::string_view context) override {
        const crypto::Nonce nonce = nonces_.next();
        ZONA_TRY(
            const std::string sealed,
            token_->encrypt(id_, {.nonce = nonce, .context = bytes_of(context)}, key.reveal()));
        std::string out(reinterpret_cast<const char*>(nonce.data()), nonce.size());
        out += sealed;
        return crypto::base64url(bytes_of(out));
    }

    Result<Key> unwrap(std::string_view wrapped, std::string_view context) override {
        const auto in = crypto::from_base64url(wrapped);
        if (!in || in->size() != crypto::kNonceSize + crypto::kKeySize + crypto::kTagSize) {
            return Error(Code::kConflict,
                         fmt::format("a key that was wrapped with root key {} was changed", id_));
        }
        const auto bytes = bytes_of(*in);
        ZONA_TRY(const core::Secret plain,
                 token_->decrypt(
                     id_, {.nonce = bytes.first(crypto::kNonceSize), .context = bytes_of(context)},
                     bytes.subspan(crypto::kNonceSize)));
        if (plain.reveal().size() != crypto::kKeySize)
            return Error(Code::kConflict, "what the token has opened is no key");
        return Key(bytes_of(plain.reveal()).first<crypto::kKeySize>());
    }

  private:
    const std::string id_;
    const std::shared_ptr<detail::Token> token_;
    crypto::NonceSource nonces_;
};

class TokenProvider final : public RootKeyProvider {
  public:
    TokenProvider(TokenOptions options, core::Random& random)
        : token_(std::make_shared<detail::Token>(std::move(options))), random_(random) {}

    std::string name() const override {
        return fmt::format("the token '{}'", token_->options().token);
    }

    Result<std::unique_ptr<RootKey>> get(std::string_view id) override {
        ZONA_TRY(const std::vector<std::string> ids, token_->ids());
        if (std::ranges::find(ids, id) == ids.end()) {
            return Error(
                Code::kNotFound,
                fmt::format("root key {} is not in {}, which holds {} under the label "
                            "'{}'; without it nothing that was encrypted can be read: put "
                            "in the token that has it",
                            id, name(), ids.empty() ? "none" : "others", token_->options().label));
        }
        return std::make_unique<TokenRootKey>(std::string(id), token_, random_);
    }

    Result<std::unique_ptr<RootKey>> make() override {
        std::array<std::byte, kIdBytes> bytes{};
        random_.fill(bytes);
        const std::string id = crypto::hex(bytes);
        ZONA_TRY_VOID(token_->make(id));
        return std::make_unique<TokenRootKey>(id, token_, random_);
    }

    Result<void> keep_only(std::string_view id) override {
        ZONA_TRY(const std::vector<std::string> ids, token_->ids());
        if (std::ranges::find(ids, id) == ids.end()) {
            return Error(Code::kNotFound, fmt::format("root key {} is not in {}; nothing was "
                                                      "destroyed",
                                                      id, name()));
        }
        return token_->destroy_others(id);
    }

  private:
    // Shared with the keys that it gave out.
    const std::shared_ptr<detail::Token> token_;
    core::Random& random_;
};

}  // namespace

std::unique_ptr<RootKeyProvider> make_token_provider(TokenOptions options, core::Random& random) {
    return std::make_unique<TokenProvider>(std::move(options), random);
}

}  // namespace zona::vault
