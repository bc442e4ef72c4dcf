#include "audit/archive.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <zlib.h>

#include "audit/chain.h"
#include "audit/collections.h"
#include "audit/detail/chain_document.h"
#include "audit/detail/codec.h"
#include "core/fault.h"
#include "core/json.h"
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

constexpr std::string_view kWhat = "zona audit archive 1";
constexpr std::size_t kMostText = 2 * kMostArchivedText;
/// Entries that one transaction removes: others write in between.
constexpr std::size_t kRemovedAtOnce = 200;
constexpr std::size_t kReadAtOnce = 500;
/// zlib's window for gzip.
constexpr int kGzip = 15 + 16;

Error conflict(std::string problem) {
    return {Code::kConflict, std::move(problem)};
}

Bytef* raw(const char* bytes) {
    return reinterpret_cast<Bytef*>(const_cast<char*>(bytes));
}

Result<std::string> compressed(const std::string& text) {
    z_stream stream{};
    constexpr int kMemory = 8;
    if (::deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, kMemory,
                       Z_DEFAULT_STRATEGY) != Z_OK)
        return Error(Code::kResourceExhausted, "there is no memory to compress an archive");
    std::string out(::deflateBound(&stream, text.size()), '\0');
    stream.next_in = raw(text.data());
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = raw(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int done = ::deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    ::deflateEnd(&stream);
    if (done != Z_STREAM_END) return Error(Code::kInternal, "an archive cannot be compressed");
    return out;
}

Result<std::string> uncompressed(std::string_view bytes) {
    z_stream stream{};
    if (::inflateInit2(&stream, kGzip) != Z_OK)
        return Error(Code::kResourceExhausted, "there is no memory to read an archive");
    stream.next_in = raw(bytes.data());
    stream.avail_in = static_cast<uInt>(bytes.size());
    std::string out;
    std::array<char, 65'536> chunk{};
    int done = Z_OK;
    while (done == Z_OK && out.size() <= kMostText) {
        stream.next_out = raw(chunk.data());
        stream.avail_out = chunk.size();
        done = ::inflate(&stream, Z_NO_FLUSH);
        out.append(chunk.data(), chunk.size() - stream.avail_out);
    }
    const bool is_all = stream.avail_in == 0;
    ::inflateEnd(&stream);
    if (out.size() > kMostText)
        return Error(Code::kTooLarge, "the archive holds more than any that zona writes");
    if (done != Z_STREAM_END || !is_all) return conflict("it is no archive, or its end is missing");
    return out;
}

json::object to_document(const ArchivedSpan& span) {
    return {{"first", span.first},
            {"last", span.last},
            {"previous", span.previous},
            {"hash", span.hash},
            {"timestamp", detail::to_field(span.at)},
            {"key", span.key},
            {"signature", span.signature}};
}

ArchivedSpan span_of(std::string scope, const json::object& from) {
    return {.scope = std::move(scope),
            .first = detail::whole_in(from, "first"),
            .last = detail::whole_in(from, "last"),
            .previous = detail::text_in(from, "previous"),
            .hash = detail::text_in(from, "hash"),
            .at = detail::time_of(detail::whole_in(from, "timestamp")),
            .key = detail::text_in(from, "key"),
            .signature = detail::text_in(from, "signature"),
            .file = detail::text_in(from, "file")};
}

Collection archives_of(const Scope& scope) {
    return Collection(audit_archives_spec(), scope);
}
Collection log_of(const Scope& scope) {
    return Collection(audit_log_spec(), scope);
}

/// Entries that follow each other, as they are taken in.
class Links {
  public:
    Links(std::string scope, std::int64_t next, std::string hash)
        : scope_(std::move(scope)), next_(next), hash_(std::move(hash)) {}

