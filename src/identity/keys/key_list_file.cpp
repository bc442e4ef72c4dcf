#include "identity/keys/key_list_file.h"

#include <algorithm>
#include <span>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/time_format.h"
#include "crypto/encoding.h"
#include "os/fd.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Result;

namespace {

/// A list with a key of a tenant's is of the second format, so that no zona which would take such a
/// key for one of all tenants reads it; one that was taken over, of the third.
constexpr std::int64_t kFirstFormat = 1;
constexpr std::int64_t kTenantFormat = 2;
constexpr std::int64_t kTakenFormat = 3;
constexpr std::size_t kMostBytes = std::size_t{1} << 20U;
constexpr std::string_view kHex = "0123456789abcdef";

std::optional<core::SystemTime> time_in(const core::JsonReader& in, std::string_view key) {
    const auto text = in.string(key);
    if (!text) return std::nullopt;
    const auto time = core::parse_rfc3339(*text);
    if (!time) in.mistake(key, time.error().message());
    return time ? std::optional(*time) : std::nullopt;
}

bool read_digest(std::string_view text, crypto::Digest& out) {
    if (text.find_first_not_of(kHex) != std::string_view::npos) return false;
    const auto bytes = crypto::from_hex(text);
    if (!bytes.has_value() || bytes->size() != out.size()) return false;
    std::ranges::copy(std::as_bytes(std::span(*bytes)), out.begin());
    return true;
}

StoredKey stored_from(const core::JsonReader& in) {
    StoredKey out{};
    const auto id = core::Uuid::parse(in.require_string("id"));
    if (!id) in.mistake("id", id.error().message());
    if (id) out.key.id = *id;
    out.key.name = in.require_string("name");
    if (auto good = check_key_name(out.key.name); !good) in.mistake("name", good.error().message());
    const std::string scope = in.require_string("scope");
    if (scope != "viewer" && scope != "admin") in.mistake("scope", "neither viewer nor admin");
    out.key.scope = scope == "admin" ? Scope::kAdmin : Scope::kViewer;
    out.key.tenant = in.string("tenant").value_or("");
    if (!read_digest(in.require_string("sha256"), out.sha256))
        in.mistake("sha256", "not 64 hexadecimal digits in lower case");
    const auto created = time_in(in, "created_at");
    if (!created) in.mistake("created_at", "missing");
    out.key.created_at = created.value_or(core::SystemTime{});
    out.key.wanted_end = time_in(in, "expires_at");
    out.key.usage.last_used_at = time_in(in, "last_used_at");
    return out;
}

Result<std::vector<StoredKey>> parse(const std::string& text) {
    ZONA_TRY(const json::value value, core::parse_json(text));
    const core::JsonReader in(value);
    const auto format = in.integer("format");
    if (format != kFirstFormat && format != kTenantFormat && format != kTakenFormat)
        in.mistake("format", format ? fmt::format("{} is of another zona", *format) : "missing");
    std::vector<StoredKey> out;
    for (const core::JsonReader& one : in.objects("keys"))
        out.push_back(stored_from(one));
    if (format == kTakenFormat && !out.empty())
        in.mistake("keys", "a list that was taken over has none");
    ZONA_TRY_VOID(in.finish("the list of keys"));
    return out;
}

Result<void> write(const std::string& file, std::int64_t format, json::array keys) {
    const json::value value = json::object{{"format", format}, {"keys", std::move(keys)}};
    return os::replace_file(file, core::to_json(value, core::JsonLayout::kIndented) + "\n", 0600);
}

}  // namespace

Result<KeyListFile> read_key_list(const std::string& file) {
    const auto text = os::read_file(file, kMostBytes);
    if (!text && text.error().code() == Code::kNotFound) return KeyListFile{};
    if (!text) return text.error();
    auto keys = parse(*text);
    if (!keys) {
        return std::move(keys.take_error())
            .recode(Code::kConflict)
            .context(fmt::format("{} cannot be used and is left as it is", file));
    }
    return KeyListFile{.exists = true, .keys = std::move(*keys)};
}

Result<StoredKey> make_first_key(const std::string& file, const std::string& plain,
                                 const core::Clock& clock, core::Random& random) {
    const core::Secret text = new_key_text(random);
    StoredKey made{.key = {.id = core::Uuid::v4(random),
                           .name = "default",
                           .scope = Scope::kAdmin,
                           .created_at = clock.system()},
                   .sha256 = crypto::sha256(text.reveal())};
    // The text first: a key in the list that nobody can read would be the last that is made.
    ZONA_TRY_VOID(os::replace_file(plain, std::string(text.reveal()) + "\n", 0600));
    json::array keys;
    keys.push_back(json::object{{"id", made.key.id.to_string()},
                                {"name", made.key.name},
                                {"scope", to_string(made.key.scope)},
                                {"sha256", crypto::hex(made.sha256)},
                                {"created_at", core::to_rfc3339(made.key.created_at)}});
    ZONA_TRY_VOID(write(file, kFirstFormat, std::move(keys)));
    return made;
}

Result<void> empty_key_list(const std::string& file) {
    return write(file, kTakenFormat, {});
}

}  // namespace zona::identity
