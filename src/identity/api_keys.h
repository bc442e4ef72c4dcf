/// @file
/// ApiKeys: the keys with which clients over the network say who they are.
///
/// A key is "zona_key_" and 43 characters of base64url, 256 random bits; the prefix tells it from a
/// token, and lets secret scanners find one that was published. Only its SHA-256 is stored, which
/// suffices for a text that cannot be guessed. The text itself is given once, by create() and
/// rotate(). Source: PM-50, PM-51, SEC-27.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "identity/principal.h"

namespace zona::identity {

/// What every key begins with, so that scanners for leaked secrets can find it.
inline constexpr std::string_view kApiKeyPrefix = "zona_key_";

/// Whether a key stands anywhere in the text, valid or not: where it does, the text is not to be
/// logged.
bool holds_api_key(std::string_view text);

/// What is known of a key; not the key.
struct ApiKey {
    core::Uuid id;
    std::string name;
    Scope scope = Scope::kViewer;
    std::string tenant;  ///< the code of the only tenant that it reaches; empty: all of zona
    core::SystemTime created_at{};
    std::optional<core::SystemTime> expires_at;
    /// After a restart, as of the last store_uses() or change of the list.
    std::optional<core::SystemTime> last_used_at;
};

/// Why a key was not taken.
enum class KeyRefusal : std::uint8_t {
    kMalformed,  ///< no key of ours: another form, another length
    kUnknown,
    kExpired,
};

/// What is told of a key that is to be made.
struct NewApiKey {
    std::string name;  ///< 1 to 64 of [A-Za-z0-9._-]
    Scope scope = Scope::kViewer;
    std::optional<core::SystemTime> expires_at{};
    std::string tenant{};  ///< as in ApiKey, in lower case; whether there is one is not looked at
};

/// All members from any thread.
class ApiKeys {
  public:
    /// Reads `file`; one that does not exist is an empty list. `clock` and `random` must outlive
    /// the object. `used` is called by verify(), on its thread, when there is something for
    /// store_uses() to write that was not there before; it must not call back.
    ///
    /// Errors: kConflict, naming the file, for one that is damaged or of a newer format: it is left
    /// as it is, and nobody gets in by it. Others from errno.
    static core::Result<std::unique_ptr<ApiKeys>> open(std::string file, const core::Clock& clock,
                                                       core::Random& random,
                                                       std::function<void()> used = {});
    ~ApiKeys();
    ApiKeys(const ApiKeys&) = delete;
    ApiKeys& operator=(const ApiKeys&) = delete;

    /// Makes the key "default" with scope admin when there is no list yet, and writes it into
    /// `file`, mode 0600, for whoever starts zona first. True: it was made. Errors: those of
    /// writing; then no key was made, and the next call tries again.
    core::Result<bool> make_first(const std::string& file);

    /// Makes a key and stores it before it returns; waits for the disk. Several may share a name
    /// only while rotate() lets them overlap.
    /// Errors: kInvalidArgument (name, an expiry in the past), kConflict (the name exists), and
    /// those of writing; then nothing has changed.
    core::Result<core::Secret> create(const NewApiKey& wanted);

    /// Makes a successor of the same name, scope and tenant; the old one goes on for `overlap`, so
    /// that clients can be changed one after the other. Errors: kNotFound, and those of writing.
    core::Result<core::Secret> rotate(std::string_view name, std::chrono::seconds overlap);

    /// Takes all keys of this name back, at once. Errors: kNotFound, and those of writing.
    core::Result<void> revoke(std::string_view name);

    /// Takes all keys of this tenant back, at once, and says how many. Errors: those of writing.
    core::Result<std::size_t> revoke_of_tenant(std::string_view code);

    /// In the order of their making, expired ones included.
    std::vector<ApiKey> list() const;

    /// Who presents this text. Takes the same time whichever key it is nearest to, and never waits
    /// for the disk: the use is noted in memory.
    std::variant<Principal, KeyRefusal> verify(std::string_view presented);

    /// Whether verify() would take the key of this id (Principal::key_id) now, without a note of
    /// its use: for what was opened with it.
    bool is_good(const core::Uuid& id) const;

    /// Writes down when the keys were used, if any was since the last time; for the owner to call
    /// now and then, and at the end. Waits for the disk. Errors: those of writing; it is tried
    /// again with the next call.
    core::Result<void> store_uses();

  private:
    struct Body;
    explicit ApiKeys(std::unique_ptr<Body> body);
    std::unique_ptr<Body> body_;
};

}  // namespace zona::identity
