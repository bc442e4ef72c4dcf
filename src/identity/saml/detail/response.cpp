#include "identity/saml/detail/response.h"

#include <algorithm>
#include <set>

#include "core/text.h"
#include "identity/saml/detail/decryption.h"
#include "identity/saml/detail/refusal.h"
#include "identity/saml/detail/signature.h"
#include "identity/saml/detail/xml.h"

namespace zona::identity::saml {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::string_view kBearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
constexpr std::string_view kSuccess = "urn:oasis:names:tc:SAML:2.0:status:Success";
constexpr std::string_view kStatus = "urn:oasis:names:tc:SAML:2.0:status:";
constexpr std::size_t kMostElements = 4096;
constexpr std::size_t kMostSpaces = 256;
constexpr std::size_t kMostSubject = 1024;

/// Names of namespaces make canonical XML slow: a document of many is none of a provider's.
bool has_many_spaces(std::string_view text) {
    std::size_t count = 0;
    for (std::size_t at = text.find("xmlns"); at != std::string_view::npos;
         at = text.find("xmlns", at + 1))
        ++count;
    return count > kMostSpaces;
}

/// Whether nothing stands twice in the document that may be there once: IDs, what is signed, and
/// signatures elsewhere than in what they sign. Whatever else could be taken for the assertion
/// than what was verified is not there then (signature wrapping).
Result<void> check_shape(xmlNode* root) {
    std::set<std::string> ids;
    std::size_t assertions = 0;
    std::size_t count = 0;
    std::vector<xmlNode*> todo{root};
    while (!todo.empty()) {
        xmlNode* const node = todo.back();
        todo.pop_back();
        if (++count > kMostElements) return refused("has more than 4096 elements");
        for (const xmlAttr* one = node->properties; one != nullptr; one = one->next) {
            const std::string name = core::lower_ascii(reinterpret_cast<const char*>(one->name));
            if (name != "id") continue;
            if (one->ns != nullptr) return refused("has an ID of another kind (xml:id)");
            const std::string value =
                attribute(node, reinterpret_cast<const char*>(one->name)).value_or("");
            if (!ids.insert(value).second) return refused("has the same ID twice");
        }
        const bool is_assertion = is_element(node, kAssertionSpace, "Assertion") ||
                                  is_element(node, kAssertionSpace, "EncryptedAssertion");
        if (is_assertion && ++assertions > 1) return refused("holds more than one assertion");
        if (is_element(node, kProtocolSpace, "Response") && node != root)
            return refused("holds another answer");
        const bool is_signable = node == root || is_assertion;
        const auto signatures = elements(node, kSignatureSpace, "Signature").size();
        if (signatures > (is_signable ? 1 : 0))
            return refused("has a signature where none belongs");
        for (xmlNode* const child : elements(node))
            todo.push_back(child);
    }
    return {};
}

/// Checks the element's signature, if it has one; says whether it had.
Result<bool> is_signed(xmlNode* element, const SamlWanted& wanted) {
    xmlNode* const signature = only(element, kSignatureSpace, "Signature");
    if (signature == nullptr) return false;
    ZONA_TRY_VOID(check_signature(element, signature, wanted.certificates));
    return true;
}

/// Whether it is a SAML 2.0 element of this issuer.
Result<void> check_issuer(const xmlNode* element, const SamlWanted& wanted, bool may_lack) {
    if (attribute(element, "Version") != "2.0") return refused("is none of SAML 2.0");
    const auto issuers = elements(element, kAssertionSpace, "Issuer");
    if (issuers.empty() && may_lack) return {};
    if (issuers.size() != 1 || text_of(issuers.front()) != wanted.issuer)
        return refused("is of another issuer");
    return {};
}

Result<void> check_status(const xmlNode* response) {
    const xmlNode* const status = only(response, kProtocolSpace, "Status");
    const xmlNode* const code =
        status == nullptr ? nullptr : only(status, kProtocolSpace, "StatusCode");
    if (code == nullptr) return refused("has no status");
    std::string value = attribute(code, "Value").value_or("");
    if (value == kSuccess) return {};
    if (const xmlNode* const inner = only(code, kProtocolSpace, "StatusCode"))
        value = attribute(inner, "Value").value_or("");
    const std::string_view word =
        std::string_view(value).substr(value.starts_with(kStatus) ? kStatus.size() : value.size());
    const bool is_word = !word.empty() && word.size() <= 64 &&
                         word.find_first_not_of(
                             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuv"
                             "wxyz") == std::string_view::npos;
    return Error(Code::kUnauthenticated, std::string("the identity provider did not let you in") +
                                             (is_word ? ": " + std::string(word) : ""));
}

Result<void> check_response(const xmlNode* response, const SamlWanted& wanted, bool is_signed) {
    ZONA_TRY_VOID(check_issuer(response, wanted, true));
    const auto destination = attribute(response, "Destination");
    if ((is_signed || destination) && destination != wanted.recipient)
        return refused("is meant for another address (Destination)");
    if (attribute(response, "InResponseTo") != wanted.request)
        return refused("answers no request, or another one (InResponseTo)");
    return {};
}

/// Whether the bounds of this element hold now; those that are not there do, but for those that
/// must be.
Result<void> check_times(const xmlNode* element, const SamlWanted& wanted, bool must_end) {
    const auto begin = moment(element, "NotBefore");
    const auto end = moment(element, "NotOnOrAfter");
    if ((!begin && attribute(element, "NotBefore")) || (!end && attribute(element, "NotOnOrAfter")))
        return refused("has a time that is none in UTC");
    if (begin && *begin > wanted.now + wanted.leeway)
        return refused("is of the future: compare the clocks");
    if (end && *end + wanted.leeway <= wanted.now) return refused("is over");
    if (!end && must_end) return refused("says not when it ends");
    return {};
}

Result<void> check_conditions(const xmlNode* assertion, const SamlWanted& wanted) {
    const xmlNode* const conditions = only(assertion, kAssertionSpace, "Conditions");
    if (conditions == nullptr) return refused("says not for whom it is (Conditions)");
    ZONA_TRY_VOID(check_times(conditions, wanted, false));
    bool is_for_us = false;
    for (const xmlNode* const one : elements(conditions)) {
        if (is_element(one, kAssertionSpace, "OneTimeUse") ||
            is_element(one, kAssertionSpace, "ProxyRestriction"))
            continue;
        if (!is_element(one, kAssertionSpace, "AudienceRestriction"))
            return refused("has a condition that zona does not know");
        const auto audiences = elements(one, kAssertionSpace, "Audience");
        is_for_us = std::ranges::any_of(
            audiences, [&](const xmlNode* each) { return text_of(each) == wanted.audience; });
        if (!is_for_us) return refused("is for another audience");
    }
    if (!is_for_us) return refused("says not for whom it is (AudienceRestriction)");
    return {};
}

/// Whether whoever brings it may: for our address, for our request, now.
Result<void> check_confirmation(const xmlNode* subject, const SamlWanted& wanted) {
    Result<void> last = refused("says not who may bring it (bearer)");
    for (const xmlNode* const one : elements(subject, kAssertionSpace, "SubjectConfirmation")) {
        if (attribute(one, "Method") != kBearer) continue;
        const xmlNode* const data = only(one, kAssertionSpace, "SubjectConfirmationData");
        if (data == nullptr) continue;
        if (attribute(data, "Recipient") != wanted.recipient) {
            last = refused("is for another recipient");
        } else if (attribute(data, "InResponseTo") != wanted.request) {
            last = refused("answers no request, or another one (InResponseTo)");
        } else {
            last = check_times(data, wanted, true);
        }
        if (last) return {};
    }
    return last;
}

Result<void> check_sign_in(const xmlNode* assertion, const SamlWanted& wanted) {
    const auto statements = elements(assertion, kAssertionSpace, "AuthnStatement");
    if (statements.empty()) return refused("says not that somebody signed in (AuthnStatement)");
    for (const xmlNode* const one : statements) {
        const auto signed_in = moment(one, "AuthnInstant");
        if (!signed_in) return refused("says not when somebody signed in");
        if (*signed_in > wanted.now + wanted.leeway)
            return refused("is of the future: compare the clocks");
        const auto end = moment(one, "SessionNotOnOrAfter");
        if (attribute(one, "SessionNotOnOrAfter") && (!end || *end + wanted.leeway <= wanted.now))
            return refused("is of a session that is over");
    }
    return {};
}

std::vector<SamlAttribute> attributes_of(const xmlNode* assertion) {
    std::vector<SamlAttribute> out;
    for (const xmlNode* const all : elements(assertion, kAssertionSpace, "AttributeStatement")) {
        for (const xmlNode* const one : elements(all, kAssertionSpace, "Attribute")) {
            SamlAttribute attribute_here{
                .name = attribute(one, "Name").value_or(""),
                .friendly_name = attribute(one, "FriendlyName").value_or(""),
                .values = {}};
            for (const xmlNode* const value : elements(one, kAssertionSpace, "AttributeValue")) {
                // One with elements in it is no text, and of no use here.
                if (auto text = text_of(value)) attribute_here.values.push_back(*std::move(text));
            }
            out.push_back(std::move(attribute_here));
        }
    }
    return out;
}

/// What an assertion says that was signed, itself or as a part of what was.
Result<SamlStatement> read_assertion(const xmlNode* assertion, const SamlWanted& wanted) {
    ZONA_TRY_VOID(check_issuer(assertion, wanted, false));
    const auto issued = moment(assertion, "IssueInstant");
    if (!issued) return refused("says not when it was made");
    if (*issued > wanted.now + wanted.leeway)
        return refused("is of the future: compare the clocks");
    ZONA_TRY_VOID(check_conditions(assertion, wanted));
    const xmlNode* const subject = only(assertion, kAssertionSpace, "Subject");
    if (subject == nullptr) return refused("says not who it is about (Subject)");
    ZONA_TRY_VOID(check_confirmation(subject, wanted));
    ZONA_TRY_VOID(check_sign_in(assertion, wanted));
    const xmlNode* const name = only(subject, kAssertionSpace, "NameID");
    const auto text = name == nullptr ? std::nullopt : text_of(name);
    if (!text || text->empty() || text->size() > kMostSubject)
        return refused("says not who it is about (NameID)");
    return SamlStatement{.subject = *text,
                         .format = attribute(name, "Format").value_or(""),
                         .attributes = attributes_of(assertion)};
}

/// The document of an assertion that was encrypted: it stands in an element that declares what it
/// may have inherited. Errors: kInvalidToken.
Result<XmlDocument> open_assertion(xmlNode* encrypted, const SamlWanted& wanted) {
    ZONA_TRY(const std::string text, decrypt(encrypted, wanted.key));
    const std::string inner = "<inherited" + spaces_at(encrypted) + ">" + text + "</inherited>";
    XmlDocument document =
        has_many_spaces(inner) ? XmlDocument(nullptr, &::xmlFreeDoc) : parse_xml(inner);
    xmlNode* const root = document ? ::xmlDocGetRootElement(document.get()) : nullptr;
    if (root == nullptr || elements(root).size() != 1 ||
        only(root, kAssertionSpace, "Assertion") == nullptr)
        return refused("holds something encrypted that is no assertion");
    ZONA_TRY_VOID(check_shape(root));
    return document;
}

}  // namespace

