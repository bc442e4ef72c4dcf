#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/contexts.h"
#include "cli/detail/place.h"
#include "cli/detail/table.h"
#include "cli/detail/verbs.h"
#include "core/json.h"
#include "os/fd.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

/// One `zona context`: the file, and what was typed.
class ContextCommand {
  public:
    ContextCommand(Console& console, const GlobalOptions& global, const ContextOptions& options,
                   const Caller& caller, std::string_view user_home)
        : console_(console),
          global_(global),
          options_(options),
          caller_(caller),
          user_home_(user_home),
          path_(contexts_path(caller.environment, user_home)) {}

    Status run() {
        if (options_.action == ContextAction::kShow) return show();
        ZONA_TRY(Contexts contexts, read_contexts(path_));
        switch (options_.action) {
            case ContextAction::kUse:
                return use(contexts);
            case ContextAction::kAdd:
                return add(contexts);
            case ContextAction::kRemove:
                return remove(contexts);
            default:
                return list(contexts);
        }
    }

  private:
    bool wants_json() const { return global_.format == OutputFormat::kJson; }

    void print(const json::value& data) {
        console_.out(core::to_json(json::object{{"success", true}, {"data", data}}) + '\n');
    }

    /// One context as JSON; `remote` null is this host.
    static json::object object_of(const Remote* remote, bool is_current) {
        json::object object{{"name", kLocalContext}, {"current", is_current}, {"host", nullptr}};
        if (remote == nullptr) return object;
        object["name"] = remote->name;
        object["host"] = remote->url();
        object["key_file"] = remote->key_file;
        object["ca_file"] = remote->ca_file;
        object["fingerprint"] = remote->fingerprint;
        object["client_cert"] = remote->client_cert;
        object["client_key"] = remote->client_key;
        object["insecure"] = remote->unprotected == Unprotected::kAllowed;
        return object;
    }

    static std::string trust_of(const Remote& remote) {
        if (remote.endpoint.scheme == net::RemoteEndpoint::Scheme::kHttp) return "not encrypted";
        if (!remote.fingerprint.empty()) return "certificate " + remote.fingerprint.substr(0, 16);
        return remote.ca_file.empty() ? "this host's authorities" : escape_control(remote.ca_file);
    }

    static std::string or_dash(const std::string& text) {
        return text.empty() ? "-" : escape_control(text);
    }

    Status list(const Contexts& contexts) {
        if (wants_json()) {
            json::array data{object_of(nullptr, contexts.current == kLocalContext)};
            for (const Remote& remote : contexts.others)
                data.push_back(object_of(&remote, contexts.current == remote.name));
            print(data);
            return kAllWell;
        }
        Table table;
        table.columns = {{"", Align::kLeft, 0, 0},
                         {"name", Align::kLeft, 0, 0},
                         {"host", Align::kLeft, 0, 12},
                         {"key file", Align::kLeft, 1, 10},
                         {"trust", Align::kLeft, 2, 10}};
        const auto mark = [&](std::string_view name) {
            return std::string(contexts.current == name ? "*" : "");
        };
        table.rows.push_back(
            {{mark(kLocalContext)}, {std::string(kLocalContext)}, {"this host"}, {"-"}, {"-"}});
        for (const Remote& remote : contexts.others) {
            table.rows.push_back({{mark(remote.name)},
                                  {remote.name},
                                  {remote.url()},
                                  {or_dash(remote.key_file)},
                                  {trust_of(remote)}});
        }
        console_.out(layout(table, console_.screen()));
        return kAllWell;
    }

