#include "api/detail/stream_form.h"

#include <algorithm>

namespace zona::api {

StreamForm stream_form(const Call& call) {
    if (const auto format = call.text("format")) {
        if (*format == "sse") return StreamForm::kEvents;
        return *format == "raw" ? StreamForm::kRaw : StreamForm::kLines;
    }
    const std::string_view accept = call.request().headers.find("Accept").value_or("");
    const std::size_t events = accept.find("text/event-stream");
    const std::size_t raw = accept.find("text/plain");
    const std::size_t lines = accept.find("application/x-ndjson");
    const std::size_t first = std::min({events, raw, lines});
    if (first == std::string_view::npos || first == lines) return StreamForm::kLines;
    return first == events ? StreamForm::kEvents : StreamForm::kRaw;
}

}  // namespace zona::api
