/// @file
/// Root keys: what all data keys are wrapped with, and where they come from.
///
/// A root key is never stored beside what it protects: it lies in a file of its own, in the
/// environment of the daemon, or in a device that does not give it away. Source: SEC-07.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "crypto/key.h"

namespace zona::vault {

/// A root key that wraps and unwraps, and does nothing else, so that a device can do it.
/// All members from any thread.
class RootKey {
  public:
    RootKey() = default;
    RootKey(const RootKey&) = delete;
    RootKey& operator=(const RootKey&) = delete;
    virtual ~RootKey() = default;

    /// What tells it from other root keys; not secret.
    virtual const std::string& id() const = 0;
    /// `key` encrypted, as text; opens only with the same `context`. Errors: of a device.
    virtual core::Result<std::string> wrap(const crypto::Key& key, std::string_view context) = 0;
    /// The key again. Errors: kConflict when this is not what wrap() gave for `context`.
    virtual core::Result<crypto::Key> unwrap(std::string_view wrapped,
                                             std::string_view context) = 0;
};

/// A root key in memory. `random` must outlive the object.
std::unique_ptr<RootKey> make_root_key(const crypto::Key& key, core::Random& random);

/// The id that make_root_key() gives it: 16 hexadecimal digits made from the key, one way.
std::string root_key_id(const crypto::Key& key);

/// "zona_root_" and 48 characters: the key and a checksum, on one line. For a file of one's own.
core::Secret root_key_text(const crypto::Key& key);
/// What root_key_text() gave, blanks around it allowed.
/// Errors: kInvalidArgument; the message says what is wrong and repeats nothing.
core::Result<crypto::Key> parse_root_key(std::string_view text);

/// Where root keys come from. All members from any thread.
class RootKeyProvider {
  public:
    RootKeyProvider() = default;
    RootKeyProvider(const RootKeyProvider&) = delete;
    RootKeyProvider& operator=(const RootKeyProvider&) = delete;
    virtual ~RootKeyProvider() = default;

    /// What it is, for messages: "the file /etc/zona/root-key".
    virtual std::string name() const = 0;
    /// The key with this id. Errors: kNotFound, saying where it was looked for and what to do;
    /// kForbidden and kConflict as the provider says.
    virtual core::Result<std::unique_ptr<RootKey>> get(std::string_view id) = 0;
    /// A key for a new ring or for a rotation, stored durably before it returns.
    /// Errors: kUnsupported when the provider cannot make one, and those of writing.
    virtual core::Result<std::unique_ptr<RootKey>> make() = 0;
    /// Forgets all keys but this one, after a rotation. Errors: those of writing.
    virtual core::Result<void> keep_only(std::string_view id) = 0;
    /// Whether a key that is in use is where new ones would be made. Errors: those of get().
    virtual core::Result<void> check(std::string_view id) {
        auto found = get(id);
        return found ? core::Result<void>() : found.take_error();
    }
};

/// Keys in a file of mode 0600, one a line. While root keys are rotated there are two.
///
/// `random` must outlive the object. Errors of its members, beside those above: kForbidden when
/// others than the owner may read or write the file (nothing is read then), kConflict for a damaged
/// line, by its number.
std::unique_ptr<RootKeyProvider> make_file_provider(std::string path, core::Random& random);

/// Keys in a text that somebody else keeps: the value of an environment variable. Several are
/// separated by blanks; the first is what make() gives. `source` names it in messages: "the
/// environment variable ZONA_ROOT_KEY". The caller sees to it that children do not inherit it.
std::unique_ptr<RootKeyProvider> make_text_provider(core::Secret keys, std::string source,
                                                    core::Random& random);

/// Several providers: the first one's keys, and those of the others while something still lies
/// under them. So the provider can be changed: what was wrapped is read with the old one until
/// KeyRing::rotate_root() has wrapped it anew. make() and keep_only() are the first one's. get()
/// asks one after the other; its error is the first one's, with what the others said that were not
/// able to answer. name() is the first one's. Precondition: there is one at least.
std::unique_ptr<RootKeyProvider> make_provider_chain(
    std::vector<std::unique_ptr<RootKeyProvider>> providers);

}  // namespace zona::vault
