#include "api/detail/event_route.h"

#include <charconv>

#include <fmt/format.h>

#include "api/detail/process_filter.h"
#include "api/detail/stream_form.h"
#include "net/event_stream.h"

namespace zona::api {

namespace asio = boost::asio;
using core::Result;

namespace {

/// What one client is told, owned by its body.
struct Telling {
    ProcessFeed feed;
    ProcessFilter filter;
};

/// The number of the last event that the client has seen. Anything else is an id that this zona has
/// not given, as 0 is.
std::optional<std::uint64_t> seen_by(const net::Request& request) {
    const auto id = net::last_event_id(request);
    if (!id) return std::nullopt;
    std::uint64_t sequence = 0;
    const auto [end, error] = std::from_chars(id->data(), id->data() + id->size(), sequence);
    return error == std::errc() && end == id->data() + id->size() ? sequence : 0;
}

asio::awaitable<Result<void>> send(net::EventStream& out, const ProcessItem& item,
                                   std::string_view data) {
    const std::string id = fmt::format("{}", item.sequence);
    const net::ServerEvent event{
        .id = id, .event = to_string(item.kind), .data = data, .retry = {}};
    co_return co_await out.send(event);
}

asio::awaitable<Result<void>> send_present(Telling& telling, const core::Clock& clock,
                                           net::EventStream& out) {
    ProcessFeed& feed = telling.feed;
    if (feed.continuity() == Continuity::kLost) {
        const std::string count = feed.lost() ? fmt::format("{}", *feed.lost()) : "null";
        const std::string data = fmt::format(R"({{"count":{}}})", count);
        const net::ServerEvent event{.id = {}, .event = "lost", .data = data, .retry = {}};
        ZONA_CO_TRY_VOID(co_await out.send(event));
    }
    if (feed.continuity() != Continuity::kWhole) {
        // One number for all: whoever is cut off among them comes back for all of them.
        const std::string id = fmt::format("{}", feed.sequence());
        for (const ProcessItemPtr& item : feed.present()) {
            if (!telling.filter.wants(*item)) continue;
            std::string data;
            item->rendered->append_to(data, clock.system());
            const net::ServerEvent event{.id = {}, .event = "process", .data = data, .retry = {}};
            ZONA_CO_TRY_VOID(co_await out.send(event));
        }
        const std::string data = fmt::format(R"({{"sequence":{}}})", feed.sequence());
        const net::ServerEvent event{.id = id, .event = "current", .data = data, .retry = {}};
        ZONA_CO_TRY_VOID(co_await out.send(event));
    }
    feed.forget_present();
    co_return Result<void>();
}

asio::awaitable<Result<void>> tell(std::shared_ptr<Telling> telling, const core::Clock& clock,
                                   net::EventStream& out) {
    ZONA_CO_TRY_VOID(co_await out.heartbeat());  // the answer begins now
    ZONA_CO_TRY_VOID(co_await send_present(*telling, clock, out));
    for (;;) {
        auto item = co_await telling->feed.next(core::Deadline::after(clock, kHeartbeat));
        if (item) {
            if (!telling->filter.wants(**item)) continue;
            ZONA_CO_TRY_VOID(co_await send(out, **item, (*item)->data()));
        } else if (item.error().code() == core::Code::kTimeout) {
            ZONA_CO_TRY_VOID(co_await out.heartbeat());
        } else {
            // Too slow, or the end of this zona: a client comes back and resumes.
            co_return Result<void>();
        }
    }
}

}  // namespace

asio::awaitable<Result<net::Response>> stream_events(Call& call, ProcessHub& hub,
                                                     const core::Clock& clock) {
    ZONA_CO_TRY(ProcessFeed feed, co_await hub.subscribe(seen_by(call.request())));
    ZONA_CO_TRY(ProcessFilter filter, ProcessFilter::make(call.texts("select"), feed.present()));
    auto telling = std::make_shared<Telling>(std::move(feed), std::move(filter));
    co_return net::event_stream(
        [telling, &clock](net::EventStream& out) { return tell(telling, clock, out); });
}

}  // namespace zona::api
