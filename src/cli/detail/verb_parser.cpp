#include "cli/detail/verb_parser.h"

#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "cli/detail/text.h"
#include "core/text.h"

namespace zona::cli {
namespace {

using core::Code;
using core::Error;
using core::Result;
using std::string;
using std::vector;
using Words = std::span<const string>;

/// The parser of one verb and what it fills.
class VerbParser {
  public:
    explicit VerbParser(Verb verb) : verb_(verb) {
        app_.set_help_flag();
        app_.allow_extras();
        app_.add_option("arguments", raw_.positionals)->expected(0, -1);
        add_verb_flags();
        own_flags_ = app_.get_options().size();
        add_global_flags();
    }

    Result<RawWords> parse(Words words) {
        vector<string> reversed(words.rbegin(), words.rend());
        try {
            app_.parse(reversed);
        } catch (const CLI::ArgumentMismatch& problem) {
            return Error(Code::kInvalidArgument, mismatch(problem.what()))
                .detail({"", "", help_hint()});
        } catch (const CLI::Error& problem) {
            return Error(Code::kInvalidArgument, problem.what()).detail({"", "", help_hint()});
        }
        ZONA_TRY_VOID(reject_unknown());
        return std::move(raw_);
    }

    string help() const {
        const VerbInfo& verb = info(verb_);
        string text =
            fmt::format("{}\n\nUsage: zona {} {}\n", verb.summary, verb.name, verb.synopsis);
        if (!verb.aliases.empty()) {
            text += fmt::format("Also:  {}\n", fmt::join(verb.aliases, ", "));
        }
        if (!verb.description.empty()) {
            text += '\n';
            for (const string& line : wrap(verb.description, 80))
                text += line + '\n';
        }
        const auto options = app_.get_options();
        if (own_flags_ > 1) text += "\nOptions\n" + describe(options, 1, own_flags_);
        text += "\nOptions of every verb\n" + describe(options, own_flags_, options.size());
        if (!verb.examples.empty()) text += "\nExamples\n";
        for (const Example& example : verb.examples) {
            text += fmt::format("  {}\n      {}\n", example.command, example.what);
        }
        return text;
    }

  private:
    template <class Text>
    void text_flag(const char* names, Text& into, const char* value, const char* what) {
        app_.add_option(names, into, what)->type_name(value)->take_last();
    }
    void list_flag(const char* names, vector<string>& into, const char* value, const char* what) {
        app_.add_option(names, into, what)
            ->type_name(value)
            ->expected(1)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
            ->allow_extra_args(false);
    }
    void no_wait_flag() {
        app_.add_flag("--no-wait", raw_.no_wait, "answer at once, without waiting for the effect");
    }
    void env_from_here_flag() {
        app_.add_flag("--env-from-here", raw_.env_from_here,
                      "to another host, too: send the variables of this shell");
    }
    void only_flag() { list_flag("--only", raw_.only, "NAME,...", "of the file, only these apps"); }

    void add_start_flags() {
        for (std::size_t i = 0; i < kAppFlags.size(); ++i) {
            const AppFlag& flag = kAppFlags.at(i);
            if (is_switch(flag.kind)) {
                app_.add_flag(flag.names, raw_.app_switches.at(i), flag.help);
            } else {
                text_flag(flag.names, raw_.app_values.at(i), flag.value, flag.help);
            }
        }
        list_flag("-e,--env", raw_.environment, "NAME=VALUE", "a variable; may be repeated");
        only_flag();
        env_from_here_flag();
        no_wait_flag();
    }

