#include "cli/detail/parse_words.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "cli/detail/text.h"
#include "core/text.h"

namespace zona::cli::detail {

using core::Code;
using core::Error;
using core::Result;
using std::string;
using std::string_view;
using std::vector;

Error wrong(string message) {
    return Error(Code::kInvalidArgument, std::move(message));
}

vector<string> split_commas(const vector<string>& texts) {
    vector<string> parts;
    for (const string& text : texts) {
        std::size_t from = 0;
        while (from <= text.size()) {
            const std::size_t to = std::min(text.find(',', from), text.size());
            if (to > from) parts.push_back(text.substr(from, to - from));
            from = to + 1;
        }
    }
    return parts;
}

Result<void> check_count(Verb verb, const vector<string>& positionals, std::size_t least,
                         std::size_t most) {
    const VerbInfo& row = info(verb);
    const string usage = fmt::format("usage: zona {} {}", row.name, row.synopsis);
    if (positionals.size() < least) {
        return wrong(fmt::format("zona {} needs more arguments", row.name)).detail({"", "", usage});
    }
    if (positionals.size() > most) {
        return wrong(fmt::format("zona {} has no use for '{}'", row.name,
                                 escape_control(positionals[most])))
            .detail({"", "", usage});
    }
    for (const string& word : positionals) {
        if (word.empty()) return wrong(fmt::format("zona {}: an argument is empty", row.name));
    }
    return {};
}

Error no_action(Verb verb, const string& word, const vector<string>& known) {
    return wrong(fmt::format("zona {} has no '{}'{}", info(verb).name, escape_control(word),
                             core::suggestion(word, known)))
        .detail({"", "", fmt::format("usage: zona {} {}", info(verb).name, info(verb).synopsis)});
}

}  // namespace zona::cli::detail
