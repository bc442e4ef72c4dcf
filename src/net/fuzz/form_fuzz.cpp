// Any bytes as the Cookie field of a request, and as the body of a form: what is found was sent,
// and what a form holds reads the same when it is written again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "core/uri.h"
#include "net/cookie.h"
#include "net/form.h"

namespace {

using namespace zona;

void require(bool truth) {
    if (!truth) std::abort();
}

std::string written(const std::vector<net::Parameter>& fields) {
    std::string out;
    for (const net::Parameter& field : fields) {
        out += core::percent_encoded(field.name) + "=" + core::percent_encoded(field.value) + "&";
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    net::Headers headers;
    headers.add("Cookie", text);
    if (const auto value = net::find_cookie(headers, "a")) {
        require(text.find(*value) != std::string_view::npos);
        require(value->find(';') == std::string_view::npos);
    }
    if (const auto fields = net::parse_form(text)) {
        require(fields->size() <= net::kMostFormFields);
        const auto again = net::parse_form(written(*fields));
        require(again && *again == *fields);
    } else {
        require(!fields.error().message().empty());
    }
    return 0;
}
