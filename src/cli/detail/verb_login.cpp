// Signing in to another zona and out again, and the sessions of others.
#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/detail/identity_view.h"
#include "cli/detail/model.h"
#include "cli/detail/provider_return.h"
#include "cli/detail/table.h"
#include "cli/detail/text.h"
#include "cli/detail/verbs.h"
#include "core/json.h"
#include "net/form.h"
#include "os/terminal.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

constexpr std::size_t kLargestInput = 4096;

/// What is asked of the person who types: at the terminal, or in the lines of stdin.
class Person {
  public:
    explicit Person(bool reads_lines) : reads_lines_(reads_lines) {}

    Result<std::string> name() {
        if (!is_there()) return nobody("--user NAME");
        ZONA_TRY_VOID(os::write_all(STDERR_FILENO, "user: "));
        std::string text;
        for (std::byte byte{}; !text.ends_with('\n');) {
            ZONA_TRY(const auto size, os::read_some(STDIN_FILENO, std::span(&byte, 1)));
            if (size.value_or(0) == 0 || text.size() > kLargestInput) break;
            text += static_cast<char>(byte);
        }
        while (text.ends_with('\n') || text.ends_with('\r'))
            text.pop_back();
        if (text.empty()) return Error(Code::kCancelled, "nothing was entered");
        return text;
    }

    /// `prompt` is for the terminal, `what` for an error.
    Result<core::Secret> secret(std::string_view prompt, std::string_view what) {
        if (reads_lines_) return next_line(what);
        if (!is_there()) return nobody("--password-stdin");
        ZONA_TRY(core::Secret secret, os::read_unseen(STDIN_FILENO, STDERR_FILENO, prompt));
        if (secret.empty()) return Error(Code::kCancelled, "nothing was entered");
        return secret;
    }

    /// Whether there is somebody to ask.
    bool is_there() const {
        return !reads_lines_ && os::is_terminal(STDIN_FILENO) && os::is_terminal(STDERR_FILENO);
    }

  private:
    static Error nobody(std::string_view flag) {
        return {Code::kInvalidArgument,
                fmt::format("there is no terminal to ask at: give {}", flag)};
    }

    Result<core::Secret> next_line(std::string_view what) {
        if (!read_) {
            ZONA_TRY(std::string all, os::read_file("/dev/stdin", kLargestInput));
            lines_ = core::Secret(std::move(all));
            read_ = true;
        }
        const std::string_view all = lines_.reveal().substr(std::min(at_, lines_.reveal().size()));
        const std::size_t end = std::min(all.find('\n'), all.size());
        at_ += end + 1;
        std::string_view line = all.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty())
            return Error(Code::kInvalidArgument, fmt::format("stdin does not hold {}", what));
        return core::Secret(std::string(line));
    }

    bool reads_lines_;
    bool read_ = false;
    core::Secret lines_;
    std::size_t at_ = 0;
};

Error only_elsewhere(std::string_view verb) {
    return Error(Code::kInvalidArgument,
                 fmt::format("zona {} is for another zona: on this host whoever may use zona's "
                             "home is known without it",
                             verb))
        .detail({"", "", "give --host URL or --context NAME"});
}

/// Asks with a password, and for the code of the second factor when that is wanted.
template <class Options>
Result<Answer> ask_as(Context& context, Person& person, Options options,
                      const std::function<ApiRequest(const Options&)>& request) {
    auto answer = context.session.ask(request(options));
    const bool wants_code = !answer && answer.error().code() == Code::kSecondFactor;
    if (!wants_code || !options.code.empty()) return answer;
    if (!person.is_there()) {
        return answer.take_error().detail(
            {"", "", "give it with --code CODE: it is good for half a minute"});
    }
    ZONA_TRY(options.code, person.secret("code of the second factor: ", "the code"));
    return context.session.ask(request(options));
}