    Result<void> add(const json::object& document) {
        const bool is_foreign =
            scope_ != Scope::core().code() && detail::text_in(document, "tenantcode") != scope_;
        if (detail::whole_in(document, "seq") != next_ || is_foreign ||
            detail::text_in(document, "previous") != hash_ ||
            detail::text_in(document, "hash") != hash_of(document)) {
            return conflict(
                fmt::format("entry {} is not as it was written (zona audit verify)", next_));
        }
        hash_ = detail::text_in(document, "hash");
        ++next_;
        return {};
    }
    const std::string& hash() const { return hash_; }
    std::int64_t last() const { return next_ - 1; }

  private:
    const std::string scope_;
    std::int64_t next_;
    std::string hash_;
};

/// Removes what has left and is still there.
Result<void> remove_archived(Books& books, const Scope& scope, std::int64_t last,
                             const Permit& permit) {
    while (true) {
        bool more = false;
        ZONA_TRY_VOID(books.write(scope, [&](store::Writer& writer) -> Result<void> {
            const store::Query query{.filter = store::Filter::lte("seq", last), .sort = {"seq"}};
            ZONA_TRY(
                const store::Page page,
                writer.find_page(log_of(scope), query, {.limit = kRemovedAtOnce, .token = {}}));
            more = !page.next.empty();
            if (!page.records.empty() && permit) ZONA_TRY_VOID(permit(writer, scope));
            for (const Record& record : page.records) {
                ZONA_TRY([[maybe_unused]] const bool was_there,
                         writer.remove(log_of(scope), record.id));
            }
            return {};
        }));
        ZONA_FAULT("audit.removed_some");
        if (!more) return {};
    }
}

/// The span that may leave, and its entries in lines.
struct Oldest {
    ArchivedSpan span;
    std::string lines;
};
Result<std::optional<Oldest>> find_oldest(Books& books, const Scope& scope, const Head& head,
                                          core::SystemTime before) {
    Oldest out{.span = {.scope = scope.code(),
                        .first = head.archived + 1,
                        .last = 0,
                        .previous = head.archived_hash,
                        .hash = {},
                        .at = {},
                        .key = {},
                        .signature = {}},
               .lines = {}};
    Links links(scope.code(), out.span.first, out.span.previous);
    const std::int64_t most = std::min(head.seq, head.archived + kMostArchived);
    for (bool more = true; more && links.last() < most;) {
        ZONA_TRY_VOID(books.read(scope, [&](store::Reader& reader) -> Result<void> {
            const store::Query query{
                .filter = store::Filter::all(
                    {store::Filter::gt("seq", links.last()), store::Filter::lte("seq", most)}),
                .sort = {"seq"}};
            ZONA_TRY(const store::Page page,
                     reader.find_page(log_of(scope), query, {.limit = kReadAtOnce, .token = {}}));
            more = !page.next.empty();
            for (const Record& record : page.records) {
                if (detail::whole_in(*record.document, "timestamp") >= detail::to_field(before) ||
                    out.lines.size() > kMostArchivedText) {
                    more = false;
                    break;
                }
                ZONA_TRY_VOID(links.add(*record.document));
                out.lines += detail::canonical(json::value(*record.document)) + "\n";
            }
            return {};
        }));
    }
    if (links.last() < out.span.first) return std::nullopt;
    out.span.last = links.last();
    out.span.hash = links.hash();
    return out;
}

}  // namespace

std::string text_of(const ArchivedSpan& span) {
    return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n", kWhat, span.scope, span.first, span.last,
                       span.previous, span.hash, detail::to_field(span.at), span.key);
}

bool is_genuine(const ArchivedSpan& span, const PublicKeys& keys) {
    return is_signed(text_of(span), span.key, span.signature, keys);
}

