#include "cli/detail/contexts.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/model.h"
#include "cli/detail/text.h"
#include "core/json.h"
#include "core/text.h"
#include "os/fd.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

constexpr int kFormat = 1;
constexpr std::size_t kLongestName = 64;
constexpr std::size_t kLargestFile = 1U << 20U;

Error damaged(std::string what) {
    return {Code::kInvalidArgument, std::move(what)};
}

Result<Remote> read_remote(const json::value& value) {
    if (!value.is_object()) return damaged("an entry of 'contexts' is no object");
    const json::object& object = value.get_object();
    Remote remote;
    remote.name = text_of(object, "name");
    if (auto good = check_context_name(remote.name); !good) return good.take_error();
    ZONA_TRY(remote.endpoint, parse_host(text_of(object, "host")));
    remote.key_file = text_of(object, "key_file");
    remote.ca_file = text_of(object, "ca_file");
    if (const std::string text = text_of(object, "fingerprint"); !text.empty()) {
        ZONA_TRY(remote.fingerprint, parse_fingerprint(text));
    }
    remote.client_cert = text_of(object, "client_cert");
    remote.client_key = text_of(object, "client_key");
    const json::value* insecure = object.if_contains("insecure");
    if (insecure != nullptr && insecure->is_bool() && insecure->get_bool())
        remote.unprotected = Unprotected::kAllowed;
    ZONA_TRY_VOID(check(remote));
    return remote;
}

json::object object_of(const Remote& remote) {
    json::object object{{"name", remote.name}, {"host", remote.url()}};
    if (!remote.key_file.empty()) object["key_file"] = remote.key_file;
    if (!remote.ca_file.empty()) object["ca_file"] = remote.ca_file;
    if (!remote.fingerprint.empty()) object["fingerprint"] = remote.fingerprint;
    if (!remote.client_cert.empty()) object["client_cert"] = remote.client_cert;
    if (!remote.client_key.empty()) object["client_key"] = remote.client_key;
    if (remote.unprotected == Unprotected::kAllowed) object["insecure"] = true;
    return object;
}

}  // namespace

const Remote* Contexts::find(std::string_view name) const {
    const auto found = std::ranges::find(others, name, &Remote::name);
    return found == others.end() ? nullptr : &*found;
}

std::string contexts_path(std::span<const std::string> environment, std::string_view user_home) {
    // A relative path is to be ignored (XDG Base Directory Specification).
    const std::string_view given = variable(environment, "XDG_CONFIG_HOME");
    if (given.starts_with('/')) return fmt::format("{}/zona/contexts.json", given);
    const std::string_view home = variable(environment, "HOME");
    const std::string_view base = home.empty() ? user_home : home;
    return base.empty() ? "" : fmt::format("{}/.config/zona/contexts.json", base);
}

Result<Contexts> parse_contexts(std::string_view text) {
    const auto parsed = core::parse_json(text);
    if (!parsed) return damaged(parsed.error().message());
    if (!parsed->is_object()) return damaged("it is no JSON object");
    const json::object& object = parsed->get_object();
    if (integer_of(object, "format") != kFormat) return damaged("its 'format' is not 1");
    Contexts contexts;
    const json::value* list = object.if_contains("contexts");
    if (list == nullptr || !list->is_array()) return damaged("it has no list 'contexts'");
    for (const json::value& entry : list->get_array()) {
        ZONA_TRY(Remote remote, read_remote(entry));
        if (contexts.find(remote.name) != nullptr)
            return damaged(fmt::format("there are two contexts '{}'", remote.name));
        contexts.others.push_back(std::move(remote));
    }
    if (std::string current = text_of(object, "current"); !current.empty())
        contexts.current = std::move(current);
    if (contexts.current != kLocalContext && contexts.find(contexts.current) == nullptr) {
        return damaged(fmt::format("there is no context '{}', which is the current one",
                                   escape_control(contexts.current)));
    }
    return contexts;
}

std::string contexts_text(const Contexts& contexts) {
    json::array list;
    for (const Remote& remote : contexts.others)
        list.push_back(object_of(remote));
    const json::object object{
        {"format", kFormat}, {"current", contexts.current}, {"contexts", std::move(list)}};
    return core::to_json(object, core::JsonLayout::kIndented) + '\n';
}

Result<Contexts> read_contexts(const std::string& path) {
    if (path.empty()) return Contexts{};
    const auto text = os::read_file(path, kLargestFile);
    if (!text && text.error().code() == Code::kNotFound) return Contexts{};
    if (!text) {
        return Error(text.error()).detail({"", "", "--context local goes on without the file"});
    }
    auto contexts = parse_contexts(*text);
    if (contexts) return contexts;
    return Error(Code::kConflict,
                 fmt::format("{} is damaged: {}", escape_control(path), contexts.error().message()))
        .detail({"", "", "mend or remove it; --context local goes on without it"});
}

Result<void> write_contexts(const std::string& path, const Contexts& contexts) {
    if (path.empty()) {
        return Error(Code::kInvalidArgument, "contexts have no place: HOME is not set")
            .detail({"", "", "set HOME or XDG_CONFIG_HOME"});
    }
    ZONA_TRY_VOID(os::make_directories(path.substr(0, path.rfind('/')), 0700));
    return os::replace_file(path, contexts_text(contexts), 0600);
}

Result<void> check_context_name(std::string_view name) {
    constexpr std::string_view kLetters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const bool good = !name.empty() && name.size() <= kLongestName && name[0] != '-' &&
                      name.find_first_not_of(kLetters) == std::string_view::npos;
    if (!good) {
        return Error(
            Code::kInvalidArgument,
            fmt::format("'{}' cannot be the name of a context: 1 to 64 of A-Z a-z 0-9 . _ -",
                        escape_control(name)));
    }
    if (name == kLocalContext) {
        return Error(Code::kInvalidArgument, "the context 'local' is this host, and always there");
    }
    return {};
}

Error no_such_context(const Contexts& contexts, std::string_view name) {
    std::vector<std::string> names{std::string(kLocalContext)};
    for (const Remote& remote : contexts.others)
        names.push_back(remote.name);
    return Error(Code::kNotFound, fmt::format("there is no context '{}'{}", escape_control(name),
                                              core::suggestion(name, names)))
        .detail({"", "", "`zona context list` shows them, `zona context add` makes one"});
}

}  // namespace zona::cli
