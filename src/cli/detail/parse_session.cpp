// The words of zona login, passwd, session and factor.
#include <utility>

#include "cli/detail/parse_words.h"
#include "core/secret.h"

namespace zona::cli::detail {

using core::Result;
using std::string;
using std::string_view;
using std::vector;

Result<VerbOptions> login_options(Verb verb, const RawWords& raw) {
    ZONA_TRY_VOID(check_count(verb, raw.positionals, 0, 0));
    if (raw.password_stdin && raw.user.empty())
        return wrong("--password-stdin leaves nothing to ask for the name with: give --user NAME");
    const bool by_password = !raw.user.empty() || !raw.code.empty() || raw.password_stdin;
    if (!raw.provider.empty() && by_password)
        return wrong("--user, --code and --password-stdin are for signing in without --idp");
    return LoginOptions{.tenant = raw.tenant.empty() ? "default" : raw.tenant,
                        .user = raw.user,
                        .password_from_stdin = raw.password_stdin,
                        .code = core::Secret(raw.code),
                        .password = {},
                        .provider = raw.provider};
}

Result<VerbOptions> session_options(const RawWords& raw) {
    using Row = std::pair<string_view, SessionAction>;
    static constexpr std::array kActions = {Row{"list", SessionAction::kList},
                                            Row{"ls", SessionAction::kList},
                                            Row{"end", SessionAction::kEnd}};
    SessionOptions out{.tenant = raw.tenant, .user = raw.user, .id = raw.session};
    if (!raw.positionals.empty()) {
        ZONA_TRY(const auto* const row, row_of(Verb::kSession, raw.positionals[0], kActions));
        out.action = row->second;
        ZONA_TRY_VOID(check_count(Verb::kSession, raw.positionals, 1, 1));
    }
    const bool names_some = !(out.user.empty() && out.id.empty());
    if (out.action == SessionAction::kList && names_some)
        return wrong("--user and --session belong to zona session end");
    if (out.action == SessionAction::kEnd && !names_some && out.tenant.empty())
        return wrong("zona session end wants --session ID, --user NAME or --tenant CODE")
            .detail({"", "", "`zona logout` ends the one that this command uses"});
    return out;
}

Result<VerbOptions> factor_options(const RawWords& raw) {
    using Row = std::pair<string_view, FactorAction>;
    static constexpr std::array kActions = {
        Row{"enrol", FactorAction::kEnrol}, Row{"enroll", FactorAction::kEnrol},
        Row{"confirm", FactorAction::kConfirm}, Row{"remove", FactorAction::kRemove},
        Row{"rm", FactorAction::kRemove}};
    const vector<string>& words = raw.positionals;
    ZONA_TRY_VOID(check_count(Verb::kFactor, words, 1, 2));
    ZONA_TRY(const auto* const row, row_of(Verb::kFactor, words[0], kActions));
    FactorOptions out{.action = row->second,
                      .tenant = raw.tenant.empty() ? "default" : raw.tenant,
                      .user = raw.user,
                      .password_from_stdin = raw.password_stdin,
                      .code = core::Secret(raw.code)};
    const bool confirms = out.action == FactorAction::kConfirm;
    ZONA_TRY_VOID(check_count(Verb::kFactor, words, confirms ? 2 : 1, confirms ? 2 : 1));
    if (confirms) out.code = core::Secret(words[1]);
    const bool is_of_removal = !(raw.tenant.empty() && raw.user.empty() && raw.code.empty());
    if (is_of_removal && out.action != FactorAction::kRemove)
        return wrong("--tenant, --user and --code belong to zona factor remove");
    if (raw.user.empty() && !raw.tenant.empty()) return wrong("--tenant belongs to --user NAME");
    return out;
}

}  // namespace zona::cli::detail
