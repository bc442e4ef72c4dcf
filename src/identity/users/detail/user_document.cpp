#include "identity/users/detail/user_document.h"

#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "identity/detail/fields.h"
#include "identity/users/collections.h"
#include "identity/users/detail/sealed.h"

namespace zona::identity::detail {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;
using store::Record;

namespace {

constexpr std::size_t kMostName = 128;
constexpr std::size_t kMostEmail = 254;  // RFC 5321, less the brackets of a path

std::int64_t number_of(const Record& record) {
    const auto* number = std::get_if<std::int64_t>(&record.id);
    return number == nullptr ? 0 : *number;
}

std::string key_of_email(const Secret& key, std::string_view email) {
    const std::string folded = core::lower_ascii(email);
    return crypto::base64url(crypto::hmac_sha256(std::as_bytes(std::span(key.reveal())),
                                                 std::as_bytes(std::span(folded))));
}

bool is_there(const json::object& document, std::string_view field) {
    const json::value* value = document.if_contains(field);
    return value != nullptr && !value->is_null();
}

}  // namespace

Result<TenantUsers> TenantUsers::of(const std::string& tenant,
                                    std::shared_ptr<const vault::FieldSealer> sealer) {
    ZONA_TRY(store::Scope scope, scope_of(tenant));
    return TenantUsers{.tenant = tenant,
                       .collection = store::Collection(users_spec(), std::move(scope)),
                       .sealer = std::move(sealer)};
}

Result<SessionFacts> TenantUsers::session_facts(const Record& record) const {
    const json::object& from = *record.document;
    return SessionFacts{
        .now = {.name = text_in(from, "name"), .roles = texts_in(from, "roles")},
        .status = text_in(from, "status") == "active" ? UserStatus::kActive : UserStatus::kDisabled,
        .must_change_password = flag_in(from, "must_change_password")};
}

Result<User> TenantUsers::shown(const Record& record) const {
    const json::object& from = *record.document;
    ZONA_TRY(const Secret email, secret(record, "email"));
    return User{
        .id = number_of(record),
        .tenant = tenant,
        .name = text_in(from, "name"),
        .email = std::string(email.reveal()),
        .roles = texts_in(from, "roles"),
        .status = text_in(from, "status") == "active" ? UserStatus::kActive : UserStatus::kDisabled,
        .has_password = is_there(from, "password"),
        .must_change_password = flag_in(from, "must_change_password"),
        .has_second_factor = is_there(from, "totp"),
        .identity_provider = text_in(from, "identity_provider"),
        .failures = whole_in(from, "failures"),
        .last_failure_at = time_in(from, "last_failure"),
        .last_sign_in_at = time_in(from, "last_sign_in"),
        .created_at = record.created,
        .updated_at = record.updated,
        .version = record.version};
}

Result<Record> TenantUsers::get(store::Reader& core, std::int64_t id) const {
    ZONA_TRY(std::optional<Record> found, core.find(collection, id));
    if (!found)
        return Error(Code::kNotFound, fmt::format("there is no user {} in this tenant", id));
    return *std::move(found);
}

Result<std::optional<Record>> TenantUsers::by_name(store::Reader& core,
                                                   std::string_view name) const {
    if (!check_name(name)) return std::nullopt;
    return core.find_one(
        collection, {.filter = store::Filter::eq("name_key", json::value(core::lower_ascii(name))),
                     .sort = {}});
}

Result<std::optional<Record>> TenantUsers::by_email(store::Reader& core,
                                                    std::string_view email) const {
    ZONA_TRY(const Secret key, lookup_key(core, collection.scope(), *sealer));
    if (key.empty() || email.empty()) return std::nullopt;
    return core.find_one(collection, {.filter = store::Filter::eq(
                                          "email_key", json::value(key_of_email(key, email))),
                                      .sort = {}});
}

Result<std::optional<Record>> TenantUsers::by_external(store::Reader& core,
                                                       const std::string& key) const {
    return core.find_one(
        collection, {.filter = store::Filter::eq("external_key", json::value(key)), .sort = {}});
}

Result<std::string> TenantUsers::external_key(store::Writer& core, core::Random& random,
                                              std::string_view issuer,
                                              std::string_view subject) const {
    ZONA_TRY(const Secret key, lookup_key(core, collection.scope(), *sealer, random));
    const std::string who = fmt::format("external\n{}\n{}\n{}", issuer.size(), issuer, subject);
    return crypto::base64url(
        crypto::hmac_sha256(std::as_bytes(std::span(key.reveal())), std::as_bytes(std::span(who))));
}

Result<Secret> TenantUsers::secret(const Record& record, std::string_view field) const {
    return Sealed(*sealer, users_spec(), record.id).open(*record.document, field);
}

Result<std::vector<std::string>> TenantUsers::secrets(const Record& record,
                                                      std::string_view field) const {
    ZONA_TRY(const Secret text, secret(record, field));
    if (text.empty()) return std::vector<std::string>();
    ZONA_TRY(const json::value list, core::parse_written_json(text.reveal()));
    return texts_in(json::object{{"list", list}}, "list");
}

Result<void> TenantUsers::set_secret(json::object& document, std::int64_t id,
                                     std::string_view field, std::string_view text) const {
    if (text.empty()) {
        document.erase(field);
        return {};
    }
    ZONA_TRY(document[field], Sealed(*sealer, users_spec(), id).seal(field, text));
    return {};
}

Result<void> TenantUsers::set_email(store::Writer& core, core::Random& random,
                                    json::object& document, std::int64_t id,
                                    std::string_view email) const {
    ZONA_TRY_VOID(check_email(email));
    ZONA_TRY_VOID(set_secret(document, id, "email", email));
    document.erase("email_key");
    if (email.empty()) return {};
    ZONA_TRY(const Secret key, lookup_key(core, collection.scope(), *sealer, random));
    ZONA_TRY(const std::optional<Record> other, by_email(core, email));
    if (other && number_of(*other) != id)
        return Error(Code::kConflict, "another user of this tenant has this e-mail address");
    document["email_key"] = key_of_email(key, email);
    return {};
}

Result<void> TenantUsers::set_password(json::object& document, const Record* before,
                                       std::int64_t id, const std::string& hash,
                                       std::size_t remembered) const {
    ZONA_TRY_VOID(set_secret(document, id, "password", hash));
    std::vector<std::string> last;
    if (before != nullptr) {
        ZONA_TRY(last, secrets(*before, "previous_passwords"));
    }
    last.push_back(hash);
    if (last.size() > remembered)
        last.erase(last.begin(), last.end() - static_cast<std::ptrdiff_t>(remembered));
    const std::string list = last.empty() ? "" : json::serialize(to_field(last));
    return set_secret(document, id, "previous_passwords", list);
}

Result<void> check_name(std::string_view name) {
    constexpr std::string_view kLetters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    constexpr std::string_view kAll =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._@+-";
    if (!name.empty() && name.size() <= kMostName && kLetters.contains(name.front()) &&
        name.find_first_not_of(kAll) == std::string_view::npos)
        return {};
    return Error(Code::kInvalidArgument,
                 fmt::format("a user's name is 1 to {} letters, digits and any of '._@+-', the "
                             "first a letter or digit",
                             kMostName));
}

Result<void> check_email(std::string_view email) {
    if (email.empty()) return {};
    const std::size_t at = email.find('@');
    const bool good = email.size() <= kMostEmail && at != std::string_view::npos && at > 0 &&
                      at + 1 < email.size() && email.find('@', at + 1) == std::string_view::npos &&
                      !email.contains(' ') && core::is_valid_utf8(email) &&
                      !core::has_control_characters(email);
    if (good) return {};
    return Error(Code::kInvalidArgument, "this is no e-mail address: write it as name@example.org");
}

}  // namespace zona::identity::detail
