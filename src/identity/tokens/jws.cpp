#include "identity/tokens/jws.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "crypto/encoding.h"

namespace zona::identity {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

/// Whether a byte may stand in a token, dots included: asked for with each request.
constexpr std::array<bool, 256> kTaken = [] {
    constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    std::array<bool, 256> out{};
    for (const char c : kAlphabet)
        out[static_cast<unsigned char>(c)] = true;
    return out;
}();
constexpr core::JsonLimits kHeaderLimits{.max_bytes = core::ByteCount::kib(2), .max_depth = 2};

std::string encoded(std::string_view bytes) {
    return crypto::base64url(std::as_bytes(std::span(bytes)));
}

Error bad(std::string_view what) {
    return {Code::kInvalidToken, fmt::format("the token is not valid: {}", what)};
}

Result<std::string> decoded(std::string_view part, std::string_view name) {
    auto bytes = crypto::from_base64url(part);
    if (!bytes) return bad(fmt::format("its {} is not base64url", name));
    return std::move(*bytes);
}

/// A member that may be missing, else a text.
Result<std::string> text_in(const json::object& header, std::string_view name) {
    const json::value* const value = header.if_contains(name);
    if (value == nullptr) return std::string();
    if (!value->is_string()) return bad(fmt::format("its '{}' is no text", name));
    return std::string(value->get_string());
}

}  // namespace

Result<Jws> Jws::parse(std::string_view text) {
    if (text.size() > kMostTokenBytes) return bad("it is too long");
    const std::size_t first = text.find('.');
    const std::size_t second = text.find('.', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos) return bad("it has not three parts");

    Jws out;
    ZONA_TRY(const std::string head, decoded(text.substr(0, first), "header"));
    ZONA_TRY(out.payload_, decoded(text.substr(first + 1, second - first - 1), "payload"));
    ZONA_TRY(out.signature_, decoded(text.substr(second + 1), "signature"));
    out.signed_text_ = text.substr(0, second);

    const auto header = core::parse_json(head, kHeaderLimits);
    if (!header || !header->is_object()) return bad("its header is no JSON object");
    const json::object& members = header->get_object();
    if (members.contains("crit")) return bad("it wants an extension to be understood");
    ZONA_TRY(const std::string name, text_in(members, "alg"));
    const auto algorithm = signing_algorithm_from(name);
    if (!algorithm) return bad("its algorithm is not one that is taken");
    out.algorithm_ = *algorithm;
    ZONA_TRY(out.key_id_, text_in(members, "kid"));
    ZONA_TRY(out.type_, text_in(members, "typ"));
    return out;
}

Result<std::string> Jws::verified_by(const VerificationKey& key) const {
    if (key.algorithm() != algorithm_) return bad("its algorithm is not that of its key");
    if (!key.verifies(signed_text_, signature_)) return bad("its key has not signed it");
    return payload_;
}

bool is_token_shaped(std::string_view text) {
    if (text.size() > kMostTokenBytes || std::ranges::count(text, '.') != 2) return false;
    const std::size_t first = text.find('.');
    const std::size_t second = text.find('.', first + 1);
    const bool has_all = first > 0 && second > first + 1 && second + 1 < text.size();
    return has_all &&
           std::ranges::all_of(text, [](char c) { return kTaken[static_cast<unsigned char>(c)]; });
}

std::string sign_jws(std::string_view payload, const SigningKey& key, std::string_view type) {
    const VerificationKey& verification = key.verification_key();
    json::object header = {{"alg", to_string(verification.algorithm())},
                           {"kid", verification.id()}};
    if (!type.empty()) header["typ"] = type;
    std::string text = encoded(core::to_json(header)) + "." + encoded(payload);
    text += "." + encoded(key.sign(text));
    return text;
}

}  // namespace zona::identity
