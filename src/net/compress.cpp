#include "net/compress.h"

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <zlib.h>

#include "core/text.h"
#include "net/detail/accept_encoding.h"
#include "net/detail/vary.h"

namespace zona::net {
namespace {

constexpr int kLevel = 1;
constexpr int kGzipWindow = 15 + 16;  // zlib: the largest window, with gzip's frame
constexpr int kMemoryLevel = 8;       // zlib's own: 256 KiB with that window
constexpr int kNotModified = 304;
constexpr int kPartialContent = 206;

bool is_text(std::string_view content_type) {
    const std::string type =
        core::lower_ascii(content_type.substr(0, content_type.find_first_of("; \t")));
    if (type == "text/event-stream") return false;
    return type.starts_with("text/") || type.ends_with("+json") || type.ends_with("+xml") ||
           type == "application/json" || type == "application/x-ndjson" ||
           type == "application/javascript" || type == "application/xml" ||
           type == "application/yaml";
}

/// A compression, which owns what zlib allocated.
class Deflate {
  public:
    Deflate()
        : usable_(deflateInit2(&state_, kLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                               Z_DEFAULT_STRATEGY) == Z_OK) {}
    ~Deflate() {
        if (usable_) deflateEnd(&state_);
    }
    Deflate(const Deflate&) = delete;
    Deflate& operator=(const Deflate&) = delete;

    /// Empty when the result is not smaller than `body`, or memory is short.
    std::string run(std::string& body) {
        if (!usable_) return {};
        std::string out;
        bool ended = false;
        out.resize_and_overwrite(body.size() - 1, [&](char* into, std::size_t room) {
            state_.next_in = reinterpret_cast<Bytef*>(body.data());
            state_.avail_in = static_cast<uInt>(body.size());
            state_.next_out = reinterpret_cast<Bytef*>(into);
            state_.avail_out = static_cast<uInt>(room);
            ended = deflate(&state_, Z_FINISH) == Z_STREAM_END;
            return room - state_.avail_out;
        });
        if (!ended) return {};
        out.shrink_to_fit();
        return out;
    }

  private:
    z_stream state_{};
    bool usable_ = false;
};

class Compress {
  public:
    explicit Compress(CompressOptions options) : options_(options) {}

    void operator()(const Request& request, Response& response) const {
        const bool remote = std::holds_alternative<TcpPeer>(request.peer);
        if (remote && options_.above.bytes() > 0) encode(request, response);
    }

  private:
    void encode(const Request& request, Response& response) const {
        // The tag of a 304 is that of the answer that the client has, whatever its encoding was.
        if (response.status == kNotModified)
            return detail::add_vary(response.headers, "Accept-Encoding");
        if (!may_encode(response)) return;
        detail::add_vary(response.headers, "Accept-Encoding");
        if (!detail::prefers_gzip(request.headers.find_all("Accept-Encoding"))) return;
        std::string encoded = Deflate().run(response.body);
        if (encoded.empty()) return;
        response.body = std::move(encoded);
        response.headers.set("Content-Encoding", "gzip");
        if (const auto tag = response.headers.find("ETag"); tag && !tag->starts_with("W/"))
            response.headers.set("ETag", "W/" + std::string(*tag));
    }

    bool may_encode(const Response& response) const {
        if (response.stream || response.status == kPartialContent) return false;
        const auto size = static_cast<std::int64_t>(response.body.size());
        if (size <= options_.above.bytes() || size > options_.most.bytes()) return false;
        if (response.headers.has("Content-Encoding")) return false;
        if (list_has(response.headers.find("Cache-Control").value_or(""), "no-transform"))
            return false;
        return is_text(response.headers.find("Content-Type").value_or(""));
    }

    CompressOptions options_;
};

}  // namespace

Middleware compress(CompressOptions options) {
    return Compress(options);
}

}  // namespace zona::net
