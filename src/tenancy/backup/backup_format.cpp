#include "tenancy/backup/backup_format.h"

#include <array>
#include <cstring>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "core/time_format.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "os/fd.h"
#include "tenancy/detail/backup_fields.h"
#include "vault/sealed_file.h"

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;
using detail::number_in;
using detail::text_in;
using std::chrono::microseconds;

namespace {

constexpr int kFormat = 1;
constexpr std::size_t kMostTitle = 1024;
/// A document is far smaller, whatever a collection allows.
constexpr std::size_t kMostFrame = std::size_t{64} << 20U;
/// Of an image the disk gets so much at a time, while more is read.
constexpr std::size_t kMostWaiting = std::size_t{8} << 20U;
constexpr std::size_t kHeadBytes = 5;
constexpr std::size_t kOffsetBytes = 8;
constexpr std::size_t kRecordHead = 25;
/// 285 years, which nanoseconds can count.
constexpr std::int64_t kMostMicroseconds = 9'000'000'000'000'000;

Error broken(std::string_view what) {
    return {Code::kConflict, fmt::format("this is no whole backup: {}", what)};
}

template <class Number>
void put(std::string& out, Number number) {
    for (std::size_t i = 0; i < sizeof number; ++i)
        out += static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i) & 0xFFU);
}

std::uint64_t number_at(std::string_view bytes, std::size_t size) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < size; ++i)
        out |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    return out;
}

