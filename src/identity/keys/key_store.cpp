#include "identity/keys/key_store.h"

#include <algorithm>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "crypto/encoding.h"
#include "identity/access/roles.h"
#include "identity/detail/fields.h"
#include "identity/news.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::CollectionSpec;
using store::FieldType;
using store::Filter;
using store::Query;
using store::Reader;
using store::Record;
using store::Update;
using store::Writer;

namespace {

constexpr const char* kHoldsName = "holds_name";

store::FieldSpec required(const char* key, FieldType type = FieldType::kText) {
    return {.path = key, .type = type, .presence = store::Presence::kRequired};
}

store::FieldSpec optional(const char* key, FieldType type = FieldType::kText) {
    return {.path = key, .type = type};
}

Collection all_keys() {
    return Collection(api_keys_spec(), store::Scope::core());
}

/// Tenants name their keys as they like.
std::string held_name(const ApiKey& key) {
    return key.tenant.empty() ? key.name : key.name + '@' + key.tenant;
}

store::Document to_document(const StoredKey& stored) {
    const ApiKey& key = stored.key;
    json::array permissions;
    for (const Permission& one : key.permissions)
        permissions.emplace_back(to_string(one));
    store::Document out{{"name", key.name},
                        {kHoldsName, held_name(key)},
                        {"scope", to_string(key.scope)},
                        {"tenant", key.tenant},
                        {"permissions", std::move(permissions)},
                        {"roles", detail::to_field(key.roles)},
                        {"per_second", key.rate.per_second},
                        {"burst", key.rate.burst},
                        {"rotate_every", key.rotate_every.count()},
                        {"sha256", crypto::hex(stored.sha256)},
                        {"made", detail::to_field(key.created_at)},
                        {"requests", key.usage.requests},
                        {"refusals", key.usage.refusals}};
    if (key.certificate) {
        out["subject"] = key.certificate->subject;
        out["certificate_ends"] = detail::to_field(key.certificate->not_after);
    }
    if (key.wanted_end) out["ends"] = detail::to_field(*key.wanted_end);
    if (key.usage.last_used_at) out["last_used"] = detail::to_field(*key.usage.last_used_at);
    return out;
}

Result<StoredKey> stored_from(const Record& record) {
    const json::object& from = *record.document;
    const auto* const text = std::get_if<std::string>(&record.id);
    const auto id = core::Uuid::parse(text == nullptr ? "" : *text);
    const auto digest = crypto::from_hex(detail::text_in(from, "sha256"));
    const auto scope = scope_from(detail::text_in(from, "scope"));
    StoredKey out{};
    if (!id || !digest || digest->size() != out.sha256.size() || !scope) {
        return Error(Code::kInternal, fmt::format("the API key {} in the core database is damaged",
                                                  store::to_string(record.id)));
    }
    std::ranges::copy(std::as_bytes(std::span(*digest)), out.sha256.begin());
    for (const std::string& one : detail::texts_in(from, "permissions")) {
        // What another zona knows and this one does not is granted by nobody here.
        if (const auto permission = permission_from(one))
            out.key.permissions.push_back(*permission);
    }
    out.key.id = *id;
    out.key.name = detail::text_in(from, "name");
    out.key.scope = *scope;
    out.key.tenant = detail::text_in(from, "tenant");
    out.key.roles = detail::texts_in(from, "roles");
    out.key.rate = {.per_second = detail::whole_in(from, "per_second"),
                    .burst = std::max<std::int64_t>(detail::whole_in(from, "burst"), 1)};
    out.key.rotate_every = std::chrono::seconds(detail::whole_in(from, "rotate_every"));
    out.key.created_at = detail::time_in(from, "made").value_or(record.created);
    out.key.wanted_end = detail::time_in(from, "ends");
    if (const auto end = detail::time_in(from, "certificate_ends")) {
        out.key.certificate = {.fingerprint = crypto::hex(out.sha256),
                               .subject = detail::text_in(from, "subject"),
                               .not_after = *end};
    }
    out.key.usage = {.requests = static_cast<std::uint64_t>(detail::whole_in(from, "requests")),
                     .refusals = static_cast<std::uint64_t>(detail::whole_in(from, "refusals")),
                     .last_used_at = detail::time_in(from, "last_used"),
                     .last_address = detail::text_in(from, "last_address")};
    return out;
}

std::pair<core::SystemTime, core::Uuid> age(const StoredKey& one) {
    return {one.key.created_at, one.key.id};
}

/// Those of a name, the oldest first. Errors: kConflict: several tenants have it.
Result<std::vector<StoredKey>> of_name(Reader& core, const KeyName& name) {
    const Query query{.filter = Filter::eq("name", json::value(name.name)), .sort = {}};
    ZONA_TRY(const store::Page page,
             core.find_page(all_keys(), query, {.limit = store::kMaxPageSize, .token = {}}));
    std::vector<StoredKey> out;
    for (const Record& record : page.records) {
        ZONA_TRY(StoredKey one, stored_from(record));
        if (!name.tenant || one.key.tenant == *name.tenant) out.push_back(std::move(one));
    }
    const auto is_another = [&](const StoredKey& one) {
        return one.key.tenant != out.front().key.tenant;
    };
    if (std::ranges::any_of(out, is_another)) {
        return Error(Code::kConflict,
                     fmt::format("several tenants have a key named '{}'; say whose "
                                 "it is",
                                 name.name));
    }
    std::ranges::sort(out, {}, age);
    return out;
}

bool is_over(const ApiKey& key, core::SystemTime now) {
    const auto end = key.expires_at();
    return end && *end <= now;
}

Result<void> change_key(Writer& core, const core::Uuid& id, const Update& update) {
    auto changed = core.modify(all_keys(), id.to_string(), update);
    if (!changed) return changed.take_error();
    return {};
}

/// What the key may do now, roles looked up.
Result<void> check_power(Reader& core, const Subject& by, const ApiKey& key) {
    if (!key.roles.empty()) return Roles::check_reach(core, by, key.tenant, key.roles);
    ZONA_TRY_VOID(check_tenant(by, key.tenant));
    return check_within(by, *permissions_of(key), "a key");
}

Result<void> check_room(Reader& core, const std::string& tenant) {
    const auto check = [&core](const Query& query, std::uint64_t most) -> Result<void> {
        ZONA_TRY(const std::uint64_t count, core.count(all_keys(), query));
        if (count < most) return {};
        return Error(Code::kConflict, fmt::format("there are {} keys, and no more may be made; "
                                                  "revoke some that nobody uses",
                                                  most));
    };
    ZONA_TRY_VOID(check({.filter = {}, .sort = {}, .walk = store::Walk::kAllow}, kMostKeys));
    if (tenant.empty()) return {};
    return check({.filter = Filter::eq("tenant", json::value(tenant)), .sort = {}},
                 kMostKeysOfTenant);
}

/// The SHA-256 of a certificate that no key has.
Result<crypto::Digest> digest_of(Reader& core, const KeyCertificate& certificate) {
    const Query query{.filter = Filter::eq("sha256", json::value(certificate.fingerprint)),
                      .sort = {},
                      .walk = store::Walk::kAllow};
    ZONA_TRY(const std::uint64_t count, core.count(all_keys(), query));
    if (count > 0)
        return Error(Code::kConflict, "this certificate is registered already; take it back first");
    const auto bytes = crypto::from_hex(certificate.fingerprint);
    crypto::Digest out{};
    if (!bytes || bytes->size() != out.size())
        return Error(Code::kInternal, "a certificate's fingerprint is no SHA-256");
    std::ranges::copy(std::as_bytes(std::span(*bytes)), out.begin());
    return out;
}

Result<MadeKey> put(Writer& core, ApiKey key, const KeyChange& change) {
    ZONA_TRY_VOID(check_room(core, key.tenant));
    core::Secret text;
    crypto::Digest sha256{};
    if (key.certificate) {
        ZONA_TRY(sha256, digest_of(core, *key.certificate));
    } else {
        text = new_key_text(change.random);
        sha256 = crypto::sha256(text.reveal());
    }
    key.id = core::Uuid::v4(change.random);
    key.created_at = change.now;
    key.usage = {};
    const StoredKey stored{.key = std::move(key), .sha256 = sha256};
    auto inserted = core.insert(all_keys(), stored.key.id.to_string(), to_document(stored));
    if (!inserted) return inserted.take_error();
    ZONA_TRY_VOID(tell_of_keys(core, change));
    return MadeKey{.key = stored.key, .text = std::move(text)};
}

ApiKey key_of(const NewApiKey& wanted) {
    return {.id = {},
            .name = wanted.name,
            .scope = wanted.scope,
            .tenant = wanted.tenant,
            .permissions = wanted.permissions,
            .roles = wanted.roles,
            .rate = wanted.rate,
            .rotate_every = wanted.rotate_every,
            .wanted_end = wanted.expires_at,
            .certificate = wanted.certificate};
}

/// What a list holds, whatever is noted of uses: the ids of its keys never change.
std::string name_of(const std::vector<StoredKey>& list) {
    std::vector<std::string> ids;
    for (const StoredKey& one : list)
        ids.push_back(one.key.id.to_string());
    std::ranges::sort(ids);
    crypto::Sha256 hash;
    for (const std::string& id : ids)
        hash.add(id);
    return crypto::hex(hash.finish());
}

/// A name that no good key has, as like the wanted one as can be.
Result<std::string> free_name(Reader& core, const KeyName& wanted, core::SystemTime now) {
    KeyName name = wanted;
    for (int number = 2;; ++number) {
        ZONA_TRY(const std::vector<StoredKey> there, of_name(core, name));
        if (std::ranges::all_of(there, [&](const StoredKey& one) { return is_over(one.key, now); }))
            return name.name;
        name.name = fmt::format("{}-{}", wanted.name, number);
    }
}

/// These give their name to a later one.
Result<void> free_name_from(Writer& core, const std::vector<StoredKey>& of_the_name) {
    for (const StoredKey& one : of_the_name)
        ZONA_TRY_VOID(change_key(core, one.key.id, Update().unset(kHoldsName)));
    return {};
}

/// What the latest of a name becomes in its successor.
Result<ApiKey> successor_of(const ApiKey& latest, const Succession& how, core::SystemTime now) {
    if (latest.certificate.has_value() != how.certificate.has_value()) {
        return Error(Code::kInvalidArgument,
                     latest.certificate
                         ? fmt::format("the key '{}' is a certificate, so its successor is needed",
                                       latest.name)
                         : fmt::format("the key '{}' is no certificate; make another key for one",
                                       latest.name));
    }
    if (how.certificate && how.certificate->not_after <= now)
        return Error(Code::kInvalidArgument, "the certificate has expired already");
    ApiKey out = latest;
    out.certificate = how.certificate;
    return out;
}

/// A successor of those of the name that are good.
Result<MadeKey> follow(Writer& core, std::string_view name, const std::vector<StoredKey>& there,
                       const Succession& how, const KeyChange& change) {
    const core::SystemTime end = change.now + how.overlap;
    std::vector<ApiKey> before;
    for (const StoredKey& one : there) {
        Update update;
        update.unset(kHoldsName);
        if (!is_over(one.key, change.now)) {
            before.push_back(one.key);
            const auto expires = one.key.expires_at();
            if (!expires || *expires > end) update.set("ends", detail::to_field(end));
        }
        ZONA_TRY_VOID(change_key(core, one.key.id, update));
    }
    if (before.empty())
        return Error(Code::kNotFound, fmt::format("there is no valid key named '{}'", name));
    // The latest of the name says what the next one may do, and until when.
    ZONA_TRY(ApiKey next, successor_of(before.back(), how, change.now));
    ZONA_TRY(MadeKey made, put(core, std::move(next), change));
    made.before = std::move(before);
    return made;
}

}  // namespace