Result<LoginOptions> with_password(Person& person, LoginOptions options) {
    if (options.user.empty()) {
        ZONA_TRY(options.user, person.name());
    }
    const std::string prompt = fmt::format("password of {} of {}: ", escape_control(options.user),
                                           escape_control(options.tenant));
    ZONA_TRY(options.password, person.secret(prompt, "the password"));
    return options;
}

/// How long somebody may take at an identity provider; zona itself waits no longer.
constexpr std::chrono::minutes kSignInTime{10};

/// The value of `state` in the address that a sign-in begins at.
std::string state_in(std::string_view url) {
    const std::size_t query = std::min(url.find('?'), url.size());
    const auto fields = net::parse_form(url.substr(std::min(query + 1, url.size())));
    if (!fields) return {};
    const auto found = std::ranges::find(*fields, "state", &net::Parameter::name);
    return found == fields->end() ? std::string() : found->value;
}

/// Signs in at an identity provider, by a browser that comes back here.
Result<Answer> ask_provider(Context& context, const LoginOptions& options) {
    ZONA_TRY(const ReturnAddress back, ReturnAddress::open());
    ZONA_TRY(const Answer begun, context.session.ask(begin_sign_in(options, back.uri())));
    ZONA_TRY(const json::value data, begun.data());
    if (!data.is_object()) return Error(Code::kInternal, "zona's answer names no address");
    const std::string url = text_of(data.get_object(), "url");
    const core::Secret attempt(text_of(data.get_object(), "attempt"));
    const std::string state = state_in(url);
    if (state.empty()) return Error(Code::kInternal, "zona's answer names no address");
    context.console.error(
        fmt::format("open this in a browser on this host: {}\n", escape_control(url)));
    const auto deadline = core::Deadline::after(context.clock, kSignInTime);
    ZONA_TRY(const ProviderReturn answer, back.wait(state, deadline, context.clock));
    return context.session.ask(finish_sign_in(attempt, answer));
}

/// What a zona says of whoever asks.
Result<json::object> who_asks(Context& context) {
    ZONA_TRY(const Answer answer, context.session.ask(get("/api/v1/whoami")));
    ZONA_TRY(const json::value data, answer.data());
    if (!data.is_object()) return Error(Code::kInternal, "zona's answer does not say who asks");
    return data.get_object();
}

/// The code of the tenant of the user who asks; of nobody's, `default`.
Result<std::string> own_tenant(Context& context) {
    ZONA_TRY(const json::object who, who_asks(context));
    const json::value* session = who.if_contains("session");
    const bool is_user = session != nullptr && session->is_object();
    return is_user ? text_of(who, "tenant") : std::string("default");
}

std::string sessions_text(const json::value& sessions, const Screen& screen) {
    Table table;
    table.columns = {{"session", Align::kLeft, 0, 0},      {"user", Align::kLeft, 0, 0},
                     {"began (UTC)", Align::kLeft, 1, 10}, {"last used", Align::kLeft, 2, 10},
                     {"address", Align::kLeft, 3, 10},     {"how", Align::kLeft, 4, 8},
                     {"program", Align::kLeft, 5, 10}};
    for (const json::object& one : objects_in(sessions)) {
        table.rows.push_back({{shown(one, "id")},
                              {shown(one, "name")},
                              {minute_of(one, "created_at")},
                              {minute_of(one, "last_used_at")},
                              {shown(one, "address")},
                              {shown(one, "method")},
                              {shown(one, "user_agent")}});
    }
    return layout(table, screen);
}

/// Tells what the authenticator is to be given.
void tell_enrolment(Context& context, const json::object& begun) {
    context.console.out(
        fmt::format("secret  {}\nuri     {}\n", shown(begun, "secret"), shown(begun, "uri")));
    context.console.flush();
}

