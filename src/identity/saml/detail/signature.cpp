#include "identity/saml/detail/signature.h"

#include <algorithm>
#include <memory>
#include <string_view>

#include "identity/saml/detail/refusal.h"
#include "identity/saml/detail/xml.h"
#include "identity/saml/detail/xmlsec.h"

namespace zona::identity::saml {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::string_view kEnveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
constexpr std::string_view kCanonical[] = {"http://www.w3.org/2001/10/xml-exc-c14n#",
                                           "http://www.w3.org/2001/10/xml-exc-c14n#WithComments"};
constexpr std::string_view kDigests[] = {"http://www.w3.org/2001/04/xmlenc#sha256",
                                         "http://www.w3.org/2001/04/xmldsig-more#sha384",
                                         "http://www.w3.org/2001/04/xmlenc#sha512"};
constexpr std::string_view kMethods[] = {"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                                         "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
                                         "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
                                         "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
                                         "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
                                         "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"};

bool is_one_of(std::span<const std::string_view> known, std::string_view text) {
    return std::ranges::find(known, text) != known.end();
}

/// The Algorithm of the one child of this name; empty if there is none, or another.
std::string algorithm_of(const xmlNode* parent, const char* name) {
    const xmlNode* const child = only(parent, kSignatureSpace, name);
    return child == nullptr ? "" : attribute(child, "Algorithm").value_or("");
}

/// The signature itself out of what is signed, and the rest made canonical: nothing else, which
/// could leave something out.
bool are_plain(const xmlNode* transforms) {
    const std::vector<xmlNode*> all = elements(transforms);
    if (all.empty() || all.size() > 2) return false;
    const auto algorithm = [&](std::size_t at) {
        const bool is_transform = is_element(all[at], kSignatureSpace, "Transform");
        return is_transform ? attribute(all[at], "Algorithm").value_or("") : std::string();
    };
    return algorithm(0) == kEnveloped && (all.size() == 1 || is_one_of(kCanonical, algorithm(1)));
}

/// Whether the signature has the form that SAML gives it (core, section 5.4), and is about `id`.
Result<void> check_form(const xmlNode* signature, const std::string& id) {
    const std::vector<xmlNode*> parts = elements(signature);
    const bool has_key_info = parts.size() == 3 && is_element(parts[2], kSignatureSpace, "KeyInfo");
    if ((parts.size() != 2 && !has_key_info) ||
        !is_element(parts[0], kSignatureSpace, "SignedInfo") ||
        !is_element(parts[1], kSignatureSpace, "SignatureValue"))
        return refused("has a signature with more, or less, in it than one has");
    const xmlNode* const info = parts[0];
    if (!is_one_of(kCanonical, algorithm_of(info, "CanonicalizationMethod")))
        return refused("has a signature that is not made canonical exclusively");
    const xmlNode* const method = only(info, kSignatureSpace, "SignatureMethod");
    if (!is_one_of(kMethods, algorithm_of(info, "SignatureMethod")) || !elements(method).empty())
        return refused(
            "has a signature by another algorithm than RSA or ECDSA with SHA-256 or "
            "more");
    const xmlNode* const reference = only(info, kSignatureSpace, "Reference");
    if (reference == nullptr || elements(info).size() != 3 ||
        attribute(reference, "URI") != "#" + id)
        return refused("has a signature over something else than what it stands in");
    const xmlNode* const transforms = only(reference, kSignatureSpace, "Transforms");
    if (transforms == nullptr || !are_plain(transforms))
        return refused("has a signature over a part of what it stands in");
    if (!is_one_of(kDigests, algorithm_of(reference, "DigestMethod")))
        return refused("has a signature with a digest that is none of SHA-256 or more");
    return {};
}

using Context = std::unique_ptr<xmlSecDSigCtx, decltype(&::xmlSecDSigCtxDestroy)>;

/// One that can do nothing but what check_form() lets through.
Context make_context() {
    Context out(::xmlSecDSigCtxCreate(nullptr), &::xmlSecDSigCtxDestroy);
    if (!out) return out;
    out->enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
    for (const xmlSecTransformId each :
         {xmlSecTransformExclC14NId, xmlSecTransformExclC14NWithCommentsId,
          xmlSecOpenSSLTransformRsaSha256Id, xmlSecOpenSSLTransformRsaSha384Id,
          xmlSecOpenSSLTransformRsaSha512Id, xmlSecOpenSSLTransformEcdsaSha256Id,
          xmlSecOpenSSLTransformEcdsaSha384Id, xmlSecOpenSSLTransformEcdsaSha512Id}) {
        if (::xmlSecDSigCtxEnableSignatureTransform(out.get(), each) < 0) out.reset();
        if (!out) return out;
    }
    for (const xmlSecTransformId each :
         {xmlSecTransformEnvelopedId, xmlSecTransformExclC14NId,
          xmlSecTransformExclC14NWithCommentsId, xmlSecOpenSSLTransformSha256Id,
          xmlSecOpenSSLTransformSha384Id, xmlSecOpenSSLTransformSha512Id}) {
        if (::xmlSecDSigCtxEnableReferenceTransform(out.get(), each) < 0) out.reset();
        if (!out) return out;
    }
    return out;
}

bool is_signed_by(xmlNode* signature, const std::string& certificate) {
    const Context context = make_context();
    if (!context) return false;
    context->signKey =
        ::xmlSecOpenSSLAppKeyLoadMemory(reinterpret_cast<const xmlSecByte*>(certificate.data()),
                                        static_cast<xmlSecSize>(certificate.size()),
                                        xmlSecKeyDataFormatCertDer, nullptr, nullptr, nullptr);
    return context->signKey != nullptr && ::xmlSecDSigCtxVerify(context.get(), signature) == 0 &&
           context->status == xmlSecDSigStatusSucceeded;
}

/// Lets references lead to the element, and to nothing else, as long as it lives.
class NamedElement {
  public:
    explicit NamedElement(xmlNode* element)
        : element_(element),
          attribute_(::xmlHasProp(element, reinterpret_cast<const xmlChar*>("ID"))) {
        const auto value = attribute(element, "ID").value_or("");
        is_named_ =
            attribute_ != nullptr &&
            ::xmlAddID(nullptr, element->doc, reinterpret_cast<const xmlChar*>(value.c_str()),
                       attribute_) != nullptr;
    }
    NamedElement(const NamedElement&) = delete;
    NamedElement& operator=(const NamedElement&) = delete;
    ~NamedElement() {
        if (is_named_) (void)::xmlRemoveID(element_->doc, attribute_);
    }
    bool is_named() const { return is_named_; }

