#include "identity/federation/identity_provider.h"

#include <algorithm>
#include <set>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"
#include "identity/detail/fields.h"
#include "identity/federation/saml_reader.h"
#include "identity/users/collections.h"
#include "identity/users/detail/sealed.h"
#include "vault/field_sealer.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::JsonReader;
using core::Result;
using core::Secret;
using store::Collection;
using store::Reader;
using store::Record;
using store::Writer;

namespace {

constexpr const char* kSecret = "client_secret";
constexpr const char* kKey = "encryption_key";
constexpr const char* kCertificate = "encryption_certificate";
constexpr std::size_t kMostText = 512;
constexpr std::size_t kMostName = 64;
constexpr std::size_t kMostGroups = 256;
constexpr std::size_t kMostScopes = 32;
constexpr std::size_t kMostEntityId = 1024;

bool is_name(std::string_view name) {
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    return !name.empty() && name.size() <= kMostName && name.front() != '-' &&
           name.front() != '_' && name.find_first_not_of(kLetters) == std::string_view::npos;
}

void check_text(const JsonReader& from, std::string_view key, std::string_view text) {
    if (text.size() > kMostText)
        from.mistake(key, fmt::format("is longer than {} bytes", kMostText));
    else if (core::has_control_characters(text))
        from.mistake(key, "holds control characters");
}

std::string read_text(const JsonReader& from, std::string_view key, std::string otherwise) {
    std::string text = from.string(key).value_or(std::move(otherwise));
    check_text(from, key, text);
    return text;
}

/// What a provider of this kind calls them by itself.
ClaimNames claims_of(ProviderKind kind) {
    ClaimNames out;
    if (kind == ProviderKind::kSaml) out.name = kNameId;
    return out;
}

ClaimNames read_claims(const JsonReader& from, ClaimNames out) {
    out.name = read_text(from, "name", out.name);
    out.email = read_text(from, "email", out.email);
    out.groups = read_text(from, "groups", out.groups);
    if (out.name.empty()) from.mistake("name", "is empty: users need a name");
    return out;
}

/// Plain http is for a provider on this host, which only an installation for development has.
bool is_url(std::string_view text) {
    const std::size_t scheme = text.starts_with("https://")  ? 8
                               : text.starts_with("http://") ? 7
                                                             : 0;
    return scheme > 0 && text.size() > scheme && !text.contains('#') && !text.contains(' ') &&
           !text.substr(0, text.find('/', scheme)).contains('@');
}

void read_roles(const JsonReader& from, IdentityProvider& into) {
    into.role_map = from.string_map("roles").value_or(decltype(into.role_map)());
    if (into.role_map.size() > kMostGroups)
        from.mistake("roles", fmt::format("maps more than {} groups", kMostGroups));
    into.default_roles = from.strings("default_roles").value_or(std::vector<std::string>());
    if (into.default_roles.size() > kMaxRolesOfUser)
        from.mistake("default_roles", fmt::format("are more than {}", kMaxRolesOfUser));
}

/// What is known of a provider by OpenID.
void read_openid(const JsonReader& from, IdentityProvider& into) {
    into.issuer = from.require_string("issuer");
    check_text(from, "issuer", into.issuer);
    if (!into.issuer.empty() && (!is_url(into.issuer) || into.issuer.contains('?'))) {
        from.mistake("issuer", "is no issuer: an https URL without query",
                     "as the provider's own /.well-known/openid-configuration has it");
    }
    into.client_id = from.require_string("client_id");
    check_text(from, "client_id", into.client_id);
    into.client_secret = Secret(from.string(kSecret).value_or(""));
    check_text(from, kSecret, into.client_secret.reveal());
    into.scopes = from.strings("scopes").value_or(into.scopes);
    if (!detail::holds(into.scopes, "openid"))
        from.mistake("scopes", "lacks 'openid', without which nothing is said of anybody");
    const auto is_bad = [](const std::string& scope) {
        return scope.empty() || scope.contains(' ') || core::has_control_characters(scope);
    };
    if (into.scopes.size() > kMostScopes || std::ranges::any_of(into.scopes, is_bad))
        from.mistake("scopes", fmt::format("are more than {}, or one is none", kMostScopes));
    for (const char* const key : {"metadata", "metadata_url"}) {
        if (!from.string(key).value_or("").empty())
            from.mistake(key, "is of providers by SAML", "give \"kind\": \"saml\"");
    }
}

/// What is known of one by SAML.
void read_saml(const JsonReader& from, IdentityProvider& into) {
    into.issuer = from.string("issuer").value_or("");
    if (into.issuer.size() > kMostEntityId || core::has_control_characters(into.issuer))
        from.mistake("issuer", "is no entity id", "leave it out: the metadata name it");
    into.metadata = from.string("metadata").value_or("");
    if (into.metadata.size() > kMostSamlMetadata)
        from.mistake("metadata", "are over 256 KiB", "give those of one provider");
    into.metadata_url = read_text(from, "metadata_url", "");
    if (!into.metadata_url.empty() && !is_url(into.metadata_url))
        from.mistake("metadata_url", "is no https URL");
    if (into.metadata.empty() == into.metadata_url.empty())
        from.mistake("metadata", "give this, or metadata_url, and not both");
    into.scopes = from.strings("scopes").value_or(std::vector<std::string>());
    for (const char* const key : {"client_id", kSecret}) {
        if (!from.string(key).value_or("").empty())
            from.mistake(key, "is of providers by OpenID Connect");
    }
    if (!into.scopes.empty()) from.mistake("scopes", "are of providers by OpenID Connect");
}

/// Every role that somebody may get by it, once.
std::vector<std::string> roles_of(const IdentityProvider& provider) {
    std::set<std::string> all(provider.default_roles.begin(), provider.default_roles.end());
    for (const auto& [group, role] : provider.role_map)
        all.insert(role);
    return {all.begin(), all.end()};
}

/// Whether `by` may give what the provider gives. One role at a time: a user's have a bound that
/// those of all groups together have not.
Result<void> check_grants(Reader& core, const Subject& by, const IdentityProvider& provider) {
    for (const std::string& role : roles_of(provider)) {
        const std::string one[] = {role};
        ZONA_TRY_VOID(Roles::check_grant(core, by, provider.tenant, one));
    }
    return check_tenant(by, provider.tenant);
}

/// The same of a provider that is there: a role that is gone gives nothing.
Result<void> check_reach(Reader& core, const Subject& by, const IdentityProvider& provider) {
    auto checked = check_grants(core, by, provider);
    if (!checked && checked.error().code() == Code::kNotFound)
        return check_tenant(by, provider.tenant);
    return checked;
}

/// A secret is not sent to whom it was not given for; the key is known to the provider by now.
Result<void> keep_secrets(IdentityProvider& wanted, const IdentityProvider& present) {
    if (wanted.kind == ProviderKind::kSaml) {
        if (present.encryption_key.empty()) return {};
        wanted.encryption_key = present.encryption_key;
        wanted.encryption_certificate = present.encryption_certificate;
        return {};
    }
    if (!wanted.client_secret.empty() || present.client_secret.empty()) return {};
    if (wanted.issuer != present.issuer) {
        return Error(Code::kInvalidArgument,
                     "another issuer needs the client's secret anew: give client_secret, too");
    }
    wanted.client_secret = present.client_secret;
    return {};
}

Error no_provider(const std::string& name) {
    return {Code::kNotFound,
            fmt::format("there is no identity provider '{}' in this tenant", name)};
}

/// Who writes the metadata of an entity speaks for all users who come from it: it is set up once.
Result<void> check_entity(const std::vector<IdentityProvider>& all,
                          const IdentityProvider& wanted) {
    for (const IdentityProvider& other : all) {
        const bool is_same = other.kind == ProviderKind::kSaml &&
                             wanted.kind == ProviderKind::kSaml && other.issuer == wanted.issuer;
        if (is_same && other.name != wanted.name) {
            return Error(Code::kConflict,
                         fmt::format("the identity provider '{}' is the same entity", other.name));
        }
    }
    return {};
}

/// One tenant's providers within a transaction or a read.
struct TenantProviders {
    std::string tenant;
    Collection collection;
    std::shared_ptr<const vault::FieldSealer> sealer;