    void add_verb_flags() {
        switch (verb_) {
            case Verb::kStart:
                return add_start_flags();
            case Verb::kRestart:
                app_.add_flag("--update-env", raw_.update_env,
                              "with the environment of this shell");
                env_from_here_flag();
                return no_wait_flag();
            case Verb::kStop:
            case Verb::kDelete:
            case Verb::kScale:
                return no_wait_flag();
            case Verb::kSignal:
                app_.add_flag("--process", raw_.process, "the process alone, not its group");
                app_.add_flag("--tree", raw_.tree, "every descendant, other groups too");
                return;
            case Verb::kRun:
                only_flag();
                text_flag("--cwd", raw_.run_cwd, "DIR",
                          "on another host: what the file's relative paths start from (/)");
                return env_from_here_flag();
            case Verb::kWhy:
                return text_flag("--last", raw_.last, "N", "ends per process (3)");
            case Verb::kWeb:
                return text_flag("-p,--port", raw_.port, "PORT", "there (9615)");
            case Verb::kSave:
                app_.add_flag("--force,-f", raw_.force, "save an empty list too");
                return;
            case Verb::kLogs:
                return add_logs_flags();
            case Verb::kJob:
                return text_flag("--cursor", raw_.cursor, "TEXT",
                                 "the page of a history after this one");
            case Verb::kCache:
                return add_cache_flags();
            case Verb::kVault:
                return add_vault_flags();
            case Verb::kAudit:
                return add_audit_flags();
            case Verb::kLicense:
                return text_flag("--tenant", raw_.tenant, "CODE",
                                 "show: that of this tenant (else the installation's)");
            case Verb::kTenant:
                return add_tenant_flags();
            case Verb::kBackup:
                return add_backup_flags();
            case Verb::kStore:
                text_flag("--to", raw_.to, "HOST",
                          "migrate: mongodb://HOST/ or embedded (else as tenancy.placement says)");
                add_login_flags();
                text_flag("--build-type", raw_.build_type, "MSSP|SINGLE_TENANT",
                          "migrate: what the next start is to make of this zona's data");
                app_.add_flag("--no-wait", raw_.no_wait, "do not wait for the end of it");
                return;
            default:
                return add_identity_flags();
        }
    }

    /// Of verbs about who asks, and who may.
    void add_identity_flags() {
        switch (verb_) {
            case Verb::kKey:
                return add_key_flags();
            case Verb::kUser:
                return add_user_flags();
            case Verb::kRole:
                return add_role_flags();
            case Verb::kIdp:
                return add_provider_flags();
            case Verb::kLogin:
                text_flag("--idp", raw_.provider, "NAME", "sign in at this identity provider");
                return add_credential_flags();
            case Verb::kPasswd:
                return add_credential_flags();
            case Verb::kFactor:
                text_flag("--tenant", raw_.tenant, "CODE", "remove: the user's (default)");
                text_flag("--user", raw_.user, "NAME", "remove: of this user (else your own)");
                text_flag("--code", raw_.code, "CODE", "remove: of the second factor");
                app_.add_flag("--password-stdin", raw_.password_stdin,
                              "read the password from stdin");
                return;
            case Verb::kSession:
                text_flag("--tenant", raw_.tenant, "CODE", "whose (else your own); core: of none");
                text_flag("--user", raw_.user, "NAME", "end: all of this user");
                return text_flag("--session", raw_.session, "ID", "end: this one, as it is listed");
            default:
                return;
        }
    }

    void add_logs_flags() {
        text_flag("-l,--lines", raw_.lines, "N", "last lines per process (15)");
        app_.add_flag("--out", raw_.out, "stdout only");
        app_.add_flag("--err", raw_.err, "stderr only");
        text_flag("--since", raw_.since, "TIME",
                  "lines since then: 10m ago, or 2026-03-09T07:12:44Z");
        app_.add_flag("--nostream,--no-follow", raw_.no_stream,
                      "end after the last line, do not follow");
        app_.add_flag("--raw", raw_.raw, "the lines alone, without names");
    }

    void add_key_flags() {
        text_flag("--scope", raw_.scope, "SCOPE", "viewer (else) or admin");
        text_flag("--allow", raw_.allow, "PERMISSION,...", "may do just this: users:read");
        text_flag("--roles", raw_.roles, "ROLE,...", "may do what these roles of its tenant allow");
        text_flag("--tenant", raw_.tenant, "CODE", "reaches this tenant alone (else all)");
        text_flag("--rate", raw_.rate, "N", "requests per second (else any number)");
        text_flag("--burst", raw_.burst, "N", "at once after a rest (else twice the rate)");
        text_flag("--rotate-every", raw_.rotate_every, "TIME", "a successor is due after 30d");
        text_flag("--expires", raw_.expires, "TIME", "end after 30d, 12h (else never)");
        text_flag("--overlap", raw_.overlap, "TIME", "both keys are valid for (else 1h)");
        text_flag("--certificate", raw_.certificate, "FILE",
                  "a client certificate in PEM, in the place of a text");
        text_flag("--needed", raw_.needed, "N", "shares that make the root key (else 2)");
        text_flag("--total", raw_.total, "N", "shares of the root key (else 3)");
        text_flag("--to", raw_.to, "FILE", "import-shares: for the key, must not be there");
    }

