#include "net/detail/request_parser.h"

#include <algorithm>

#include <boost/beast/http/basic_parser.hpp>
#include <fmt/format.h>

#include "net/detail/target.h"

namespace zona::net::detail {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

/// The shortest rest of a chunked body behind a chunk: "0" CRLF CRLF. Beast's parser asserts on a
/// last chunk that is shown to it in smaller pieces.
constexpr std::size_t kShortestChunkEnd = 5;
/// A chunk's size line, or the trailers, without an end so far.
constexpr std::size_t kMaxChunkLine = 8U << 10U;
/// Chunk extensions mean nothing here; more than this of them in one message is an attack.
constexpr std::size_t kMaxExtensionBytes = 4U << 10U;
/// What a client may announce without sending it.
constexpr std::size_t kReservedBody = 64U << 10U;

std::string_view view(beast::string_view text) {
    return {text.data(), text.size()};
}

Fault fault(core::Code code, std::string message, int status = 0) {
    return {core::Error(code, std::move(message)), status};
}

Fault bad_request(std::string_view problem) {
    return fault(core::Code::kInvalidArgument, fmt::format("malformed request: {}", problem));
}

/// What a parse error of Beast's means to the client.
std::string_view problem_of(const beast::error_code& error) {
    switch (static_cast<http::error>(error.value())) {
        case http::error::bad_method:
            return "the request line does not begin with a method";
        case http::error::bad_target:
            return "the request target is missing or holds a control character";
        case http::error::bad_version:
            return "the request line does not end in HTTP/1.1";
        case http::error::bad_line_ending:
            return "a carriage return without a line feed";
        case http::error::bad_field:
            return "a header name is empty or holds a character that is not allowed";
        case http::error::bad_value:
            return "a header value holds a control character or is not a list";
        case http::error::bad_content_length:
            return "Content-Length is not one number, or stands beside Transfer-Encoding";
        case http::error::multiple_content_length:
            return "Content-Length is given twice";
        case http::error::bad_transfer_encoding:
            return "Transfer-Encoding is given twice, or beside Content-Length";
        case http::error::bad_chunk:
            return "a chunk of the body has no proper size or end";
        case http::error::bad_chunk_extension:
            return "a chunk of the body has a malformed extension";
        default:
            return "it is not HTTP/1.1";
    }
}

bool all_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool has_bare_line_feed(std::string_view text) {
    for (std::size_t at = text.find('\n'); at != std::string_view::npos;
         at = text.find('\n', at + 1)) {
        if (at == 0 || text[at - 1] != '\r') return true;
    }
    return false;
}

/// Whether the line ends in a well-formed version of HTTP, which then is one that is not spoken
/// here.
bool names_other_version(std::string_view data) {
    const std::string_view line = data.substr(0, data.find('\r'));
    if (line.size() < 9) return false;
    const std::string_view tail = line.substr(line.size() - 9);
    return tail.starts_with(" HTTP/") && all_digits(tail.substr(6, 1)) && tail[7] == '.' &&
           all_digits(tail.substr(8, 1));
}

}  // namespace

class RequestParser::Impl final : public http::basic_parser<true> {
  public:
    Impl(Request& request, HeadLimits limits) : request_(request), limits_(limits) {
        header_limit(static_cast<std::uint32_t>(limits.bytes.bytes()));
        body_limit(boost::none);
    }

    std::size_t feed(std::string_view data);
    void limit_body(core::ByteCount limit);
    void refuse(Fault reason) {
        fault_ = std::move(reason);
        state_ = State::kFault;
    }

    State state_ = State::kHead;
    std::optional<Fault> fault_;
    bool expects_continue_ = false;

  private:
    using Error = beast::error_code;

    /// Ends the parsing from within a callback.
    void stop(Fault reason, Error& error) {
        refuse(std::move(reason));
        error = http::error::bad_value;
    }
    void check_field(std::string_view name, std::string_view value, Error& error);
    std::optional<Fault> head_mistake() const;
    void after_need_more(std::string_view waiting);
    void refuse_head_size();
    void finish_head();
    bool at_chunk_line() const { return is_header_done() && chunked() && chunk_left_ == 0; }

    void on_request_impl(http::verb verb, beast::string_view name, beast::string_view target,
                         int version, Error& error) override;
    void on_field_impl(http::field id, beast::string_view name, beast::string_view value,
                       Error& error) override;
    void on_header_impl(Error& error) override { error = {}; }
    void on_body_init_impl(const boost::optional<std::uint64_t>& length, Error& error) override;
    std::size_t on_body_impl(beast::string_view data, Error& error) override;
    void on_chunk_header_impl(std::uint64_t size, beast::string_view extensions,
                              Error& error) override;
    std::size_t on_chunk_body_impl(std::uint64_t left, beast::string_view data,
                                   Error& error) override;
    void on_finish_impl(Error& error) override { error = {}; }
    void on_response_impl(int, beast::string_view, int, Error& error) override { error = {}; }

