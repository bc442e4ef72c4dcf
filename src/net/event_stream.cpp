#include "net/event_stream.h"

#include <utility>

#include <fmt/format.h>

namespace zona::net {
namespace {

constexpr std::string_view kLineEnds = "\r\n";
constexpr std::string_view kHeartbeat = ":\n\n";

bool is_id(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    out += name;
    out += ": ";
    out += value;
    out += '\n';
}

/// A field for each line; "\r\n", "\n" and "\r" end one.
void append_data(std::string& out, std::string_view data) {
    while (true) {
        const std::size_t end = data.find_first_of(kLineEnds);
        append_field(out, "data", data.substr(0, end));
        if (end == std::string_view::npos) return;
        data.remove_prefix(end + (data.substr(end).starts_with(kLineEnds) ? 2 : 1));
    }
}

/// The body of a stream that writes events.
class Events {
  public:
    explicit Events(EventBody body) : body_(std::move(body)) {}
    asio::awaitable<core::Result<void>> operator()(BodyWriter& out) {
        EventStream events(out);
        co_return co_await body_(events);
    }

  private:
    EventBody body_;
};

}  // namespace

core::Result<std::string> format_event(const ServerEvent& event) {
    if (!is_id(event.id) || event.event.find_first_of(kLineEnds) != std::string_view::npos) {
        return core::Error(core::Code::kInvalidArgument,
                           "the id and the type of an event are one line each, without zero bytes");
    }
    if (event.retry && event.retry->count() < 0) {
        return core::Error(core::Code::kInvalidArgument,
                           "the time until a client comes back is not negative");
    }
    std::string out;
    out.reserve(event.data.size() + event.id.size() + event.event.size() + 40);
    if (!event.id.empty()) append_field(out, "id", event.id);
    if (!event.event.empty()) append_field(out, "event", event.event);
    if (event.retry) append_field(out, "retry", fmt::to_string(event.retry->count()));
    if (!event.data.empty()) append_data(out, event.data);
    out += '\n';
    return out;
}

asio::awaitable<core::Result<void>> EventStream::send(const ServerEvent& event) {
    ZONA_CO_TRY(const std::string text, format_event(event));
    co_return co_await out_.write(text);
}

asio::awaitable<core::Result<void>> EventStream::send_formatted(std::string_view text) {
    co_return co_await out_.write(text);
}

asio::awaitable<core::Result<void>> EventStream::heartbeat() {
    co_return co_await out_.write(kHeartbeat);
}

Response event_stream(EventBody body) {
    Response out =
        Response::streaming("text/event-stream", Events(std::move(body)), StreamEnd::kOnDrain);
    out.headers.set("Cache-Control", "no-store");
    out.headers.set("X-Accel-Buffering", "no");
    return out;
}

std::optional<std::string_view> last_event_id(const Request& request) {
    const auto id = request.headers.find("Last-Event-ID");
    if (!id || id->empty() || !is_id(*id)) return std::nullopt;
    return id;
}

}  // namespace zona::net