Status confirm_factor(Context& context, const FactorOptions& options) {
    ZONA_TRY(const Answer answer, context.session.ask(change_factor(options)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told || !told->is_object()) return kAllWell;
    context.console.note(
        "a code is asked for from now on; without the authenticator one of "
        "these, each once:\n");
    const json::value* codes = told->get_object().if_contains("recovery_codes");
    if (codes == nullptr || !codes->is_array()) return kAllWell;
    for (const json::value& code : codes->get_array()) {
        if (code.is_string())
            context.console.out(fmt::format("{}\n", escape_control(code.get_string())));
    }
    return kAllWell;
}

Status enrol_factor(Context& context, Person& person, FactorOptions options) {
    ZONA_TRY(options.password, person.secret("your password: ", "the password"));
    ZONA_TRY(const Answer answer, context.session.ask(change_factor(options)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told || !told->is_object()) return kAllWell;
    tell_enrolment(context, told->get_object());
    if (!person.is_there()) return kAllWell;
    options.action = FactorAction::kConfirm;
    options.password = {};
    ZONA_TRY(options.code, person.secret("code that the authenticator shows: ", "the code"));
    return confirm_factor(context, options);
}

/// One's own, or by an administrator.
Status take_factor_away(Context& context, Person& person, FactorOptions options) {
    if (!options.user.empty()) {
        ZONA_TRY(const std::string id, id_of_user(context, options.tenant, options.user));
        ZONA_TRY(const Answer answer, context.session.ask(remove_factor(options.tenant, id)));
        ZONA_TRY(const auto told, data_to_tell(context, answer));
        if (told)
            context.console.remark(
                fmt::format("{} has no second factor\n", escape_control(options.user)));
        return kAllWell;
    }
    ZONA_TRY(options.password, person.secret("your password: ", "the password"));
    ZONA_TRY(const Answer answer, ask_as<FactorOptions>(context, person, options, change_factor));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (told) context.console.remark("no code is asked for any more\n");
    return kAllWell;
}

}  // namespace

Status factor(Context& context, const FactorOptions& options) {
    Person person(options.password_from_stdin);
    switch (options.action) {
        case FactorAction::kConfirm:
            return confirm_factor(context, options);
        case FactorAction::kRemove:
            return take_factor_away(context, person, options);
        case FactorAction::kEnrol:
            break;
    }
    return enrol_factor(context, person, options);
}

Status login(Context& context, const LoginOptions& given) {
    if (context.remote == nullptr) return only_elsewhere("login");
    Person person(given.password_from_stdin);
    // That there is a place for it is known before a session begins over there.
    {
        ZONA_TRY(const Logins::Change possible, context.logins->change(context.clock));
    }
    Answer answer;
    if (given.provider.empty()) {
        ZONA_TRY(const LoginOptions options, with_password(person, given));
        ZONA_TRY(answer, ask_as<LoginOptions>(context, person, options, begin_session));
    } else {
        ZONA_TRY(answer, ask_provider(context, given));
    }
    const std::string url = context.remote->url();
    ZONA_TRY(const Login login, login_from(url, answer.body));
    ZONA_TRY(Logins::Change change, context.logins->change(context.clock));
    ZONA_TRY_VOID(change.put(login));
    if (context.wants_json()) {
        const json::object data{{"host", url}, {"tenant", login.tenant}, {"user", login.user}};
        context.console.out(core::to_json(json::object{{"success", true}, {"data", data}}) + '\n');
    } else {
        context.console.remark(fmt::format("signed in as {} of {} at {}\n",
                                           escape_control(login.user), escape_control(login.tenant),
                                           context.remote->label()));
    }
    if (!context.key_origin.empty()) {
        context.console.error(
            fmt::format("zona: warning: {} goes before the session\n", context.key_origin));
    }
    return kAllWell;
}

Status logout(Context& context) {
    if (context.remote == nullptr) return only_elsewhere("logout");
    const std::string url = context.remote->url();
    ZONA_TRY(const auto known, context.logins->find(url));
    if (!known) {
        return Error(Code::kNotFound,
                     fmt::format("nobody has signed in at {} from here", context.remote->label()));
    }
    if (!context.key_origin.empty()) {
        return Error(Code::kConflict,
                     fmt::format("{} goes before the session, which can only end itself",
                                 context.key_origin))
            .detail({"", "", "give the command without the key"});
    }
    const auto answer = context.session.ask({"DELETE", "/api/v1/sessions/current", {}});
    ZONA_TRY(Logins::Change change, context.logins->change(context.clock));
    ZONA_TRY(const bool removed, change.remove(url));
    // A session that is over already is what was wanted; its login is gone by then.
    const bool is_over = answer || answer.error().code() == Code::kUnauthenticated;
    if (!is_over) {
        return Error(answer.error())
            .context("the session is forgotten here, and may go on over there");
    }
    if (context.wants_json() && answer) {
        print_body(context, *answer);
    } else if (context.wants_json()) {
        context.console.out("{\"success\":true,\"data\":{\"ended\":0}}\n");
    } else {
        context.console.remark(fmt::format("{} of {} has signed out of {}{}\n",
                                           escape_control(known->user),
                                           escape_control(known->tenant), context.remote->label(),
                                           removed ? "" : "; the session was over already"));
    }
    return kAllWell;
}

Status whoami(Context& context) {
    ZONA_TRY(const Answer answer, context.session.ask(get("/api/v1/whoami")));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told || !told->is_object()) return kAllWell;
    const json::object& who = told->get_object();
    context.console.out(fmt::format("{}\n", shown(who, "principal")));
    const json::value* session = who.if_contains("session");
    if (session != nullptr && session->is_object()) {
        context.console.out(fmt::format("roles    {}\nsession  {}\n",
                                        list_of(session->get_object(), "roles"),
                                        shown(session->get_object(), "id")));
    }
    return kAllWell;
}