std::int64_t moment(SystemTime time) {
    return std::chrono::floor<microseconds>(time.time_since_epoch()).count();
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

Result<json::object> object_of(std::string_view text) {
    boost::system::error_code failed;
    json::value value = json::parse(text, failed);
    if (failed || !value.is_object()) return broken("a part of it is no JSON");
    return std::move(value.get_object());
}

json::value log_of(const std::optional<LogLink>& link) {
    if (!link) return nullptr;
    return json::object{{"base", link->base.to_string()},
                        {"number", link->number},
                        {"previous", link->previous},
                        {"bytes", link->bytes}};
}

Result<LogLink> link_of(const json::object& head) {
    const json::value* said = head.if_contains("log");
    if (said == nullptr || !said->is_object()) return broken("changes of no image");
    const json::object& log = said->get_object();
    const auto base = core::Uuid::parse(text_in(log, "base"));
    LogLink out{.base = {},
                .number = number_in(log, "number"),
                .previous = text_in(log, "previous"),
                .bytes = number_in(log, "bytes")};
    if (!base || out.number == 0 || out.previous.empty() || out.bytes == 0)
        return broken("changes of no image");
    out.base = *base;
    return out;
}

/// What the end of a backup says; reader and writer make it from what they saw.
json::object end_of(const BackupSummary& summary) {
    json::array collections;
    for (const CollectionSum& sum : summary.collections) {
        collections.push_back(
            {{"name", sum.name}, {"documents", sum.documents}, {"sha256", sum.sha256}});
    }
    return {{"collections", std::move(collections)},
            {"bytes", summary.bytes},
            {"sha256", summary.sha256}};
}

std::optional<BackupContent> parse_content(std::string_view text) {
    for (const auto content :
         {BackupContent::kDocuments, BackupContent::kImage, BackupContent::kChanges}) {
        if (text == to_string(content)) return content;
    }
    return std::nullopt;
}

/// Adds up what goes by.
class Sums {
  public:
    void begin_collection(const std::string& name) {
        end_collection();
        present_ = CollectionSum{.name = name, .documents = 0, .sha256 = {}};
    }
    void add_record(std::string_view bytes) {
        hash_.add(bytes);
        ++present_->documents;
        summary_.bytes += bytes.size();
    }
    void add_pages(std::span<const std::byte> pages) {
        hash_.add(pages);
        summary_.bytes += pages.size();
    }
    void add_changes(std::uint64_t offset, std::span<const std::byte> pages) {
        std::string at;
        put(at, offset);
        hash_.add(at);
        add_pages(pages);
    }
    /// Each link's hash stands for all before it, too.
    void set_link(LogLink link) {
        hash_.add(json::serialize(log_of(link)));
        summary_.link = std::move(link);
    }
    void count(CollectionSum sum) { summary_.collections.push_back(std::move(sum)); }
    bool in_collection() const { return present_.has_value(); }
    BackupSummary& summary() { return summary_; }
    const BackupSummary& summary() const { return summary_; }

    void finish() {
        end_collection();
        for (const CollectionSum& sum : summary_.collections)
            summary_.documents += sum.documents;
        if (summary_.content == BackupContent::kDocuments) {
            for (const CollectionSum& sum : summary_.collections)
                hash_.add(fmt::format("{} {} {}\n", sum.name, sum.documents, sum.sha256));
        }
        summary_.sha256 = crypto::hex(hash_.finish());
    }

  private:
    void end_collection() {
        if (!present_) return;
        present_->sha256 = crypto::hex(hash_.finish());
        summary_.collections.push_back(*std::move(present_));
        present_.reset();
    }

    crypto::Sha256 hash_;  // of the present collection, or of the pages
    std::optional<CollectionSum> present_;
    BackupSummary summary_;
};

class FileWriter final : public BackupWriter {
  public:
    FileWriter(int fd, vault::SealedWriter sealed, BackupTitle title, BuildType type,
               BackupContent content, std::optional<LogLink> link)
        : fd_(fd), sealed_(std::move(sealed)) {
        sums_.summary().title = std::move(title);
        sums_.summary().build_type = type;
        sums_.summary().content = content;
        if (link) sums_.set_link(*std::move(link));
    }

    Result<void> begin() {
        const json::object head = {{"build_type", to_string(sums_.summary().build_type)},
                                   {"content", to_string(sums_.summary().content)},
                                   {"log", log_of(sums_.summary().link)}};
        return frame('H', json::serialize(head));
    }
    Result<void> begin_collection(const std::string& name, int version) override {
        sums_.begin_collection(name);
        return frame('C', json::serialize(json::object{{"name", name}, {"version", version}}));
    }
    Result<void> add(const store::Record& record) override {
        const std::string bytes = encode_record(record);
        if (bytes.size() > kMostFrame) {
            return Error(Code::kTooLarge,
                         fmt::format("the document {} has {} bytes; a backup "
                                     "takes {}",
                                     store::to_string(record.id), bytes.size(), kMostFrame));
        }
        sums_.add_record(bytes);
        return frame('R', bytes);
    }
    Result<void> add_pages(std::span<const std::byte> pages) override {
        sums_.add_pages(pages);
        ZONA_TRY_VOID(head('P', pages.size()));
        ZONA_TRY_VOID(sealed_.write(pages));
        waiting_ += pages.size();
        if (waiting_ >= kMostWaiting) {
            os::start_writeback(fd_);
            waiting_ = 0;
        }
        return {};
    }
    Result<void> put_pages(std::uint64_t offset, std::span<const std::byte> pages) override {
        sums_.add_changes(offset, pages);
        std::string out(1, 'D');
        put(out, static_cast<std::uint32_t>(pages.size() + kOffsetBytes));
        put(out, offset);
        ZONA_TRY_VOID(sealed_.write(bytes_of(out)));
        return sealed_.write(pages);
    }
    void count(CollectionSum sum) override { sums_.count(std::move(sum)); }
    Result<BackupSummary> finish() override {
        sums_.finish();
        ZONA_TRY_VOID(frame('E', json::serialize(end_of(sums_.summary()))));
        ZONA_TRY_VOID(sealed_.finish());
        return sums_.summary();
    }

  private:
    Result<void> head(char type, std::size_t size) {
        std::string out(1, type);
        put(out, static_cast<std::uint32_t>(size));
        return sealed_.write(bytes_of(out));
    }
    Result<void> frame(char type, std::string_view payload) {
        ZONA_TRY_VOID(head(type, payload.size()));
        return sealed_.write(bytes_of(payload));
    }

    const int fd_;
    vault::SealedWriter sealed_;
    Sums sums_;
    std::size_t waiting_ = 0;  // bytes of pages that the disk was not told of
};

/// Reads frames one by one.
class FrameReader {
  public:
    FrameReader(const ByteSource& source, BackupTitle title, const BackupVisitor& visitor)
        : source_(source), visitor_(visitor) {
        sums_.summary().title = std::move(title);
    }

    Result<BackupSummary> read() {
        ZONA_TRY(const store::Scope scope, scope_of_owner());
        for (;;) {
            ZONA_TRY(const char type, next());
            if (type == 'E') return end();
            if (!begun_ && type != 'H') return broken("it does not begin with its head");
            ZONA_TRY_VOID(take(type, scope));
            if (visitor_.progress) ZONA_TRY_VOID(visitor_.progress(sums_.summary().bytes));
        }
    }

  private:
    Result<store::Scope> scope_of_owner() const {
        const std::string& owner = sums_.summary().title.owner;
        if (owner == store::Scope::core().code()) return store::Scope::core();
        return store::Scope::tenant(owner);
    }

    BackupSummary& summary() { return sums_.summary(); }
    const BackupSummary& summary() const { return sums_.summary(); }

    Result<void> fill(std::span<std::byte> into) {
        while (!into.empty()) {
            ZONA_TRY(const std::size_t got, source_(into));
            if (got == 0) return broken("its end is missing");
            into = into.subspan(got);
        }
        return {};
    }

    /// The next frame into payload_; its type.
    Result<char> next() {
        std::array<char, kHeadBytes> head{};
        ZONA_TRY_VOID(fill(std::as_writable_bytes(std::span(head))));
        const std::uint64_t size = number_at(std::string_view(head.data() + 1, 4), 4);
        if (size > kMostFrame) return broken(fmt::format("a part of it has {} bytes", size));
        // Not all at once: a wrong length would cost memory before the end is missed.
        payload_.clear();
        for (std::size_t at = 0; at < size;) {
            const std::size_t piece = std::min<std::size_t>(size - at, std::size_t{1} << 20U);
            payload_.resize(at + piece);
            ZONA_TRY_VOID(fill(std::as_writable_bytes(std::span(payload_).subspan(at))));
            at += piece;
        }
        return head[0];
    }

    Result<void> take(char type, const store::Scope& scope) {
        switch (type) {
            case 'H':
                return take_head();
            case 'C':
                return take_collection();
            case 'R':
                if (!sums_.in_collection()) return broken("a document of no collection");
                sums_.add_record(payload_);
                if (!visitor_.record) return {};
                return take_record(scope);
            case 'P':
                if (summary().content != BackupContent::kImage || payload_.empty())
                    return broken("pages where there are none");
                sums_.add_pages(bytes_of(payload_));
                return visitor_.pages ? visitor_.pages(bytes_of(payload_)) : Result<void>();
            case 'D':
                return take_changes();
            default:
                return broken("a part of a kind that this zona does not know");
        }
    }

    Result<void> take_head() {
        if (begun_) return broken("it has two heads");
        begun_ = true;
        ZONA_TRY(const json::object head, object_of(payload_));
        auto type = parse_build_type(text_in(head, "build_type"));
        if (!type) return broken("its build type is unknown");
        summary().build_type = *type;
        const std::string content = text_in(head, "content");
        const auto known = parse_content(content);
        if (!known) return broken("its content is of a kind that this zona does not know");
        summary().content = *known;
        if (visitor_.head) ZONA_TRY_VOID(visitor_.head(summary().build_type, summary().content));
        if (*known != BackupContent::kChanges) return {};
        ZONA_TRY(const LogLink link, link_of(head));
        sums_.set_link(link);
        return visitor_.link ? visitor_.link(link) : Result<void>();
    }

    Result<void> take_changes() {
        if (!summary().link || payload_.size() <= kOffsetBytes)
            return broken("changes where there are none");
        const std::uint64_t offset = number_at(payload_, kOffsetBytes);
        const auto pages = bytes_of(std::string_view(payload_).substr(kOffsetBytes));
        if (offset > summary().link->bytes || pages.size() > summary().link->bytes - offset)
            return broken("changes behind its end");
        sums_.add_changes(offset, pages);
        return visitor_.changes ? visitor_.changes(offset, pages) : Result<void>();
    }

    Result<void> take_collection() {
        if (summary().content != BackupContent::kDocuments)
            return broken("documents where there are none");
        ZONA_TRY(const json::object said, object_of(payload_));
        const std::string name = text_in(said, "name");
        if (name.empty()) return broken("a collection without a name");
        sums_.begin_collection(name);
        if (!visitor_.collection) return {};
        return visitor_.collection(name, static_cast<int>(number_in(said, "version") & 0xFFFFU));
    }

    Result<void> take_record(const store::Scope& scope) {
        ZONA_TRY(const store::Record record, decode_record(payload_, scope));
        return visitor_.record(record);
    }

    /// What it says of itself must be what was seen.
    Result<BackupSummary> end() {
        ZONA_TRY(const json::object said, object_of(payload_));
        if (!begun_) return broken("it has no head");
        if (summary().content == BackupContent::kImage) {
            const json::value* counts = said.if_contains("collections");
            if (counts == nullptr || !counts->is_array()) return broken("its end is none");
            for (const json::value& one : counts->get_array()) {
                if (!one.is_object()) return broken("its end is none");
                sums_.count({.name = text_in(one.get_object(), "name"),
                             .documents = number_in(one.get_object(), "documents"),
                             .sha256 = {}});
            }
        }
        sums_.finish();
        if (said != end_of(summary())) {
            return broken(fmt::format("its end says SHA-256 {} and {} bytes, and it has {} and {}",
                                      text_in(said, "sha256"), number_in(said, "bytes"),
                                      summary().sha256, summary().bytes));
        }
        std::byte more{};
        ZONA_TRY(const std::size_t got, source_(std::span(&more, 1)));
        if (got != 0) return broken("there is more behind its end");
        return summary();
    }

    const ByteSource& source_;
    const BackupVisitor& visitor_;
    Sums sums_;
    std::string payload_;
    bool begun_ = false;
};

/// `link`: of changes alone.
Result<std::unique_ptr<BackupWriter>> begin_file(int fd, BackupTitle title, BuildType build_type,
                                                 BackupContent content, std::optional<LogLink> link,
                                                 const vault::DataKeys& keys,
                                                 core::Random& random) {
    const std::string line = render_title(title);
    ZONA_TRY_VOID(os::write_all(fd, line));
    ZONA_TRY(auto sealed, vault::SealedWriter::create(fd, keys, line, random));
    auto writer = std::make_unique<FileWriter>(fd, std::move(sealed), std::move(title), build_type,
                                               content, std::move(link));
    ZONA_TRY_VOID(writer->begin());
    return std::unique_ptr<BackupWriter>(std::move(writer));
}

}  // namespace

