/// @file
/// API keys as documents of the core database, all in its own scope, for whoever shows a key says
/// nothing of a tenant. The functions are called within transactions; what is told to other
/// instances is written in the same one. Source: AUTH-28, AUTH-29, docs/adr/0020.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "identity/keys/api_key.h"
#include "store/database.h"

namespace zona::identity {

/// Keys of an installation: every instance has all of them in memory.
inline constexpr std::uint64_t kMostKeys = 10'000;
/// Of them, keys of one tenant.
inline constexpr std::uint64_t kMostKeysOfTenant = 1'000;

/// `api_keys`: by id. Of the keys of one name and tenant the latest has `holds_name`, which is
/// unique.
const store::CollectionSpec& api_keys_spec();
/// `api_key_news`: that they are others now, by number.
const store::CollectionSpec& api_key_news_spec();
/// `api_key_lists`: files of homes that were taken over, by what they held.
const store::CollectionSpec& api_key_lists_spec();
/// All of them: for the core database.
std::vector<const store::CollectionSpec*> api_key_collections();

/// How a change of keys is made.
struct KeyChange {
    core::Random& random;  ///< fit for keys, any thread
    core::SystemTime now;
    bool tell_others = false;  ///< other instances use the database
};

/// A key, and its text, which is known this once.
struct MadeKey {
    ApiKey key;
    core::Secret text;
    std::vector<ApiKey> before{};  ///< those that it follows, as they were
};

/// A key, or two while a rotation lets them overlap.
struct KeyName {
    std::string name;
    /// Whose, by code (empty: nobody's); nullopt: of whoever is the only one to have the name.
    std::optional<std::string> tenant{};
};

/// Makes a key. `by` may do whatever it may. Errors: those of check_new_key() and check_within();
/// kNotFound: a role; kConflict: the name is taken within the tenant, the certificate is
/// registered, there are kMostKeys or kMostKeysOfTenant.
core::Result<MadeKey> create_key(store::Writer& core, const Subject& by, const NewApiKey& wanted,
                                 const KeyChange& change);
/// How one key follows another.
struct Succession {
    std::chrono::seconds overlap{0};
    std::optional<KeyCertificate> certificate{};
};

/// Makes a successor with the same name, rights, limits and end; those of the name that are good
/// end after `overlap`. One with a certificate gets `certificate` in its place. Errors: kNotFound;
/// kConflict: several tenants have the name, the certificate is registered; kInvalidArgument: it
/// has a certificate and no new one came, or the other way round; those of check_within().
core::Result<MadeKey> rotate_key(store::Writer& core, const Subject& by, const KeyName& name,
                                 const Succession& how, const KeyChange& change);
/// The same for the key of this id, which asks for it itself. Errors: kNotFound: it is gone, or has
/// ended; kConflict: it has no `rotate_every`, or is not the latest of its name.
core::Result<MadeKey> renew_key(store::Writer& core, const core::Uuid& id, const Succession& how,
                                const KeyChange& change);
/// Takes all keys of this name out, and gives what was known of them. Errors: kNotFound; those of
/// check_within().
core::Result<std::vector<ApiKey>> revoke_keys(store::Writer& core, const Subject& by,
                                              const KeyName& name, const KeyChange& change);
/// Takes keys of this tenant out, `most` at a time, and says how many.
core::Result<std::uint64_t> remove_keys_of(store::Writer& core, std::string_view tenant,
                                           std::size_t most);
/// Says to others that something has changed, where there are others.
core::Result<void> tell_of_keys(store::Writer& core, const KeyChange& change);
/// Puts the keys of a home's file there, once: a list that was taken over is passed over. One whose
/// name is taken gets a number behind it. Gives those that were put.
core::Result<std::vector<ApiKey>> take_over_keys(store::Writer& core,
                                                 const std::vector<StoredKey>& list,
                                                 const KeyChange& change);

/// The name of a key that has this role of the tenant; none: no key has it.
core::Result<std::optional<std::string>> find_key_with_role(store::Reader& core,
                                                            const std::string& tenant,
                                                            const std::string& role);

/// What was noted of a key since it was last written down.
struct NewUses {
    core::Uuid id;
    KeyUsage since;
};
/// Adds them up. Of a key that is gone: nothing.
core::Result<void> add_uses(store::Writer& core, std::span<const NewUses> uses);

/// All keys, by age, and the number of the news that they are as of.
struct KeyList {
    std::int64_t news = 0;
    std::vector<StoredKey> keys;
};
core::Result<KeyList> read_keys(store::Reader& core);  ///< Errors: those of the store.
/// The number of the newest news of keys.
core::Result<std::int64_t> newest_key_news(store::Reader& core);

}  // namespace zona::identity
