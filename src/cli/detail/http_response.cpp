#include "cli/detail/http_response.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "cli/detail/text.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Error;
using core::Result;

constexpr std::size_t kLongestHead = 64U << 10U;

Error not_http() {
    return Error(Code::kInternal, "what listens on api.sock does not answer in HTTP");
}

template <int kBase>
std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, failed] =
        std::from_chars(text.data(), text.data() + text.size(), number, kBase);
    if (failed != std::errc() || end != text.data() + text.size() || text.empty()) {
        return std::nullopt;
    }
    return number;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
        text.remove_suffix(1);
    }
    return text;
}

/// The value of a header, or nothing.
std::optional<std::string> header_of(std::string_view head, std::string_view name) {
    while (!head.empty()) {
        const std::size_t end = std::min(head.find('\n'), head.size());
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(std::min(end + 1, head.size()));
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos && lower_ascii(line.substr(0, colon)) == name) {
            return lower_ascii(trimmed(line.substr(colon + 1)));
        }
    }
    return std::nullopt;
}

}  // namespace

Result<void> HttpResponseReader::feed(std::string_view bytes) {
    input_ += bytes;
    while (true) {
        ZONA_TRY(const bool goes_on, step());
        if (!goes_on) return {};
    }
}

/// Takes the next part off the input. False when more input is needed or nothing more comes.
Result<bool> HttpResponseReader::step() {
    switch (part_) {
        case Part::kHead: {
            const std::size_t end = input_.find("\r\n\r\n");
            if (end == std::string::npos) {
                if (input_.size() > kLongestHead) return not_http();
                return false;
            }
            const std::string head = input_.substr(0, end + 2);
            input_.erase(0, end + 4);
            ZONA_TRY_VOID(read_head(head));
            return true;
        }
        case Part::kCounted:
            return take_counted(Part::kDone);
        case Part::kUntilEnd:
            body_ += std::exchange(input_, {});
            return false;
        case Part::kChunk:
            return take_counted(Part::kChunkEnd);
        case Part::kDone:
            input_.clear();
            return false;
        default:
            break;
    }
    const std::size_t end = input_.find('\n');
    if (end == std::string::npos) {
        if (input_.size() > kLongestHead) return not_http();
        return false;
    }
    const std::string line(trimmed(std::string_view(input_).substr(0, end)));
    input_.erase(0, end + 1);
    if (part_ == Part::kChunkSize) {
        ZONA_TRY_VOID(read_chunk_size(line));
    } else if (part_ == Part::kChunkEnd) {
        if (!line.empty()) return not_http();
        part_ = Part::kChunkSize;
    } else if (line.empty()) {
        part_ = Part::kDone;
    }
    return true;
}

bool HttpResponseReader::take_counted(Part next) {
    const std::size_t size =
        static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, input_.size()));
    body_.append(input_, 0, size);
    input_.erase(0, size);
    remaining_ -= size;
    if (remaining_ > 0) return false;
    part_ = next;
    return true;
}

Result<void> HttpResponseReader::read_head(std::string_view head) {
    if (!head.starts_with("HTTP/1.") || head.size() < 12 || head[8] != ' ') return not_http();
    const auto status = number_of<10>(head.substr(9, 3));
    if (!status || *status < 100) return not_http();
    if (*status < 200) return {};
    status_ = static_cast<int>(*status);
    if (header_of(head, "transfer-encoding") == "chunked") {
        part_ = Part::kChunkSize;
        return {};
    }
    const auto length = header_of(head, "content-length");
    if (status_ == 204 || status_ == 304) {
        part_ = Part::kDone;
    } else if (!length) {
        part_ = Part::kUntilEnd;
    } else {
        const auto count = number_of<10>(*length);
        if (!count) return not_http();
        remaining_ = *count;
        part_ = Part::kCounted;
    }
    return {};
}

Result<void> HttpResponseReader::read_chunk_size(std::string_view line) {
    const auto size = number_of<16>(trimmed(line.substr(0, line.find(';'))));
    if (!size) return not_http();
    remaining_ = *size;
    part_ = *size == 0 ? Part::kTrailer : Part::kChunk;
    return {};
}

Result<void> HttpResponseReader::end_of_input() {
    if (part_ == Part::kUntilEnd) part_ = Part::kDone;
    if (part_ == Part::kDone) return {};
    return Error(Code::kUnavailable, "the connection to zona broke before the answer was complete");
}

std::string HttpResponseReader::take_body() {
    return std::exchange(body_, {});
}

}  // namespace zona::cli