std::string_view to_string(BackupContent content) {
    switch (content) {
        case BackupContent::kDocuments:
            return "documents";
        case BackupContent::kImage:
            return "image";
        case BackupContent::kChanges:
            return "changes";
    }
    return "documents";
}

std::string render_title(const BackupTitle& title) {
    const json::object line = {{"backup_format", kFormat},
                               {"owner", title.owner},
                               {"id", title.id.to_string()},
                               {"made_at", core::to_rfc3339(title.made_at)},
                               {"zona", title.zona}};
    return json::serialize(line) + "\n";
}

Result<BackupTitle> parse_title(std::string_view line) {
    boost::system::error_code failed;
    const json::value value = json::parse(line, failed);
    const json::object* said = failed ? nullptr : value.if_object();
    if (said == nullptr || !said->contains("backup_format"))
        return Error(Code::kConflict, "this is no backup of zona");
    if (const auto format = number_in(*said, "backup_format"); format != kFormat) {
        return Error(Code::kConflict, fmt::format("this backup has the format {}, and this zona "
                                                  "knows {}: take a newer one",
                                                  format, kFormat));
    }
    BackupTitle out{
        .owner = text_in(*said, "owner"), .id = {}, .made_at = {}, .zona = text_in(*said, "zona")};
    const auto id = core::Uuid::parse(text_in(*said, "id"));
    const auto made = core::parse_rfc3339(text_in(*said, "made_at"));
    const bool core = out.owner == store::Scope::core().code();
    if (!id || !made || (!core && !store::Scope::tenant(out.owner)))
        return broken("its first line is damaged");
    out.id = *id;
    out.made_at = *made;
    return out;
}

