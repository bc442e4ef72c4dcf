#include "vault/root_key.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "crypto/aead.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "os/fd.h"

namespace zona::vault {
namespace {

using core::Code;
using core::Error;
using core::Result;
using crypto::Key;

constexpr std::string_view kPrefix = "zona_root_";
constexpr std::size_t kCheckBytes = 4;
constexpr std::size_t kTextBytes = crypto::kKeySize + kCheckBytes;
constexpr std::size_t kIdBytes = 8;
constexpr std::string_view kBlanks = " \t\r\n";

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

/// Wrapped: nonce, encrypted key, tag; base64url.
class LocalRootKey final : public RootKey {
  public:
    LocalRootKey(const Key& key, core::Random& random)
        : id_(root_key_id(key)),
          cipher_(crypto::derive_key(key, {}, "zona root wrap 1")),
          nonces_(random) {}

    const std::string& id() const override { return id_; }

    Result<std::string> wrap(const Key& key, std::string_view context) override {
        std::array<std::byte, kWrapped> out;
        const crypto::Nonce nonce = nonces_.next();
        const auto text = std::span(out).subspan<crypto::kNonceSize, crypto::kKeySize>();
        const std::scoped_lock lock(mutex_);
        const crypto::Tag tag = cipher_.seal(nonce, bytes_of(context), key.reveal(), text);
        std::ranges::copy(nonce, out.begin());
        std::ranges::copy(tag, out.end() - crypto::kTagSize);
        return crypto::base64url(out);
    }

    Result<Key> unwrap(std::string_view wrapped, std::string_view context) override {
        const Error wrong(Code::kConflict,
                          fmt::format("a key that was wrapped does not open with root key {}: it "
                                      "was changed, or is of another place",
                                      id_));
        const auto in = crypto::from_base64url(wrapped);
        if (!in || in->size() != kWrapped) return wrong;
        crypto::Nonce nonce;
        crypto::Tag tag;
        std::array<std::byte, crypto::kKeySize> key;
        const auto bytes = bytes_of(*in);
        std::ranges::copy(bytes.first<crypto::kNonceSize>(), nonce.begin());
        std::ranges::copy(bytes.last<crypto::kTagSize>(), tag.begin());
        const std::scoped_lock lock(mutex_);
        if (!cipher_.open(nonce, bytes_of(context),
                          bytes.subspan(crypto::kNonceSize, crypto::kKeySize), tag, key))
            return wrong;
        Key out{std::span<const std::byte, crypto::kKeySize>(key)};
        crypto::wipe(key);
        return out;
    }

  private:
    static constexpr std::size_t kWrapped =
        crypto::kNonceSize + crypto::kKeySize + crypto::kTagSize;

    const std::string id_;
    std::mutex mutex_;
    crypto::Aes256Gcm cipher_;  // guarded by mutex_
    crypto::NonceSource nonces_;
};

/// All keys of a text, separated by blanks. Errors: kConflict, by the number of the key.
Result<std::vector<Key>> parse_keys(std::string_view text, std::string_view source) {
    std::vector<Key> out;
    for (std::size_t at = text.find_first_not_of(kBlanks); at != std::string_view::npos;) {
        const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
        auto key = parse_root_key(text.substr(at, end - at));
        if (!key) {
            return std::move(key.take_error())
                .recode(Code::kConflict)
                .context(fmt::format("key {} in {} cannot be used; restore it from a copy or from "
                                     "key shares",
                                     out.size() + 1, source));
        }
        out.push_back(std::move(*key));
        at = text.find_first_not_of(kBlanks, end);
    }
    return out;
}

Result<std::unique_ptr<RootKey>> find_among(const std::vector<Key>& keys, std::string_view id,
                                            std::string_view source, core::Random& random) {
    for (const Key& key : keys) {
        if (root_key_id(key) == id) return make_root_key(key, random);
    }
    return Error(
        Code::kNotFound,
        fmt::format("root key {} is not in {}, which holds {}; without it nothing that was "
                    "encrypted can be read: restore it from a copy or from key shares",
                    id, source, keys.size() == 1 ? "another" : fmt::format("{}", keys.size())));
}

class FileProvider final : public RootKeyProvider {
  public:
    FileProvider(std::string path, core::Random& random)
        : path_(std::move(path)), random_(random) {}

    std::string name() const override { return "the file " + path_; }

    Result<std::unique_ptr<RootKey>> get(std::string_view id) override {
        const std::scoped_lock lock(mutex_);
        ZONA_TRY(const std::vector<Key> keys, read());
        return find_among(keys, id, path_, random_);
    }

    Result<std::unique_ptr<RootKey>> make() override {
        const std::scoped_lock lock(mutex_);
        ZONA_TRY(std::vector<Key> keys, read());
        keys.push_back(Key::random(random_));
        ZONA_TRY_VOID(write(keys));
        return make_root_key(keys.back(), random_);
    }

    Result<void> keep_only(std::string_view id) override {
        const std::scoped_lock lock(mutex_);
        ZONA_TRY(std::vector<Key> keys, read());
        const std::size_t before = keys.size();
        std::erase_if(keys, [id](const Key& key) { return root_key_id(key) != id; });
        if (keys.empty()) {
            return Error(Code::kNotFound,
                         fmt::format("root key {} is not in {}; nothing was removed", id, path_));
        }
        return keys.size() == before ? Result<void>{} : write(keys);
    }

