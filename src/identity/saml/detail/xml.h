// XML documents from elsewhere, and what SAML asks of them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <libxml/tree.h>

#include "core/clock.h"

namespace zona::identity::saml {

/// @{
/// Namespaces, and what is named in them.
inline constexpr const char* kAssertionSpace = "urn:oasis:names:tc:SAML:2.0:assertion";
inline constexpr const char* kProtocolSpace = "urn:oasis:names:tc:SAML:2.0:protocol";
inline constexpr const char* kMetadataSpace = "urn:oasis:names:tc:SAML:2.0:metadata";
inline constexpr const char* kSignatureSpace = "http://www.w3.org/2000/09/xmldsig#";
inline constexpr const char* kEncryptionSpace = "http://www.w3.org/2001/04/xmlenc#";
/// @}

using XmlDocument = std::unique_ptr<xmlDoc, decltype(&::xmlFreeDoc)>;

/// The document of a text in UTF-8, whatever it declares; null if it is none, or names a document
/// type: those are refused by their letters, before a parser sees them. Loads nothing.
XmlDocument parse_xml(std::string_view text);

/// Whether it is this element.
bool is_element(const xmlNode* node, const char* space, const char* name);
/// The elements right below.
std::vector<xmlNode*> elements(const xmlNode* parent);
/// Those of this name.
std::vector<xmlNode*> elements(const xmlNode* parent, const char* space, const char* name);
/// The one of this name; null if there is none, or another one.
xmlNode* only(const xmlNode* parent, const char* space, const char* name);
/// Those of this name in the whole tree below, and `top` itself.
std::vector<xmlNode*> all_elements(xmlNode* top, const char* space, const char* name);

/// Without namespace; nullopt if it is not there.
std::optional<std::string> attribute(const xmlNode* node, const char* name);
/// All text right below, comments left out, without blanks at its ends; nullopt if there is
/// anything else.
std::optional<std::string> text_of(const xmlNode* node);
/// A moment in UTC, as SAML has them; nullopt if it is not there or is none.
std::optional<core::SystemTime> moment(const xmlNode* node, const char* name);

/// The declarations of the prefixes that hold at this element, as they stand in a tag.
std::string spaces_at(xmlNode* node);

/// The bytes of a base64 text that may have blanks in it; nullopt if it is none.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace zona::identity::saml
