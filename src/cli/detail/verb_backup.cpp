#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/daemon_start.h"
#include "cli/detail/model.h"
#include "cli/detail/request.h"
#include "cli/detail/table.h"
#include "cli/detail/text.h"
#include "cli/detail/verbs.h"
#include "os/exec.h"
#include "os/fd.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;

std::string number(const json::object& from, std::string_view field) {
    return std::to_string(integer_of(from, field).value_or(0));
}

/// Tenants that are not in it.
auto missing_in(const json::object& backup) {
    static const json::value none;
    const json::value* missing = backup.if_contains("missing");
    return objects_in(missing == nullptr ? none : *missing);
}

std::string backups_text(const json::value& data, const Screen& screen) {
    Table table;
    table.columns = {{"backup", Align::kLeft, 0, 0},
                     {"made (UTC)", Align::kLeft, 0, 10},
                     {"restorable until", Align::kLeft, 1, 10},
                     {"copied (UTC)", Align::kLeft, 2, 10},
                     {"tenants", Align::kRight, 0, 0},
                     {"missing", Align::kRight, 0, 0},
                     {"documents", Align::kRight, 0, 0},
                     {"bytes", Align::kRight, 1, 0}};
    for (const json::object& backup : objects_in(data)) {
        const std::string copied = escape_control(text_of(backup, "copied_at"));
        table.rows.push_back({{escape_control(text_of(backup, "uuid"))},
                              {escape_control(text_of(backup, "made_at")).substr(0, 19)},
                              {escape_control(text_of(backup, "restorable_until")).substr(0, 19)},
                              {copied.empty() ? "-" : copied.substr(0, 19)},
                              {number(backup, "tenants")},
                              {std::to_string(missing_in(backup).size())},
                              {number(backup, "documents")},
                              {number(backup, "size_bytes")}});
    }
    return layout(table, screen);
}

/// One of the list.
Status show(Context& context, const json::value& data, const std::string& id) {
    for (const json::object& backup : objects_in(data)) {
        if (text_of(backup, "uuid") != id) continue;
        if (context.wants_json()) {
            context.console.out(json::serialize(backup) + '\n');
            return kAllWell;
        }
        std::string out;
        for (const std::string_view field :
             {"uuid", "made_at", "restorable_until", "copied_at", "zona"}) {
            const std::string value = escape_control(text_of(backup, field));
            out += fmt::format("{:<17} {}\n", field, value.empty() ? "-" : value);
        }
        for (const std::string_view field : {"tenants", "documents", "size_bytes"})
            out += fmt::format("{:<17} {}\n", field, number(backup, field));
        for (const json::object& one : missing_in(backup)) {
            out += fmt::format("{:<17} {}: {}\n", "missing", escape_control(text_of(one, "tenant")),
                               escape_control(text_of(one, "reason")));
        }
        context.console.out(out);
        return kAllWell;
    }
    return Error(Code::kNotFound, fmt::format("there is no backup {}", escape_control(id)))
        .detail({"", "", "zona backup list shows them"});
}

}  // namespace

Status become_maintenance(const Context& context, const std::vector<std::string>& arguments) {
    if (context.remote) {
        return Error(Code::kUnsupported, "this is done on the host itself, where the files are");
    }
    ZONA_TRY(const std::string self, os::self_executable());
    ZONA_TRY(const std::string program, find_companion(self, "zonad"));
    std::vector<std::string> words = {program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return os::execute(program, words, context.caller.environment);
}

core::Result<core::Secret> password_in(const std::string& file, std::string_view directory) {
    constexpr std::size_t kLongest = 1024;
    if (file.empty()) return core::Secret();
    ZONA_TRY(std::string text,
             os::read_file(file == "-" ? "/dev/stdin" : absolute(file, directory), kLongest + 2));
    while (text.ends_with('\n') || text.ends_with('\r'))
        text.pop_back();
    if (text.empty() || text.size() > kLongest) {
        return Error(Code::kInvalidArgument,
                     fmt::format("{} holds no password of 1 to {} bytes",
                                 file == "-" ? "stdin" : escape_control(file), kLongest));
    }
    return core::Secret(std::move(text));
}

std::string absolute(std::string_view path, std::string_view directory) {
    if (path.starts_with('/')) return std::string(path);
    return fmt::format("{}/{}", directory, path);
}

namespace {

/// What zonad does without being the daemon: restoring and checking.
std::vector<std::string> without_zona(const Context& context, const BackupOptions& options) {
    const std::string& cwd = context.caller.cwd;
    const bool restores = options.action == BackupAction::kRestore;
    std::vector<std::string> out = {restores ? "--restore-backup" : "--check-backup",
                                    options.id.contains('/')
                                        ? absolute(options.id, cwd)
                                        : context.home + "/state/backups/_all/" + options.id};
    const auto add = [&](const char* flag, std::string value) {
        out.emplace_back(flag);
        out.push_back(std::move(value));
    };
    if (restores) add("--home", absolute(options.to, cwd));
    if (!options.shares.empty()) {
        add("--shares", absolute(options.shares, cwd));
    } else {
        add("--root-key", options.root_key.empty() ? context.home + "/root-key"
                                                   : absolute(options.root_key, cwd));
    }
    if (!options.at.empty()) add("--at", options.at);
    return out;
}

}  // namespace

Status backups(Context& context, const BackupOptions& options) {
    if (options.action == BackupAction::kRestore || options.action == BackupAction::kCheck)
        return become_maintenance(context, without_zona(context, options));
    ZONA_TRY(const Answer answer, context.session.ask(manage_backups(options)));
    if (options.action == BackupAction::kCreate || options.action == BackupAction::kVerify)
        return end_of_task(context, answer, options.no_wait ? Waiting::kNo : Waiting::kYes);
    if (options.action == BackupAction::kShow) {
        ZONA_TRY(const json::value all, answer.data());
        return show(context, all, options.id);
    }
    ZONA_TRY(const auto data, data_to_tell(context, answer));
    if (!data) return kAllWell;
    if (options.action == BackupAction::kDelete) {
        context.console.remark(fmt::format("the backup {} is gone\n", escape_control(options.id)));
    } else {
        context.console.out(backups_text(*data, context.console.screen()));
    }
    return kAllWell;
}

namespace {

std::string build_type_text(const json::object& data) {
    const std::string present = text_of(data, "build_type");
    const std::string asked = text_of(data, "asked");
    if (asked.empty()) return fmt::format("the build type is {}, and stays\n", present);
    return fmt::format(
        "asked for: what all tenants have goes from {} to {} with the next start that has the "
        "setting\n\n    [tenancy]\n    build_type = \"{}\"\n\nNo tenant is served meanwhile; a "
        "backup "
        "before it is a good idea. `zona store migrate --build-type {}` takes it back.\n",
        present, asked, asked, present);
}

}  // namespace

Status store(Context& context, const StoreOptions& given) {
    StoreOptions options = given;
    ZONA_TRY(options.password, password_in(options.password_file, context.caller.cwd));
    ZONA_TRY(const Answer answer, context.session.ask(manage_store(options)));
    if (!options.build_type.empty()) {
        ZONA_TRY(const auto data, data_to_tell(context, answer));
        if (data) context.console.remark(build_type_text(data->as_object()));
        return kAllWell;
    }
    return end_of_task(context, answer, options.no_wait ? Waiting::kNo : Waiting::kYes);
}

}  // namespace zona::cli
