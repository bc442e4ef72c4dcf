#include "api/detail/stream_shapes.h"

#include "api/detail/examples.h"
#include "api/detail/stream_session.h"

namespace zona::api {

using core::Code;

namespace {

Shape type(std::string text) {
    return Shape::text("What the message is.").choices({std::move(text)});
}

Shape id(std::string doc) {
    return Shape::text(std::move(doc)).length(1, StreamLimits::kMostId).example("\"a\"");
}

Shape sequence(std::string doc) {
    return Shape::integer(std::move(doc)).range(0, StreamLimits::kMostSequence);
}

Shape subscribe() {
    return Shape::object(
        {required("type", type("subscribe")),
         required("id", id("Your name for this subscription; no other of this socket has it.")),
         required("topics",
                  Shape::array("What to tell: the state of processes and their changes, what "
                               "happened to them, what they write.",
                               Shape::text("One of them.").choices({"processes", "events", "logs"}))
                      .length(1, 3)
                      .example(R"(["processes", "events"])")),
         optional("select",
                  Shape::array("Selectors, as for listProcesses; none means all. Processes that "
                               "begin later are told of too, if a selector names them, their "
                               "namespace, all, or matches their name.",
                               Shape::text("A selector."))
                      .length(0, StreamLimits::kMostSelectors)),
         optional("stream", Shape::text("For logs: which of the two streams.")
                                .choices({"out", "err", "all"})
                                .default_value("\"all\"")),
         optional("lines",
                  Shape::integer("For logs: how many of the last lines; `since` and `cursor` win.")
                      .range(0, StreamLimits::kMostLines)
                      .default_value("0")),
         optional("since", Shape::text("For logs: lines from then on: a time, or how long ago.")
                               .example("\"10m\"")),
         optional("cursor", Shape::text("For logs: where to resume: the last cursor.")),
         optional("interval_ms",
                  Shape::integer("For processes: each is told at most once in this time, with its "
                                 "newest state; 0 is every change.")
                      .range(0, 3'600'000)
                      .default_value("0")),
         optional("resume_after",
                  sequence("For processes and events: the last `sequence` that you have seen."))},
        "Begins a subscription.");
}

Shape with_id(std::string name, std::string doc) {
    return Shape::object(
        {required("type", type(std::move(name))), required("id", id("Of the subscription."))},
        std::move(doc));
}

Shape news(std::string name, Shape data, std::string doc) {
    return Shape::object(
        {required("type", type(std::move(name))),
         required("sequence", sequence("Rises with each; give the last one as `resume_after`.")),
         required("data", std::move(data))},
        std::move(doc));
}

Shape event() {
    return Shape::object(
        {required("event",
                  Shape::text("What happened.").choices({"created", "status", "exit", "deleted"})),
         required("at", Shape::text("When.").format(Format::kTime).nullable()),
         required("pm_id", Shape::integer("Of the process.")),
         required("name", Shape::text("Of the process.")),
         required("instance", Shape::integer("Of the process.")),
         sometimes("from", Shape::text("For `status`: the one before.")),
         sometimes("to", Shape::text("For `status`: the one since.")),
         sometimes("exit", Shape::component("Exit", "For `exit`: how the run ended."))},
        "Something that happened to a process.");
}

}  // namespace

std::vector<MessageShape> client_messages() {
    return {{"subscribe", "StreamSubscribe"},
            {"unsubscribe", "StreamUnsubscribe"},
            {"ping", "StreamPing"}};
}

std::vector<MessageShape> server_messages() {
    return {{"subscribed", "StreamSubscribed"}, {"unsubscribed", "StreamUnsubscribed"},
            {"process", "StreamProcess"},       {"deleted", "StreamDeleted"},
            {"event", "StreamEvent"},           {"log", "StreamLog"},
            {"cursor", "StreamCursor"},         {"lost", "StreamLost"},
            {"error", "StreamError"},           {"pong", "StreamPong"}};
}

void name_stream_components(Service& service) {
    service.name("ProcessEvent", event());
    service.name("StreamSubscribe", subscribe());
    service.name("StreamUnsubscribe", with_id("unsubscribe", "Ends a subscription."));
    service.name("StreamPing", with_id("ping", "Asks for a pong with this id."));
    service.name("StreamPong", with_id("pong", "The answer to a ping."));
    service.name("StreamUnsubscribed",
                 with_id("unsubscribed", "The subscription has ended: nothing more comes of it."));
    service.name("StreamSubscribed",
                 Shape::object({required("type", type("subscribed")),
                                required("id", id("Of the subscription.")),
                                required("sequence", sequence("The newest number now."))},
                               "The subscription has begun; the present states come next."));
    service.name("StreamProcess", news("process", Shape::component("Process", "As it is now."),
                                       "The state of a process."));
    service.name(
        "StreamDeleted",
        news("deleted",
             Shape::object({required("pm_id", Shape::integer("Of the process."))}, "Which."),
             "A process is no more."));
    service.name("StreamEvent", news("event", Shape::component("ProcessEvent", "What happened."),
                                     "Something happened to a process."));
    service.name(
        "StreamLog",
        Shape::object({required("type", type("log")), required("id", id("Of the subscription.")),
                       required("data", Shape::component("LogLine", "The line."))},
                      "A line of a log."));
    service.name(
        "StreamCursor",
        Shape::object({required("type", type("cursor")), required("id", id("Of the subscription.")),
                       required("cursor", Shape::text("Where to resume its logs."))},
                      "After each block of lines."));
    service.name(
        "StreamLost",
        Shape::object({required("type", type("lost")), required("id", id("Of the subscription.")),
                       required("count", Shape::integer("How many; null: nobody knows, as zona "
                                                        "began anew or nobody listened meanwhile.")
                                             .nullable())},
                      "Messages between `resume_after` and now that are not kept any more. The "
                      "present states come next; events are lost."));
    service.name(
        "StreamError",
        Shape::object(
            {required("type", type("error")),
             required("id", Shape::text("Of the subscription or of the message; null: it had none "
                                        "that could be read.")
                                .nullable()),
             required("error", Shape::component("PartialFailure", "Why."))},
            "A message was not understood, or a subscription has failed and ended."));
}

Operation open_stream() {
    SocketSpec socket{.subprotocol = std::string(kStreamProtocol), .client = {}, .server = {}};
    for (const MessageShape& message : client_messages())
        socket.client.push_back(Shape::component(std::string(message.component)));
    for (const MessageShape& message : server_messages())
        socket.server.push_back(Shape::component(std::string(message.component)));
    return {
        .path = "/api/v1/stream",
        .id = "openStream",
        .tag = Tag::kStreams,
        .summary = "Follow processes, events and logs over one WebSocket",
        .description =
            "An upgrade to WebSocket. Each message is a JSON object with a `type`; `x-websocket` "
            "names the shapes of all of them. A client that is too slow gets the newest state of "
            "each process alone, and is closed with code 1013 when that does not help. Logs are "
            "read at the client's pace and lose nothing.",
        .answers = {{.status = 101,
                     .description = "The connection is a WebSocket from now on.",
                     .shape = Shape::any("Nothing."),
                     .media_type = ""}},
        .socket = std::move(socket)};
}

Operation follow_events() {
    return {
        .path = "/api/v1/events",
        .id = "followEvents",
        .tag = Tag::kStreams,
        .summary = "Follow processes and what happens to them",
        .description =
            "Server-sent events: `process` with the state of each process, first all of them, then "
            "each that changes; `deleted`; `event` for what happened; `lost` when the header "
            "Last-Event-ID names what is not kept any more. Ids are sequence numbers.",
        .parameters = {{.name = "select",
                        .shape = Shape::text("A selector, as for listProcesses. Repeat it for "
                                             "more; none means all.")
                                     .example("\"api\""),
                        .repeat = Repeat::kMany}},
        .answers = {{.description = "One event for each piece of news, until the client goes.",
                     .shape = Shape::text("Server-sent events."),
                     .media_type = "text/event-stream",
                     .example = "event: deleted\nid: 1790000000000001\ndata: {\"pm_id\":7}\n\n"}},
        .errors = {
            {Code::kNotFound, "A selector matches nothing; the hints are the nearest names."}}};
}

}  // namespace zona::api