    Request& request_;
    HeadLimits limits_;
    std::string_view presented_;  ///< what feed() was given
    std::size_t head_bytes_ = 0;
    std::size_t extension_bytes_ = 0;
    std::uint64_t chunk_left_ = 0;
    std::uint64_t announced_ = 0;  ///< of a chunked body
    std::optional<std::uint64_t> body_limit_;
    int hosts_ = 0;
    int lengths_ = 0;
    int encodings_ = 0;
};

void RequestParser::Impl::on_request_impl(http::verb, beast::string_view name,
                                          beast::string_view target, int version, Error& error) {
    request_.method_name = view(name);
    request_.method = method_from(request_.method_name);
    request_.target = view(target);
    request_.version = version;
    error = {};
}

void RequestParser::Impl::on_field_impl(http::field, beast::string_view name,
                                        beast::string_view value, Error& error) {
    error = {};
    check_field(view(name), view(value), error);
    if (error || is_header_done()) return;
    if (request_.headers.size() == limits_.fields) {
        return stop(
            fault(core::Code::kHeaderTooLarge,
                  fmt::format("the request has more than {} header fields", limits_.fields)),
            error);
    }
    request_.headers.add(view(name), view(value));
}

void RequestParser::Impl::check_field(std::string_view name, std::string_view value, Error& error) {
    // Beast joins the lines of a folded value, in a buffer of its own or by skipping the line
    // break.
    const char* begin = presented_.data();
    const char* end = begin + presented_.size();
    const bool inside = value.empty() || (value.data() >= begin && value.data() < end);
    const char* value_begin = value.data() == nullptr ? name.data() + name.size() : value.data();
    const bool folded =
        !inside || (value_begin > name.data() &&
                    std::find(name.data() + name.size(), value_begin, '\n') != value_begin);
    if (folded) return stop(bad_request("a header value is folded over several lines"), error);
    if (is_header_done()) return;
    if (equal_ignoring_case(name, "Host")) ++hosts_;
    if (equal_ignoring_case(name, "Content-Length")) {
        ++lengths_;
        if (!all_digits(value) || lengths_ > 1) {
            return stop(bad_request("Content-Length is not one number"), error);
        }
    }
    if (equal_ignoring_case(name, "Transfer-Encoding")) ++encodings_;
}

void RequestParser::Impl::on_body_init_impl(const boost::optional<std::uint64_t>& length,
                                            Error& error) {
    error = {};
    if (length.has_value()) {
        request_.body.reserve(std::min<std::uint64_t>(*length, kReservedBody));
    }
}

std::size_t RequestParser::Impl::on_body_impl(beast::string_view data, Error& error) {
    error = {};
    request_.body.append(data.data(), data.size());
    return data.size();
}

void RequestParser::Impl::on_chunk_header_impl(std::uint64_t size, beast::string_view extensions,
                                               Error& error) {
    error = {};
    extension_bytes_ += extensions.size();
    if (extension_bytes_ > kMaxExtensionBytes) {
        return stop(bad_request("the chunks of the body have too many extensions"), error);
    }
    if (body_limit_.has_value() && size > *body_limit_ - announced_) {
        return stop(
            fault(core::Code::kTooLarge,
                  fmt::format("the request body is over the limit of {} bytes", *body_limit_)),
            error);
    }
    announced_ += size;
    chunk_left_ = size;
}

std::size_t RequestParser::Impl::on_chunk_body_impl(std::uint64_t, beast::string_view data,
                                                    Error& error) {
    error = {};
    request_.body.append(data.data(), data.size());
    chunk_left_ -= data.size();
    return data.size();
}

std::optional<Fault> RequestParser::Impl::head_mistake() const {
    if (encodings_ > 0) {
        const std::string_view encoding = request_.headers.find("Transfer-Encoding").value_or("");
        if (lengths_ > 0 || encodings_ > 1 || request_.version < 11) {
            return bad_request("Transfer-Encoding beside another framing of the body");
        }
        if (!equal_ignoring_case(encoding, "chunked")) {
            const std::string_view last = encoding.substr(encoding.rfind(',') + 1);
            if (!chunked() || last.empty()) {
                return bad_request("Transfer-Encoding does not end in chunked");
            }
            return fault(core::Code::kUnsupported,
                         "the only Transfer-Encoding taken is chunked; send the body unencoded");
        }
    }
    if (hosts_ > 1 || (hosts_ == 0 && request_.version >= 11)) {
        return bad_request("HTTP/1.1 needs exactly one Host header");
    }
    if (const auto host = request_.headers.find("Host")) {
        const auto allowed = [](char c) {
            return c > 0x20 && c < 0x7f &&
                   std::string_view("/\\@?#,\"<>^`{|}").find(c) == std::string_view::npos;
        };
        if (!std::ranges::all_of(*host, allowed)) return bad_request("Host names no host");
    }
    if (request_.method == Method::kOther) {
        return fault(core::Code::kUnsupported,
                     fmt::format("the method {} is not known here",
                                 std::string_view(request_.method_name).substr(0, 32)));
    }
    return std::nullopt;
}