std::string encode_record(const store::Record& record) {
    std::string out;
    put(out, record.version);
    put(out, moment(record.created));
    put(out, moment(record.updated));
    if (const auto* number = std::get_if<std::int64_t>(&record.id)) {
        out += '\0';
        put(out, *number);
    } else {
        const auto& text = std::get<std::string>(record.id);
        out += '\1';
        put(out, static_cast<std::uint16_t>(text.size()));
        out += text;
    }
    out += json::serialize(*record.document);
    return out;
}

Result<store::Record> decode_record(std::string_view bytes, const store::Scope& scope) {
    if (bytes.size() < kRecordHead) return broken("a document without its head");
    const auto number = [&](std::size_t at) {
        return static_cast<std::int64_t>(number_at(bytes.substr(at, 8), 8));
    };
    for (const std::int64_t time : {number(8), number(16)}) {
        if (time < -kMostMicroseconds || time > kMostMicroseconds)
            return broken("a document of an impossible time");
    }
    store::Record out{.scope = scope,
                      .id = {},
                      .version = number(0),
                      .created = SystemTime(microseconds(number(8))),
                      .updated = SystemTime(microseconds(number(16))),
                      .document = {}};
    const char kind = bytes[24];
    bytes.remove_prefix(kRecordHead);
    const std::size_t length = kind == '\0' ? 8 : 2;
    if (kind > '\1' || kind < '\0' || bytes.size() < length)
        return broken("a document without its id");
    if (kind == '\0') {
        out.id = static_cast<std::int64_t>(number_at(bytes, 8));
        bytes.remove_prefix(8);
    } else {
        const auto size = static_cast<std::size_t>(number_at(bytes, 2));
        bytes.remove_prefix(2);
        if (bytes.size() < size) return broken("a document without its id");
        out.id = std::string(bytes.substr(0, size));
        bytes.remove_prefix(size);
    }
    Result<json::value> value = core::parse_written_json(bytes);
    if (!value.has_value() || !value->is_object()) return broken("a document that is no JSON");
    out.document = std::make_shared<const json::object>(std::move(value->get_object()));
    return out;
}

