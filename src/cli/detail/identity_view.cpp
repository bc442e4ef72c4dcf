#include "cli/detail/identity_view.h"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/detail/model.h"
#include "cli/detail/request.h"
#include "cli/detail/text.h"

namespace zona::cli {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

std::string shown(const json::object& from, std::string_view key) {
    return escape_control(text_of(from, key));
}

std::string minute_of(const json::object& from, std::string_view key) {
    std::string time = shown(from, key).substr(0, 16);
    if (time.size() > 10) time[10] = ' ';
    return time.empty() ? "never" : time;
}

std::string list_of(const json::object& from, std::string_view key) {
    std::vector<std::string> out;
    const json::value* list = from.if_contains(key);
    if (list == nullptr || !list->is_array()) return "-";
    for (const json::value& item : list->get_array()) {
        if (item.is_string()) out.push_back(escape_control(item.get_string()));
    }
    return out.empty() ? "-" : fmt::format("{}", fmt::join(out, ","));
}

Result<std::string> id_of_user(Context& context, const std::string& tenant,
                               const std::string& name) {
    ZONA_TRY(const Answer answer, context.session.ask(find_user(tenant, name)));
    ZONA_TRY(const json::value data, answer.data());
    boost::system::error_code error;
    const json::value* id = data.find_pointer("/users/0/id", error);
    if (id != nullptr) return json::serialize(*id);
    return Error(Code::kNotFound, fmt::format("there is no user {} in the tenant {}",
                                              escape_control(name), escape_control(tenant)));
}

}  // namespace zona::cli
