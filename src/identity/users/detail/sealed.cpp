#include "identity/users/detail/sealed.h"

#include <array>

#include <fmt/format.h>

#include "core/json.h"
#include "crypto/encoding.h"
#include "crypto/key.h"
#include "identity/users/collections.h"

namespace zona::identity::detail {

namespace json = boost::json;
using core::Result;
using core::Secret;

namespace {

constexpr const char* kEmail = "email";
constexpr const char* kKey = "key";
constexpr std::size_t kKeyBytes = 32;

}  // namespace

std::string Sealed::bound(const store::Id& id) {
    if (const auto* number = std::get_if<std::int64_t>(&id)) return fmt::format("i{}", *number);
    return "t" + std::get<std::string>(id);
}

Result<json::value> Sealed::seal(std::string_view field, std::string_view text) const {
    std::string quoted;
    core::append_json_string(quoted, text);
    const Secret plain(std::move(quoted));
    const std::string path = fmt::format("/{}", field);
    ZONA_TRY(
        const std::string sealed,
        sealer_.seal({.collection = collection_, .document = id_, .field = path}, plain.reveal()));
    return json::value(sealed);
}

Result<Secret> Sealed::open(const json::object& document, std::string_view field) const {
    const json::value* stored = document.if_contains(field);
    if (stored == nullptr || !stored->is_string()) return Secret();
    const std::string path = fmt::format("/{}", field);
    ZONA_TRY(const Secret quoted,
             sealer_.open({.collection = collection_, .document = id_, .field = path},
                          stored->get_string()));
    ZONA_TRY(const json::value text, core::parse_written_json(quoted.reveal()));
    if (!text.is_string())
        return core::Error(core::Code::kConflict,
                           fmt::format("the field {} of a user holds no text", field));
    return Secret(std::string(text.get_string()));
}

Result<Secret> lookup_key(store::Reader& core, const store::Scope& scope,
                          const vault::FieldSealer& sealer) {
    const store::Collection keys(identity_keys_spec(), scope);
    ZONA_TRY(const auto found, core.find(keys, std::string(kEmail)));
    if (!found) return Secret();
    return Sealed(sealer, identity_keys_spec(), found->id).open(*found->document, kKey);
}

Result<Secret> lookup_key(store::Writer& core, const store::Scope& scope,
                          const vault::FieldSealer& sealer, core::Random& random) {
    ZONA_TRY(Secret known, lookup_key(static_cast<store::Reader&>(core), scope, sealer));
    if (!known.empty()) return known;
    std::array<std::byte, kKeyBytes> bytes{};
    random.fill(bytes);
    Secret made(crypto::base64url(bytes));
    crypto::wipe(bytes);
    const store::Id id = std::string(kEmail);
    const Sealed sealed(sealer, identity_keys_spec(), id);
    ZONA_TRY(json::value key, sealed.seal(kKey, made.reveal()));
    const store::Collection keys(identity_keys_spec(), scope);
    ZONA_TRY(const store::Record stored, core.insert(keys, id, {{kKey, std::move(key)}}));
    return made;
}

}  // namespace zona::identity::detail