Result<std::optional<ArchivedSpan>> archive_oldest(
    Books& books, const Scope& scope, const Notary& notary, core::SystemTime before,
    core::SystemTime now,
    const std::function<Result<std::string>(const ArchivedSpan&, const std::string&)>& store,
    const Permit& permit) {
    Head head;
    ZONA_TRY_VOID(books.read(scope, [&](store::Reader& reader) -> Result<void> {
        ZONA_TRY(head, find_head(reader, scope));
        return {};
    }));
    if (head.archived > 0) ZONA_TRY_VOID(remove_archived(books, scope, head.archived, permit));
    ZONA_TRY(std::optional<Oldest> oldest, find_oldest(books, scope, head, before));
    if (!oldest) return std::nullopt;
    ArchivedSpan span = std::move(oldest->span);
    span.at = detail::time_of(detail::to_field(now));
    span.key = notary.key();
    span.signature = notary.sign(text_of(span));
    const json::object first = {
        {"what", kWhat}, {"scope", span.scope}, {"entries", span.last - span.first + 1}};
    ZONA_TRY(const std::string archive, compressed(core::to_json(first) + "\n" + oldest->lines +
                                                   core::to_json(to_document(span)) + "\n"));
    ZONA_TRY(span.file, store(span, archive));
    ZONA_FAULT("audit.archive_stored");
    ZONA_TRY_VOID(books.write(Scope::core(), [&](store::Writer& core) -> Result<void> {
        json::object document = to_document(span);
        document["file"] = span.file;
        ZONA_TRY(const Record stored, core.upsert(archives_of(scope), span.last, document));
        return {};
    }));
    ZONA_TRY_VOID(books.write(scope, [&](store::Writer& writer) -> Result<void> {
        if (permit) ZONA_TRY_VOID(permit(writer, scope));
        ZONA_TRY(Head latest, find_head(writer, scope));
        if (latest.archived != head.archived) return conflict("another has archived the same");
        latest.archived = span.last;
        latest.archived_hash = span.hash;
        return detail::set_archived(writer, scope, latest);
    }));
    ZONA_FAULT("audit.archived");
    ZONA_TRY_VOID(remove_archived(books, scope, span.last, permit));
    return span;
}

Result<std::vector<ArchivedSpan>> archived_spans(store::Reader& core, const Scope& scope,
                                                 std::int64_t from, std::size_t limit) {
    const store::Query query{.filter = store::Filter::gte("last", from), .sort = {"last"}};
    ZONA_TRY(const store::Page page,
             core.find_page(archives_of(scope), query, {.limit = limit, .token = {}}));
    std::vector<ArchivedSpan> out;
    for (const Record& record : page.records)
        out.push_back(span_of(scope.code(), *record.document));
    return out;
}

Result<std::optional<ArchivedSpan>> archived_until(store::Reader& core, const Scope& scope,
                                                   std::int64_t last) {
    ZONA_TRY(const std::optional<Record> found, core.find(archives_of(scope), last));
    if (!found) return std::nullopt;
    return span_of(scope.code(), *found->document);
}

Result<Archive> read_archive(std::string_view bytes, const PublicKeys& keys) {
    ZONA_TRY(const std::string text, uncompressed(bytes));
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        if (end == std::string::npos) return conflict("its last line is cut");
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    const auto object = [](const std::string& line) -> Result<json::object> {
        const auto value = core::parse_written_json(line);
        if (!value || !value->is_object()) return conflict("a line of it is no JSON object");
        return value->get_object();
    };
    if (lines.size() < 3) return conflict("it has no entries");
    ZONA_TRY(const json::object head, object(lines.front()));
    if (detail::text_in(head, "what") != kWhat) return conflict("it is no archive of a record");
    ZONA_TRY(const json::object end, object(lines.back()));
    Archive out{.span = span_of(detail::text_in(head, "scope"), end), .entries = {}};
    if (!is_genuine(out.span, keys)) return conflict("its signature is not by one of the keys");
    Links links(out.span.scope, out.span.first, out.span.previous);
    for (std::size_t i = 1; i + 1 < lines.size(); ++i) {
        ZONA_TRY(const json::object entry, object(lines[i]));
        ZONA_TRY_VOID(links.add(entry));
        out.entries.push_back(std::move(lines[i]));
    }
    if (links.last() != out.span.last || links.hash() != out.span.hash)
        return conflict("it does not end where it says");
    return out;
}

}  // namespace zona::audit
