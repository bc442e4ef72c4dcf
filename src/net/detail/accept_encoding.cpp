#include "net/detail/accept_encoding.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "core/text.h"
#include "net/headers.h"

namespace zona::net::detail {
namespace {

constexpr int kFullWeight = 1000;

/// "1", "0.25": in thousandths; 0 for what is no weight.
int weight_of(std::string_view text) {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 0;
    int weight = text[0] == '1' ? kFullWeight : 0;
    if (text.size() == 1) return weight;
    if (text[1] != '.') return 0;
    int unit = kFullWeight / 10;
    for (const char c : text.substr(2)) {
        if (c < '0' || c > '9') return 0;
        weight += (c - '0') * unit;
        unit /= 10;
    }
    return weight <= kFullWeight ? weight : 0;
}

/// The weight of one element, "gzip ; q=0.5".
int weight_in(std::string_view element) {
    const std::size_t semicolon = element.find(';');
    if (semicolon == std::string_view::npos) return kFullWeight;
    const std::string_view parameter = core::trimmed(element.substr(semicolon + 1));
    if (parameter.size() < 2 || (parameter[0] != 'q' && parameter[0] != 'Q') || parameter[1] != '=')
        return 0;
    return weight_of(parameter.substr(2));
}

}  // namespace

bool prefers_gzip(std::span<const std::string_view> lines) {
    std::optional<int> gzip;
    std::optional<int> identity;
    std::optional<int> rest;
    for (std::string_view line : lines) {
        while (!line.empty()) {
            const std::size_t comma = std::min(line.find(','), line.size());
            const std::string_view element = line.substr(0, comma);
            line.remove_prefix(std::min(comma + 1, line.size()));
            const std::string_view name = core::trimmed(element.substr(0, element.find(';')));
            const int weight = weight_in(element);
            if (equal_ignoring_case(name, "gzip") || equal_ignoring_case(name, "x-gzip")) {
                gzip = std::max(gzip.value_or(0), weight);
            } else if (equal_ignoring_case(name, "identity")) {
                identity = weight;
            } else if (name == "*") {
                rest = weight;
            }
        }
    }
    const int taken = gzip.has_value() ? *gzip : rest.value_or(0);
    return taken > 0 && taken >= identity.value_or(0);
}

}  // namespace zona::net::detail
