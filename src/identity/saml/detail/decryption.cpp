#include "identity/saml/detail/decryption.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "identity/saml/detail/refusal.h"
#include "identity/saml/detail/xml.h"
#include "identity/saml/detail/xmlsec.h"

namespace zona::identity::saml {

using core::Result;
using core::Secret;

namespace {

constexpr std::string_view kCiphers[] = {"http://www.w3.org/2009/xmlenc11#aes128-gcm",
                                         "http://www.w3.org/2009/xmlenc11#aes192-gcm",
                                         "http://www.w3.org/2009/xmlenc11#aes256-gcm"};
constexpr std::string_view kTransports[] = {"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"};

using Key = std::unique_ptr<xmlSecKey, decltype(&::xmlSecKeyDestroy)>;

bool is_by(const xmlNode* element, std::span<const std::string_view> known) {
    const xmlNode* const method = only(element, kEncryptionSpace, "EncryptionMethod");
    const std::string name =
        method != nullptr ? attribute(method, "Algorithm").value_or("") : std::string();
    return std::ranges::find(known, name) != known.end();
}

/// What is encrypted with `key`, whatever the element says about keys.
std::optional<Secret> opened(xmlNode* element, xmlEncCtxMode mode, Key key) {
    if (!key) return std::nullopt;
    const std::unique_ptr<xmlSecEncCtx, decltype(&::xmlSecEncCtxDestroy)> context(
        ::xmlSecEncCtxCreate(nullptr), &::xmlSecEncCtxDestroy);
    if (!context) return std::nullopt;
    context->mode = mode;
    context->transformCtx.enabledUris = xmlSecTransformUriTypeNone;
    context->encKey = key.release();
    const xmlSecBuffer* const buffer = ::xmlSecEncCtxDecryptToBuffer(context.get(), element);
    if (buffer == nullptr) return std::nullopt;
    return Secret(std::string(reinterpret_cast<const char*>(buffer->data), buffer->size));
}

const xmlSecByte* bytes(const Secret& secret) {
    return reinterpret_cast<const xmlSecByte*>(secret.reveal().data());
}

xmlSecSize size(const Secret& secret) {
    return static_cast<xmlSecSize>(secret.reveal().size());
}

}  // namespace

Result<std::string> decrypt(xmlNode* encrypted, const Secret& key) {
    if (key.empty()) return refused("is encrypted to somebody else");
    const auto data = all_elements(encrypted, kEncryptionSpace, "EncryptedData");
    const auto wrapped = all_elements(encrypted, kEncryptionSpace, "EncryptedKey");
    const bool leads_away = !all_elements(encrypted, kEncryptionSpace, "CipherReference").empty();
    if (data.size() != 1 || wrapped.size() != 1 || leads_away)
        return refused("is encrypted to more than one, or holds what is encrypted elsewhere");
    if (!is_by(data.front(), kCiphers) || !is_by(wrapped.front(), kTransports))
        return refused("is encrypted otherwise than by AES-GCM and RSA-OAEP (rsa-oaep-mgf1p)");
    Key ours(::xmlSecOpenSSLAppKeyLoadMemory(bytes(key), size(key), xmlSecKeyDataFormatPem, nullptr,
                                             nullptr, nullptr),
             &::xmlSecKeyDestroy);
    const auto inner = opened(wrapped.front(), xmlEncCtxModeEncryptedKey, std::move(ours));
    Key theirs(inner ? ::xmlSecKeyReadMemory(xmlSecOpenSSLKeyDataAesId, bytes(*inner), size(*inner))
                     : nullptr,
               &::xmlSecKeyDestroy);
    const auto text = opened(data.front(), xmlEncCtxModeEncryptedData, std::move(theirs));
    if (!text) return refused("is not encrypted with our key");
    return std::string(text->reveal());
}

}  // namespace zona::identity::saml