const CollectionSpec& api_keys_spec() {
    static const CollectionSpec kSpec{
        .name = "api_keys",
        .fields = {required("name"), optional(kHoldsName), required("scope"), required("tenant"),
                   required("permissions", FieldType::kArray), required("roles", FieldType::kArray),
                   required("per_second", FieldType::kInteger),
                   required("burst", FieldType::kInteger),
                   required("rotate_every", FieldType::kInteger), required("sha256"),
                   required("made", FieldType::kInteger), optional("ends", FieldType::kInteger),
                   optional("subject"), optional("certificate_ends", FieldType::kInteger),
                   required("requests", FieldType::kInteger),
                   required("refusals", FieldType::kInteger),
                   optional("last_used", FieldType::kInteger), optional("last_address")},
        .indexes = {{.name = "by_created"},
                    {.name = "by_name", .fields = {{.path = "name"}}},
                    {.name = "by_tenant", .fields = {{.path = "tenant"}}},
                    {.name = "by_held_name",
                     .fields = {{.path = kHoldsName}},
                     .uniqueness = store::Uniqueness::kUnique,
                     .coverage = store::Coverage::kSparse}}};
    return kSpec;
}

const CollectionSpec& api_key_news_spec() {
    static const CollectionSpec kSpec = news_collection("api_key_news", {});
    return kSpec;
}