    static Result<TenantProviders> of(const ProvidersDeps& deps, const std::string& tenant) {
        if (tenant.empty()) {
            return Error(Code::kInvalidArgument,
                         "users of no tenant sign in here alone: they have no identity providers");
        }
        ZONA_TRY(store::Scope scope, store::Scope::tenant(tenant));
        ZONA_TRY(auto sealer, deps.fields(tenant));
        return TenantProviders{.tenant = tenant,
                               .collection = Collection(identity_providers_spec(), scope),
                               .sealer = std::move(sealer)};
    }

    Result<IdentityProvider> read(const Record& record) const {
        json::object clear = *record.document;
        for (const char* const ours : {kSecret, kKey, kCertificate})
            clear.erase(ours);
        ZONA_TRY(IdentityProvider out, provider_from(clear));
        const detail::Sealed sealed(*sealer, identity_providers_spec(), record.id);
        ZONA_TRY(out.client_secret, sealed.open(*record.document, kSecret));
        ZONA_TRY(out.encryption_key, sealed.open(*record.document, kKey));
        out.encryption_certificate = detail::text_in(*record.document, kCertificate);
        out.tenant = tenant;
        out.created_at = record.created;
        out.updated_at = record.updated;
        return out;
    }
    Result<json::object> write(const IdentityProvider& provider) const {
        json::object out = to_document(provider);
        const detail::Sealed sealed(*sealer, identity_providers_spec(), provider.name);
        if (!provider.client_secret.empty()) {
            ZONA_TRY(out[kSecret], sealed.seal(kSecret, provider.client_secret.reveal()));
        }
        if (!provider.encryption_key.empty()) {
            ZONA_TRY(out[kKey], sealed.seal(kKey, provider.encryption_key.reveal()));
            out[kCertificate] = provider.encryption_certificate;
        }
        return out;
    }
    Result<Record> get(Reader& core, const std::string& name) const {
        if (!is_name(name)) return no_provider(name);
        ZONA_TRY(std::optional<Record> found, core.find(collection, name));
        if (!found) return no_provider(name);
        return *std::move(found);
    }
};

Result<std::vector<IdentityProvider>> read_all(Reader& core, const TenantProviders& providers) {
    std::vector<IdentityProvider> all;
    ZONA_TRY_VOID(detail::for_each(core, providers.collection, [&](const Record& record) {
        auto one = providers.read(record);
        if (!one) return Result<void>(one.take_error());
        all.push_back(*std::move(one));
        return Result<void>();
    }));
    return all;
}

}  // namespace

