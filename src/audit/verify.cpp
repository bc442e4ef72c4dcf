#include "audit/verify.h"

#include <deque>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "audit/archive.h"
#include "audit/chain.h"
#include "audit/collections.h"
#include "audit/detail/codec.h"

namespace zona::audit {

namespace json = boost::json;
using core::Result;
using store::Record;
using store::Scope;

namespace {

/// Entries and heads that are read at once: no reader is kept for long.
constexpr std::size_t kPage = 500;

/// One walk.
class Walk {
  public:
    Walk(Books& books, const Scope& scope, const PublicKeys& keys,
         const std::optional<KnownHead>& known)
        : books_(books), scope_(scope), keys_(keys), known_(known) {
        out_.scope = scope.code();
    }

    Result<Verification> run(const std::function<Result<void>()>& go_on) {
        // The signed head is read before the chain's own: a chain that has not come as far as what
        // was signed before was cut.
        ZONA_TRY_VOID(books_.read(Scope::core(), [this](store::Reader& core) -> Result<void> {
            ZONA_TRY(last_signed_, last_head(core, scope_));
            return {};
        }));
        ZONA_TRY_VOID(books_.read(scope_, [this](store::Reader& reader) -> Result<void> {
            ZONA_TRY(end_, find_head(reader, scope_));
            return {};
        }));
        begin_at(end_.archived, end_.archived_hash);
        ZONA_TRY_VOID(look_at_archive());
        if (last_signed_ && last_signed_->seq > end_.seq) {
            flaw(end_.seq + 1, fmt::format("the record ends at {}, but a head was signed at {}: "
                                           "its end was cut off",
                                           end_.seq, last_signed_->seq));
        }
        while (!out_.flaw && next_ <= end_.seq) {
            if (go_on) ZONA_TRY_VOID(go_on());
            ZONA_TRY_VOID(look_at_page());
        }
        if (!out_.flaw && out_.hash != end_.hash)
            flaw(end_.seq, "its hash is not that of the chain's head: the end was changed");
        if (!out_.flaw) ZONA_TRY_VOID(look_behind_end());
        if (!out_.flaw && known_ && !known_seen_) {
            if (known_->seq < out_.first) return in_archive(known_->seq);
            flaw(known_->seq, "the record does not reach the head that was given");
        }
        return std::move(out_);
    }

  private:
    void begin_at(std::int64_t archived, const std::string& hash) {
        next_ = archived + 1;
        out_.first = next_;
        out_.last = archived;
        out_.hash = hash;
        look_at_known(archived, hash);
    }

    void look_at_known(std::int64_t seq, const std::string& hash) {
        if (!known_ || known_->seq != seq) return;
        known_seen_ = true;
        if (known_->hash != hash) flaw(seq, "its hash is not that of the head that was given");
    }

    static core::Error in_archive(std::int64_t seq) {
        return {core::Code::kNotFound,
                fmt::format("entry {} has left into an archive: the record cannot be held against "
                            "its head, but against a later one",
                            seq)};
    }

    void flaw(std::int64_t seq, std::string problem) {
        if (!out_.flaw) out_.flaw = Flaw{.seq = seq, .problem = std::move(problem)};
    }

    /// What is not there any more has to be in an archive of ours.
    Result<void> look_at_archive() {
        if (end_.archived == 0) return {};
        std::optional<ArchivedSpan> span;
        ZONA_TRY_VOID(books_.read(Scope::core(), [&](store::Reader& core) -> Result<void> {
            ZONA_TRY(span, archived_until(core, scope_, end_.archived));
            return {};
        }));
        if (!span || !is_genuine(*span, keys_) || span->hash != end_.archived_hash)
            flaw(1, fmt::format("the entries up to {} are gone, and no archive of this "
                                "installation has them",
                                end_.archived));
        return {};
    }

