/// @file
/// Identity providers: where the users of a tenant sign in instead of here, and what is believed of
/// what is said there.
///
/// A tenant may have several at once; each is a document in the tenant's scope of the core
/// database, its client's secret sealed under the tenant's keys. Source: AUTH-26, AUTH-27.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "core/secret.h"
#include "identity/access/roles.h"
#include "store/database.h"

namespace zona::vault {
class FieldSealer;
}

namespace zona::identity {

/// How a provider is spoken to.
enum class ProviderKind : std::uint8_t { kOpenId, kSaml };
/// "openid", "saml".
std::string_view to_string(ProviderKind kind);

/// The claim that is no attribute of SAML, but the subject itself; the default of a name.
inline constexpr const char* kNameId = "NameID";

/// What a provider says that somebody is, and which user that is here.
struct ClaimNames {
    /// With dots into objects: "realm_access.roles". A claim of that whole name goes first. By
    /// SAML an attribute's Name or FriendlyName.
    std::string name = "preferred_username";
    std::string email = "email";
    std::string groups = "groups";
    bool operator==(const ClaimNames&) const = default;
};

/// Who gets in that has not been here before.
enum class Newcomers : std::uint8_t {
    kExisting,  ///< users that were made here, by their name; they are linked with the first
                ///< sign-in
    kCreate,    ///< everybody: a user is made
};
/// "existing", "create".
std::string_view to_string(Newcomers newcomers);

/// One provider.
struct IdentityProvider {
    std::string tenant;  ///< its code
    std::string name;    ///< 1 to 64 of [a-z0-9_-], the first a letter or digit
    ProviderKind kind = ProviderKind::kOpenId;
    std::string display_name{};  ///< for people
    /// As the provider writes it: an https URL; by SAML its entity id, which may be left out until
    /// Federation::complete().
    std::string issuer{};
    /// By SAML one of both.
    std::string metadata{};      ///< XML
    std::string metadata_url{};  ///< where they are
    std::string client_id{};
    core::Secret client_secret{};  ///< empty: a public client
    /// @{
    /// By SAML, made here: to whose key the provider may encrypt.
    core::Secret encryption_key{};         ///< PEM
    std::string encryption_certificate{};  ///< DER in base64
    /// @}
    std::vector<std::string> scopes{"openid", "profile", "email"};
    ClaimNames claims{};
    /// Group and role: who is in the group has the role. Empty: roles are given here.
    std::vector<std::pair<std::string, std::string>> role_map{};
    std::vector<std::string> default_roles{};  ///< of everybody who comes from there
    Newcomers newcomers = Newcomers::kExisting;
    bool enabled = true;
    core::SystemTime created_at{};
    core::SystemTime updated_at{};

    /// Whether the roles of its users are what it says at each sign-in.
    bool sets_roles() const { return !role_map.empty() || !default_roles.empty(); }
};

/// Providers that one tenant may have.
inline constexpr std::size_t kMaxProviders = 32;

/// @{
/// A provider as it is written down, without its secret, tenant and times:
///
///     {"name": "corp", "issuer": "https://login.example/realms/corp", "client_id": "zona",
///      "display_name": "Corporate login", "scopes": ["openid", "profile", "email"],
///      "claims": {"name": "preferred_username", "email": "email", "groups": "groups"},
///      "roles": {"soc": "creator"}, "default_roles": ["user"], "newcomers": "existing",
///      "enabled": true}
///
/// `name`, `issuer` and `client_id` must be there; `client_secret` may be. With "kind": "saml",
/// `metadata` or `metadata_url` instead of the last two and the scopes. Errors:
/// kInvalidArgument, with a JSON pointer in its details.
store::Document to_document(const IdentityProvider& provider);
core::Result<IdentityProvider> provider_from(const store::Document& document);
/// @}

/// What IdentityProviders works with; all outlive it and what it has begun.
struct ProvidersDeps {
    /// The core database; null while it is not open. Any thread.
    std::function<std::shared_ptr<store::Database>()> core;
    /// What seals a tenant's secret fields. Any thread.
    std::function<core::Result<std::shared_ptr<const vault::FieldSealer>>(const std::string&)>
        fields;
};

/// All members from any thread; answers come on a thread of the database. Errors of all:
/// kUnavailable while the core database is not open; those of the store; kNotFound when the
/// tenant's keys were erased. What is given has the client's secret in it.
class IdentityProviders {
  public:
    /// Asks nothing yet.
    explicit IdentityProviders(ProvidersDeps deps);

    /// Errors: kConflict: the name is taken, there are kMaxProviders, another provider by SAML has
    /// the same issuer, for whom it could speak; those of
    /// Roles::check_grant() for every role that it may give: who sets one up grants them.
    void create(const Subject& by, IdentityProvider wanted, store::Callback<IdentityProvider> done);
    /// Replaces all but the name; without a secret, the one that is there stays. Errors: those of
    /// create(); kNotFound; kAccessDenied also when it may give now what `by` may not grant;
    /// kInvalidArgument: another issuer, and no secret.
    void change(const Subject& by, IdentityProvider wanted, store::Callback<IdentityProvider> done);
    /// Those who came from there cannot sign in any more; their sessions go on. Errors: kNotFound;
    /// kAccessDenied as of change().
    void remove(const Subject& by, const std::string& tenant, const std::string& name,
                store::Callback<IdentityProvider> done);
    /// Errors: kNotFound.
    void find(const std::string& tenant, const std::string& name,
              store::Callback<IdentityProvider> done);
    /// By age.
    void list(const std::string& tenant, store::Callback<std::vector<IdentityProvider>> done);

  private:
    ProvidersDeps deps_;
};

}  // namespace zona::identity
