// What clients and server say to each other over /api/v1/stream: shapes and examples.
#pragma once

#include <string_view>
#include <vector>

#include "api/operation.h"
#include "api/service.h"

namespace zona::api {

/// Gives the shapes of all messages their names.
void name_stream_components(Service& service);

/// The names of the shapes of what a client sends, by the `type` of the message.
struct MessageShape {
    std::string_view type;
    std::string_view component;
};
std::vector<MessageShape> client_messages();
/// Of what the server sends.
std::vector<MessageShape> server_messages();

/// GET /api/v1/stream and GET /api/v1/events.
Operation open_stream();
Operation follow_events();

}  // namespace zona::api