    Result<void> look_at_page() {
        std::vector<Record> records;
        Head now;
        ZONA_TRY_VOID(books_.read(scope_, [&](store::Reader& reader) -> Result<void> {
            const store::Query query{
                .filter = store::Filter::all(
                    {store::Filter::gte("seq", next_), store::Filter::lte("seq", end_.seq)}),
                .sort = {"seq"}};
            ZONA_TRY(store::Page page, reader.find_page(store::Collection(audit_log_spec(), scope_),
                                                        query, {.limit = kPage, .token = {}}));
            records = std::move(page.records);
            ZONA_TRY(now, find_head(reader, scope_));
            return {};
        }));
        // What has left into an archive since the walk began is not missing.
        if (now.archived >= next_) {
            begin_at(now.archived, now.archived_hash);
            return {};
        }
        ZONA_TRY(const std::vector<SignedHead> heads, heads_within(records));
        auto head = heads.begin();
        for (const Record& record : records) {
            look_at(record);
            if (out_.flaw) return {};
            for (; head != heads.end() && head->seq <= out_.last; ++head)
                look_at(*head);
        }
        if (records.empty()) flaw(next_, "it is missing: an entry was taken out");
        return {};
    }

    /// Signed heads over these entries.
    Result<std::vector<SignedHead>> heads_within(const std::vector<Record>& records) {
        std::vector<SignedHead> out;
        if (records.empty()) return out;
        ZONA_TRY_VOID(books_.read(Scope::core(), [&](store::Reader& core) -> Result<void> {
            // One for each entry at most.
            ZONA_TRY(out, heads_from(core, scope_, next_, kPage));
            return {};
        }));
        return out;
    }

    void look_at(const Record& record) {
        const json::object& document = *record.document;
        const std::int64_t seq = detail::whole_in(document, "seq");
        if (seq != next_ || record.id != store::Id(seq)) {
            return flaw(next_, fmt::format("it is missing, {} stands there: an entry was taken out "
                                           "or its number changed",
                                           seq));
        }
        if (scope_ != Scope::core() && detail::text_in(document, "tenantcode") != scope_.code())
            return flaw(seq, "it is of another tenant");
        if (detail::text_in(document, "previous") != out_.hash)
            return flaw(seq,
                        "it does not follow the entry before: one of both was put in or changed");
        const std::string hash = hash_of(document);
        if (detail::text_in(document, "hash") != hash)
            return flaw(seq, "its content is not what was hashed: it was changed");
        out_.hash = hash;
        out_.last = seq;
        ++out_.entries;
        ++next_;
        look_at_known(seq, hash);
    }

    void look_at(const SignedHead& head) {
        if (head.seq != out_.last) return;
        if (!is_genuine(head, keys_))
            return flaw(head.seq, "the signature of its head is not by a key of this installation");
        if (head.hash != out_.hash) {
            return flaw(head.seq,
                        "its hash is not the one that was signed: the record was written "
                        "anew");
        }
        ++out_.heads;
        out_.signed_seq = head.seq;
    }

    /// An end that was cut, together with its head, and before any was signed, leaves entries
    /// behind only if somebody was careless.
    Result<void> look_behind_end() {
        return books_.read(scope_, [this](store::Reader& reader) -> Result<void> {
            ZONA_TRY(const Head now, find_head(reader, scope_));
            if (now.seq != end_.seq) return {};
            const store::Query query{.filter = store::Filter::gt("seq", end_.seq), .sort = {"seq"}};
            ZONA_TRY(const auto more,
                     reader.find_one(store::Collection(audit_log_spec(), scope_), query));
            if (more)
                flaw(end_.seq + 1, "it stands behind the chain's head: the head was set back");
            return {};
        });
    }

    Books& books_;
    const Scope& scope_;
    const PublicKeys& keys_;
    const std::optional<KnownHead>& known_;
    Verification out_;
    std::optional<SignedHead> last_signed_;
    Head end_;
    std::int64_t next_ = 1;
    bool known_seen_ = false;
};

}  // namespace

Result<Verification> verify(Books& books, const Scope& scope, const PublicKeys& keys,
                            const std::optional<KnownHead>& known,
                            const std::function<Result<void>()>& go_on) {
    return Walk(books, scope, keys, known).run(go_on);
}

}  // namespace zona::audit