std::string_view to_string(ProviderKind kind) {
    return kind == ProviderKind::kSaml ? "saml" : "openid";
}

std::string_view to_string(Newcomers newcomers) {
    return newcomers == Newcomers::kCreate ? "create" : "existing";
}

store::Document to_document(const IdentityProvider& provider) {
    json::object roles;
    for (const auto& [group, role] : provider.role_map)
        roles[group] = role;
    return {{"name", provider.name},
            {"kind", to_string(provider.kind)},
            {"display_name", provider.display_name},
            {"issuer", provider.issuer},
            {"metadata", provider.metadata},
            {"metadata_url", provider.metadata_url},
            {"client_id", provider.client_id},
            {"scopes", detail::to_field(provider.scopes)},
            {"claims",
             {{"name", provider.claims.name},
              {"email", provider.claims.email},
              {"groups", provider.claims.groups}}},
            {"roles", std::move(roles)},
            {"default_roles", detail::to_field(provider.default_roles)},
            {"newcomers", to_string(provider.newcomers)},
            {"enabled", provider.enabled}};
}

Result<IdentityProvider> provider_from(const store::Document& document) {
    const json::value root(document);
    const JsonReader from(root);
    IdentityProvider out;
    out.name = from.require_string("name");
    if (!out.name.empty() && !is_name(out.name)) {
        from.mistake("name", "is no name of a provider",
                     "1 to 64 of a-z, 0-9, _ and -, the first a letter or digit");
    }
    out.display_name = read_text(from, "display_name", out.name);
    static const std::string kKinds[] = {"openid", "saml"};
    if (from.choice("kind", kKinds) == "saml") out.kind = ProviderKind::kSaml;
    out.kind == ProviderKind::kSaml ? read_saml(from, out) : read_openid(from, out);
    out.claims = claims_of(out.kind);
    if (const auto claims = from.object("claims")) out.claims = read_claims(*claims, out.claims);
    read_roles(from, out);
    static const std::string kNewcomers[] = {"existing", "create"};
    if (from.choice("newcomers", kNewcomers) == "create") out.newcomers = Newcomers::kCreate;
    out.enabled = from.boolean("enabled").value_or(true);
    ZONA_TRY_VOID(from.finish("the identity provider"));
    return out;
}

