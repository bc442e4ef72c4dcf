#include "audit/spool.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <span>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "core/fault.h"
#include "crypto/encoding.h"
#include "crypto/hash.h"

namespace zona::audit {

using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::string_view kMagic = "zona audit spool 1\n";
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kIdDigits = 2 * kIdBytes;
constexpr std::size_t kHeader = kMagic.size() + kIdDigits + 1;
constexpr std::size_t kSize = 4;
constexpr std::size_t kSum = 8;
constexpr std::size_t kNumber = 8;
constexpr std::size_t kBefore = kSize + kSum + kNumber;
/// More than any entry is (fitted()).
constexpr std::uint32_t kMostText = 2U << 20U;
constexpr std::string_view kSuffix = ".spool";
constexpr std::size_t kNameDigits = 20;

void put(std::string& out, std::uint64_t number, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i)
        out += static_cast<char>(static_cast<unsigned char>(number >> (8 * i)));
}

std::uint64_t number_at(std::string_view text, std::size_t at, std::size_t bytes) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < bytes; ++i)
        out |= std::uint64_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
    return out;
}

std::string sum_of(std::string_view text) {
    const crypto::Digest digest = crypto::sha256(text);
    return {reinterpret_cast<const char*>(digest.data()), kSum};
}

std::string record_of(std::int64_t number, const std::string& text) {
    std::string body;
    body.reserve(kNumber + text.size());
    put(body, static_cast<std::uint64_t>(number), kNumber);
    body += text;
    std::string out;
    out.reserve(kBefore + text.size());
    put(out, text.size(), kSize);
    out += sum_of(body);
    return out += body;
}

std::optional<std::int64_t> number_in(std::string_view name) {
    if (name.size() != kNameDigits + kSuffix.size() || !name.ends_with(kSuffix))
        return std::nullopt;
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + kNameDigits, out);
    if (error != std::errc() || end != name.data() + kNameDigits || out < 1) return std::nullopt;
    return out;
}

/// What stands in place of an entry that cannot be read; always the same one.
Entry unreadable(const std::string& spool, std::int64_t number) {
    Entry out;
    out.id = fmt::format("{}-{}", spool, number);
    out.category = Category::kSecurity;
    out.outcome = Outcome::kFailure;
    out.action = "loseEntries";
    out.resource = "/audit/spool";
    out.details = fmt::format("entry {} of the spool cannot be read any more", number);
    return out;
}

