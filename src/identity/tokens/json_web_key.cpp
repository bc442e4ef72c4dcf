#include "identity/tokens/json_web_key.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "core/json.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"

namespace zona::identity {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

constexpr std::size_t kCoordinate = 32;  ///< bytes of a number of P-256, and of an Ed25519 key
constexpr std::size_t kMostKeyId = 128;
constexpr std::size_t kMostExponentBytes = 4;
constexpr std::size_t kRsaBits = 3072;
constexpr const char* kCurve = "prime256v1";
/// Of an RSA key: as a JWK and as OpenSSL call it.
constexpr std::pair<const char*, const char*> kRsaPrivate[] = {
    {"d", OSSL_PKEY_PARAM_RSA_D},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};

template <auto Free>
struct Freed {
    void operator()(auto* what) const noexcept { Free(what); }
};
using BigNumber = std::unique_ptr<BIGNUM, Freed<&::BN_clear_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Freed<&::ECDSA_SIG_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<&::EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<&::EVP_MD_CTX_free>>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, Freed<&::OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freed<&::OSSL_PARAM_free>>;
using SharedKey = std::shared_ptr<EVP_PKEY>;

/// What can go wrong is memory, or the kernel's generator.
void must(bool good) {
    if (!good) std::abort();
}

const unsigned char* raw(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

unsigned char* raw(std::string& bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}

std::string encoded(std::string_view bytes) {
    return crypto::base64url(std::as_bytes(std::span(bytes)));
}

SharedKey owned(EVP_PKEY* key) {
    ::ERR_clear_error();
    return key == nullptr ? SharedKey() : SharedKey(key, &::EVP_PKEY_free);
}

Error damaged(std::string_view what) {
    return {Code::kInvalidArgument, fmt::format("the key: {}", what)};
}

Error foreign(std::string_view what) {
    return {Code::kUnsupported, fmt::format("the key: {}", what)};
}

/// A text of a JWK; nullopt if it is absent or none.
std::optional<std::string> text_in(const json::object& jwk, std::string_view name) {
    const json::value* const value = jwk.if_contains(name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->get_string());
}

Result<std::string> bytes_in(const json::object& jwk, std::string_view name) {
    const auto text = text_in(jwk, name);
    auto bytes = text ? crypto::from_base64url(*text) : Error(Code::kInvalidArgument, "");
    if (!bytes || bytes->empty()) return damaged(fmt::format("'{}' is not base64url", name));
    return std::move(*bytes);
}

Result<std::string> bytes_in(const json::object& jwk, std::string_view name, std::size_t size) {
    ZONA_TRY(std::string bytes, bytes_in(jwk, name));
    if (bytes.size() != size) return damaged(fmt::format("'{}' has a wrong length", name));
    return bytes;
}

/// A positive number, written as short as it can be. Source: RFC 7518 section 2.
Result<std::string> number_in(const json::object& jwk, std::string_view name) {
    ZONA_TRY(std::string bytes, bytes_in(jwk, name));
    if (bytes.front() == '\0') return damaged(fmt::format("'{}' begins with zeros", name));
    return bytes;
}

/// What a key is made of.
class KeyParts {
  public:
    KeyParts() : builder_(::OSSL_PARAM_BLD_new()) { must(builder_ != nullptr); }

    void number(const char* name, std::string_view bytes) {
        numbers_.emplace_back(::BN_bin2bn(raw(bytes), static_cast<int>(bytes.size()), nullptr));
        must(numbers_.back() != nullptr);
        must(::OSSL_PARAM_BLD_push_BN(builder_.get(), name, numbers_.back().get()) == 1);
    }
    void point(const std::string& x, const std::string& y) {
        point_ = "\x04" + x + y;  // not compressed
        must(::OSSL_PARAM_BLD_push_octet_string(builder_.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                                point_.data(), point_.size()) == 1);
    }
    void text(const char* name, const char* value) {
        must(::OSSL_PARAM_BLD_push_utf8_string(builder_.get(), name, value, 0) == 1);
    }
    /// Null if OpenSSL does not take it.
    SharedKey make(const char* type, int selection) {
        const Parameters parameters(::OSSL_PARAM_BLD_to_param(builder_.get()));
        const KeyContext context(::EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
        must(parameters != nullptr && context != nullptr);
        EVP_PKEY* key = nullptr;
        if (::EVP_PKEY_fromdata_init(context.get()) != 1 ||
            ::EVP_PKEY_fromdata(context.get(), &key, selection, parameters.get()) != 1) {
            ::ERR_clear_error();
            return {};
        }
        return owned(key);
    }

  private:
    const ParameterBuilder builder_;  // refers to the others
    std::vector<BigNumber> numbers_;
    std::string point_;
};

Result<SigningAlgorithm> algorithm_of(const json::object& jwk) {
    const std::string type = text_in(jwk, "kty").value_or("");
    const std::string curve = text_in(jwk, "crv").value_or("");
    std::optional<SigningAlgorithm> algorithm;
    if (type == "OKP" && curve == "Ed25519") algorithm = SigningAlgorithm::kEdDsa;
    if (type == "RSA") algorithm = SigningAlgorithm::kRs256;
    if (type == "EC" && curve == "P-256") algorithm = SigningAlgorithm::kEs256;
    if (!algorithm) return foreign("'kty' and 'crv' are not of a kind that is taken");
    if (jwk.contains("alg") && text_in(jwk, "alg") != to_string(*algorithm))
        return foreign("its 'alg' is not taken");
    if (jwk.contains("use") && text_in(jwk, "use") != "sig")
        return foreign("its 'use' is not signatures");
    if (const json::value* const uses = jwk.if_contains("key_ops")) {
        const json::array* const list = uses->if_array();
        const bool verifies =
            list != nullptr && std::ranges::any_of(*list, [](const json::value& one) {
                return one == "verify" || one == "sign";
            });
        if (!verifies) return foreign("its 'key_ops' are not signatures");
    }
    return *algorithm;
}

Result<SharedKey> rsa_key(const json::object& jwk) {
    ZONA_TRY(const std::string modulus, number_in(jwk, "n"));
    ZONA_TRY(const std::string exponent, number_in(jwk, "e"));
    if (exponent.size() > kMostExponentBytes || exponent == "\x01" ||
        (static_cast<unsigned char>(exponent.back()) & 1U) == 0)
        return damaged("'e' is not an odd number of 3 to 2^32");
    if (modulus.size() * 8 > kMostRsaBits || (static_cast<unsigned char>(modulus.back()) & 1U) == 0)
        return damaged(fmt::format("'n' is even, or has more than {} bits", kMostRsaBits));
    KeyParts parts;
    parts.number(OSSL_PKEY_PARAM_RSA_N, modulus);
    parts.number(OSSL_PKEY_PARAM_RSA_E, exponent);
    SharedKey key = parts.make("RSA", EVP_PKEY_PUBLIC_KEY);
    if (key == nullptr || ::EVP_PKEY_get_bits(key.get()) < kLeastRsaBits)
        return damaged(fmt::format("'n' has fewer than {} bits", kLeastRsaBits));
    return key;
}

Result<SharedKey> ec_key(const json::object& jwk) {
    ZONA_TRY(const std::string x, bytes_in(jwk, "x", kCoordinate));
    ZONA_TRY(const std::string y, bytes_in(jwk, "y", kCoordinate));
    KeyParts parts;
    parts.text(OSSL_PKEY_PARAM_GROUP_NAME, kCurve);
    parts.point(x, y);
    SharedKey key = parts.make("EC", EVP_PKEY_PUBLIC_KEY);
    const KeyContext context(
        key == nullptr ? nullptr : ::EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr));
    if (context == nullptr || ::EVP_PKEY_public_check(context.get()) != 1) {
        ::ERR_clear_error();
        return damaged("'x' and 'y' are no point of the curve");
    }
    return key;
}

Result<SharedKey> ed_key(const json::object& jwk) {
    ZONA_TRY(const std::string x, bytes_in(jwk, "x", kCoordinate));
    SharedKey key =
        owned(::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(x), kCoordinate));
    if (key == nullptr) return damaged("'x' is no key");
    return key;
}

Result<SharedKey> private_key(SigningAlgorithm algorithm, const json::object& jwk) {
    KeyParts parts;
    SharedKey key;
    if (algorithm == SigningAlgorithm::kEdDsa) {
        ZONA_TRY(const std::string seed, bytes_in(jwk, "d", kCoordinate));
        key = owned(
            ::EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw(seed), kCoordinate));
    } else if (algorithm == SigningAlgorithm::kEs256) {
        ZONA_TRY(const std::string d, bytes_in(jwk, "d", kCoordinate));
        ZONA_TRY(const std::string x, bytes_in(jwk, "x", kCoordinate));
        ZONA_TRY(const std::string y, bytes_in(jwk, "y", kCoordinate));
        parts.text(OSSL_PKEY_PARAM_GROUP_NAME, kCurve);
        parts.point(x, y);
        parts.number(OSSL_PKEY_PARAM_PRIV_KEY, d);
        key = parts.make("EC", EVP_PKEY_KEYPAIR);
    } else {
        ZONA_TRY(const std::string modulus, number_in(jwk, "n"));
        ZONA_TRY(const std::string exponent, number_in(jwk, "e"));
        parts.number(OSSL_PKEY_PARAM_RSA_N, modulus);
        parts.number(OSSL_PKEY_PARAM_RSA_E, exponent);
        for (const auto& [member, name] : kRsaPrivate) {
            ZONA_TRY(const std::string number, number_in(jwk, member));
            parts.number(name, number);
        }
        key = parts.make("RSA", EVP_PKEY_KEYPAIR);
    }
    if (key == nullptr) return damaged("its private part is damaged");
    return key;
}