const CollectionSpec& api_key_lists_spec() {
    static const CollectionSpec kSpec{.name = "api_key_lists", .indexes = {{.name = "by_created"}}};
    return kSpec;
}

std::vector<const CollectionSpec*> api_key_collections() {
    return {&api_keys_spec(), &api_key_news_spec(), &api_key_lists_spec()};
}

Result<void> tell_of_keys(Writer& core, const KeyChange& change) {
    if (!change.tell_others) return {};
    return add_numbered(core, Collection(api_key_news_spec(), store::Scope::core()), {});
}

Result<MadeKey> create_key(Writer& core, const Subject& by, const NewApiKey& wanted,
                           const KeyChange& change) {
    ZONA_TRY_VOID(check_new_key(wanted, change.now));
    if (!wanted.roles.empty())
        ZONA_TRY_VOID(Roles::check_grant(core, by, wanted.tenant, wanted.roles));
    ApiKey key = key_of(wanted);
    ZONA_TRY_VOID(check_power(core, by, key));
    ZONA_TRY(const std::vector<StoredKey> there,
             of_name(core, {.name = wanted.name, .tenant = wanted.tenant}));
    if (std::ranges::any_of(there,
                            [&](const StoredKey& one) { return !is_over(one.key, change.now); })) {
        return Error(Code::kConflict, fmt::format("a key named '{}' exists already", wanted.name));
    }
    ZONA_TRY_VOID(free_name_from(core, there));
    return put(core, std::move(key), change);
}

