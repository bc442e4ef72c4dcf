#include "api/detail/cache_routes.h"

#include <boost/json.hpp>

#include "api/detail/await.h"
#include "api/detail/route_table.h"
#include "cache/cache.h"
#include "core/json.h"

namespace zona::api {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using net::Method;
using net::Response;

namespace {

const char* const kExample =
    R"({"mode": "shared", "problem": null, "memory": {"used_bytes": 1048576, "limit_bytes": 67108864, "entries": 812}, "redis": {"sent_bytes": 52110, "received_bytes": 911230, "undelivered": 0}, "tenants": [{"tenant": "acme", "local_hits": 9120, "local_misses": 833, "redis_hits": 401, "redis_misses": 432, "loads": 432, "evictions": 0, "used_bytes": 1048576, "entries": 812}]})";

Shape count(std::string doc) {
    return Shape::integer(std::move(doc));
}

Shape tenant_shape() {
    return Shape::object(
        {required("tenant", Shape::text("Its code; empty: the installation itself.")),
         required("local_hits", count("Reads that this process answered.")),
         required("local_misses", count("Reads that it could not answer.")),
         required("redis_hits", count("Of these, those that Redis answered.")),
         required("redis_misses", count("Of these, those that it could not answer.")),
         required("loads", count("Reads that the database was asked for.")),
         required("evictions", count("Entries that made room for others.")),
         required("used_bytes", count("What it takes here, all overhead counted.")),
         required("entries", count("How many it has here."))},
        "The cache of one tenant, since zona began.");
}

Shape cache_shape() {
    return Shape::object(
        {required("mode", Shape::text("Where reads are answered from: `memory`, no Redis is set; "
                                      "`shared`, this process and Redis; `database_only`, Redis "
                                      "does not answer.")
                              .choices({"memory", "shared", "database_only"})),
         required("problem", Shape::text("Why Redis does not answer.").nullable()),
         required(
             "memory",
             Shape::object({required("used_bytes", count("What it takes, all overhead counted.")),
                            required("limit_bytes", count("What it may take: cache.memory_bytes.")),
                            required("entries", count("How many it has."))},
                           "The cache of this process.")),
         required("redis",
                  Shape::object(
                      {required("sent_bytes", count("Bytes that were sent to Redis.")),
                       required("received_bytes", count("Bytes that came from it.")),
                       required("undelivered", count("Changes that it has not been told of yet."))},
                      "The way to Redis.")),
         required("tenants", Shape::array("By tenant.", tenant_shape()))},
        "The cache of the zona that is asked.");
}

ParameterSpec narrowing(std::string name, std::string doc, std::string example) {
    return {.name = std::move(name),
            .shape = Shape::text(std::move(doc)).length(1, 256).example(std::move(example))};
}

Operation get_cache() {
    return {.path = "/api/v1/cache",
            .id = "getCache",
            .tag = Tag::kSystem,
            .summary = "Show the cache",
            .description = "What it holds, how often it was of use, and whether Redis answers.",
            .answers = {{.description = "The cache.",
                         .shape = Shape::component("Cache"),
                         .example = kExample}}};
}

Operation flush_cache() {
    return {
        .method = Method::kDelete,
        .path = "/api/v1/cache",
        .id = "flushCache",
        .tag = Tag::kSystem,
        .access = Access::kAdmin,
        .summary = "Forget what is cached",
        .description =
            "Of everything, of one tenant, or of a part of it; in this process, in "
            "Redis and in all other instances. What is forgotten is read from the "
            "database again.",
        .parameters = {narrowing("tenant", "The code of the tenant.", "\"acme\""),
                       narrowing("entity", "Of the tenant: what is of this kind.", "\"apps\""),
                       narrowing("pattern",
                                 "Of the tenant: ids of this form; `*` stands for any text, "
                                 "`?` for one byte.",
                                 "\"list-*\""),
                       narrowing("tag", "Of the tenant: what has this tag.", "\"catalogue\"")},
        .answers = {{.description = "It is forgotten.",
                     .shape = Shape::object(
                         {required("forgotten", Shape::text("What was meant.")
                                                    .choices({"everything", "tenant", "part"}))},
                         "What was done."),
                     .example = R"({"forgotten": "tenant"})"}},
        .errors = {{Code::kUnavailable,
                    "It is forgotten here; Redis is away, and what is there "
                    "of the tenant goes when it is back."},
                   {Code::kTimeout, "The same."},
                   {Code::kTooManyRequests, "Too much waits for Redis."}}};
}

const char* name_of(cache::Mode mode) {
    switch (mode) {
        case cache::Mode::kMemory:
            return "memory";
        case cache::Mode::kShared:
            return "shared";
        case cache::Mode::kDatabaseOnly:
            return "database_only";
    }
    return "";
}

json::object shown(const cache::Numbers& tenant) {
    return {{"tenant", tenant.tenant},
            {"local_hits", tenant.memory_hits},
            {"local_misses", tenant.memory_misses},
            {"redis_hits", tenant.shared_hits},
            {"redis_misses", tenant.shared_misses},
            {"loads", tenant.loads},
            {"evictions", tenant.evictions},
            {"used_bytes", tenant.bytes},
            {"entries", tenant.entries}};
}

class CacheRoutes {
  public:
    explicit CacheRoutes(cache::Cache& cache) : cache_(cache) {}

