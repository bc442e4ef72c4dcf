#include "identity/saml/detail/metadata.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/text.h"
#include "identity/saml/detail/xml.h"

namespace zona::identity::saml {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr const char* kRedirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
constexpr std::size_t kMostCertificates = 16;
constexpr std::size_t kMostText = 1024;
constexpr int kLeastRsa = 2048;
constexpr int kMostRsa = 8192;
constexpr int kLeastCurve = 256;

Error bad(const char* why) {
    return {Code::kInvalidArgument, std::string("the identity provider's metadata ") + why};
}

/// The role that signs people in, of those that the entity has.
xmlNode* signer_in(const xmlNode* entity) {
    for (xmlNode* const role : elements(entity, kMetadataSpace, "IDPSSODescriptor")) {
        const std::string protocols = attribute(role, "protocolSupportEnumeration").value_or("");
        if (protocols.contains(kProtocolSpace)) return role;
    }
    return nullptr;
}

std::string sign_in_url(const xmlNode* role) {
    for (const xmlNode* const service : elements(role, kMetadataSpace, "SingleSignOnService")) {
        if (attribute(service, "Binding") != kRedirect) continue;
        std::string url = attribute(service, "Location").value_or("");
        const bool is_url = url.starts_with("https://") || url.starts_with("http://");
        if (is_url && url.size() <= kMostText && !url.contains('#') && !url.contains(' ') &&
            !core::has_control_characters(url))
            return url;
    }
    return "";
}

/// Whether its key is of a kind and size by which one may sign.
bool is_strong(const std::string& der) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<X509, decltype(&::X509_free)> certificate(
        ::d2i_X509(nullptr, &bytes, static_cast<long>(der.size())), &::X509_free);
    const EVP_PKEY* const key = certificate ? ::X509_get0_pubkey(certificate.get()) : nullptr;
    if (key == nullptr) return false;
    const int bits = ::EVP_PKEY_get_bits(key);
    if (::EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) return bits >= kLeastRsa && bits <= kMostRsa;
    return ::EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && bits >= kLeastCurve;
}

Result<std::vector<std::string>> certificates_of(const xmlNode* role) {
    std::vector<std::string> out;
    for (xmlNode* const key : elements(role, kMetadataSpace, "KeyDescriptor")) {
        if (attribute(key, "use").value_or("signing") != "signing") continue;
        for (const xmlNode* const one : all_elements(key, kSignatureSpace, "X509Certificate")) {
            auto der = from_base64(text_of(one).value_or(""));
            if (!der || !is_strong(*der)) {
                return bad(
                    "has a certificate that cannot be read, or whose key is too weak: RSA "
                    "of 2048 bits, or a curve of 256");
            }
            out.push_back(*std::move(der));
        }
    }
    if (out.empty()) return bad("names no certificate by which it signs");
    if (out.size() > kMostCertificates) return bad("names more than 16 certificates");
    return out;
}

}  // namespace

Result<SamlMetadata> read_metadata(std::string_view text, core::SystemTime now) {
    if (text.size() > kMostSamlMetadata) return bad("is over 256 KiB: give that of one provider");
    const XmlDocument document = parse_xml(core::trimmed(text, " \t\r\n"));
    if (!document) return bad("is no XML in UTF-8 without document type");
    const xmlNode* const entity = ::xmlDocGetRootElement(document.get());
    if (is_element(entity, kMetadataSpace, "EntitiesDescriptor"))
        return bad("is of several entities: give the EntityDescriptor of one");
    if (!is_element(entity, kMetadataSpace, "EntityDescriptor"))
        return bad("is no EntityDescriptor");
    SamlMetadata out;
    out.entity_id = attribute(entity, "entityID").value_or("");
    if (out.entity_id.empty() || out.entity_id.size() > kMostText ||
        core::has_control_characters(out.entity_id))
        return bad("has no entityID, or one over 1024 bytes");
    const xmlNode* const role = signer_in(entity);
    if (role == nullptr) return bad("has no IDPSSODescriptor for SAML 2.0: it signs nobody in");
    for (const xmlNode* const one : {entity, role}) {
        const auto ends = moment(one, "validUntil");
        if (attribute(one, "validUntil") && (!ends || *ends <= now))
            return bad("is over (validUntil): get it anew");
    }
    out.sign_in_url = sign_in_url(role);
    if (out.sign_in_url.empty())
        return bad("has no SingleSignOnService for HTTP-Redirect with an https URL");
    ZONA_TRY(out.certificates, certificates_of(role));
    return out;
}

}  // namespace zona::identity::saml
