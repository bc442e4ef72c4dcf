#include "audit/notary.h"

#include <algorithm>
#include <span>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "audit/collections.h"
#include "audit/detail/codec.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"

namespace zona::audit {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Record;
using store::Scope;

namespace {

constexpr std::size_t kIdDigits = 16;
constexpr std::size_t kMostKeys = 100;

Collection keys() {
    return Collection(audit_keys_spec(), Scope::core());
}
Collection heads_of(const Scope& scope) {
    return Collection(audit_heads_spec(), scope);
}

std::string id_of(const crypto::Ed25519Public& key) {
    return crypto::hex(crypto::sha256(key)).substr(0, kIdDigits);
}

Result<crypto::Ed25519Key> key_in(const Record& record) {
    const Error wrong(Code::kConflict,
                      fmt::format("the audit key {} does not open", store::to_string(record.id)));
    const auto seed = crypto::from_base64url(detail::text_in(*record.document, "seed"));
    if (!seed || seed->size() != crypto::kKeySize) return wrong;
    crypto::Ed25519Key key(crypto::Key(std::as_bytes(std::span(*seed)).first<crypto::kKeySize>()));
    if (record.id != store::Id(id_of(key.public_key()))) return wrong;
    return key;
}

Result<std::vector<Record>> all_keys(store::Reader& core) {
    const store::Query newest{.direction = store::Direction::kDescending,
                              .walk = store::Walk::kAllow};
    ZONA_TRY(store::Page page, core.find_page(keys(), newest, {.limit = kMostKeys, .token = {}}));
    return std::move(page.records);
}

SignedHead head_in(const Record& record) {
    const json::object& from = *record.document;
    return {.scope = record.scope.code(),
            .seq = detail::whole_in(from, "seq"),
            .hash = detail::text_in(from, "hash"),
            .at = detail::time_of(detail::whole_in(from, "timestamp")),
            .key = detail::text_in(from, "key"),
            .signature = detail::text_in(from, "signature")};
}

}  // namespace

std::string text_of(const SignedHead& head) {
    return fmt::format("zona audit head 1\n{}\n{}\n{}\n{}\n{}\n", head.scope, head.seq, head.hash,
                       detail::to_field(head.at), head.key);
}

bool is_genuine(const SignedHead& head, const PublicKeys& keys) {
    return is_signed(text_of(head), head.key, head.signature, keys);
}

bool is_signed(std::string_view text, const std::string& key, std::string_view signature,
               const PublicKeys& keys) {
    const auto known = keys.find(key);
    if (known == keys.end()) return false;
    const auto bytes = crypto::from_base64url(signature);
    crypto::Ed25519Signature made{};
    if (!bytes || bytes->size() != made.size()) return false;
    std::ranges::copy(std::as_bytes(std::span(*bytes)), made.begin());
    return crypto::is_signed_by(known->second, text, made);
}

Result<PublicKeys> public_keys(Books& books) {
    PublicKeys out;
    ZONA_TRY_VOID(books.read(Scope::core(), [&out](store::Reader& core) -> Result<void> {
        out.clear();
        ZONA_TRY(const std::vector<Record> all, all_keys(core));
        for (const Record& record : all) {
            ZONA_TRY(const crypto::Ed25519Key key, key_in(record));
            out.emplace(id_of(key.public_key()), key.public_key());
        }
        return {};
    }));
    return out;
}

Result<Notary> Notary::open(Books& books, core::Random& random) {
    std::shared_ptr<const crypto::Ed25519Key> out;
    const auto use = [&out](crypto::Ed25519Key key) {
        out = std::make_shared<const crypto::Ed25519Key>(std::move(key));
    };
    // Two hosts that start together may both make one: heads name theirs, and both count.
    ZONA_TRY_VOID(books.write(Scope::core(), [&](store::Writer& core) -> Result<void> {
        ZONA_TRY(const std::vector<Record> all, all_keys(core));
        if (!all.empty()) {
            ZONA_TRY(crypto::Ed25519Key key, key_in(all.front()));
            use(std::move(key));
            return {};
        }
        crypto::Ed25519Key made(crypto::Key::random(random));
        const json::object document = {{"public", crypto::base64url(made.public_key())},
                                       {"seed", crypto::base64url(made.seed().reveal())}};
        ZONA_TRY(const Record stored, core.insert(keys(), id_of(made.public_key()), document));
        use(std::move(made));
        return {};
    }));
    std::string id = id_of(out->public_key());
    return Notary(std::move(id), std::move(out));
}

SignedHead Notary::sign(const Scope& scope, const Head& head, core::SystemTime now) const {
    SignedHead out{.scope = scope.code(),
                   .seq = head.seq,
                   .hash = head.hash,
                   .at = detail::time_of(detail::to_field(now)),
                   .key = id_,
                   .signature = {}};
    out.signature = sign(text_of(out));
    return out;
}

std::string Notary::sign(std::string_view text) const {
    return crypto::base64url(key_->sign(text));
}

Result<bool> keep_head(store::Writer& core, const SignedHead& head) {
    ZONA_TRY(const Scope scope, head.scope == Scope::core().code() ? Result<Scope>(Scope::core())
                                                                   : Scope::tenant(head.scope));
    ZONA_TRY(const std::optional<Record> before, core.find(heads_of(scope), head.seq));
    if (before) return head_in(*before).hash == head.hash;
    const json::object document = {{"seq", head.seq},
                                   {"hash", head.hash},
                                   {"timestamp", detail::to_field(head.at)},
                                   {"key", head.key},
                                   {"signature", head.signature}};
    ZONA_TRY(const Record stored, core.insert(heads_of(scope), head.seq, document));
    return true;
}

Result<std::vector<SignedHead>> heads_from(store::Reader& core, const Scope& scope,
                                           std::int64_t from, std::size_t limit) {
    const store::Query query{.filter = store::Filter::gte("seq", from), .sort = {"seq"}};
    ZONA_TRY(const store::Page page,
             core.find_page(heads_of(scope), query, {.limit = limit, .token = {}}));
    std::vector<SignedHead> out;
    for (const Record& record : page.records)
        out.push_back(head_in(record));
    return out;
}

Result<std::optional<SignedHead>> last_head(store::Reader& core, const Scope& scope) {
    const store::Query query{
        .sort = {"seq"}, .direction = store::Direction::kDescending, .walk = store::Walk::kAllow};
    ZONA_TRY(const std::optional<Record> found, core.find_one(heads_of(scope), query));
    if (!found) return std::nullopt;
    return head_in(*found);
}

}  // namespace zona::audit