    Answer get(Call&) const {
        const cache::Report report = cache_.report();
        json::array tenants;
        for (const cache::Numbers& tenant : report.tenants)
            tenants.push_back(shown(tenant));
        const json::object data = {
            {"mode", name_of(report.mode)},
            {"problem",
             report.problem.empty() ? json::value(nullptr) : json::value(report.problem)},
            {"memory",
             {{"used_bytes", report.memory_bytes},
              {"limit_bytes", report.most_memory_bytes},
              {"entries", report.entries}}},
            {"redis",
             {{"sent_bytes", report.sent_bytes},
              {"received_bytes", report.received_bytes},
              {"undelivered", report.undelivered}}},
            {"tenants", std::move(tenants)}};
        co_return Response::success(core::to_json(data));
    }

    Answer flush(Call& call) const {
        const std::optional<std::string> tenant = call.text("tenant");
        const std::optional<std::string> tag = call.text("tag");
        const bool is_pattern = call.text("entity") || call.text("pattern");
        if (!tenant && (tag || is_pattern))
            co_return wrong("tenant", "entity, pattern and tag are of a tenant: name it");
        cache::Pattern pattern{.tenant = tenant.value_or(""),
                               .entity = call.text("entity").value_or(""),
                               .id = call.text("pattern").value_or("*")};
        std::string forgotten = "everything";
        if (tenant) forgotten = tag || is_pattern ? "part" : "tenant";
        auto begin = [this, forgotten, tag, is_pattern,
                      pattern = std::move(pattern)](process::Callback<void> done) {
            if (forgotten == "everything") return cache_.invalidate_all(std::move(done));
            if (forgotten == "tenant")
                return cache_.invalidate_tenant(pattern.tenant, std::move(done));
            if (!tag) return cache_.invalidate(pattern, std::move(done));
            if (!is_pattern) return cache_.invalidate_tag(pattern.tenant, *tag, std::move(done));
            cache_.invalidate_tag(
                pattern.tenant, *tag,
                [this, pattern, done = std::move(done)](Result<void> told) mutable {
                    if (!told) return done(std::move(told));
                    cache_.invalidate(pattern, std::move(done));
                });
        };
        ZONA_CO_TRY_VOID(co_await answer_of<void>(std::move(begin)));
        const json::object data = {{"forgotten", forgotten}};
        co_return Response::success(core::to_json(data));
    }

  private:
    static Error wrong(std::string where, std::string problem) {
        std::string message = "the query: " + where + ": " + problem;
        return Error(Code::kInvalidArgument, std::move(message))
            .detail({std::move(where), std::move(problem), ""});
    }

    cache::Cache& cache_;
};

}  // namespace

Result<void> add_cache_routes(Service& service, cache::Cache* cache) {
    service.name("Cache", cache_shape());
    const auto routes = cache == nullptr ? nullptr : std::make_shared<const CacheRoutes>(*cache);
    using Member = Answer (CacheRoutes::*)(Call&) const;
    const std::pair<Operation, Member> rows[] = {{get_cache(), &CacheRoutes::get},
                                                 {flush_cache(), &CacheRoutes::flush}};
    return add_members(service, routes, rows);
}

}  // namespace zona::api
