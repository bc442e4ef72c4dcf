#include "net/detail/response_head.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace zona::net::detail {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 37> kReasons = {{
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
}};

constexpr int kUpgradeRequired = 426;

bool written_by_server(std::string_view name) {
    return equal_ignoring_case(name, "Content-Length") || equal_ignoring_case(name, "Date") ||
           equal_ignoring_case(name, "Transfer-Encoding") ||
           equal_ignoring_case(name, "Connection");
}

/// RFC 9110 section 5.6.2.
constexpr auto kTokenBytes = [] {
    std::array<bool, 256> out{};
    for (unsigned char c = 'a'; c <= 'z'; ++c)
        out[c] = out[c - 0x20U] = true;
    for (const char c : std::string_view("0123456789!#$%&'*+-.^_`|~"))
        out[static_cast<unsigned char>(c)] = true;
    return out;
}();

bool is_token(std::string_view name) {
    return !name.empty() &&
           std::ranges::all_of(name, [](unsigned char byte) { return kTokenBytes[byte]; });
}

}  // namespace

bool is_sent(std::string_view name) {
    return is_token(name) && !written_by_server(name);
}

void append_value(std::string& out, std::string_view value) {
    const std::size_t begin = out.size();
    out += value;
    const auto is_control = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return ((byte < 0x20) & (byte != '\t')) | (byte == 0x7f);
    };
    // Hardly any value has one. Without a branch within, which a compiler makes vectors of.
    bool found = false;
    for (const char c : value)
        found |= is_control(c);
    if (!found) return;
    std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), is_control, ' ');
}

std::string_view reason_of(int status) {
    const auto row =
        std::ranges::lower_bound(kReasons, status, {}, &decltype(kReasons)::value_type::first);
    return row == kReasons.end() || row->first != status ? "Unknown" : row->second;
}

bool has_body(int status) {
    return status >= 200 && status != 204 && status != 304;
}

void append_head(std::string& out, const Response& response, const Wire& wire) {
    out += "HTTP/1.1 ";
    out += fmt::format_int(response.status).c_str();
    out += ' ';
    out += reason_of(response.status);
    out += "\r\n";
    for (const Headers::Field field : response.headers) {
        if (!is_sent(field.name)) continue;
        out += field.name;
        out += ": ";
        append_value(out, field.value);
        out += "\r\n";
    }
    if (wire.framing == Framing::kLength) {
        out += "Content-Length: ";
        out += fmt::format_int(response.body.size()).c_str();
        out += "\r\n";
    } else if (wire.framing == Framing::kChunked) {
        out += "Transfer-Encoding: chunked\r\n";
    }
    // RFC 9110 section 7.8: Upgrade is named in Connection.
    const bool upgrade = response.status == kUpgradeRequired && response.headers.has("Upgrade");
    if (upgrade) {
        out += wire.keep_alive ? "Connection: upgrade\r\n" : "Connection: upgrade, close\r\n";
    } else if (!wire.keep_alive) {
        out += "Connection: close\r\n";
    }
    out += "Date: ";
    out += wire.date;
    out += "\r\n\r\n";
}

std::string_view DateCache::at(core::SystemTime now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    if (second.time_since_epoch().count() == second_) return text_;
    second_ = second.time_since_epoch().count();
    constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                       "Thu", "Fri", "Sat"};
    constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = std::chrono::floor<std::chrono::days>(second);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(second - day);
    text_ = fmt::format(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        kDays.at(std::chrono::weekday(day).c_encoding()), static_cast<unsigned>(date.day()),
        kMonths.at(static_cast<unsigned>(date.month()) - 1), static_cast<int>(date.year()),
        time.hours().count(), time.minutes().count(), time.seconds().count());
    return text_;
}

}  // namespace zona::net::detail
