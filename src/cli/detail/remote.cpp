#include "cli/detail/remote.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "cli/detail/text.h"
#include "core/shell.h"
#include "os/fd.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Error;
using core::Result;
using net::RemoteEndpoint;

constexpr std::string_view kForms =
    "as in https://zona.example, zona.example:8063 or http://127.0.0.1:8063";
constexpr std::size_t kLargestKeyFile = 4096;
constexpr mode_t kReadableByOthers = 0044;

Error no_address(std::string_view text) {
    // Before an @ stands a password, and behind a ? people write keys.
    const bool may_be_secret = text.contains('@') || text.contains('?');
    return Error(Code::kInvalidArgument,
                 may_be_secret ? "--host takes neither user, password nor query"
                               : fmt::format("'{}' is no address of a zona", escape_control(text)))
        .detail({"", "", std::string(kForms)});
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kSpaces = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(kSpaces);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

Result<core::Secret> key_of(std::string_view text, std::string_view where) {
    const std::string_view key = trimmed(text);
    const bool is_one_word =
        !key.empty() && std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7f; });
    if (is_one_word) return core::Secret(std::string(key));
    return Error(Code::kInvalidArgument,
                 fmt::format("{} {}", where, key.empty() ? "is empty" : "does not hold one key"))
        .detail({"", "", "it holds the key alone, as zona's home has it in the file api-key"});
}

Result<core::Secret> key_of_file(const std::string& path, Console& console) {
    const std::string shown = escape_control(path);
    const auto content = os::read_file(path, kLargestKeyFile);
    if (!content && content.error().code() == Code::kTooLarge)
        return Error(Code::kInvalidArgument, fmt::format("{} does not hold one key", shown));
    if (!content) {
        return Error(content.error()).context("the API key cannot be read");
    }
    warn_of_readers(path, "API key", console);
    return key_of(*content, shown);
}

}  // namespace

std::string Remote::url() const {
    const bool plain = endpoint.scheme == RemoteEndpoint::Scheme::kHttp;
    return fmt::format("{}://{}", plain ? "http" : "https", endpoint.authority());
}

std::string Remote::label() const {
    return name.empty() ? url() : fmt::format("{} ({})", name, url());
}

std::string Remote::flags() const {
    if (!name.empty()) return "--context " + name;
    std::string text = "--host " + url();
    if (!key_file.empty()) text += " --key-file " + core::shell_word(escape_control(key_file));
    return text;
}

Result<RemoteEndpoint> parse_host(std::string_view text) {
    if (text.contains("://")) {
        auto endpoint = RemoteEndpoint::parse(text);
        if (!endpoint) return no_address(text);
        return endpoint;
    }
    auto endpoint = RemoteEndpoint::parse(fmt::format("https://{}", text));
    if (!endpoint) return no_address(text);
    if (endpoint->is_loopback()) endpoint->scheme = RemoteEndpoint::Scheme::kHttp;
    return endpoint;
}

Result<std::string> parse_fingerprint(std::string_view text) {
    auto digits = net::parse_fingerprint(text);
    if (digits) return digits;
    return digits.take_error()
        .context("--fingerprint")
        .detail({"", "", "`openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE` prints it"});
}

Result<void> check(const Remote& remote) {
    if (remote.client_cert.empty() && !remote.client_key.empty()) {
        return Error(Code::kInvalidArgument,
                     "--client-key is the key of a certificate, and no --client-cert is given");
    }
    if (remote.endpoint.scheme == RemoteEndpoint::Scheme::kHttps) return {};
    if (!remote.ca_file.empty() || !remote.fingerprint.empty() || !remote.client_cert.empty()) {
        return Error(Code::kInvalidArgument,
                     fmt::format("{} knows no certificates: --ca-file, --fingerprint and "
                                 "--client-cert are for https",
                                 remote.url()));
    }
    if (remote.endpoint.is_loopback() || remote.unprotected == Unprotected::kAllowed) return {};
    return Error(
               Code::kInvalidArgument,
               fmt::format("{} is not encrypted: whoever is on the way could read the API key and "
                           "act with it",
                           remote.url()))
        .detail(
            {"", "", "use https://, or give --insecure if the way itself is safe, as a VPN is"});
}

Result<core::Secret> read_key(const Remote& remote, std::span<const std::string> environment,
                              std::string_view cwd, Console& console) {
    std::string file = remote.key_file;
    if (file.empty()) file = variable(environment, "ZONA_KEY_FILE");
    if (!file.empty()) return key_of_file(absolute_path(cwd, file), console);
    const std::string_view key = variable(environment, "ZONA_API_KEY");
    if (key.empty()) return core::Secret();
    return key_of(key, "ZONA_API_KEY");
}

void warn_of_readers(const std::string& path, std::string_view what, Console& console) {
    const auto found = os::stat_path(path);
    if (!found || !found->has_value() || ((*found)->mode & kReadableByOthers) == 0) return;
    const std::string shown = escape_control(path);
    console.error(fmt::format("zona: warning: others can read the {} in {}: chmod 600 {}\n", what,
                              shown, shown));
}

std::string_view variable(std::span<const std::string> environment, std::string_view name) {
    for (const std::string_view entry : environment) {
        if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name)) {
            return entry.substr(name.size() + 1);
        }
    }
    return {};
}

std::string absolute_path(std::string_view cwd, const std::string& name) {
    return (std::filesystem::path(cwd) / name).lexically_normal().string();
}

}  // namespace zona::cli