    void add_user_flags() {
        text_flag("--tenant", raw_.tenant, "CODE", "whose (default); core: of no tenant");
        text_flag("--email", raw_.email, "ADDRESS", "create, invite, change: an address");
        text_flag("--roles", raw_.roles, "ROLE,...", "create, invite: what the user may do");
        text_flag("--password-file", raw_.password_file, "FILE",
                  "create, change: holds the password; - is stdin");
        text_flag("--expires", raw_.expires, "TIME", "invite: good for 12h, 7d (else 3d)");
    }

    void add_credential_flags() {
        text_flag("--tenant", raw_.tenant, "CODE", "the user's (default); core: of no tenant");
        text_flag("--user", raw_.user, "NAME", "who (else the terminal is asked)");
        text_flag("--code", raw_.code, "CODE", "of the second factor, or a recovery code");
        app_.add_flag("--password-stdin", raw_.password_stdin,
                      "read the password from stdin; passwd: the present one, and the new one "
                      "in a second line");
    }

    void add_provider_flags() {
        text_flag("--tenant", raw_.tenant, "CODE", "whose (default)");
        text_flag("--issuer", raw_.issuer, "URL", "as the provider writes it");
        app_.add_flag("--saml", raw_.saml, "by SAML 2.0, not OpenID Connect");
        text_flag("--metadata", raw_.metadata, "FILE|URL", "the provider's SAML metadata");
        text_flag("--client-id", raw_.client_id, "ID", "as which zona is known there");
        text_flag("--secret-file", raw_.secret_file, "FILE", "holds its password; - is stdin");
        text_flag("--description", raw_.description, "TEXT", "for people");
        list_flag("--group", raw_.groups, "GROUP=ROLE", "has the role; may be repeated");
        text_flag("--roles", raw_.roles, "ROLE,...", "of everybody who comes from there");
        text_flag("--name-claim", raw_.name_claim, "CLAIM", "names users (preferred_username)");
        text_flag("--groups-claim", raw_.groups_claim, "CLAIM", "holds groups (groups)");
        text_flag("--scopes", raw_.scopes, "SCOPE,...", "asked for (openid,profile,email)");
        app_.add_flag("--create-users", raw_.create_users, "make a user for who has none");
        app_.add_flag("--off", raw_.off, "nobody signs in by it for now");
    }

    void add_role_flags() {
        text_flag("--tenant", raw_.tenant, "CODE", "whose (default); core: of no tenant");
        text_flag("--description", raw_.description, "TEXT", "for people");
        text_flag("--inherits", raw_.inherits, "ROLE,...", "has what these grant, too");
        list_flag("--grant", raw_.grants, "GRANT", "utilities:read=all; may be repeated");
        text_flag("--weekdays", raw_.weekdays, "DAY,...", "its grants hold on mon,tue,... only");
        text_flag("--from", raw_.from, "TIME", "from then on, UTC: 08:00");
        text_flag("--until", raw_.until, "TIME", "until then, UTC: 17:00");
        text_flag("--networks", raw_.networks, "NETWORK,...", "from there only: 10.0.0.0/8");
    }

    void add_cache_flags() {
        text_flag("--tenant", raw_.tenant, "CODE", "flush: of this tenant alone (else all)");
        text_flag("--entity", raw_.entity, "NAME", "flush: of the tenant, what is of this kind");
        text_flag("--pattern", raw_.pattern, "GLOB", "flush: of the tenant, ids of this form");
        text_flag("--tag", raw_.tag, "TAG", "flush: of the tenant, what has this tag");
    }

