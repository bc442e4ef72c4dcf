#include "identity/saml/detail/xml.h"

#include <algorithm>
#include <cstring>

#include <libxml/parser.h>
#include <openssl/evp.h>

#include "core/text.h"
#include "core/time_format.h"

namespace zona::identity::saml {

namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

const xmlChar* letters(const char* text) {
    return reinterpret_cast<const xmlChar*>(text);
}

/// What begins with "<!" and is neither a comment nor a piece of text.
bool declares_anything(std::string_view text) {
    for (std::size_t at = text.find("<!"); at != std::string_view::npos;
         at = text.find("<!", at + 2)) {
        const std::string_view rest = text.substr(at + 2);
        if (!rest.starts_with("--") && !rest.starts_with("[CDATA[")) return true;
    }
    return false;
}

}  // namespace

XmlDocument parse_xml(std::string_view text) {
    XmlDocument none(nullptr, &::xmlFreeDoc);
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    if (!core::is_valid_utf8(text) || text.contains('\0') || declares_anything(text)) return none;
    XmlDocument out(::xmlReadMemory(text.data(), static_cast<int>(text.size()), nullptr, "UTF-8",
                                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                        XML_PARSE_IGNORE_ENC),
                    &::xmlFreeDoc);
    const bool is_whole = out && out->intSubset == nullptr && out->extSubset == nullptr &&
                          ::xmlDocGetRootElement(out.get()) != nullptr;
    return is_whole ? std::move(out) : std::move(none);
}

bool is_element(const xmlNode* node, const char* space, const char* name) {
    return node != nullptr && node->type == XML_ELEMENT_NODE && node->ns != nullptr &&
           ::xmlStrEqual(node->ns->href, letters(space)) == 1 &&
           ::xmlStrEqual(node->name, letters(name)) == 1;
}

std::vector<xmlNode*> elements(const xmlNode* parent) {
    std::vector<xmlNode*> out;
    for (xmlNode* node = parent->children; node != nullptr; node = node->next) {
        if (node->type == XML_ELEMENT_NODE) out.push_back(node);
    }
    return out;
}

std::vector<xmlNode*> elements(const xmlNode* parent, const char* space, const char* name) {
    std::vector<xmlNode*> out = elements(parent);
    std::erase_if(out, [&](const xmlNode* node) { return !is_element(node, space, name); });
    return out;
}

xmlNode* only(const xmlNode* parent, const char* space, const char* name) {
    const std::vector<xmlNode*> all = elements(parent, space, name);
    return all.size() == 1 ? all.front() : nullptr;
}

std::vector<xmlNode*> all_elements(xmlNode* top, const char* space, const char* name) {
    std::vector<xmlNode*> out;
    std::vector<xmlNode*> todo{top};
    while (!todo.empty()) {
        xmlNode* const node = todo.back();
        todo.pop_back();
        if (is_element(node, space, name)) out.push_back(node);
        for (xmlNode* const child : elements(node))
            todo.push_back(child);
    }
    return out;
}

std::optional<std::string> attribute(const xmlNode* node, const char* name) {
    const std::unique_ptr<xmlChar, void (*)(void*)> value(::xmlGetNoNsProp(node, letters(name)),
                                                          ::xmlFree);
    if (!value) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(value.get()));
}

std::optional<std::string> text_of(const xmlNode* node) {
    std::string out;
    for (const xmlNode* part = node->children; part != nullptr; part = part->next) {
        if (part->type == XML_COMMENT_NODE) continue;
        if (part->type != XML_TEXT_NODE && part->type != XML_CDATA_SECTION_NODE)
            return std::nullopt;
        if (part->content != nullptr) out += reinterpret_cast<const char*>(part->content);
    }
    return std::string(core::trimmed(out, kBlanks));
}

std::optional<core::SystemTime> moment(const xmlNode* node, const char* name) {
    const auto text = attribute(node, name);
    if (!text || !text->ends_with('Z')) return std::nullopt;
    const auto parsed = core::parse_rfc3339(*text);
    if (!parsed) return std::nullopt;
    return *parsed;
}

std::string spaces_at(xmlNode* node) {
    const std::unique_ptr<xmlNs*, void (*)(void*)> all(::xmlGetNsList(node->doc, node), ::xmlFree);
    std::string out;
    for (xmlNs* const* one = all.get(); one != nullptr && *one != nullptr; ++one) {
        const std::unique_ptr<xmlChar, void (*)(void*)> escaped(
            ::xmlEncodeSpecialChars(nullptr, (*one)->href), ::xmlFree);
        out += (*one)->prefix == nullptr
                   ? std::string(" xmlns")
                   : std::string(" xmlns:") + reinterpret_cast<const char*>((*one)->prefix);
        out += std::string("=\"") + reinterpret_cast<const char*>(escaped.get()) + "\"";
    }
    return out;
}

std::optional<std::string> from_base64(std::string_view text) {
    std::string dense(text);
    std::erase_if(dense, [](char letter) { return kBlanks.contains(letter); });
    if (dense.empty() || dense.size() % 4 != 0) return std::nullopt;
    std::string out(dense.size() / 4 * 3, '\0');
    const int length = ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                         reinterpret_cast<const unsigned char*>(dense.data()),
                                         static_cast<int>(dense.size()));
    if (length < 0) return std::nullopt;
    const auto padding = static_cast<std::size_t>(std::ranges::count(dense, '='));
    const std::size_t content = dense.find('=');
    if (padding > 2 || (padding > 0 && content != dense.size() - padding)) return std::nullopt;
    out.resize(out.size() - padding);
    return out;
}

}  // namespace zona::identity::saml