bool is_id(std::string_view text) {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

SpoolContent read_spool(std::string_view content) {
    SpoolContent out;
    if (content.size() < kHeader || !content.starts_with(kMagic) || content[kHeader - 1] != '\n' ||
        !is_id(content.substr(kMagic.size(), kIdDigits)))
        return out;
    out.id = content.substr(kMagic.size(), kIdDigits);
    out.good = kHeader;
    while (content.size() - out.good >= kBefore) {
        const std::size_t at = out.good;
        const std::uint64_t size = number_at(content, at, kSize);
        if (size > kMostText || content.size() - at - kBefore < size) return out;
        const std::string_view body = content.substr(at + kSize + kSum, kNumber + size);
        if (content.substr(at + kSize, kSum) != sum_of(body)) return out;
        const std::string_view text = body.substr(kNumber);
        const std::size_t line = text.find('\n');
        const auto number = static_cast<std::int64_t>(number_at(body, 0, kNumber));
        if (line == std::string_view::npos || number < 1 ||
            (!out.records.empty() && number <= out.records.back().number))
            return out;
        out.records.push_back(
            {.number = number, .scope = text.substr(0, line), .entry = text.substr(line + 1)});
        out.good = at + kBefore + size;
    }
    return out;
}

struct Spool::Segment {
    std::string path;
    os::UniqueFd fd;
    std::uint64_t size = 0;
    std::size_t waiting = 0;  ///< records that are not done
    bool damaged = false;
    bool synced = true;
};

Spool::Spool(SpoolOptions options, core::Logger log)
    : options_(std::move(options)), log_(std::move(log)) {}

Spool::~Spool() = default;

Result<std::unique_ptr<Spool>> Spool::open(SpoolOptions options, core::Random& random,
                                           core::Logger log) {
    std::unique_ptr<Spool> out(new Spool(std::move(options), std::move(log)));
    ZONA_TRY_VOID(out->load(random));
    return out;
}

Result<void> Spool::load(core::Random& random) {
    ZONA_TRY_VOID(os::make_directories(options_.directory, 0700));
    ZONA_TRY(std::vector<std::string> names, os::list_directory(options_.directory));
    std::erase_if(names, [](const std::string& name) { return !number_in(name); });
    for (const std::string& name : names)
        ZONA_TRY_VOID(load(name, name == names.back()));
    if (id_.empty()) {
        std::array<std::byte, kIdBytes> bytes{};
        random.fill(bytes);
        id_ = crypto::hex(bytes);
    }
    return begin_segment();
}

/// Takes in one file of an earlier daemon.
Result<void> Spool::load(const std::string& name, bool is_last) {
    auto segment = std::make_shared<Segment>();
    segment->path = options_.directory + "/" + name;
    ZONA_TRY(const std::string content,
             os::read_file(segment->path, static_cast<std::size_t>(options_.limit.bytes()) * 2));
    ZONA_TRY(segment->fd, os::open_file(segment->path, O_RDWR));
    const SpoolContent found = read_spool(content);
    next_ = std::max(next_, *number_in(name));
    // The first line of a file that was just begun may be missing, and nothing was in it then.
    if (found.id.empty() && is_last && content.size() < kHeader)
        return os::remove_file(segment->path);
    const bool foreign = !id_.empty() && found.id != id_;
    if (!foreign && id_.empty()) id_ = std::string(found.id);
    segment->size = content.size();
    if (found.good < content.size() && is_last && !found.id.empty()) {
        ZONA_TRY_VOID(os::truncate_file(segment->fd.get(), found.good));
        segment->size = found.good;
    } else if (foreign || found.good < content.size()) {
        segment->damaged = true;
        log_.error(
            "a file of the audit spool is damaged: what could not be read of it stays "
            "beside it",
            {{"file", segment->path}, {"bytes", content.size() - (foreign ? 0 : found.good)}});
    }
    bytes_ += segment->size;
    for (const SpoolRecord& record : found.records) {
        if (foreign || record.number < next_) continue;
        next_ = record.number + 1;
        ++segment->waiting;
        waiting_[std::string(record.scope)].push_back(
            {.number = record.number,
             .segment = segment,
             .offset = static_cast<std::uint64_t>(record.entry.data() - content.data()),
             .length = static_cast<std::uint32_t>(record.entry.size())});
    }
    segments_.push_back(segment);
    if (segment->waiting == 0) let_go(*segment);
    return {};
}

Result<void> Spool::begin_segment() {
    auto segment = std::make_shared<Segment>();
    segment->path = fmt::format("{}/{:0{}}{}", options_.directory, next_, kNameDigits, kSuffix);
    ZONA_TRY(segment->fd, os::open_file(segment->path, O_RDWR | O_CREAT | O_TRUNC, 0600));
    const std::string header = fmt::format("{}{}\n", kMagic, id_);
    ZONA_TRY_VOID(os::write_all_at(segment->fd.get(), header, 0));
    ZONA_TRY_VOID(os::sync_directory(options_.directory));
    segment->size = header.size();
    bytes_ += segment->size;
    const std::shared_ptr<Segment> before = std::exchange(current_, segment);
    segments_.push_back(std::move(segment));
    if (before && before->waiting == 0) let_go(*before);
    return {};
}

/// Takes away a file of which nothing waits.
void Spool::let_go(Segment& segment) {
    auto removed = segment.damaged ? os::rename_file(segment.path, segment.path + ".damaged")
                                   : os::remove_file(segment.path);
    if (!removed) log_.report("a file of the audit spool stays", removed.error());
    bytes_ -= segment.size;
    std::erase_if(segments_, [&](const auto& one) { return one.get() == &segment; });
}

Result<std::int64_t> Spool::add(const std::string& scope, const Entry& entry) {
    std::string body = to_json_text(fitted(entry));
    const std::scoped_lock lock(mutex_);
    if (seal_.seal) {
        ZONA_TRY(body, seal_.seal(next_, body));
    }
    const std::string text = scope + "\n" + body;
    const std::string record = record_of(next_, text);
    if (bytes_ + record.size() > static_cast<std::uint64_t>(options_.limit.bytes())) {
        return Error(Code::kResourceExhausted,
                     fmt::format("the audit spool {} is full: {} bytes wait for a database that "
                                 "cannot be had",
                                 options_.directory, bytes_));
    }
    if (current_->size > static_cast<std::uint64_t>(options_.segment.bytes()))
        ZONA_TRY_VOID(begin_segment());
    Segment& segment = *current_;
    if (auto written = os::write_all_at(segment.fd.get(), record, segment.size); !written) {
        // What comes next is written over it; a reader stops there.
        (void)os::truncate_file(segment.fd.get(), segment.size);
        return written.take_error();
    }
    ZONA_FAULT("audit.spooled");
    waiting_[scope].push_back(
        {.number = next_,
         .segment = current_,
         .offset = segment.size + kBefore + scope.size() + 1,
         .length = static_cast<std::uint32_t>(text.size() - scope.size() - 1)});
    segment.size += record.size();
    segment.synced = false;
    ++segment.waiting;
    bytes_ += record.size();
    return next_++;
}

bool Spool::has_room() const {
    const std::scoped_lock lock(mutex_);
    // Room for what is under way besides.
    return bytes_ + (kMostText * 2) <= static_cast<std::uint64_t>(options_.limit.bytes());
}

std::uint64_t Spool::size() const {
    const std::scoped_lock lock(mutex_);
    return bytes_;
}

std::vector<std::string> Spool::scopes() const {
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [scope, places] : waiting_)
        out.push_back(scope);
    return out;
}

