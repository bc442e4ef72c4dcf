/// @file
/// SigningKeys: the keys that access tokens are signed with, in the core database.
///
/// One signs, all verify. A rotation makes a new one and retires those before it: their private
/// parts are gone at once, and they verify until every token that they can have signed is over. A
/// token names its key; one that is not known here is looked for in the database, for another
/// instance may have made it. So a new key is used from its first moment on.
///
/// The private part lies sealed under the core's data key. Where that cannot be opened any more,
/// because that key was retired in a rotation of its own or the ring was lost, a new signing key is
/// made; tokens of before stay good, for public parts lie in clear. Source: AUTH-16, GAP-11.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "identity/tokens/json_web_key.h"
#include "store/database.h"
#include "vault/field_sealer.h"

namespace zona::identity {

/// The longest that an access token may be good for, whatever is set.
inline constexpr std::chrono::hours kLongestAccess{1};
/// How long an instance signs with a key without having looked whether others have rotated.
inline constexpr std::chrono::seconds kKeysFresh{60};
/// How far the clocks of instances may differ.
inline constexpr std::chrono::seconds kClockLeeway{60};
/// After a key was retired; then no token of it can be good.
inline constexpr std::chrono::seconds kRetiredVerifies = kLongestAccess + kKeysFresh + kClockLeeway;

/// `signing_keys`: by the key's id.
const store::CollectionSpec& signing_keys_spec();

/// What it works with.
struct SigningKeysDeps {
    std::shared_ptr<store::Database> core;  ///< opened with signing_keys_spec()
    std::shared_ptr<const vault::FieldSealer> fields;
    const core::Clock& clock;  ///< outlives all calls' answers
    core::Logger log;
    SigningAlgorithm algorithm = SigningAlgorithm::kEdDsa;  ///< of new keys
    bool is_shared = false;                                 ///< other instances use the database
};

/// Any thread. Answers come on the caller's thread where nothing has to be read, else on one of the
/// database's. Errors of all answers: those of the database and of FieldSealer::seal().
class SigningKeys : public std::enable_shared_from_this<SigningKeys> {
  public:
    /// What is given out; never null unless it says so.
    using Signer = std::shared_ptr<const SigningKey>;
    /// See Signer.
    using Verifier = std::shared_ptr<const VerificationKey>;

    /// Reads nothing yet.
    static std::shared_ptr<SigningKeys> make(SigningKeysDeps deps);
    SigningKeys(const SigningKeys&) = delete;
    SigningKeys& operator=(const SigningKeys&) = delete;
    ~SigningKeys();

    /// The key that signs now; the first one is made.
    void signer(store::Callback<Signer> done);
    /// The key of this id, if it is known here and may still verify; else null.
    Verifier find(std::string_view id) const;
    /// The same, after a look into the database where another instance may have made one. However
    /// many ask, one look is under way at a time. Null: there is none.
    void look_up(std::string id, store::Callback<Verifier> done);
    /// Makes a new key and gives its id. Takes as long as making it does: half a second for RS256.
    void rotate(store::Callback<std::string> done);
    /// rotate(), if the key that signs was made `age` ago. True: it has.
    void rotate_if_older(std::chrono::seconds age, store::Callback<bool> done);
    /// The keys that verify, the one that signs first: the document of `/.well-known/jwks.json`.
    void key_set(store::Callback<std::string> done);

  private:
    struct Ring;
    using Loaded = store::Callback<std::shared_ptr<const Ring>>;

    explicit SigningKeys(SigningKeysDeps deps);
    std::shared_ptr<const Ring> known() const;
    bool is_fresh(const Ring& ring, std::chrono::seconds age) const;
    void load(Loaded done);
    void load_next();
    core::Result<std::shared_ptr<const Ring>> read_ring(store::Reader& reader) const;
    core::Result<std::string> store_new(store::Writer& writer, const SigningKey& key) const;

    const SigningKeysDeps deps_;
    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::shared_ptr<const Ring> ring_;  // null: nothing was read yet
    std::vector<Loaded> waiting_;       // for the next look
    bool loading_ = false;
};

}  // namespace zona::identity
