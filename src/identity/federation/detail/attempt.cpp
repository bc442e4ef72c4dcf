#include "identity/federation/detail/attempt.h"

#include <array>
#include <charconv>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "crypto/key.h"
#include "identity/detail/fields.h"
#include "vault/field_sealer.h"

namespace zona::identity::detail {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::Secret;

namespace {

constexpr std::size_t kMostAttempt = 4096;

vault::FieldPlace place_of_attempt() {
    return {.collection = "sign_ins", .document = "attempt", .field = "/"};
}

Error no_attempt() {
    return {Code::kUnauthenticated,
            "this sign-in was not begun here, or took too long: begin anew"};
}

}  // namespace

std::string Attempt::derived(std::string_view purpose) const {
    return crypto::base64url(crypto::sha256(fmt::format("zona {} {}", purpose, number.reveal())));
}

Attempt new_attempt(core::Random& random, core::SystemTime ends) {
    std::array<std::byte, 32> bytes{};
    random.fill(bytes);
    Attempt out;
    out.number = Secret(crypto::base64url(bytes));
    out.ends = ends;
    crypto::wipe(bytes);
    return out;
}

Result<Secret> seal(const vault::FieldSealer& fields, const Attempt& attempt) {
    const json::object document{{"tenant", attempt.tenant},
                                {"provider", attempt.provider},
                                {"redirect_uri", attempt.redirect_uri},
                                {"number", attempt.number.reveal()},
                                {"ends", to_field(attempt.ends)}};
    const Secret plain(json::serialize(document));
    ZONA_TRY(std::string sealed, fields.seal(place_of_attempt(), plain.reveal()));
    return Secret(std::move(sealed));
}

Result<Attempt> open_attempt(const vault::FieldSealer& fields, const Secret& text,
                             core::SystemTime now) {
    if (text.empty() || text.reveal().size() > kMostAttempt) return no_attempt();
    const auto plain = fields.open(place_of_attempt(), text.reveal());
    if (!plain) return no_attempt();
    const auto parsed = core::parse_written_json(plain->reveal());
    if (!parsed || !parsed->is_object()) return no_attempt();
    const json::object& from = parsed->get_object();
    Attempt out{.tenant = text_in(from, "tenant"),
                .provider = text_in(from, "provider"),
                .redirect_uri = text_in(from, "redirect_uri"),
                .number = Secret(text_in(from, "number")),
                .ends = time_in(from, "ends").value_or(core::SystemTime())};
    if (out.ends <= now) return no_attempt();
    return out;
}

bool is_loopback(std::string_view uri) {
    for (const std::string_view host : {"http://127.0.0.1:", "http://[::1]:"}) {
        if (!uri.starts_with(host)) continue;
        std::string_view rest = uri.substr(host.size());
        unsigned port = 0;
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        constexpr std::string_view kPlain =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
        return error == std::errc() && port > 0 && port <= 65535 && rest.starts_with('/') &&
               rest.find_first_not_of(kPlain) == std::string_view::npos;
    }
    return false;
}

}  // namespace zona::identity::detail