Result<std::vector<Spooled>> Spool::peek(const std::string& scope, std::size_t limit) const {
    std::vector<Place> places;
    {
        const std::scoped_lock lock(mutex_);
        const auto found = waiting_.find(scope);
        if (found == waiting_.end()) return std::vector<Spooled>();
        const std::size_t count = std::min(limit, found->second.size());
        places.assign(found->second.begin(),
                      found->second.begin() + static_cast<std::ptrdiff_t>(count));
    }
    std::vector<Spooled> out;
    out.reserve(places.size());
    std::string text;
    for (const Place& place : places) {
        text.resize(place.length);
        ZONA_TRY(const std::size_t got,
                 os::read_at(place.segment->fd.get(), std::as_writable_bytes(std::span(text)),
                             place.offset));
        auto entry = entry_in(place.number, text.substr(0, got));
        if (!entry && entry.error().code() == Code::kUnavailable) return entry.take_error();
        if (!entry) {
            log_.with("record", place.number)
                .report("an entry of the audit spool cannot be read", entry.error());
            entry = unreadable(id_, place.number);
        }
        out.push_back({.number = place.number, .entry = std::move(*entry)});
    }
    return out;
}

Result<Entry> Spool::entry_in(std::int64_t number, std::string text) const {
    if (seal_.open) {
        ZONA_TRY(text, seal_.open(number, text));
    }
    return entry_from_json(text);
}

void Spool::done(const std::string& scope, std::int64_t number) {
    const std::scoped_lock lock(mutex_);
    const auto found = waiting_.find(scope);
    if (found == waiting_.end()) return;
    std::deque<Place>& places = found->second;
    while (!places.empty() && places.front().number <= number) {
        const std::shared_ptr<Segment> segment = std::move(places.front().segment);
        places.pop_front();
        if (--segment->waiting == 0 && segment != current_) let_go(*segment);
    }
    if (places.empty()) waiting_.erase(found);
}

Result<void> Spool::sync() {
    std::vector<std::shared_ptr<Segment>> open;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& segment : segments_) {
            if (!std::exchange(segment->synced, true)) open.push_back(segment);
        }
    }
    for (const auto& segment : open) {
        auto synced = os::sync_data(segment->fd.get());
        if (synced) continue;
        const std::scoped_lock lock(mutex_);
        segment->synced = false;
        return synced.take_error();
    }
    return {};
}

}  // namespace zona::audit