void RequestParser::Impl::finish_head() {
    state_ = is_done() ? State::kDone : State::kBody;
    if (auto mistake = head_mistake()) return refuse(std::move(*mistake));
    if (auto parsed = net::detail::parse_target(request_); !parsed.has_value()) {
        return refuse({parsed.take_error(), 0});
    }
    const auto expect = request_.headers.find("Expect");
    if (!expect.has_value() || request_.version < 11) return;
    if (!equal_ignoring_case(*expect, "100-continue")) {
        return refuse(fault(core::Code::kInvalidArgument,
                            "the only expectation that can be met is 100-continue", 417));
    }
    expects_continue_ = state_ == State::kBody;
}

void RequestParser::Impl::refuse_head_size() {
    refuse(fault(core::Code::kHeaderTooLarge,
                 fmt::format("request line and headers are over the limit of {} bytes",
                             limits_.bytes.bytes())));
}

/// Bounds what may wait in the caller's buffer for the end of a structure, and refuses what can
/// have no end any more.
void RequestParser::Impl::after_need_more(std::string_view waiting) {
    if (!is_header_done() && head_bytes_ + waiting.size() >= limits_.bytes.as_size()) {
        return refuse_head_size();
    }
    const bool in_lines = !is_header_done() || at_chunk_line();
    if (in_lines && has_bare_line_feed(waiting)) {
        // Some readers end a line there (RFC 9112 section 2.2), and would see another message.
        return refuse(bad_request("a line feed without a carriage return before it"));
    }
    if (is_header_done() && waiting.size() >= kMaxChunkLine) {
        refuse(bad_request("a chunk's size line or the trailers are too long"));
    }
}

std::size_t RequestParser::Impl::feed(std::string_view data) {
    std::size_t consumed = 0;
    while (state_ != State::kDone && state_ != State::kFault && consumed < data.size()) {
        presented_ = data.substr(consumed);
        if (at_chunk_line() && presented_[0] == '0' && presented_.size() < kShortestChunkEnd) {
            after_need_more(presented_);
            break;
        }
        const bool in_head = !is_header_done();
        beast::error_code error;
        const std::size_t taken =
            put(boost::asio::const_buffer(presented_.data(), presented_.size()), error);
        consumed += taken;
        if (in_head) head_bytes_ += taken;
        if (error == http::error::need_more) {
            after_need_more(data.substr(consumed));
            break;
        }
        if (state_ == State::kFault) break;
        if (error == http::error::header_limit) {
            refuse_head_size();
            break;
        }
        if (error == http::error::bad_version && names_other_version(presented_)) {
            refuse(
                fault(core::Code::kUnsupported, "only HTTP/1.1 and HTTP/1.0 are spoken here", 505));
            break;
        }
        if (error) {
            refuse(bad_request(problem_of(error)));
            break;
        }
        if (in_head && is_header_done()) {
            if (head_bytes_ > limits_.bytes.as_size()) {
                refuse_head_size();
            } else {
                finish_head();
            }
            break;
        }
        if (is_done()) state_ = State::kDone;
    }
    presented_ = {};
    return consumed;
}

void RequestParser::Impl::limit_body(core::ByteCount limit) {
    if (state_ == State::kFault) return;
    body_limit_ = static_cast<std::uint64_t>(limit.bytes());
    const auto length = content_length();
    if (length.has_value() && *length > *body_limit_) {
        refuse(fault(
            core::Code::kTooLarge,
            fmt::format("the request body has {} bytes, the limit is {}", *length, *body_limit_)));
    }
}

RequestParser::RequestParser(HeadLimits limits) : limits_(limits) {}
RequestParser::~RequestParser() = default;

void RequestParser::begin(Request& request) {
    impl_ = std::make_unique<Impl>(request, limits_);
}
void RequestParser::end() {
    impl_.reset();
}
std::size_t RequestParser::feed(std::string_view data) {
    return impl_->feed(data);
}
RequestParser::State RequestParser::state() const {
    return impl_->state_;
}
void RequestParser::limit_body(core::ByteCount limit) {
    impl_->limit_body(limit);
}
bool RequestParser::expects_continue() const {
    return impl_->expects_continue_;
}
bool RequestParser::keep_alive() const {
    return impl_->is_header_done() && impl_->state_ != State::kFault && impl_->keep_alive();
}
Fault RequestParser::take_fault() {
    return std::move(*impl_->fault_);
}

}  // namespace zona::net::detail
