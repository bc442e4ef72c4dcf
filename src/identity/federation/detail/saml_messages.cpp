#include "identity/federation/detail/saml_messages.h"

#include <cstdint>

#include <fmt/format.h>

#include "core/markup.h"
#include "core/time_format.h"
#include "core/uri.h"
#include "crypto/encoding.h"

namespace zona::identity::detail {

using core::escaped_markup;

namespace {

/// As DEFLATE wants it, in one block that is not compressed (RFC 1951 section 3.2.4): a request is
/// short. Precondition: under 64 KiB.
std::string deflated(std::string_view text) {
    const auto size = static_cast<std::uint16_t>(text.size());
    const auto low = [](std::uint16_t number) { return static_cast<char>(number & 0xFFU); };
    const auto high = [](std::uint16_t number) { return static_cast<char>(number >> 8U); };
    const auto inverse = static_cast<std::uint16_t>(~size);
    std::string out{'\x01', low(size), high(size), low(inverse), high(inverse)};
    return out += text;
}

}  // namespace

ServiceProvider ServiceProvider::of(std::string_view public_url, std::string_view tenant,
                                    std::string_view provider) {
    std::string entity =
        fmt::format("{}/api/v1/service-providers/{}/{}", public_url, tenant, provider);
    std::string answers = entity + "/answers";
    return {.entity_id = std::move(entity), .answers = std::move(answers)};
}

std::string metadata_of(const ServiceProvider& us) {
    std::string key;
    if (!us.certificate.empty()) {
        key = fmt::format(
            "<md:KeyDescriptor use=\"encryption\"><ds:KeyInfo "
            "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data><ds:X509Certificate>{}"
            "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
            "<md:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-gcm\"/>"
            "<md:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes128-gcm\"/>"
            "<md:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/>"
            "</md:KeyDescriptor>",
            us.certificate);
    }
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor "
        "xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{}\"><md:SPSSODescriptor "
        "AuthnRequestsSigned=\"false\" WantAssertionsSigned=\"true\" "
        "protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{}"
        "<md:AssertionConsumerService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" "
        "Location=\"{}\" index=\"0\" isDefault=\"true\"/></md:SPSSODescriptor>"
        "</md:EntityDescriptor>\n",
        escaped_markup(us.entity_id), key, escaped_markup(us.answers));
}

std::string request_url(const ServiceProvider& us, std::string_view sign_in_url,
                        std::string_view id, std::string_view relay_state, core::SystemTime now) {
    const std::string request = fmt::format(
        "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" "
        "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"{}\" Version=\"2.0\" "
        "IssueInstant=\"{}\" Destination=\"{}\" AssertionConsumerServiceURL=\"{}\" "
        "ProtocolBinding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\"><saml:Issuer>{}"
        "</saml:Issuer><samlp:NameIDPolicy AllowCreate=\"true\"/></samlp:AuthnRequest>",
        escaped_markup(id), core::to_rfc3339(now), escaped_markup(sign_in_url),
        escaped_markup(us.answers), escaped_markup(us.entity_id));
    const std::string packed = deflated(request);
    return fmt::format("{}{}SAMLRequest={}&RelayState={}", sign_in_url,
                       sign_in_url.contains('?') ? '&' : '?',
                       core::percent_encoded(crypto::base64(std::as_bytes(std::span(packed)))),
                       core::percent_encoded(relay_state));
}

}  // namespace zona::identity::detail