    void add_audit_flags() {
        text_flag("--tenant", raw_.tenant, "CODE", "its record (else the installation's)");
        text_flag("--actor", raw_.actor, "WHO", "kind:id, as it is listed");
        text_flag("--action", raw_.action, "NAME", "what was done, as it is listed");
        text_flag("--resource", raw_.resource, "PATH", "to what, all of it");
        text_flag("--category", raw_.category, "NAME",
                  "authentication, data_access, configuration, process, security or compliance");
        text_flag("--outcome", raw_.outcome, "NAME", "success, failure or refused");
        text_flag("--from", raw_.from, "TIME", "not before: 24h ago, or 2026-03-09T07:12:44Z");
        text_flag("--to", raw_.to, "TIME", "before it");
        text_flag("--limit", raw_.limit, "N", "list: entries of a page (50)");
        text_flag("--cursor", raw_.cursor, "TEXT", "list: the page after this one");
        text_flag("--format", raw_.format, "FORM", "export: jsonl (else) or csv");
        text_flag("--head", raw_.head, "SEQ:HASH", "verify: a head that was kept elsewhere");
        text_flag("--reason", raw_.reason, "TEXT", "unmask: what for, put on record");
        app_.add_flag("--archives", raw_.archives,
                      "verify, export: what has left the record into archives, too");
    }

    void add_vault_flags() {
        app_.add_flag("--all", raw_.all, "rotate: of the installation and all tenants");
        text_flag("--confirm", raw_.confirm, "CODE", "revoke: the same code once more");
        app_.add_flag("--no-wait", raw_.no_wait, "rotate: do not wait for the end of it");
    }

    void add_tenant_flags() {
        text_flag("--name", raw_.tenant_name, "NAME", "for people (else its code)");
        text_flag("--email", raw_.email, "ADDRESS", "whom to write to");
        text_flag("--requests-per-second", raw_.requests_per_second, "N",
                  "that its keys may send (update; 0: any number; default: as usual)");
        text_flag("--concurrent-requests", raw_.concurrent_requests, "N",
                  "that may be at work at the same time (update)");
        text_flag("--db-host", raw_.db_host, "HOST",
                  "create: mongodb://HOST/ or embedded (else as tenancy.placement says)");
        text_flag("--to", raw_.to, "HOST", "move: mongodb://HOST/ or embedded (else a new file)");
        text_flag("--db-name", raw_.db_name, "NAME",
                  "create, move: of the database in MongoDB (else zona_CODE)");
        add_login_flags();
        text_flag("--storage-bytes", raw_.storage_bytes, "N",
                  "that its documents may take (update; 0: any number; default: as usual)");
        app_.add_flag("--replace", raw_.replace,
                      "restore: in the place of the documents that it has");
        text_flag("--of", raw_.of, "CODE", "restore: the tenant that the backup is of");
        text_flag("--at", raw_.at, "TIME",
                  "restore: as it was then: 10m ago, or 2026-03-09T07:12:44Z");
        app_.add_flag("--open-secrets", raw_.open_secrets,
                      "export-data: secret fields in clear, and not masked");
        text_flag("--confirm", raw_.confirm, "CODE", "erase: its code once more");
        app_.add_flag("--keep-backups", raw_.keep_backups,
                      "erase: all but its backups and their keys");
        app_.add_flag("--no-wait", raw_.no_wait, "do not wait for the end of it");
    }

    void add_login_flags() {
        text_flag("--db-username", raw_.db_username, "NAME", "who zona is in MongoDB");
        text_flag("--db-password-file", raw_.db_password_file, "FILE",
                  "holds its password there; - reads it from stdin");
    }

    void add_backup_flags() {
        text_flag("--to", raw_.to, "HOME", "restore: the home to be made");
        text_flag("--root-key", raw_.root_key, "FILE",
                  "restore, check: the root key (else that of this home)");
        text_flag("--shares", raw_.shares, "FILE", "check: shares of the root key, one a line");
        text_flag("--at", raw_.at, "TIME",
                  "restore, check: as it was then: 10m ago, or 2026-03-09T07:12:44Z");
        app_.add_flag("--no-wait", raw_.no_wait, "do not wait for the end of it");
    }