  private:
    /// None when there is no file.
    Result<std::vector<Key>> read() const {
        constexpr mode_t kOthers = 077;
        constexpr std::size_t kMostBytes = std::size_t{64} << 10U;
        ZONA_TRY(const auto stat, os::stat_path(path_));
        if (!stat) return std::vector<Key>{};
        if ((stat->mode & kOthers) != 0) {
            return Error(Code::kForbidden,
                         fmt::format("{} can be read or written by others than its owner, so the "
                                     "root key is not safe: chmod 600 it, and change the root key "
                                     "if somebody may have seen it",
                                     path_));
        }
        ZONA_TRY(std::string text, os::read_file(path_, kMostBytes));
        const core::Secret secret(std::move(text));
        return parse_keys(secret.reveal(), path_);
    }

    Result<void> write(const std::vector<Key>& keys) const {
        std::string text;
        // In one piece: what a string leaves behind when it grows is not wiped.
        text.reserve(keys.size() * 80);
        for (const Key& key : keys) {
            text += root_key_text(key).reveal();
            text += '\n';
        }
        const core::Secret secret(std::move(text));
        return os::replace_file(path_, secret.reveal(), 0600);
    }

    const std::string path_;
    core::Random& random_;
    std::mutex mutex_;
};

class TextProvider final : public RootKeyProvider {
  public:
    TextProvider(core::Secret keys, std::string source, core::Random& random)
        : keys_(std::move(keys)), source_(std::move(source)), random_(random) {}

    std::string name() const override { return source_; }

    Result<std::unique_ptr<RootKey>> get(std::string_view id) override {
        ZONA_TRY(const std::vector<Key> keys, parse_keys(keys_.reveal(), source_));
        return find_among(keys, id, source_, random_);
    }

    Result<std::unique_ptr<RootKey>> make() override {
        ZONA_TRY(const std::vector<Key> keys, parse_keys(keys_.reveal(), source_));
        if (keys.empty()) {
            return Error(
                Code::kUnsupported,
                fmt::format("{} holds no root key, and zona cannot put one there", source_));
        }
        return make_root_key(keys.front(), random_);
    }

    Result<void> keep_only(std::string_view) override { return {}; }

  private:
    const core::Secret keys_;
    const std::string source_;
    core::Random& random_;
};

class ProviderChain final : public RootKeyProvider {
  public:
    explicit ProviderChain(std::vector<std::unique_ptr<RootKeyProvider>> providers)
        : providers_(std::move(providers)) {}

    std::string name() const override { return providers_.front()->name(); }

    Result<std::unique_ptr<RootKey>> get(std::string_view id) override {
        auto key = providers_.front()->get(id);
        if (key) return key;
        std::string others;
        for (const auto& provider : std::span(providers_).subspan(1)) {
            auto other = provider->get(id);
            if (other) return other;
            if (other.error().code() != Code::kNotFound)
                others += fmt::format("; {}", other.error().message());
        }
        if (others.empty()) return key;
        return Error(key.error().code(), key.error().message() + others);
    }
    Result<std::unique_ptr<RootKey>> make() override { return providers_.front()->make(); }
    Result<void> keep_only(std::string_view id) override {
        return providers_.front()->keep_only(id);
    }
    Result<void> check(std::string_view id) override { return providers_.front()->check(id); }

  private:
    const std::vector<std::unique_ptr<RootKeyProvider>> providers_;
};

}  // namespace

std::unique_ptr<RootKey> make_root_key(const Key& key, core::Random& random) {
    return std::make_unique<LocalRootKey>(key, random);
}

std::string root_key_id(const Key& key) {
    const crypto::Digest digest = crypto::hmac_sha256(key, bytes_of("zona root id 1"));
    return crypto::hex(std::span(digest).first<kIdBytes>());
}

core::Secret root_key_text(const Key& key) {
    std::array<std::byte, kTextBytes> bytes;
    const crypto::Digest digest = crypto::sha256(key.reveal());
    std::ranges::copy(key.reveal(), bytes.begin());
    std::copy_n(digest.begin(), kCheckBytes, bytes.begin() + crypto::kKeySize);
    const core::Secret encoded(crypto::base64url(bytes));
    crypto::wipe(bytes);
    std::string text;
    text.reserve(kPrefix.size() + encoded.reveal().size());
    text.append(kPrefix).append(encoded.reveal());
    return core::Secret(std::move(text));
}

Result<Key> parse_root_key(std::string_view text) {
    const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
    text = text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
    if (!text.starts_with(kPrefix))
        return Error(Code::kInvalidArgument, fmt::format("a root key begins with '{}'", kPrefix));
    auto decoded = crypto::from_base64url(text.substr(kPrefix.size()));
    if (!decoded || decoded->size() != kTextBytes) {
        return Error(
            Code::kInvalidArgument,
            fmt::format("a root key is '{}' and 48 letters, digits, '-' and '_'", kPrefix));
    }
    const core::Secret bytes(std::move(*decoded));
    const auto all = bytes_of(bytes.reveal());
    const auto key = all.first<crypto::kKeySize>();
    const crypto::Digest digest = crypto::sha256(key);
    if (!crypto::same_bytes(all.last<kCheckBytes>(), std::span(digest).first<kCheckBytes>())) {
        return Error(Code::kInvalidArgument,
                     "the root key's checksum does not fit: a character of it is wrong");
    }
    return Key(key);
}

std::unique_ptr<RootKeyProvider> make_file_provider(std::string path, core::Random& random) {
    return std::make_unique<FileProvider>(std::move(path), random);
}

std::unique_ptr<RootKeyProvider> make_text_provider(core::Secret keys, std::string source,
                                                    core::Random& random) {
    return std::make_unique<TextProvider>(std::move(keys), std::move(source), random);
}

std::unique_ptr<RootKeyProvider> make_provider_chain(
    std::vector<std::unique_ptr<RootKeyProvider>> providers) {
    return std::make_unique<ProviderChain>(std::move(providers));
}

}  // namespace zona::vault