std::string number_of(const EVP_PKEY* key, const char* name, std::size_t size = 0) {
    BIGNUM* read = nullptr;
    must(::EVP_PKEY_get_bn_param(key, name, &read) == 1);
    const BigNumber number(read);
    std::string bytes(std::max(size, static_cast<std::size_t>(BN_num_bytes(number.get()))), '\0');
    must(::BN_bn2binpad(number.get(), raw(bytes), static_cast<int>(bytes.size())) >= 0);
    return encoded(bytes);
}

json::object new_ed_key() {
    const SharedKey key = owned(::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    must(key != nullptr);
    std::string x(kCoordinate, '\0');
    std::string d(kCoordinate, '\0');
    std::size_t size = kCoordinate;
    must(::EVP_PKEY_get_raw_public_key(key.get(), raw(x), &size) == 1);
    must(::EVP_PKEY_get_raw_private_key(key.get(), raw(d), &size) == 1);
    json::object jwk = {{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", encoded(x)}, {"d", encoded(d)}};
    crypto::wipe(std::as_writable_bytes(std::span(d)));
    return jwk;
}

json::object new_ec_key() {
    const SharedKey key = owned(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", kCurve));
    must(key != nullptr);
    return {{"kty", "EC"},
            {"crv", "P-256"},
            {"x", number_of(key.get(), OSSL_PKEY_PARAM_EC_PUB_X, kCoordinate)},
            {"y", number_of(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y, kCoordinate)},
            {"d", number_of(key.get(), OSSL_PKEY_PARAM_PRIV_KEY, kCoordinate)}};
}

json::object new_rsa_key() {
    const SharedKey key = owned(::EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", kRsaBits));
    must(key != nullptr);
    json::object jwk = {{"kty", "RSA"},
                        {"n", number_of(key.get(), OSSL_PKEY_PARAM_RSA_N)},
                        {"e", number_of(key.get(), OSSL_PKEY_PARAM_RSA_E)}};
    for (const auto& [member, name] : kRsaPrivate)
        jwk[member] = number_of(key.get(), name);
    return jwk;
}

/// What OpenSSL wants for r and s; nullopt for what are no two numbers.
std::optional<std::string> der_of(std::string_view signature) {
    if (signature.size() != 2 * kCoordinate) return std::nullopt;
    const EcdsaSignature out(::ECDSA_SIG_new());
    BigNumber r(::BN_bin2bn(raw(signature), kCoordinate, nullptr));
    BigNumber s(::BN_bin2bn(raw(signature) + kCoordinate, kCoordinate, nullptr));
    must(out != nullptr && r != nullptr && s != nullptr);
    must(::ECDSA_SIG_set0(out.get(), r.release(), s.release()) == 1);
    unsigned char* der = nullptr;
    const int size = ::i2d_ECDSA_SIG(out.get(), &der);
    must(size > 0);
    std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
    ::OPENSSL_free(der);
    return text;
}

std::string r_and_s_of(std::string_view der) {
    const unsigned char* at = raw(der);
    const EcdsaSignature in(::d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
    must(in != nullptr);
    std::string out(2 * kCoordinate, '\0');
    must(::BN_bn2binpad(::ECDSA_SIG_get0_r(in.get()), raw(out), kCoordinate) >= 0);
    must(::BN_bn2binpad(::ECDSA_SIG_get0_s(in.get()), raw(out) + kCoordinate, kCoordinate) >= 0);
    return out;
}

/// Ed25519 hashes by itself.
const EVP_MD* digest_of(SigningAlgorithm algorithm) {
    return algorithm == SigningAlgorithm::kEdDsa ? nullptr : ::EVP_sha256();
}

}  // namespace

std::string_view to_string(SigningAlgorithm algorithm) {
    switch (algorithm) {
        case SigningAlgorithm::kEdDsa:
            return "EdDSA";
        case SigningAlgorithm::kRs256:
            return "RS256";
        case SigningAlgorithm::kEs256:
            return "ES256";
    }
    return "";
}

std::optional<SigningAlgorithm> signing_algorithm_from(std::string_view name) {
    for (const auto one :
         {SigningAlgorithm::kEdDsa, SigningAlgorithm::kRs256, SigningAlgorithm::kEs256}) {
        if (name == to_string(one)) return one;
    }
    return std::nullopt;
}

Result<VerificationKey> VerificationKey::from_jwk(const json::value& jwk) {
    const json::object* const object = jwk.if_object();
    if (object == nullptr) return damaged("it is no JSON object");
    VerificationKey out;
    ZONA_TRY(out.algorithm_, algorithm_of(*object));
    std::vector<const char*> names;
    if (out.algorithm_ == SigningAlgorithm::kRs256) {
        ZONA_TRY(out.key_, rsa_key(*object));
        names = {"e", "kty", "n"};
    } else if (out.algorithm_ == SigningAlgorithm::kEs256) {
        ZONA_TRY(out.key_, ec_key(*object));
        names = {"crv", "kty", "x", "y"};
    } else {
        ZONA_TRY(out.key_, ed_key(*object));
        names = {"crv", "kty", "x"};
    }
    for (const char* const name : names)
        out.members_.emplace_back(name, text_in(*object, name).value_or(""));
    out.id_ = out.thumbprint();
    if (object->contains("kid")) {
        const auto id = text_in(*object, "kid");
        if (!id || id->empty() || id->size() > kMostKeyId)
            return damaged(fmt::format("'kid' is no text of 1 to {} bytes", kMostKeyId));
        out.id_ = *id;
    }
    return out;
}

std::string VerificationKey::thumbprint() const {
    std::string text = "{";
    for (const auto& [name, value] : members_)
        text += fmt::format("{}\"{}\":\"{}\"", text.size() > 1 ? "," : "", name, value);
    return crypto::base64url(crypto::sha256(text + "}"));
}

json::object VerificationKey::to_jwk() const {
    json::object out;
    for (const auto& [name, value] : members_)
        out[name] = value;
    out["kid"] = id_;
    out["alg"] = to_string(algorithm_);
    out["use"] = "sig";
    return out;
}

bool VerificationKey::verifies(std::string_view text, std::string_view signature) const {
    std::string der;
    if (algorithm_ == SigningAlgorithm::kEs256) {
        auto converted = der_of(signature);
        if (!converted) return false;
        der = std::move(*converted);
        signature = der;
    }
    const DigestContext context(::EVP_MD_CTX_new());
    must(context != nullptr);
    must(::EVP_DigestVerifyInit(context.get(), nullptr, digest_of(algorithm_), nullptr,
                                key_.get()) == 1);
    const bool good = ::EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(text),
                                         text.size()) == 1;
    ::ERR_clear_error();
    return good;
}

SigningKey SigningKey::generate(SigningAlgorithm algorithm) {
    json::object jwk;
    if (algorithm == SigningAlgorithm::kEdDsa) jwk = new_ed_key();
    if (algorithm == SigningAlgorithm::kEs256) jwk = new_ec_key();
    if (algorithm == SigningAlgorithm::kRs256) jwk = new_rsa_key();
    auto key = from_jwk(core::Secret(json::serialize(jwk)));
    must(key.has_value());
    return std::move(*key);
}

Result<SigningKey> SigningKey::from_jwk(const core::Secret& text) {
    auto value = core::parse_json(text.reveal(), {.max_depth = 4});
    if (!value) return damaged("it is no JSON");  // the parser's message could show some of it
    SigningKey out;
    ZONA_TRY(out.public_, VerificationKey::from_jwk(*value));
    ZONA_TRY(out.key_, private_key(out.public_.algorithm(), value->get_object()));
    out.jwk_ = text;
    constexpr std::string_view kTrial = "zona";
    if (!out.public_.verifies(kTrial, out.sign(kTrial)))
        return damaged("its private part belongs to another key");
    return out;
}

std::string SigningKey::sign(std::string_view text) const {
    const DigestContext context(::EVP_MD_CTX_new());
    must(context != nullptr);
    const SigningAlgorithm algorithm = public_.algorithm();
    std::size_t size = 0;
    must(::EVP_DigestSignInit(context.get(), nullptr, digest_of(algorithm), nullptr, key_.get()) ==
         1);
    must(::EVP_DigestSign(context.get(), nullptr, &size, raw(text), text.size()) == 1);
    std::string out(size, '\0');
    // A private part that is none, of RSA say, is found out here and by whoever verifies.
    if (::EVP_DigestSign(context.get(), raw(out), &size, raw(text), text.size()) != 1) {
        ::ERR_clear_error();
        return {};
    }
    out.resize(size);
    return algorithm == SigningAlgorithm::kEs256 ? r_and_s_of(out) : out;
}

Result<std::vector<VerificationKey>> parse_key_set(std::string_view text) {
    ZONA_TRY(const json::value value,
             core::parse_json(text, {.max_bytes = core::ByteCount::kib(256), .max_depth = 8}));
    const json::value* const keys =
        value.is_object() ? value.get_object().if_contains("keys") : nullptr;
    if (keys == nullptr || !keys->is_array())
        return Error(Code::kInvalidArgument, "a set of keys is an object with an array 'keys'");
    if (keys->get_array().size() > kMostKeysOfSet)
        return Error(Code::kTooLarge, fmt::format("more than {} keys", kMostKeysOfSet));
    std::vector<VerificationKey> out;
    for (const json::value& one : keys->get_array()) {
        auto key = VerificationKey::from_jwk(one);
        if (key) {
            out.push_back(std::move(*key));
        } else if (key.error().code() != Code::kUnsupported) {
            return key.take_error();
        }
    }
    return out;
}

std::string render_key_set(std::span<const VerificationKey> keys) {
    json::array list;
    for (const VerificationKey& key : keys)
        list.push_back(key.to_jwk());
    return core::to_json(json::object{{"keys", std::move(list)}});
}

}  // namespace zona::identity