Result<std::unique_ptr<BackupWriter>> BackupWriter::create(int fd, BackupTitle title,
                                                           BuildType build_type,
                                                           BackupContent content,
                                                           const vault::DataKeys& keys,
                                                           core::Random& random) {
    return begin_file(fd, std::move(title), build_type, content, std::nullopt, keys, random);
}

Result<std::unique_ptr<BackupWriter>> BackupWriter::create_link(int fd, BackupTitle title,
                                                                BuildType build_type, LogLink link,
                                                                const vault::DataKeys& keys,
                                                                core::Random& random) {
    return begin_file(fd, std::move(title), build_type, BackupContent::kChanges, std::move(link),
                      keys, random);
}

Result<BackupSummary> read_frames(const ByteSource& source, BackupTitle title,
                                  const BackupVisitor& visitor) {
    return FrameReader(source, std::move(title), visitor).read();
}

Result<BackupTitle> read_title(int fd) {
    std::string line;
    while (line.size() < kMostTitle && !line.ends_with('\n')) {
        std::byte one{};
        ZONA_TRY(const auto got, os::read_some(fd, std::span(&one, 1)));
        if (!got || *got == 0) break;
        line += static_cast<char>(one);
    }
    if (!line.ends_with('\n')) return Error(Code::kConflict, "this is no backup of zona");
    return parse_title(line);
}

Result<BackupSummary> read_backup(int fd, const BackupTitle& title, const vault::DataKeys& keys,
                                  const BackupVisitor& visitor) {
    auto sealed = vault::SealedReader::open(fd, keys, render_title(title));
    if (!sealed && sealed.error().code() == Code::kNotFound) {
        return sealed.take_error()
            .context(
                fmt::format("the backup was sealed with a key of {} that is not here", title.owner))
            .detail({"",
                     "a backup opens with the keys of the tenant and the installation that it "
                     "was made of",
                     "bring that installation's state/keys.json and its root key back"});
    }
    if (!sealed) return sealed.take_error();
    const ByteSource source = [&](std::span<std::byte> into) { return sealed->read(into); };
    return read_frames(source, title, visitor);
}

}  // namespace zona::tenancy