  private:
    xmlNode* element_;
    xmlAttr* attribute_;
    bool is_named_ = false;
};

}  // namespace

Result<void> set_up_xmlsec() {
    static const bool is_up = [] {
        ::xmlInitParser();
        // What it has to say about others' documents belongs on no terminal.
        const bool up = ::xmlSecInit() == 0 && ::xmlSecOpenSSLAppInit(nullptr) == 0 &&
                        ::xmlSecOpenSSLInit() == 0;
        ::xmlSecErrorsSetCallback(
            [](const char*, int, const char*, const char*, const char*, int, const char*) {});
        return up;
    }();
    if (!is_up) return Error(Code::kUnsupported, "xmlsec could not be set up");
    return {};
}

Result<void> check_signature(xmlNode* element, xmlNode* signature,
                             std::span<const std::string> certificates) {
    const std::string id = attribute(element, "ID").value_or("");
    if (id.empty()) return refused("has a signature over what has no ID");
    ZONA_TRY_VOID(check_form(signature, id));
    const NamedElement named(element);
    if (!named.is_named()) return refused("has the same ID twice");
    for (const std::string& certificate : certificates) {
        if (is_signed_by(signature, certificate)) return {};
    }
    return refused("is signed by nobody whose certificate the provider's metadata show");
}

}  // namespace zona::identity::saml