    void add_global_flags() {
        text_flag("--home", raw_.home, "DIR", "zona's home (else ZONA_HOME, else ~/.zona)");
        list_flag("--set", raw_.settings, "KEY=VALUE", "a setting of the zona that this starts");
        const bool listens = verb_ == Verb::kWeb;
        text_flag("--host", raw_.host, listens ? "ADDRESS" : "URL",
                  listens ? "of this host, to listen on (127.0.0.1)"
                          : "the zona there (else ZONA_HOST, else the context)");
        text_flag("--context", raw_.context, "NAME", "the zona of that name: see zona context");
        text_flag("--key-file", raw_.key_file, "FILE", "holds the API key for it");
        text_flag("--ca-file", raw_.ca_file, "FILE", "trust these authorities (PEM), no others");
        text_flag("--fingerprint", raw_.fingerprint, "SHA256", "trust this certificate, no other");
        text_flag("--client-cert", raw_.client_cert, "FILE", "show this certificate (PEM) there");
        text_flag("--client-key", raw_.client_key, "FILE", "its key, if not in the same file");
        app_.add_flag("--insecure", raw_.insecure, "let the key go over the network unencrypted");
        app_.add_flag("--json", raw_.json, "print the answer as JSON, and nothing else");
        app_.add_flag("--no-color,--no-colors", raw_.no_color, "no colours");
        app_.add_flag("-s,--silent", raw_.silent, "print errors and what was asked for only");
        text_flag("--timeout", raw_.timeout, "TIME", "give up after 5s, 500ms, 2m");
        app_.add_flag("-h,--help", raw_.help, "this help");
        app_.add_flag("-V,--version", raw_.version, "the version");
    }

    static string describe(const vector<const CLI::Option*>& options, std::size_t from,
                           std::size_t to) {
        string text;
        for (std::size_t i = from; i < to; ++i) {
            const CLI::Option& option = *options[i];
            vector<string> names;
            for (const string& name : option.get_snames())
                names.push_back("-" + name);
            for (const string& name : option.get_lnames())
                names.push_back("--" + name);
            string left = fmt::format("  {}", fmt::join(names, ", "));
            if (option.get_items_expected_max() > 0) left += " " + option.get_type_name();
            text += left.size() > 30 ? left + "\n" + string(32, ' ') : fmt::format("{:<32}", left);
            text += option.get_description() + "\n";
        }
        return text;
    }

    vector<string> flag_names() const {
        vector<string> names;
        for (const CLI::Option* option : app_.get_options()) {
            for (const string& name : option->get_snames())
                names.push_back("-" + name);
            for (const string& name : option->get_lnames()) {
                // Not to be meant by --port, which belongs to the program that is started.
                if (name != "host" || verb_ != Verb::kStart) names.push_back("--" + name);
            }
        }
        return names;
    }

    /// "zona list"; of the words before a verb "zona".
    string command() const {
        return verb_ == Verb::kHelp ? "zona" : fmt::format("zona {}", info(verb_).name);
    }
    string help_hint() const { return fmt::format("see {} --help", command()); }

    static string mismatch(const string& what) {
        const string flag = what.substr(0, what.find(':'));
        return fmt::format("{} needs a value", flag);
    }

    Result<void> reject_unknown() const {
        for (const string& word : app_.remaining()) {
            if (word.size() < 2 || word[0] != '-' || word == "--") continue;
            const string flag = word.substr(0, word.find('='));
            string message = fmt::format("{} has no option {}{}", command(), escape_control(flag),
                                         core::suggestion(flag, flag_names()));
            Error error(Code::kInvalidArgument, std::move(message));
            if (verb_ == Verb::kStart) {
                error.detail({"", "", "options of the program itself stand behind --"});
            }
            return std::move(error).detail({"", "", help_hint()});
        }
        return {};
    }

    CLI::App app_;
    Verb verb_;
    RawWords raw_;
    std::size_t own_flags_ = 0;
};

}  // namespace

Result<RawWords> read_words(Verb verb, Words words) {
    return VerbParser(verb).parse(words);
}

string verb_help(Verb verb) {
    return VerbParser(verb).help();
}

}  // namespace zona::cli