Result<MadeKey> rotate_key(Writer& core, const Subject& by, const KeyName& name,
                           const Succession& how, const KeyChange& change) {
    ZONA_TRY(const std::vector<StoredKey> there, of_name(core, name));
    for (const StoredKey& one : there)
        ZONA_TRY_VOID(check_power(core, by, one.key));
    return follow(core, name.name, there, how, change);
}

Result<MadeKey> renew_key(Writer& core, const core::Uuid& id, const Succession& how,
                          const KeyChange& change) {
    ZONA_TRY(const std::optional<Record> found, core.find(all_keys(), id.to_string()));
    if (!found) return Error(Code::kNotFound, "this key is gone");
    ZONA_TRY(const StoredKey own, stored_from(*found));
    if (own.key.rotate_every.count() == 0) {
        return Error(Code::kConflict,
                     fmt::format("the key '{}' has no rotate_every, so it is replaced by an "
                                 "administrator (zona key rotate)",
                                 own.key.name));
    }
    // Who has found an old key makes no new ones with it.
    if (!found->document->contains(kHoldsName)) {
        return Error(Code::kConflict,
                     fmt::format("the key '{}' has a successor already", own.key.name));
    }
    ZONA_TRY(const std::vector<StoredKey> there,
             of_name(core, {.name = own.key.name, .tenant = own.key.tenant}));
    return follow(core, own.key.name, there, how, change);
}

Result<std::vector<ApiKey>> revoke_keys(Writer& core, const Subject& by, const KeyName& name,
                                        const KeyChange& change) {
    ZONA_TRY(const std::vector<StoredKey> there, of_name(core, name));
    if (there.empty())
        return Error(Code::kNotFound, fmt::format("there is no key named '{}'", name.name));
    std::vector<ApiKey> out;
    for (const StoredKey& one : there) {
        ZONA_TRY_VOID(check_power(core, by, one.key));
        ZONA_TRY([[maybe_unused]] const bool removed,
                 core.remove(all_keys(), one.key.id.to_string()));
        out.push_back(one.key);
    }
    ZONA_TRY_VOID(tell_of_keys(core, change));
    return out;
}

