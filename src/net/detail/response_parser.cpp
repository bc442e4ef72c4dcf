#include "net/detail/response_parser.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "core/text.h"

namespace zona::net::detail {
namespace {

constexpr std::size_t kMaxLines = 64U << 10U;

core::Error malformed(std::string_view problem) {
    return {core::Code::kInternal,
            fmt::format("the answer is not HTTP/1.1 ({}); is something else listening?", problem)};
}

template <class Number>
std::optional<Number> whole_number(std::string_view text, int base) {
    Number value{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value, base);
    if (error != std::errc() || stop != end) return std::nullopt;
    return value;
}

bool clean(std::string_view text) {
    return std::ranges::none_of(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    });
}

}  // namespace

ResponseParser::ResponseParser(std::string_view method) : head_request_(method == "HEAD") {}

bool ResponseParser::in_lines() const {
    return state_ != State::kLength && state_ != State::kUntilEnd && state_ != State::kChunkData &&
           state_ != State::kDone;
}

core::Result<std::size_t> ResponseParser::feed(std::string_view data, const Sink& sink) {
    std::size_t at = 0;
    while (at < data.size() && !done() && !stopped_) {
        const std::string_view rest = data.substr(at);
        if (in_lines()) {
            const std::size_t end = rest.find('\n');
            const std::size_t part = end == std::string_view::npos ? rest.size() : end + 1;
            line_.append(rest.substr(0, part));
            at += part;
            line_bytes_ += part;
            if (line_bytes_ > kMaxLines) {
                return core::Error(core::Code::kTooLarge, "the answer's head is over 64 KiB");
            }
            if (end == std::string_view::npos) break;
            if (!line_.ends_with("\r\n")) return malformed("a line without a carriage return");
            line_.resize(line_.size() - 2);
            const std::string line = std::exchange(line_, {});
            ZONA_TRY_VOID(take_line(line));
            continue;
        }
        const std::size_t part =
            state_ == State::kUntilEnd
                ? rest.size()
                : static_cast<std::size_t>(std::min<std::uint64_t>(rest.size(), left_));
        at += part;
        if (state_ != State::kUntilEnd) left_ -= part;
        stopped_ = !sink(rest.substr(0, part));
        if (left_ == 0 && state_ == State::kLength) state_ = State::kDone;
        if (left_ == 0 && state_ == State::kChunkData) state_ = State::kChunkEnd;
    }
    return at;
}

core::Result<void> ResponseParser::take_line(std::string_view line) {
    if (!clean(line)) return malformed("a control character");
    switch (state_) {
        case State::kStatusLine:
            return take_status(line);
        case State::kFields:
            if (line.empty()) return end_head();
            return take_field(line);
        case State::kChunkSize:
            return take_chunk_size(line);
        case State::kChunkEnd:
            if (!line.empty()) return malformed("a chunk longer than its size");
            state_ = State::kChunkSize;
            line_bytes_ = 0;
            return {};
        case State::kTrailers:
            if (line.empty()) state_ = State::kDone;
            return {};
        default:
            return malformed("a line where there is none");
    }
}

core::Result<void> ResponseParser::take_status(std::string_view line) {
    if (!line.starts_with("HTTP/1.") || line.size() < 12 || (line[7] != '0' && line[7] != '1') ||
        line[8] != ' ' || (line.size() > 12 && line[12] != ' ')) {
        return malformed("no status line");
    }
    const auto status = whole_number<int>(line.substr(9, 3), 10);
    if (!status.has_value() || *status < 100) return malformed("no status");
    version_ = line[7] == '1' ? 11 : 10;
    status_ = *status;
    headers_.clear();
    state_ = State::kFields;
    return {};
}

core::Result<void> ResponseParser::take_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 ||
        line.substr(0, colon).find_first_of(" \t") != std::string_view::npos) {
        return malformed("a header without a name");
    }
    headers_.add(line.substr(0, colon), core::trimmed(line.substr(colon + 1)));
    return {};
}

core::Result<void> ResponseParser::end_head() {
    line_bytes_ = 0;
    if (status_ < 200) {
        if (status_ == 101) return malformed("a protocol switch that nobody asked for");
        state_ = State::kStatusLine;
        return {};
    }
    const auto connection = headers_.find("Connection").value_or("");
    keep_alive_ = version_ == 11 && !list_has(connection, "close");
    const auto lengths = headers_.find_all("Content-Length");
    const auto encodings = headers_.find_all("Transfer-Encoding");
    if (lengths.size() > 1 || encodings.size() > 1 || (!lengths.empty() && !encodings.empty())) {
        return malformed("two framings of one body");
    }
    if (head_request_ || status_ == 204 || status_ == 304) {
        state_ = State::kDone;
        return {};
    }
    if (!encodings.empty()) {
        if (!equal_ignoring_case(encodings.front(), "chunked")) {
            return malformed("an unknown Transfer-Encoding");
        }
        state_ = State::kChunkSize;
        return {};
    }
    if (lengths.empty()) {
        keep_alive_ = false;
        state_ = State::kUntilEnd;
        return {};
    }
    const auto length = whole_number<std::uint64_t>(lengths.front(), 10);
    if (!length.has_value()) return malformed("Content-Length is no number");
    left_ = *length;
    state_ = left_ == 0 ? State::kDone : State::kLength;
    return {};
}

core::Result<void> ResponseParser::take_chunk_size(std::string_view line) {
    const std::string_view digits = core::trimmed(line.substr(0, line.find(';')));
    const auto size = whole_number<std::uint64_t>(digits, 16);
    if (!size.has_value()) return malformed("a chunk without a size");
    left_ = *size;
    line_bytes_ = 0;
    state_ = left_ == 0 ? State::kTrailers : State::kChunkData;
    return {};
}

core::Result<void> ResponseParser::end_of_input() {
    if (state_ == State::kUntilEnd) state_ = State::kDone;
    if (done()) return {};
    return core::Error(core::Code::kUnavailable,
                       state_ == State::kStatusLine && line_.empty()
                           ? "the daemon closed the connection without an answer"
                           : "the daemon closed the connection in the middle of its answer");
}

}  // namespace zona::net::detail
