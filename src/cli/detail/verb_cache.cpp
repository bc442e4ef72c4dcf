#include <boost/json.hpp>
#include <fmt/format.h>

#include "cli/detail/model.h"
#include "cli/detail/request.h"
#include "cli/detail/table.h"
#include "cli/detail/text.h"
#include "cli/detail/verbs.h"
#include "core/text.h"

namespace zona::cli {
namespace {

namespace json = boost::json;

const json::object& object_in(const json::object& from, std::string_view field) {
    static const json::object kNone;
    const json::value* const value = from.if_contains(field);
    return value != nullptr && value->is_object() ? value->get_object() : kNone;
}

std::int64_t number_in(const json::object& from, std::string_view field) {
    return integer_of(from, field).value_or(0);
}

std::string size_in(const json::object& from, std::string_view field) {
    return core::format_size(core::ByteCount(number_in(from, field)));
}

/// "98 %", or "-" where nothing was asked.
std::string ratio(std::int64_t hits, std::int64_t misses) {
    if (hits + misses == 0) return "-";
    return fmt::format("{} %", hits * 100 / (hits + misses));
}

std::string stats_text(const json::object& cache, const Screen& screen) {
    const json::object& memory = object_in(cache, "memory");
    std::string out =
        fmt::format("mode    {}\nmemory  {} of {}, {} entries\n",
                    escape_control(text_of(cache, "mode")), size_in(memory, "used_bytes"),
                    size_in(memory, "limit_bytes"), number_in(memory, "entries"));
    const std::string problem = escape_control(text_of(cache, "problem"));
    if (!problem.empty()) out += fmt::format("redis   {}\n", problem);
    const std::int64_t waiting = number_in(object_in(cache, "redis"), "undelivered");
    if (waiting > 0) out += fmt::format("redis   has not been told of {} changes yet\n", waiting);
    const json::value* const tenants = cache.if_contains("tenants");
    if (tenants == nullptr || !tenants->is_array() || tenants->get_array().empty()) return out;
    Table table;
    table.columns = {{"tenant", Align::kLeft, 0, 0},      {"memory hits", Align::kRight, 0, 0},
                     {"redis hits", Align::kRight, 1, 0}, {"loads", Align::kRight, 0, 0},
                     {"evictions", Align::kRight, 2, 0},  {"bytes", Align::kRight, 0, 0},
                     {"entries", Align::kRight, 2, 0}};
    for (const json::object& tenant : objects_in(*tenants)) {
        const std::string code = escape_control(text_of(tenant, "tenant"));
        table.rows.push_back(
            {{code.empty() ? "-" : code},
             {ratio(number_in(tenant, "local_hits"), number_in(tenant, "local_misses"))},
             {ratio(number_in(tenant, "redis_hits"), number_in(tenant, "redis_misses"))},
             {fmt::format("{}", number_in(tenant, "loads"))},
             {fmt::format("{}", number_in(tenant, "evictions"))},
             {size_in(tenant, "used_bytes")},
             {fmt::format("{}", number_in(tenant, "entries"))}});
    }
    return out + layout(table, screen);
}

}  // namespace

Status cache(Context& context, const CacheOptions& options) {
    ZONA_TRY(const Answer answer, context.session.ask(manage_cache(options)));
    ZONA_TRY(const auto told, data_to_tell(context, answer));
    if (!told) return kAllWell;
    if (options.action == CacheAction::kFlush) {
        const std::string whose = options.tenant.empty()
                                      ? std::string("everything")
                                      : "what was meant of " + escape_control(options.tenant);
        context.console.remark(fmt::format("{} is forgotten\n", whose));
        return kAllWell;
    }
    const json::object empty;
    const json::object& data = told->is_object() ? told->get_object() : empty;
    context.console.out(stats_text(data, context.console.screen()));
    return kAllWell;
}

}  // namespace zona::cli
