#include "identity/saml/testing/saml_answers.h"

#include <stdexcept>

// Before the others, which need it.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "core/time_format.h"
#include "crypto/encoding.h"
#include "identity/saml/detail/signature.h"
#include "identity/saml/detail/xml.h"
#include "identity/saml/detail/xmlsec.h"

namespace zona::identity::testing {

namespace {

std::string self_signed(EVP_PKEY* key) {
    const std::unique_ptr<X509, decltype(&::X509_free)> made(::X509_new(), &::X509_free);
    ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), 0);
    ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), 3600);
    ::X509_set_pubkey(made.get(), key);
    ::X509_sign(made.get(), key, ::EVP_sha256());
    unsigned char* bytes = nullptr;
    const int size = ::i2d_X509(made.get(), &bytes);
    if (size <= 0) throw std::runtime_error("no certificate");
    std::string out(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    ::OPENSSL_free(bytes);
    return out;
}

std::string place_for_signature(const SamlAnswer& answer, std::string_view id) {
    return fmt::format(
        R"(<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo>)"
        R"(<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>)"
        R"(<ds:SignatureMethod Algorithm="{}"/><ds:Reference URI="#{}"><ds:Transforms>)"
        R"(<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>)"
        R"(<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms>)"
        R"(<ds:DigestMethod Algorithm="{}"/><ds:DigestValue/></ds:Reference></ds:SignedInfo>)"
        R"(<ds:SignatureValue/></ds:Signature>)",
        answer.method, id, answer.digest);
}

void sign_one(xmlNode* signature, EVP_PKEY* key) {
    const std::unique_ptr<xmlSecDSigCtx, decltype(&::xmlSecDSigCtxDestroy)> context(
        ::xmlSecDSigCtxCreate(nullptr), &::xmlSecDSigCtxDestroy);
    const std::unique_ptr<BIO, decltype(&::BIO_free)> pem(::BIO_new(::BIO_s_mem()), &::BIO_free);
    ::PEM_write_bio_PrivateKey(pem.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
    char* text = nullptr;
    const long size = ::BIO_get_mem_data(pem.get(), &text);
    context->signKey = ::xmlSecOpenSSLAppKeyLoadMemory(
        reinterpret_cast<const xmlSecByte*>(text), static_cast<xmlSecSize>(size),
        xmlSecKeyDataFormatPem, nullptr, nullptr, nullptr);
    if (::xmlSecDSigCtxSign(context.get(), signature) < 0) throw std::runtime_error("not signed");
}

}  // namespace

SamlKey::SamlKey(int rsa_bits)
    : key_(rsa_bits > 0 ? ::EVP_RSA_gen(static_cast<unsigned>(rsa_bits)) : ::EVP_EC_gen("P-256"),
           &::EVP_PKEY_free),
      certificate_(self_signed(key_.get())) {}