    /// Which zona a command without flags would be for, and why.
    Status show() {
        ZONA_TRY(const Place place,
                 find_place(global_, caller_.environment, user_home_, caller_.cwd));
        const Remote* remote = place.remote ? &*place.remote : nullptr;
        if (wants_json()) {
            json::object data = object_of(remote, place.source == PlaceSource::kCurrentContext);
            data["because"] = to_string(place.source);
            print(data);
            return kAllWell;
        }
        console_.out(fmt::format("{}  ({})\n",
                                 remote == nullptr ? "local: this host" : remote->label(),
                                 to_string(place.source)));
        if (remote == nullptr) return kAllWell;
        console_.out(fmt::format("key file  {}\ntrust     {}\nshown     {}\n",
                                 or_dash(remote->key_file), trust_of(*remote),
                                 or_dash(remote->client_cert)));
        return kAllWell;
    }

    Status use(Contexts& contexts) {
        if (options_.name != kLocalContext && contexts.find(options_.name) == nullptr)
            return no_such_context(contexts, options_.name);
        contexts.current = options_.name;
        ZONA_TRY_VOID(write_contexts(path_, contexts));
        const Remote* remote = contexts.find(options_.name);
        if (wants_json())
            print(object_of(remote, true));
        else
            console_.remark(fmt::format("commands are for {} from now on\n",
                                        remote == nullptr ? "this host" : remote->label()));
        for (const std::string_view name : {"ZONA_HOST", "ZONA_CONTEXT"}) {
            if (variable(caller_.environment, name).empty()) continue;
            console_.error(
                fmt::format("zona: warning: in this shell {} is set, and goes before\n", name));
            break;
        }
        return kAllWell;
    }

    Status add(Contexts& contexts) {
        ZONA_TRY_VOID(check_context_name(options_.name));
        if (!global_.host) {
            return Error(Code::kInvalidArgument, "zona context add needs --host URL")
                .detail({"", "", "as in: zona context add prod --host https://prod.example"});
        }
        if (contexts.find(options_.name) != nullptr) {
            return Error(Code::kConflict,
                         fmt::format("there is a context '{}' already", options_.name))
                .detail({"", "", fmt::format("zona context remove {}", options_.name)});
        }
        Remote remote;
        remote.name = options_.name;
        ZONA_TRY(remote.endpoint, parse_host(*global_.host));
        ZONA_TRY_VOID(apply_flags(global_, caller_.cwd, remote));
        ZONA_TRY_VOID(check(remote));
        for (const std::string& file :
             {remote.key_file, remote.ca_file, remote.client_cert, remote.client_key}) {
            const auto found = os::stat_path(file);
            if (file.empty() || (found && found->has_value())) continue;
            console_.error(
                fmt::format("zona: warning: {} is not there yet\n", escape_control(file)));
        }
        contexts.others.push_back(remote);
        ZONA_TRY_VOID(write_contexts(path_, contexts));
        if (wants_json()) {
            print(object_of(&remote, false));
        } else {
            console_.remark(
                fmt::format("{}  added; `zona context use {}` makes it the current one\n",
                            remote.label(), remote.name));
        }
        return kAllWell;
    }

    Status remove(Contexts& contexts) {
        const Remote* found = contexts.find(options_.name);
        if (found == nullptr) {
            if (options_.name == kLocalContext) return check_context_name(kLocalContext).error();
            return no_such_context(contexts, options_.name);
        }
        const Remote removed = *found;
        const bool was_current = contexts.current == removed.name;
        std::erase_if(contexts.others,
                      [&](const Remote& remote) { return remote.name == removed.name; });
        if (was_current) contexts.current = kLocalContext;
        ZONA_TRY_VOID(write_contexts(path_, contexts));
        if (wants_json())
            print(object_of(&removed, false));
        else
            console_.remark(fmt::format("{}  removed{}\n", removed.label(),
                                        was_current ? "; commands are for this host again" : ""));
        return kAllWell;
    }

    Console& console_;
    const GlobalOptions& global_;
    const ContextOptions& options_;
    const Caller& caller_;
    std::string_view user_home_;
    std::string path_;
};

}  // namespace

Status contexts(Console& console, const GlobalOptions& global, const ContextOptions& options,
                const Caller& caller, std::string_view user_home) {
    return ContextCommand(console, global, options, caller, user_home).run();
}

}  // namespace zona::cli
