/// @file
/// What the parsers of several verbs share, and those of the verbs that are about data.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cli/detail/options.h"
#include "cli/detail/verb.h"
#include "cli/detail/verb_parser.h"
#include "core/result.h"

namespace zona::cli::detail {

/// kInvalidArgument with this message.
core::Error wrong(std::string message);

/// The parts between the commas of all texts; empty ones are left out.
std::vector<std::string> split_commas(const std::vector<std::string>& texts);

/// Between `least` and `most` positionals, or an error that shows the synopsis.
core::Result<void> check_count(Verb verb, const std::vector<std::string>& positionals,
                               std::size_t least, std::size_t most);

/// `word` is no action of the verb, which has these.
core::Error no_action(Verb verb, const std::string& word, const std::vector<std::string>& known);

std::string_view name_of(const auto& row) {
    if constexpr (requires { row.name; })
        return row.name;
    else
        return row.first;
}

/// What `word` means to a verb that has actions. Errors: kInvalidArgument, with what there is.
template <class Row, std::size_t kRows>
core::Result<const Row*> row_of(Verb verb, const std::string& word,
                                const std::array<Row, kRows>& rows) {
    std::vector<std::string> known;
    for (const Row& row : rows) {
        if (name_of(row) == word) return &row;
        known.emplace_back(name_of(row));
    }
    return no_action(verb, word, known);
}

/// @{
/// The options of one verb. Errors: kInvalidArgument.
core::Result<VerbOptions> tenant_options(const RawWords& raw);
core::Result<VerbOptions> user_options(const RawWords& raw);
core::Result<VerbOptions> role_options(const RawWords& raw);
core::Result<VerbOptions> provider_options(const RawWords& raw);
/// kLogin, kPasswd.
core::Result<VerbOptions> login_options(Verb verb, const RawWords& raw);
core::Result<VerbOptions> session_options(const RawWords& raw);
core::Result<VerbOptions> factor_options(const RawWords& raw);
core::Result<VerbOptions> factor_options(const RawWords& raw);
/// @}

/// The options of a verb that is neither about processes nor about the daemon itself. Errors:
/// kInvalidArgument; kInternal: of any other verb.
core::Result<VerbOptions> data_options(Verb verb, const RawWords& raw);

}  // namespace zona::cli::detail