IdentityProviders::IdentityProviders(ProvidersDeps deps) : deps_(std::move(deps)) {}

void IdentityProviders::create(const Subject& by, IdentityProvider wanted,
                               store::Callback<IdentityProvider> done) {
    const auto core = deps_.core();
    if (!core) return done(detail::core_is_closed());
    auto work = [this, by, wanted = std::move(wanted)](Writer& writer) -> Result<IdentityProvider> {
        ZONA_TRY_VOID(check_grants(writer, by, wanted));
        ZONA_TRY(const auto providers, TenantProviders::of(deps_, wanted.tenant));
        ZONA_TRY(const auto all, read_all(writer, providers));
        if (std::ranges::find(all, wanted.name, &IdentityProvider::name) != all.end()) {
            return Error(Code::kConflict,
                         fmt::format("there is an identity provider '{}' already", wanted.name));
        }
        if (all.size() >= kMaxProviders) {
            return Error(Code::kConflict,
                         fmt::format("a tenant has at most {} identity providers", kMaxProviders));
        }
        ZONA_TRY_VOID(check_entity(all, wanted));
        ZONA_TRY(const json::object document, providers.write(wanted));
        ZONA_TRY(const Record stored, writer.insert(providers.collection, wanted.name, document));
        return providers.read(stored);
    };
    store::write(*core, std::move(work), std::move(done));
}

void IdentityProviders::change(const Subject& by, IdentityProvider wanted,
                               store::Callback<IdentityProvider> done) {
    const auto core = deps_.core();
    if (!core) return done(detail::core_is_closed());
    auto work = [this, by, wanted](Writer& writer) mutable -> Result<IdentityProvider> {
        ZONA_TRY_VOID(check_grants(writer, by, wanted));
        ZONA_TRY(const auto providers, TenantProviders::of(deps_, wanted.tenant));
        ZONA_TRY(const Record before, providers.get(writer, wanted.name));
        ZONA_TRY(const IdentityProvider present, providers.read(before));
        ZONA_TRY_VOID(check_reach(writer, by, present));
        ZONA_TRY_VOID(keep_secrets(wanted, present));
        ZONA_TRY(const auto all, read_all(writer, providers));
        ZONA_TRY_VOID(check_entity(all, wanted));
        ZONA_TRY(const json::object document, providers.write(wanted));
        ZONA_TRY(const Record stored,
                 writer.replace(providers.collection, before.id, document, before.version));
        return providers.read(stored);
    };
    store::write(*core, std::move(work), std::move(done));
}

void IdentityProviders::remove(const Subject& by, const std::string& tenant,
                               const std::string& name, store::Callback<IdentityProvider> done) {
    const auto core = deps_.core();
    if (!core) return done(detail::core_is_closed());
    auto work = [this, by, tenant, name](Writer& writer) -> Result<IdentityProvider> {
        ZONA_TRY_VOID(check_tenant(by, tenant));
        ZONA_TRY(const auto providers, TenantProviders::of(deps_, tenant));
        ZONA_TRY(const Record before, providers.get(writer, name));
        ZONA_TRY(IdentityProvider removed, providers.read(before));
        ZONA_TRY_VOID(check_reach(writer, by, removed));
        ZONA_TRY([[maybe_unused]] const bool was_there,
                 writer.remove(providers.collection, before.id));
        return removed;
    };
    store::write(*core, std::move(work), std::move(done));
}

void IdentityProviders::find(const std::string& tenant, const std::string& name,
                             store::Callback<IdentityProvider> done) {
    const auto core = deps_.core();
    if (!core) return done(detail::core_is_closed());
    auto work = [this, tenant, name](Reader& reader) -> Result<IdentityProvider> {
        ZONA_TRY(const auto providers, TenantProviders::of(deps_, tenant));
        ZONA_TRY(const Record record, providers.get(reader, name));
        return providers.read(record);
    };
    store::read(*core, std::move(work), std::move(done));
}

void IdentityProviders::list(const std::string& tenant,
                             store::Callback<std::vector<IdentityProvider>> done) {
    const auto core = deps_.core();
    if (!core) return done(detail::core_is_closed());
    auto work = [this, tenant](Reader& reader) -> Result<std::vector<IdentityProvider>> {
        ZONA_TRY(const auto providers, TenantProviders::of(deps_, tenant));
        return read_all(reader, providers);
    };
    store::read(*core, std::move(work), std::move(done));
}

}  // namespace zona::identity