Status passwd(Context& context, const LoginOptions& given) {
    Person person(given.password_from_stdin);
    ZONA_TRY(const LoginOptions options, with_password(person, given));
    ZONA_TRY(const core::Secret wanted, person.secret("new password: ", "the new password"));
    if (person.is_there()) {
        ZONA_TRY(const core::Secret again,
                 person.secret("new password again: ", "the new password"));
        if (!wanted.same_as(again))
            return Error(Code::kInvalidArgument, "the two new passwords differ; nothing was done");
    }
    const auto request = [&](const LoginOptions& login) { return change_password(login, wanted); };
    ZONA_TRY(const Answer answer, ask_as<LoginOptions>(context, person, options, request));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (told)
        context.console.remark(
            fmt::format("{} has a new password\n", escape_control(options.user)));
    return kAllWell;
}

Status sessions(Context& context, const SessionOptions& given) {
    SessionOptions options = given;
    const bool is_own =
        options.action == SessionAction::kEnd && options.tenant.empty() && options.user.empty();
    if (options.tenant.empty() && !is_own) {
        ZONA_TRY(options.tenant, own_tenant(context));
    }
    if (options.action == SessionAction::kList) {
        ZONA_TRY(const Answer answer, context.session.ask(list_sessions(options.tenant)));
        ZONA_TRY(const auto told, data_to_tell(context, answer));
        if (told) context.console.out(sessions_text(*told, context.console.screen()));
        return kAllWell;
    }
    std::string user;
    if (!options.user.empty()) {
        ZONA_TRY(user, id_of_user(context, options.tenant, options.user));
    }
    ZONA_TRY(const Answer answer, context.session.ask(end_sessions(options, user)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told || !told->is_object()) return kAllWell;
    const auto ended = integer_of(told->get_object(), "ended").value_or(0);
    context.console.remark(
        fmt::format("{} ended\n", count_of(static_cast<std::size_t>(ended), "session")));
    return kAllWell;
}

}  // namespace zona::cli
