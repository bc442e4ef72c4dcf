#include "cli/detail/verb.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/detail/text.h"
#include "core/text.h"

namespace zona::cli {
namespace {

using enum Verb;
using enum VerbGroup;
using enum DaemonNeed;

std::vector<VerbInfo> process_verbs() {
    return {
        {kStart,
         "start",
         {},
         kProcesses,
         kStartsIt,
         "TARGET... [OPTIONS] [-- ARGUMENTS]",
         "Start a script, the apps of a file, or processes that are stopped",
         "TARGET is a process in the list (id, name, namespace, all, /regex/), an ecosystem file "
         "(.json, .yaml, .yml, .toml), or else a script or program. Everything after -- is given "
         "to the program. Answers with the table and what became of each process; the exit status "
         "is 0 when all are ready and 1 when one ended at once.",
         {{"zona start app.py", "run a script with the interpreter of its extension"},
          {"zona start ./server --name api -i 3 -- --port 8080", "three instances of a program"},
          {"zona start ecosystem.yaml --only api,worker", "two apps of a file"},
          {"zona start api", "start a process that was stopped"}}},
        {kStop,
         "stop",
         {},
         kProcesses,
         kStartsIt,
         "SELECTOR... [OPTIONS]",
         "Stop processes; they stay in the list",
         "Sends the process its kill signal, waits, and kills what is left of its tree.",
         {{"zona stop api", "all instances of api"}, {"zona stop all", "everything"}}},
        {kRestart,
         "restart",
         {},
         kProcesses,
         kStartsIt,
         "SELECTOR... [OPTIONS]",
         "Stop and start processes; they keep id and name",
         "The environment stays that of the first start unless --update-env is given.",
         {{"zona restart api", "all instances of api"},
          {"zona restart 3 --update-env", "with the environment of this shell"}}},
        {kDelete,
         "delete",
         {"del"},
         kProcesses,
         kStartsIt,
         "SELECTOR... [OPTIONS]",
         "Stop processes and remove them from the list",
         "Their log files stay.",
         {{"zona delete api", "remove api"}, {"zona delete ns:batch", "remove a namespace"}}},
        {kScale,
         "scale",
         {},
         kProcesses,
         kStartsIt,
         "APP N|+N|-N [OPTIONS]",
         "Set, raise or lower the number of instances of an app",
         "",
         {{"zona scale api 4", "exactly four"}, {"zona scale api +2", "two more"}}},
        {kReset,
         "reset",
         {},
         kProcesses,
         kStartsIt,
         "SELECTOR... [OPTIONS]",
         "Set the restart counters of processes to zero",
         "",
         {{"zona reset all", "all counters"}}},
        {kSignal,
         "signal",
         {"sendsignal"},
         kProcesses,
         kStartsIt,
         "SIGNAL SELECTOR... [OPTIONS]",
         "Send a signal to processes",
         "To the process group, unless --process (the process alone) or --tree (every "
         "descendant) is given.",
         {{"zona signal USR1 api", "to api's process group"},
          {"zona signal SIGHUP 3 --process", "to the process alone"}}},
        {kSend,
         "send",
         {},
         kProcesses,
         kStartsIt,
         "SELECTOR LINE [OPTIONS]",
         "Write a line to the stdin of a process started with --stdin",
         "",
         {{"zona send repl 'print(1)'", "a newline is appended"}}},
        {kRun,
         "run",
         {},
         kProcesses,
         kStartsIt,
         "FILE [OPTIONS]",
         "Run the apps of a file in the foreground until Ctrl-C",
         "Starts the apps, follows their logs, and stops them in reverse order on Ctrl-C; the "
         "daemon too if this command started it. A second Ctrl-C kills at once. Ends by itself "
         "when every app has ended, with the first exit code that is not 0.",
         {{"zona run ecosystem.yaml", "all apps of the file"},
          {"zona run ecosystem.yaml --only api", "one of them"}}},
    };
}

std::vector<VerbInfo> look_verbs() {
    return {
        {kList,
         "list",
         {"ls", "l", "ps", "status"},
         kLook,
         kNeverStarts,
         "[SELECTOR...] [OPTIONS]",
         "Show the processes",
         "",
         {{"zona list", "all of them"}, {"zona list --json", "as the API gives them"}}},
        {kDescribe,
         "describe",
         {"desc", "info", "show"},
         kLook,
         kNeverStarts,
         "SELECTOR... [OPTIONS]",
         "Show everything about processes",
         "",
         {{"zona describe api", "settings, files, containment, last exit"}}},
        {kWhy,
         "why",
         {},
         kLook,
         kNeverStarts,
         "[SELECTOR...] [OPTIONS]",
         "Tell why processes ended, and why one is held",
         "Without a selector: every process that has ended at least once.",
         {{"zona why api", "its last three ends"}, {"zona why api --last 10", "the last ten"}}},
        {kLogs,
         "logs",
         {"log"},
         kLook,
         kNeverStarts,
         "[SELECTOR...] [OPTIONS]",
         "Show the last log lines of processes, then follow them",
         "Ctrl-C ends it. A restart of the daemon does not: no line is lost or shown twice.",
         {{"zona logs", "15 lines of each process, then all new ones"},
          {"zona logs api --err --since 10m --nostream", "stderr of the last ten minutes"},
          {"zona logs api --json", "one JSON object a line"}}},
        {kEnv,
         "env",
         {},
         kLook,
         kNeverStarts,
         "SELECTOR [OPTIONS]",
         "Show the environment of a process",
         "As its next start gets it.",
         {{"zona env 0", "one NAME=value a line"}}},
        {kExecution,
         "execution",
         {"executions"},
         kLook,
         kNeverStarts,
         "[list | show ID | wait ID | cancel ID | retry ID] [OPTIONS]",
         "Follow what was begun with --no-wait",
         "A change with --no-wait goes on as an execution, whose id it prints. `wait` ends with "
         "it, with the exit status that the change itself would have had. Tasks (backups, "
         "restores, moves and the like) outlive the daemon: one that was under way when it died "
         "goes on, or has failed and says so. `cancel` ends a task, `retry` begins one that has "
         "failed or was cancelled once more.",
         {{"zona execution", "those that run, and the latest that have ended"},
          {"zona execution wait ID", "until it has ended"},
          {"zona execution cancel ID", "take back what it had begun"}}},
        {kJlist,
         "jlist",
         {},
         kLook,
         kNeverStarts,
         "[OPTIONS]",
         "Print the processes as JSON in PM2's shape, and nothing else",
         "",
         {{"zona jlist | jq '.[].pm2_env.status'", "for scripts written for PM2"}}},
    };
}

std::vector<VerbInfo> keep_verbs() {
    return {
        {kSave,
         "save",
         {"dump"},
         kKeep,
         kStartsIt,
         "[OPTIONS]",
         "Save the list of processes for resurrect",
         "zona restores its processes by itself; this is for those who keep a list of their own.",
         {{"zona save", "an empty list is refused"}, {"zona save --force", "save it even so"}}},
        {kResurrect,
         "resurrect",
         {},
         kKeep,
         kStartsIt,
         "[OPTIONS]",
         "Bring back what ran before `zona kill`, or else the saved list",
         "",
         {{"zona resurrect", "start what is not running"}}},
    };
}

std::vector<VerbInfo> zona_verbs() {
    return {
        {kPing,
         "ping",
         {},
         kZona,
         kNeverStarts,
         "[OPTIONS]",
         "Ask whether zona runs",
         "Exit status 0 when it answers, 6 when it does not run.",
         {{"zona ping --json", "pids, version and uptime"}}},
        {kKill,
         "kill",
         {},
         kZona,
         kNeverStarts,
         "[OPTIONS]",
         "Stop every process and zona itself",
         "The next start of zona starts nothing by itself; `zona resurrect` brings all back.",
         {{"zona kill", "wait until everything has stopped"}}},
        {kDoctor,
         "doctor",
         {},
         kZona,
         kNeverStarts,
         "[OPTIONS]",
         "Check what this host can do, and why not more",
         "",
         {{"zona doctor", "containment, limits, what is missing and how to get it"}}},
        {kWeb,
         "web",
         {},
         kZona,
         kStartsIt,
         "[--port PORT] [--host ADDRESS] [OPTIONS]",
         "Open the address where PMDaemon's clients look",
         "The API is served there, too, until zona ends (zona kill, or the host); the setting "
         "api.pmdaemon_listen keeps it. Without flags the address is 127.0.0.1:9615. Every request "
         "shows an API key as everywhere; no key is taken as an argument, which everybody on the "
         "host could read.",
         {{"zona web", "PMDaemon's clients find zona where PMDaemon was"},
          {"zona web --port 8080", "on another port"}}},
        {kConfig,
         "config",
         {"conf"},
         kZona,
         kNeverStarts,
         "[show | reload | log-level [CATEGORY LEVEL]] [OPTIONS]",
         "Show or reload the configuration, read or set log levels",
         "",
         {{"zona config show", "each value and where it came from"},
          {"zona config reload", "read the files again"},
          {"zona config log-level api debug", "until the daemon ends"}}},
        {kKey,
         "key",
         {"keys"},
         kZona,
         kNeverStarts,
         "[list | show NAME | create NAME | rotate NAME | renew | revoke NAME | export-shares | "
         "import-shares FILE "
         "--to "
         "KEYFILE] [OPTIONS]",
         "Manage the API keys with which others reach this zona over the network",
         "The first key, `default`, lies in the home's file api-key. `create` and `rotate` print "
         "the "
         "new key alone and once; zona keeps only its hash. A viewer may only read; with --allow "
         "or --roles a key may do just that. One with --rotate-every is due after that time and "
         "ends a quarter of it later, 7 days at most; `renew` replaces the key that asks, as its "
         "client does by itself. With --certificate the key is a client certificate, which is "
         "shown "
         "over TLS, and no text is made. With --tenant it is about the keys of this tenant alone, "
         "for which its administrators may ask, too. "
         "`export-shares` "
         "prints the root key of this home as shares for several people, of whom some together "
         "make the key again with `import-shares`.",
         {{"zona key create ci --scope admin > ci.key", "a new key; umask 077 first"},
          {"zona key create wall --expires 30d", "for a dashboard that only reads"},
          {"zona key create robot --tenant acme --scope admin --certificate robot.pem",
           "a client certificate is the key"},
          {"zona key create directory --tenant acme --allow users:read --rate 100 --rotate-every "
           "30d",
           "for one purpose"},
          {"zona --key-file ci.key --host URL key renew > new.key",
           "by the key itself, from a timer"},
          {"zona key rotate ci --overlap 10m", "a successor; the old one ends in ten minutes"},
          {"zona key revoke ci", "at once"},
          {"zona key export-shares --needed 2 --total 3", "one for each of three people"},
          {"zona key import-shares shares --to /srv/root-key", "two of them, one a line"}}},
        {kTenant,
         "tenant",
         {"tenants"},
         kZona,
         kStartsIt,
         "[list | create CODE | show CODE | states CODE | update CODE | suspend CODE | activate "
         "CODE | "
         "deactivate CODE | databases CODE | backup CODE | backups CODE | verify CODE BACKUP | "
         "drop-backup CODE BACKUP | restore CODE [BACKUP] [--at TIME] | "
         "export-data CODE DIRECTORY | move CODE [--to HOST] | "
         "erase CODE --confirm CODE] [OPTIONS]",
         "Manage the tenants",
         "Each has a database of its own, or its part of a shared one, as the setting "
         "tenancy.build_type says. Only an active tenant is served; the data of the others stays. "
         "`states` shows what a tenant's record was before. `restore` puts a backup, by its uuid "
         "or "
         "the path of its file, in the place of what the tenant has; `move` copies it to another "
         "database while it is served, and serves it from there; `erase` takes all that is "
         "stored of it away for good.",
         {{"zona tenant create acme --name 'Acme Ltd.'", "it is served from then on"},
          {"zona tenant list", "all of them, those that are not served included"},
          {"zona tenant update acme --requests-per-second 200", "a quota of its own"},
          {"zona tenant update acme --db-username zona2 --db-password-file pw",
           "tried in MongoDB first, and used from then on"},
          {"zona tenant suspend acme", "until `zona tenant activate acme`"},
          {"zona tenant backup acme", "while it is served"},
          {"zona tenant move acme --to mongodb://db:27017/", "and back with --to embedded"},
          {"zona tenant restore acme UUID --replace", "in the place of what it has"},
          {"zona tenant restore acme --at 10m --replace", "as it was ten minutes ago"},
          {"zona tenant erase acme --confirm acme", "its backups and keys, too"}}},
        {kUser,
         "user",
         {"users"},
         kZona,
         kStartsIt,
         "[list | show NAME | create NAME | invite | change NAME | disable NAME | enable NAME | "
         "remove NAME | roles NAME [ROLE,...]] [OPTIONS]",
         "Manage who signs in, and what they may do",
         "Of the tenant `default`, unless --tenant names another; `--tenant core` are those of no "
         "tenant, Super Admins. `invite` prints a token, once: whoever has it chooses name and "
         "password. A user without roles may do nothing.",
         {{"zona user invite --email anna@acme.example --roles creator", "a token, for three days"},
          {"zona user create bert --password-file - --roles user", "with a first password"},
          {"zona user roles bert creator,night-shift", "these, and no others"},
          {"zona user disable bert", "gets in no more"}}},
        {kRole,
         "role",
         {"roles"},
         kZona,
         kStartsIt,
         "[list | show NAME | create NAME | remove NAME] [OPTIONS]",
         "Manage what users may do",
         "There are `user`, `creator`, `admin` and, for users of no tenant, `super_admin`; a "
         "tenant makes others beside them. A grant is RESOURCE:ACTION=own or =all.",
         {{"zona role list", "with what each grants"},
          {"zona role create night-shift --inherits user --grant utilities:execute=all --from "
           "22:00 "
           "--until 06:00",
           "more at night"},
          {"zona role remove night-shift", "if nobody has it"}}},
        {kIdp,
         "idp",
         {"idps"},
         kZona,
         kStartsIt,
         "[list | show NAME | add NAME | replace NAME | remove NAME] [OPTIONS]",
         "Manage where users sign in",
         "OpenID Connect and SAML providers of a tenant, `default` unless --tenant names another. "
         "Groups become roles with each sign-in; with neither --group nor --roles, roles are given "
         "here. "
         "`replace` sets all of it anew, but keeps the secret.",
         {{"zona idp add corp --issuer https://login.example/realms/corp --client-id zona "
           "--secret-file - --group soc=creator",
           "the client's secret comes from stdin"},
          {"zona idp add corp --saml --metadata https://login.example/metadata",
           "SAML, which goes by metadata"},
          {"zona idp list", "with whom they let in"},
          {"zona idp remove corp", "nobody signs in by it any more"}}},
        {kJob,
         "job",
         {"jobs"},
         kZona,
         kStartsIt,
         "[list | show NAME | history NAME | run NAME | pause NAME | resume NAME | cancel NAME] "
         "[OPTIONS]",
         "Look after what zona does in the background",
         "A job is due by its schedule, is tried again when it fails, and runs once if its moment "
         "was missed. `run` begins it now and does not wait for its end; `pause` lets it not begin "
         "by itself. `history` shows its runs, the newest first.",
         {{"zona job list", "when each is due, and what its last run came to"},
          {"zona job run purge", "now"},
          {"zona job history key-rotation", "what it did, and why it failed"}}},
        {kCache,
         "cache",
         {},
         kZona,
         kStartsIt,
         "[stats | flush] [OPTIONS]",
         "Show what is cached, or forget it",
         "`stats` shows what this zona keeps in memory, by tenant, how often it was of use, and "
         "whether Redis answers. `flush` forgets everything, or what the options name, in all "
         "instances; it is read from the database again.",
         {{"zona cache", "hits, misses and bytes of each tenant"},
          {"zona cache flush", "everything"},
          {"zona cache flush --tenant acme --entity apps --pattern 'list-*'", "a part"},
          {"zona cache flush --tenant acme --tag catalogue", "what has that tag"}}},
        {kBackup,
         "backup",
         {"backups"},
         kZona,
         kStartsIt,
         "[list | create | show ID | verify ID | delete ID | restore ID --to HOME | check ID] "
         "[OPTIONS]",
         "Back up the whole installation",
         "The core database, each tenant, and their keys, wrapped by the root key, which is not in "
         "it. `restore` makes a new home of a backup, by its uuid or its directory, reads it once "
         "more, and compares; `check` does that and takes it away again. Both ask no zona. "
         "Databases "
         "in MongoDB `restore` leaves as they are: it names those tenants, and for each the "
         "command "
         "that restores it from the same backup, and ends with status 4.",
         {{"zona backup create", "while all are served"},
          {"zona backup restore UUID --to /srv/zona2", "with the root key of this home"},
          {"zona backup restore /mnt/UUID --to /srv/zona2 --root-key /mnt/key",
           "where the old home is gone"},
          {"zona backup check /mnt/UUID --shares shares", "that it can be had back"}}},
        {kStore,
         "store",
         {},
         kZona,
         kStartsIt,
         "[check | migrate --to HOST | migrate --build-type TYPE] [OPTIONS]",
         "Check the databases of all tenants, or move all to another host",
         "`check` holds each against its own structure, its counts, its keys, and whom its "
         "documents belong to. `migrate` does `zona tenant move` for each in turn; without --to "
         "for "
         "those that are not where tenancy.placement says. After an error, or a death of zona, the "
         "same command goes on. --build-type asks for another tenancy.build_type: the next start "
         "with that setting copies what all tenants have. The exit status is 4 if something is "
         "wrong.",
         {{"zona store check", "what is wrong, and where"},
          {"zona store migrate --to mongodb://db:27017/ --db-username zona --db-password-file pw",
           "all tenants, one after the other"},
          {"zona store migrate --to embedded", "and back"},
          {"zona store migrate --build-type SINGLE_TENANT",
           "one database for all, from the next start"}}},
        {kVault,
         "vault",
         {},
         kZona,
         kNeverStarts,
         "[status | keys | rotate CODE | rotate --all | rewrap | revoke CODE --confirm CODE]",
         "Manage the keys that tenants' data is encrypted under",
         "They are never shown, only their ids and ages. `rotate` gives a tenant, or the "
         "installation (`core`), a new key and encrypts anew beside its use what is there; old "
         "ones are forgotten then, but for backups. `rewrap` wraps "
         "all with a new root key where tenancy.root_key says. `revoke` makes a tenant's data "
         "unreadable for good. API keys are another thing: `zona key`.",
         {{"zona vault keys", "ids, states and ages"},
          {"zona vault rotate acme", "a new key for acme"},
          {"zona vault rewrap", "after another tenancy.root_key was set"},
          {"zona vault revoke acme --confirm acme", "there is no way back"}}},
        {kAudit,
         "audit",
         {},
         kZona,
         kStartsIt,
         "[list | export | archives | verify | report | erase SUBJECT | unmask SEQ... --reason "
         "TEXT] "
         "[--tenant CODE] [OPTIONS]",
         "See what was done, by whom, and that the record of it is whole",
         "Everything that changes something and every refusal is on record, for each tenant in a "
         "chain of hashes whose heads are signed. `verify` names the first entry that is not as it "
         "was written; `erase` makes what is personal of a subject unreadable for good, and the "
         "chain stays right. `unmask` shows entries in clear to who may see what is personal for a "
         "reason alone, and the reason is put on record. What a tenant's retention has archived is "
         "listed by `archives`, and with --archives verified and exported like the rest.",
         {{"zona audit list --outcome refused --from 24h", "who was not let in"},
          {"zona audit list --tenant acme --actor key:ci", "what this key did to acme"},
          {"zona audit export --tenant acme --format csv", "all of it, the oldest first"},
          {"zona audit verify --tenant acme", "is it as it was written?"},
          {"zona audit verify --tenant acme --archives",
           "and what has left it, from the first entry?"},
          {"zona audit unmask 17 18 --tenant acme --reason 'case 4711'", "who was it?"},
          {"zona audit report --from 720h", "a month in numbers"}}},
        {kLicense,
         "license",
         {"licence"},
         kZona,
         kStartsIt,
         "[show | install FILE | report] [--tenant CODE] [OPTIONS]",
         "See what zona may be used for, and install another licence",
         "`show` shows the licence that the installation, or a tenant, is under; `report` what is "
         "used of what it limits. `install` takes a signed text, at once and without a restart; a "
         "file that is put where license.file says is installed by itself. Without any it is the "
         "community licence, for ever.",
         {{"zona license", "what it allows, and until when"},
          {"zona license install acme.license", "in the place of the one of its type"},
          {"zona license report", "tenants, users and roles, counted now"}}},
        {kContext,
         "context",
         {"contexts", "ctx"},
         kZona,
         kNeverStarts,
         "[list | show | use NAME | add NAME --host URL [OPTIONS] | remove NAME] [OPTIONS]",
         "Name other zonas, and choose the one that commands are for",
         "A context is a name for another zona: its URL, the file of its API key, and whom to "
         "trust there. `use` makes it the one that every command is for, from now on; --context "
         "NAME and ZONA_CONTEXT choose one for a command or a shell. `local` is the zona of this "
         "host. `add` keeps the name of the key's file, never the key.",
         {{"zona context add prod --host https://prod.example --key-file ~/.prod-key", "a new one"},
          {"zona context use prod", "commands are for prod; `use local` for this host again"},
          {"zona context show", "which zona commands are for here, and why"}}},
        {kLogin,
         "login",
         {},
         kZona,
         kNeverStarts,
         "[--tenant CODE] [--user NAME | --idp NAME] [OPTIONS]",
         "Sign in to another zona, for the commands that follow",
         "With --host or a context. The password is asked for at the terminal, and so is the code "
         "of a second factor, if there is one. With --idp it is the tenant's identity provider "
         "that asks: open the address that is printed in a browser on this host, within ten "
         "minutes. What the zona gives for it is kept in "
         "`zona/logins.json` of your configuration directory, which nobody else can read, and "
         "renewed by itself until the session ends; the password is kept nowhere. A key goes "
         "before a session, wherever it is from. On this host nobody signs in: whoever may use "
         "zona's home is known.",
         {{"zona login --host zona.example --tenant acme --user anna", "asks for the password"},
          {"zona login --context prod --user anna --password-stdin < pw", "in a script"},
          {"zona login --context prod --tenant acme --idp corp", "in a browser, at corp"},
          {"zona --host zona.example user list --tenant acme", "as anna"}}},
        {kLogout,
         "logout",
         {},
         kZona,
         kNeverStarts,
         "[OPTIONS]",
         "End the session at another zona, and forget it",
         "What is kept of it here is removed even if the zona does not answer; that is an error "
         "then, for over there the session goes on until its time is over.",
         {{"zona logout --host zona.example", "the next command has to sign in again"}}},
        {kWhoami,
         "whoami",
         {},
         kZona,
         kNeverStarts,
         "[OPTIONS]",
         "Show who a zona takes you for",
         "",
         {{"zona whoami --host zona.example", "user, tenant and roles, or the name of a key"}}},
        {kPasswd,
         "passwd",
         {},
         kZona,
         kNeverStarts,
         "[--tenant CODE] [--user NAME] [OPTIONS]",
         "Choose another password",
         "Your own, for which the present one is asked. All sessions of the user end.",
         {{"zona passwd --host zona.example --tenant acme --user anna", "asks for both"}}},
        {kSession,
         "session",
         {"sessions"},
         kZona,
         kNeverStarts,
         "[list | end] [OPTIONS]",
         "See who is signed in, and sign them out",
         "Of your own tenant, unless --tenant names another; whoever belongs to none looks at "
         "`default`. Without --tenant, --session ends one of your own sessions.",
         {{"zona session list --tenant acme", "who, since when, from where"},
          {"zona session end --tenant acme --user bert", "on all of bert's devices"},
          {"zona session end --session 0197f2a4-6f1e-7cc3-98c4-dc0c0c07398f", "the lost laptop"}}},
        {kFactor,
         "factor",
         {},
         kZona,
         kNeverStarts,
         "[enrol | confirm CODE | remove] [OPTIONS]",
         "Protect your sign-in by an authenticator's codes, too",
         "For whoever has signed in. `enrol` asks for the password and prints the secret for the "
         "authenticator, also as a URI for a QR code; at a terminal it goes on to `confirm`, which "
         "prints ten recovery codes for whoever loses the authenticator. From then on a code is "
         "asked for at each sign-in. `remove` asks for password and code; with --user NAME an "
         "administrator does it for somebody who has lost both.",
         {{"zona factor enrol --host zona.example", "the secret, then the code it gives"},
          {"zona factor confirm 123456 --host zona.example", "in two steps, for scripts"},
          {"zona factor remove --tenant acme --user anna", "by an administrator"}}},
        {kHelp,
         "help",
         {},
         kZona,
         kNeverStarts,
         "[VERB]",
         "Show help, of zona or of one verb",
         "",
         {{"zona help start", "the same as zona start --help"}}},
    };
}

std::vector<VerbInfo> build_table() {
    std::vector<VerbInfo> rows = process_verbs();
    for (auto more : {look_verbs(), keep_verbs(), zona_verbs()}) {
        std::ranges::move(more, std::back_inserter(rows));
    }
    return rows;
}

}  // namespace

const std::vector<VerbInfo>& all_verbs() {
    static const std::vector<VerbInfo> table = build_table();
    return table;
}

const VerbInfo& info(Verb verb) {
    return *std::ranges::find(all_verbs(), verb, &VerbInfo::verb);
}

const VerbInfo* find_verb(std::string_view name) {
    const std::string wanted = core::lower_ascii(name);
    for (const VerbInfo& row : all_verbs()) {
        if (row.name == wanted || std::ranges::find(row.aliases, wanted) != row.aliases.end()) {
            return &row;
        }
    }
    return nullptr;
}

std::string_view heading(VerbGroup group) {
    switch (group) {
        case kProcesses:
            return "Processes";
        case kLook:
            return "Look";
        case kKeep:
            return "Keep";
        case kZona:
            return "zona itself";
    }
    return "";
}

std::string verb_suggestion(std::string_view name) {
    std::vector<std::string> names;
    for (const VerbInfo& row : all_verbs()) {
        names.emplace_back(row.name);
        names.insert(names.end(), row.aliases.begin(), row.aliases.end());
    }
    return core::suggestion(name, names);
}

std::string general_help() {
    std::string text =
        "zona keeps processes running: it starts, watches, restarts and stops them,\n"
        "and keeps their logs.\n\n"
        "Usage: zona VERB [ARGUMENTS] [OPTIONS]\n";
    const VerbGroup* last = nullptr;
    for (const VerbInfo& row : all_verbs()) {
        if (last == nullptr || *last != row.group) {
            text += fmt::format("\n{}\n", heading(row.group));
        }
        last = &row.group;
        text += fmt::format("  {:<10} {}\n", row.name, row.summary);
    }
    text +=
        "\nOptions of every verb\n"
        "  --home DIR         zona's home (else ZONA_HOME, else ~/.zona; /var/lib/zona for root)\n"
        "  --set KEY=VALUE    a setting of the zona that this command starts; may be repeated\n"
        "  --host URL         the zona there: https://HOST[:8063] (else ZONA_HOST)\n"
        "  --context NAME     the zona of that name: see zona context (else ZONA_CONTEXT)\n"
        "  --key-file FILE    holds its API key (else ZONA_KEY_FILE, else ZONA_API_KEY)\n"
        "  --ca-file FILE     trust these authorities (PEM), no others\n"
        "  --fingerprint HEX  trust the certificate with this SHA-256, no other\n"
        "  --client-cert FILE show this certificate (PEM) there (else ZONA_CLIENT_CERT)\n"
        "  --client-key FILE  its key, if not in the same file (else ZONA_CLIENT_KEY)\n"
        "  --insecure         let the key go over the network unencrypted (http://)\n"
        "  --json             print the answer as JSON, and nothing else\n"
        "  --no-color         no colours (NO_COLOR does the same)\n"
        "  -s, --silent       print errors and what was asked for, nothing else\n"
        "  --timeout TIME     give up after 5s, 500ms, 2m; a number alone is seconds\n"
        "  -h, --help         this help, or that of a verb\n"
        "  -V, --version      the version\n\n"
        "SELECTOR is an id, a name, a namespace (or ns:NAMESPACE), all, or /regex/ over names.\n"
        "`zona VERB --help` has the options of a verb and examples.\n";
    return text;
}

}  // namespace zona::cli
