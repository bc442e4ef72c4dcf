#include "audit/archive_walk.h"

#include <string>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "audit/detail/codec.h"
#include "audit/subjects.h"
#include "core/json.h"

namespace zona::audit {

namespace json = boost::json;
using core::Code;
using core::Result;
using store::Scope;

namespace {

Result<std::optional<ArchivedSpan>> span_from(Books& books, const Scope& scope, std::int64_t from) {
    std::vector<ArchivedSpan> found;
    ZONA_TRY_VOID(books.read(Scope::core(), [&](store::Reader& core) -> Result<void> {
        ZONA_TRY(found, archived_spans(core, scope, from, 1));
        return {};
    }));
    if (found.empty()) return std::nullopt;
    return std::move(found.front());
}

Result<Head> head_of(Books& books, const Scope& scope) {
    Head out;
    ZONA_TRY_VOID(books.read(scope, [&](store::Reader& reader) -> Result<void> {
        ZONA_TRY(out, find_head(reader, scope));
        return {};
    }));
    return out;
}

/// Whether an error of ReadArchive is about the archive.
bool is_about_archive(Code code) {
    return code == Code::kNotFound || code == Code::kConflict || code == Code::kTooLarge;
}

Result<json::object> document_in(const std::string& line) {
    ZONA_TRY(json::value value, core::parse_written_json(line));
    if (value.is_object()) return std::move(value.get_object());
    return core::Error(Code::kConflict, "a line of an archive is no JSON object");
}

/// One walk.
class ArchiveWalk {
  public:
    ArchiveWalk(Books& books, const Scope& scope, const PublicKeys& keys,
                const std::optional<KnownHead>& known, const ReadArchive& read)
        : books_(books), scope_(scope), keys_(keys), known_(known), read_(read) {}

    Result<ArchiveVerification> run(const std::function<Result<void>()>& go_on) {
        ZONA_TRY(const Head end, head_of(books_, scope_));
        while (last_ < end.archived && !out_.flaw) {
            if (go_on) ZONA_TRY_VOID(go_on());
            ZONA_TRY(const auto span, span_from(books_, scope_, last_ + 1));
            if (!span || span->last > end.archived) {
                flaw(
                    fmt::format("the entries from here to {} have left the record, and no archive "
                                "of this installation has them",
                                end.archived));
                break;
            }
            ZONA_TRY_VOID(look_at(*span));
        }
        if (!out_.flaw && hash_ != end.archived_hash)
            flaw("the record does not go on from the hash that its last archive ends with");
        if (!out_.flaw && known_ && !known_seen_)
            flaw("the archives do not reach the head that was given");
        return std::move(out_);
    }

  private:
    void flaw(std::string problem) {
        out_.flaw = Flaw{.seq = last_ + 1, .problem = std::move(problem)};
    }

    Result<void> look_at(const ArchivedSpan& span) {
        if (!is_genuine(span, keys_)) {
            flaw("what is kept of the archive " + span.file +
                 " is not signed by a key of this installation");
            return {};
        }
        if (span.first != last_ + 1 || span.previous != hash_) {
            flaw(fmt::format("the archive {} does not join what is before it", span.file));
            return {};
        }
        const auto archive = read_(span);
        if (!archive && !is_about_archive(archive.error().code())) return archive.error();
        if (!archive) {
            flaw(archive.error().message());
            return {};
        }
        ZONA_TRY_VOID(look_for_known(span, *archive));
        ++out_.archives;
        out_.entries += archive->entries.size();
        last_ = span.last;
        hash_ = span.hash;
        return {};
    }

    Result<void> look_for_known(const ArchivedSpan& span, const Archive& archive) {
        if (!known_ || known_->seq < span.first || known_->seq > span.last) return {};
        known_seen_ = true;
        const auto place = static_cast<std::size_t>(known_->seq - span.first);
        ZONA_TRY(const json::object entry, document_in(archive.entries.at(place)));
        if (detail::text_in(entry, "hash") == known_->hash) return {};
        out_.flaw =
            Flaw{.seq = known_->seq, .problem = "its hash is not that of the head that was given"};
        return {};
    }

    Books& books_;
    const Scope& scope_;
    const PublicKeys& keys_;
    const std::optional<KnownHead>& known_;
    const ReadArchive& read_;
    ArchiveVerification out_;
    std::int64_t last_ = 0;
    std::string hash_{kNoHash};
    bool known_seen_ = false;
};

}  // namespace

Result<ArchiveVerification> verify_archives(Books& books, const Scope& scope,
                                            const PublicKeys& keys,
                                            const std::optional<KnownHead>& known,
                                            const ReadArchive& read,
                                            const std::function<Result<void>()>& go_on) {
    return ArchiveWalk(books, scope, keys, known, read).run(go_on);
}

Result<ArchivedEntries> find_archived(Books& books, const Scope& scope, const Wanted& wanted,
                                      std::int64_t from, const ReadArchive& read) {
    ArchivedEntries out;
    ZONA_TRY(const auto span, span_from(books, scope, from));
    if (!span) return out;
    out.next = span->last + 1;
    // What it holds is older than it is.
    if (wanted.from && *wanted.from >= span->at) return out;
    ZONA_TRY(const Archive archive, read(*span));
    ZONA_TRY_VOID(books.read(scope, [&](store::Reader& reader) -> Result<void> {
        out.entries.clear();
        SubjectReader subjects(reader, scope);
        for (const std::string& line : archive.entries) {
            ZONA_TRY(const json::object document, document_in(line));
            ZONA_TRY(Recorded one, recorded_in(document, scope, subjects));
            if (matches(wanted, one)) out.entries.push_back(std::move(one));
        }
        return {};
    }));
    return out;
}

}  // namespace zona::audit
