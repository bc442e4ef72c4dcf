#include "cli/detail/place.h"

#include <fmt/format.h>

#include "cli/detail/contexts.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Error;
using core::Result;

/// The first flag that says something about another zona; empty when there is none.
std::string_view remote_flag(const GlobalOptions& global) {
    if (global.key_file) return "--key-file";
    if (global.ca_file) return "--ca-file";
    if (global.fingerprint) return "--fingerprint";
    if (global.client_cert) return "--client-cert";
    if (global.client_key) return "--client-key";
    return global.unprotected == Unprotected::kAllowed ? "--insecure" : "";
}

Result<void> check_flags(const GlobalOptions& global) {
    const bool elsewhere = global.host || global.context;
    if (global.host && global.context) {
        return Error(Code::kInvalidArgument, "--host and --context exclude each other");
    }
    if (global.home && elsewhere && global.context != kLocalContext) {
        return Error(Code::kInvalidArgument,
                     fmt::format("--home is a place of this host, and {} is another one",
                                 global.host ? "--host" : "--context"));
    }
    return {};
}

/// What was said, before it is looked up: a URL or the name of a context.
struct Said {
    PlaceSource source = PlaceSource::kNothing;
    std::string host;
    std::string context;
};

Said what_is_said(const GlobalOptions& global, std::span<const std::string> environment) {
    if (global.host) return {PlaceSource::kHostFlag, *global.host, {}};
    if (global.context) return {PlaceSource::kContextFlag, {}, *global.context};
    if (global.home) return {PlaceSource::kHomeFlag, {}, std::string(kLocalContext)};
    if (const auto host = variable(environment, "ZONA_HOST"); !host.empty())
        return {PlaceSource::kHostVariable, std::string(host), {}};
    if (const auto context = variable(environment, "ZONA_CONTEXT"); !context.empty())
        return {PlaceSource::kContextVariable, {}, std::string(context)};
    return {};
}

/// What neither a flag nor a context says.
void apply_variables(std::span<const std::string> environment, std::string_view cwd,
                     Remote& remote) {
    const bool is_plain = remote.endpoint.scheme == net::RemoteEndpoint::Scheme::kHttp;
    const auto certificate = variable(environment, "ZONA_CLIENT_CERT");
    if (is_plain || certificate.empty() || !remote.client_cert.empty()) return;
    remote.client_cert = absolute_path(cwd, std::string(certificate));
    const auto key = variable(environment, "ZONA_CLIENT_KEY");
    if (!key.empty() && remote.client_key.empty())
        remote.client_key = absolute_path(cwd, std::string(key));
}

}  // namespace

std::string_view to_string(PlaceSource source) {
    switch (source) {
        case PlaceSource::kHostFlag:
            return "--host";
        case PlaceSource::kContextFlag:
            return "--context";
        case PlaceSource::kHomeFlag:
            return "--home";
        case PlaceSource::kHostVariable:
            return "ZONA_HOST";
        case PlaceSource::kContextVariable:
            return "ZONA_CONTEXT";
        case PlaceSource::kCurrentContext:
            return "the current context";
        case PlaceSource::kNothing:
            break;
    }
    return "nothing says otherwise";
}

Result<void> apply_flags(const GlobalOptions& global, std::string_view cwd, Remote& remote) {
    if (global.key_file) remote.key_file = absolute_path(cwd, *global.key_file);
    if (global.ca_file) remote.ca_file = absolute_path(cwd, *global.ca_file);
    if (global.fingerprint) {
        ZONA_TRY(remote.fingerprint, parse_fingerprint(*global.fingerprint));
    }
    // Another certificate has another key.
    if (global.client_cert) {
        remote.client_cert = absolute_path(cwd, *global.client_cert);
        remote.client_key.clear();
    }
    if (global.client_key) remote.client_key = absolute_path(cwd, *global.client_key);
    if (global.unprotected == Unprotected::kAllowed) remote.unprotected = Unprotected::kAllowed;
    return {};
}

Result<Place> find_place(const GlobalOptions& global, std::span<const std::string> environment,
                         std::string_view user_home, std::string_view cwd) {
    ZONA_TRY_VOID(check_flags(global));
    Said said = what_is_said(global, environment);
    Place place{said.source, {}};
    if (!said.host.empty()) {
        auto endpoint = parse_host(said.host);
        if (!endpoint && said.source == PlaceSource::kHostVariable)
            return endpoint.take_error().context("ZONA_HOST");
        if (!endpoint) return endpoint.take_error();
        place.remote = Remote{};
        place.remote->endpoint = std::move(*endpoint);
    } else if (said.context != kLocalContext) {
        ZONA_TRY(const Contexts contexts, read_contexts(contexts_path(environment, user_home)));
        if (said.context.empty() && contexts.current != kLocalContext) {
            place.source = PlaceSource::kCurrentContext;
            said.context = contexts.current;
        }
        if (!said.context.empty()) {
            const Remote* found = contexts.find(said.context);
            if (found == nullptr) return no_such_context(contexts, said.context);
            place.remote = *found;
        }
    }
    if (!place.remote) {
        const std::string_view flag = remote_flag(global);
        if (flag.empty()) return place;
        return Error(Code::kInvalidArgument,
                     fmt::format("{} is for another zona, and this command is for the local one",
                                 flag))
            .detail({"", "", "give --host URL or --context NAME"});
    }
    ZONA_TRY_VOID(apply_flags(global, cwd, *place.remote));
    apply_variables(environment, cwd, *place.remote);
    ZONA_TRY_VOID(check(*place.remote));
    if (!global.settings.empty()) {
        return Error(
            Code::kInvalidArgument,
            fmt::format("--set is for the zona that a command starts; none is started on {}",
                        place.remote->label()));
    }
    return place;
}

}  // namespace zona::cli
