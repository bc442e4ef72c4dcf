#include "audit/subjects.h"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "audit/collections.h"
#include "audit/detail/codec.h"
#include "crypto/encoding.h"

namespace zona::audit {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Record;
using store::Scope;

namespace {

constexpr std::string_view kPrefix = "zp1.";

Collection subjects_of(const Scope& scope) {
    return Collection(audit_subjects_spec(), scope);
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

/// Each part behind its length, so that no two places are written alike.
std::string associated_data(const SealedPlace& place) {
    return fmt::format("zona audit 1|{}:{}|{}:{}|{}", place.scope.size(), place.scope,
                       place.entry.size(), place.entry, place.field);
}

Result<std::optional<SubjectKey>> key_in(const json::object& document) {
    const std::string text = detail::text_in(document, "key");
    if (text.empty()) return std::nullopt;
    ZONA_TRY(const std::string bytes, crypto::from_base64url(text));
    if (bytes.size() != crypto::kKeySize)
        return Error(Code::kInternal, "the key of a subject has a wrong size");
    return SubjectKey{.number = detail::whole_in(document, "number"),
                      .key = crypto::Key(bytes_of(bytes).first<crypto::kKeySize>())};
}

Result<std::optional<Record>> find(store::Reader& reader, const Scope& scope,
                                   const std::string& subject) {
    return reader.find(subjects_of(scope), subject);
}

struct Sealed {
    std::int64_t number = 0;
    std::string bytes;
};

std::optional<Sealed> parse(std::string_view text) {
    if (!text.starts_with(kPrefix)) return std::nullopt;
    text.remove_prefix(kPrefix.size());
    Sealed out;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.number);
    if (error != std::errc() || end == text.data() + text.size() || *end != '.')
        return std::nullopt;
    auto bytes =
        crypto::from_base64url(text.substr(static_cast<std::size_t>(end - text.data()) + 1));
    if (!bytes || bytes->size() < crypto::kNonceSize + crypto::kTagSize) return std::nullopt;
    out.bytes = std::move(*bytes);
    return out;
}

}  // namespace

Result<SubjectKey> Subjects::key_for(store::Writer& writer, const Scope& scope,
                                     const std::string& subject) const {
    ZONA_TRY(const std::optional<Record> found, find(writer, scope, subject));
    std::int64_t number = 1;
    if (found) {
        ZONA_TRY(std::optional<SubjectKey> key, key_in(*found->document));
        if (key) return std::move(*key);
        number = detail::whole_in(*found->document, "number") + 1;
    }
    SubjectKey made{.number = number, .key = crypto::Key::random(random_)};
    json::object document = {{"number", number}, {"key", crypto::base64url(made.key.reveal())}};
    if (found) document["erased_at"] = found->document->at("erased_at");
    ZONA_TRY(const Record stored, writer.upsert(subjects_of(scope), subject, document));
    return made;
}

std::string Subjects::seal(const SubjectKey& key, const SealedPlace& place,
                           std::string_view text) const {
    std::vector<std::byte> out(crypto::kNonceSize + text.size() + crypto::kTagSize);
    const crypto::Nonce nonce = nonces_.next();
    std::ranges::copy(nonce, out.begin());
    const crypto::Tag tag =
        crypto::Aes256Gcm(key.key).seal(nonce, bytes_of(associated_data(place)), bytes_of(text),
                                        std::span(out).subspan(crypto::kNonceSize, text.size()));
    std::ranges::copy(tag, out.end() - crypto::kTagSize);
    return fmt::format("{}{}.{}", kPrefix, key.number, crypto::base64url(out));
}

Result<const std::optional<SubjectKey>*> SubjectReader::key_of(const std::string& subject) {
    const auto known = keys_.find(subject);
    if (known != keys_.end()) return &known->second;
    std::optional<SubjectKey> key;
    ZONA_TRY(const std::optional<Record> found, find(reader_, scope_, subject));
    if (found) {
        ZONA_TRY(key, key_in(*found->document));
    }
    return &keys_.emplace(subject, std::move(key)).first->second;
}

Result<std::optional<std::string>> SubjectReader::open(const std::string& subject,
                                                       const SealedPlace& place,
                                                       std::string_view sealed) {
    const Error wrong(Code::kConflict,
                      fmt::format("the field '{}' of entry {} does not open: it was changed, or is "
                                  "of another place",
                                  place.field, place.entry));
    const std::optional<Sealed> parsed = parse(sealed);
    if (!parsed) return wrong;
    ZONA_TRY(const std::optional<SubjectKey>* key, key_of(subject));
    if (!*key || (*key)->number != parsed->number) return std::nullopt;
    const auto all = bytes_of(parsed->bytes);
    crypto::Nonce nonce;
    crypto::Tag tag;
    std::ranges::copy(all.first(crypto::kNonceSize), nonce.begin());
    std::ranges::copy(all.last(crypto::kTagSize), tag.begin());
    std::string plain(all.size() - crypto::kNonceSize - crypto::kTagSize, '\0');
    if (!crypto::Aes256Gcm((*key)->key)
             .open(nonce, bytes_of(associated_data(place)),
                   all.subspan(crypto::kNonceSize, plain.size()), tag,
                   std::as_writable_bytes(std::span(plain))))
        return wrong;
    return plain;
}

Result<bool> erase_subject(store::Writer& writer, const Scope& scope, const std::string& subject,
                           core::SystemTime now) {
    ZONA_TRY(const std::optional<Record> found, find(writer, scope, subject));
    if (!found || !found->document->contains("key")) return false;
    const json::object document = {{"number", detail::whole_in(*found->document, "number")},
                                   {"erased_at", detail::to_field(now)}};
    ZONA_TRY(const Record stored, writer.replace(subjects_of(scope), subject, document));
    return true;
}

}  // namespace zona::audit