std::string SamlKey::pem() const {
    const std::unique_ptr<BIO, decltype(&::BIO_free)> pem(::BIO_new(::BIO_s_mem()), &::BIO_free);
    ::PEM_write_bio_PrivateKey(pem.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    char* text = nullptr;
    const long size = ::BIO_get_mem_data(pem.get(), &text);
    return {text, static_cast<std::size_t>(size)};
}

std::string SamlKey::sign(const std::string& xml) const {
    if (!saml::set_up_xmlsec()) throw std::runtime_error("no xmlsec");
    const saml::XmlDocument document = saml::parse_xml(xml);
    if (!document) throw std::runtime_error("no XML: " + xml);
    xmlNode* const root = ::xmlDocGetRootElement(document.get());
    // Those of the last elements come first, and the assertion is the last one.
    for (xmlNode* const one : saml::all_elements(root, saml::kSignatureSpace, "Signature")) {
        const xmlChar* const name = reinterpret_cast<const xmlChar*>("ID");
        xmlAttr* const id = ::xmlHasProp(one->parent, name);
        const std::string value = saml::attribute(one->parent, "ID").value_or("");
        (void)::xmlAddID(nullptr, document.get(), reinterpret_cast<const xmlChar*>(value.c_str()),
                         id);
        sign_one(one, key_.get());
    }
    xmlChar* text = nullptr;
    int size = 0;
    ::xmlDocDumpMemory(document.get(), &text, &size);
    std::string out(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
    ::xmlFree(text);
    return out;
}

std::string base64_of(const std::string& text) {
    return crypto::base64(std::as_bytes(std::span(text)));
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    if (at == std::string::npos) throw std::runtime_error("it has no " + from);
    return text.replace(at, from.size(), to);
}

std::string between(const std::string& text, const std::string& from, const std::string& to) {
    const std::size_t begin = text.find(from);
    const std::size_t end = begin == std::string::npos ? begin : text.find(to, begin);
    if (end == std::string::npos) throw std::runtime_error("it has no " + from + to);
    return text.substr(begin, end + to.size() - begin);
}

std::string SamlAnswer::assertion() const {
    const bool is_signed = what == Signed::kAssertion || what == Signed::kBoth;
    return fmt::format(
        R"(<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{}" Version="2.0" )"
        R"(IssueInstant="2026-11-23T12:00:00Z"><saml:Issuer>{}</saml:Issuer>{}<saml:Subject>)"
        R"(<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{}</saml:NameID>)"
        R"(<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">)"
        R"(<saml:SubjectConfirmationData Recipient="{}" NotOnOrAfter="{}" InResponseTo="{}"/>)"
        R"(</saml:SubjectConfirmation></saml:Subject><saml:Conditions NotBefore="{}" )"
        R"(NotOnOrAfter="{}"><saml:AudienceRestriction><saml:Audience>{}</saml:Audience>)"
        R"(</saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement )"
        R"(AuthnInstant="2026-11-23T12:00:00Z"><saml:AuthnContext><saml:AuthnContextClassRef>)"
        R"(urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>)"
        R"(</saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>)"
        R"(<saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.1" FriendlyName="uid">)"
        R"(<saml:AttributeValue>anna</saml:AttributeValue></saml:Attribute>)"
        R"(<saml:Attribute Name="groups"><saml:AttributeValue>soc</saml:AttributeValue>)"
        R"(<saml:AttributeValue>leads</saml:AttributeValue></saml:Attribute>)"
        R"(</saml:AttributeStatement></saml:Assertion>)",
        assertion_id, issuer, is_signed ? place_for_signature(*this, assertion_id) : "", subject,
        recipient, not_on_or_after, request, not_before, not_on_or_after, audience);
}

std::string SamlAnswer::xml() const {
    const bool is_signed = what == Signed::kResponse || what == Signed::kBoth;
    return fmt::format(
        R"(<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" )"
        R"(xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_response" Version="2.0" )"
        R"(IssueInstant="2026-11-23T12:00:00Z" Destination="{}" InResponseTo="{}">)"
        R"(<saml:Issuer>{}</saml:Issuer>{}<samlp:Status><samlp:StatusCode )"
        R"(Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>{}</samlp:Response>)",
        destination, request, issuer, is_signed ? place_for_signature(*this, "_response") : "",
        assertion());
}

std::string metadata_with(const std::string& certificate) {
    return fmt::format(
        R"(<?xml version="1.0"?><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" )"
        R"(xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="{}"><md:IDPSSODescriptor )"
        R"(protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:KeyDescriptor )"
        R"(use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate>)"
        R"(</ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:SingleSignOnService )"
        R"(Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" )"
        R"(Location="https://login.example/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>)",
        kIdp, base64_of(certificate));
}

SamlWanted wanted_of(const SamlKey& key) {
    return {.issuer = kIdp,
            .certificates = {key.certificate()},
            .audience = kSp,
            .recipient = kAcs,
            .request = kRequest,
            .key = {},
            .now = core::parse_rfc3339("2026-11-23T12:00:30Z").value(),
            .leeway = std::chrono::seconds(60)};
}

}  // namespace zona::identity::testing