Result<SamlStatement> read_response(std::string_view text, const SamlWanted& wanted) {
    ZONA_TRY_VOID(set_up_xmlsec());
    if (text.size() > kMostSamlResponse / 3 * 4 + 1024) return refused("is over 128 KiB");
    const auto decoded = from_base64(text);
    if (!decoded || has_many_spaces(*decoded)) return refused("is none that can be read");
    const XmlDocument document = parse_xml(*decoded);
    if (!document) return refused("is no XML in UTF-8 without document type");
    xmlNode* const response = ::xmlDocGetRootElement(document.get());
    if (!is_element(response, kProtocolSpace, "Response")) return refused("is no SAML response");
    ZONA_TRY_VOID(check_shape(response));
    ZONA_TRY_VOID(check_status(response));
    ZONA_TRY(const bool is_whole_signed, is_signed(response, wanted));
    ZONA_TRY_VOID(check_response(response, wanted, is_whole_signed));

    XmlDocument inner(nullptr, &::xmlFreeDoc);
    xmlNode* assertion = only(response, kAssertionSpace, "Assertion");
    if (xmlNode* const encrypted = only(response, kAssertionSpace, "EncryptedAssertion")) {
        ZONA_TRY(inner, open_assertion(encrypted, wanted));
        assertion = only(::xmlDocGetRootElement(inner.get()), kAssertionSpace, "Assertion");
    }
    if (assertion == nullptr) return refused("holds no assertion");
    ZONA_TRY(const bool is_assertion_signed, is_signed(assertion, wanted));
    if (!is_whole_signed && !is_assertion_signed) return refused("is not signed");
    return read_assertion(assertion, wanted);
}

}  // namespace zona::identity::saml