Result<std::uint64_t> remove_keys_of(Writer& core, std::string_view tenant, std::size_t most) {
    const Query query{.filter = Filter::eq("tenant", json::value(tenant)), .sort = {}};
    ZONA_TRY(const store::Page page,
             core.find_page(
                 all_keys(), query,
                 {.limit = std::clamp<std::size_t>(most, 1, store::kMaxPageSize), .token = {}}));
    for (const Record& record : page.records) {
        ZONA_TRY([[maybe_unused]] const bool removed, core.remove(all_keys(), record.id));
    }
    return page.records.size();
}

Result<std::vector<ApiKey>> take_over_keys(Writer& core, const std::vector<StoredKey>& list,
                                           const KeyChange& change) {
    std::vector<ApiKey> out;
    const Collection lists(api_key_lists_spec(), store::Scope::core());
    const std::string id = name_of(list);
    ZONA_TRY(const std::optional<Record> taken, core.find(lists, id));
    if (taken) return out;
    for (StoredKey one : list) {
        const KeyName name{.name = one.key.name, .tenant = one.key.tenant};
        ZONA_TRY(const std::vector<StoredKey> there, of_name(core, name));
        // Two of one list share a name while a rotation lets them: they go on doing so.
        const bool is_ours = std::ranges::any_of(there, [&](const StoredKey& other) {
            return std::ranges::any_of(
                list, [&](const StoredKey& mine) { return mine.key.id == other.key.id; });
        });
        if (!is_ours) {
            ZONA_TRY(one.key.name, free_name(core, name, change.now));
        }
        ZONA_TRY(const std::vector<StoredKey> namesakes,
                 of_name(core, {.name = one.key.name, .tenant = one.key.tenant}));
        ZONA_TRY_VOID(free_name_from(core, namesakes));
        auto inserted = core.insert(all_keys(), one.key.id.to_string(), to_document(one));
        if (!inserted) return inserted.take_error();
        out.push_back(one.key);
    }
    auto noted = core.insert(lists, id, {});
    if (!noted) return noted.take_error();
    ZONA_TRY_VOID(tell_of_keys(core, change));
    return out;
}

Result<std::optional<std::string>> find_key_with_role(Reader& core, const std::string& tenant,
                                                      const std::string& role) {
    std::optional<std::string> out;
    ZONA_TRY_VOID(detail::for_each(core, all_keys(), [&](const Record& record) -> Result<void> {
        ZONA_TRY(const StoredKey one, stored_from(record));
        if (one.key.tenant == tenant && detail::holds(one.key.roles, role)) out = one.key.name;
        return {};
    }));
    return out;
}

Result<void> add_uses(Writer& core, std::span<const NewUses> uses) {
    for (const NewUses& one : uses) {
        ZONA_TRY(const std::optional<Record> there, core.find(all_keys(), one.id.to_string()));
        if (!there) continue;
        Update update;
        update.inc("requests", one.since.requests).inc("refusals", one.since.refusals);
        const auto before = detail::time_in(*there->document, "last_used");
        const auto& last = one.since.last_used_at;
        if (last && (!before || *before < *last)) {
            update.set("last_used", detail::to_field(*last));
            update.set("last_address", json::value(one.since.last_address));
        }
        ZONA_TRY_VOID(change_key(core, one.id, update));
    }
    return {};
}

Result<std::int64_t> newest_key_news(Reader& core) {
    return newest_number(core, Collection(api_key_news_spec(), store::Scope::core()));
}

Result<KeyList> read_keys(Reader& core) {
    KeyList out;
    // Before the keys: what comes in between is read again.
    ZONA_TRY(out.news, newest_key_news(core));
    ZONA_TRY_VOID(detail::for_each(core, all_keys(), [&](const Record& record) -> Result<void> {
        ZONA_TRY(StoredKey one, stored_from(record));
        out.keys.push_back(std::move(one));
        return {};
    }));
    std::ranges::sort(out.keys, {}, age);
    return out;
}

}  // namespace zona::identity
