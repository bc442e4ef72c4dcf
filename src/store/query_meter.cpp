#include "store/query_meter.h"

#include <array>
#include <mutex>
#include <optional>

#include <fmt/format.h>

namespace zona::store {

using core::Result;

namespace {

enum class Operation : std::uint8_t {
    kFind,
    kFindOne,
    kFindPage,
    kCount,
    kAggregate,
    kInsert,
    kUpsert,
    kReplace,
    kRestore,
    kModify,
    kFindAndModify,
    kUpdateMany,
    kRemove,
    kRemoveMany,
};
constexpr std::array<const char*, 14> kOperations = {
    "find",    "find_one", "find_page", "count",           "aggregate",   "insert", "upsert",
    "replace", "restore",  "modify",    "find_and_modify", "update_many", "remove", "remove_many"};

const char* name_of(Filter::Kind kind) {
    switch (kind) {
        case Filter::Kind::kEverything:
            return "everything";
        case Filter::Kind::kEqual:
            return "eq";
        case Filter::Kind::kNotEqual:
            return "ne";
        case Filter::Kind::kIn:
            return "in";
        case Filter::Kind::kLess:
            return "lt";
        case Filter::Kind::kLessOrEqual:
            return "lte";
        case Filter::Kind::kGreater:
            return "gt";
        case Filter::Kind::kGreaterOrEqual:
            return "gte";
        case Filter::Kind::kExists:
            return "exists";
        case Filter::Kind::kPrefix:
            return "prefix";
        case Filter::Kind::kSearch:
            return "search";
        case Filter::Kind::kAll:
            return "all";
        case Filter::Kind::kAny:
            return "any";
        case Filter::Kind::kNot:
            return "not";
    }
    return "";
}

std::string shape_of(const Filter& filter) {
    using Kind = Filter::Kind;
    const std::string name = name_of(filter.kind());
    if (filter.kind() == Kind::kEverything || filter.kind() == Kind::kSearch) return name;
    const bool composed =
        filter.kind() == Kind::kAll || filter.kind() == Kind::kAny || filter.kind() == Kind::kNot;
    if (!composed) return fmt::format("{} {}", name, filter.path().pointer());
    std::vector<std::string> members;
    for (const Filter& member : filter.members())
        members.push_back(shape_of(member));
    return fmt::format("{}({})", name, fmt::join(members, ", "));
}

/// Documents of an answer.
std::uint64_t found(const std::optional<Record>& record) {
    return record ? 1 : 0;
}
std::uint64_t found(const Record&) {
    return 1;
}
std::uint64_t found(const Page& page) {
    return page.records.size();
}
std::uint64_t found(const std::vector<Group>& groups) {
    return groups.size();
}
std::uint64_t found(std::uint64_t count) {
    return count;
}
std::uint64_t found(bool removed) {
    return removed ? 1 : 0;
}

}  // namespace

std::string shape_of(const Query& query) {
    std::string out = shape_of(query.filter);
    for (std::size_t i = 0; i < query.sort.size(); ++i)
        out += fmt::format("{} {}", i == 0 ? " by" : ",", query.sort[i].pointer());
    if (query.direction == Direction::kDescending) out += " descending";
    return out;
}

/// Those of one collection.
struct QueryMeter::Series {
    struct OfOperation {
        core::Histogram* seconds = nullptr;
        core::Counter* documents = nullptr;
        core::Counter* failures = nullptr;
    };

    Series(const CollectionSpec& of, core::MetricRegistry& registry)
        : spec(of), metrics(registry), indexes(of.indexes.size()) {}

    const OfOperation& operation(Operation which) {
        const auto place = static_cast<std::size_t>(which);
        std::call_once(made[place], [&] { operations[place] = make(kOperations[place]); });
        return operations[place];
    }

    OfOperation make(const char* name) const {
        const core::Labels labels{{"collection", spec.name}, {"operation", name}};
        return {.seconds = &metrics.histogram("zona_store_query_duration_seconds",
                                              "Time that a query took.",
                                              core::Histogram::latency_bounds(), labels),
                .documents = &metrics.counter("zona_store_query_documents_total",
                                              "Documents that queries gave or changed.", labels),
                .failures = &metrics.counter("zona_store_query_failures_total",
                                             "Queries that were refused or failed.", labels)};
    }

    /// An index of the declaration.
    void served(const IndexSpec& index) {
        const auto place = static_cast<std::size_t>(&index - spec.indexes.data());
        if (place >= indexes.size()) return;
        std::call_once(indexes[place].made, [&] {
            indexes[place].queries = &metrics.counter(
                "zona_store_index_queries_total", "Queries that an index has served.",
                {{"collection", spec.name}, {"index", index.name}});
        });
        indexes[place].queries->add();
    }

    void was_slow() {
        metrics
            .counter("zona_store_slow_queries_total",
                     "Queries that took as long as tenancy.slow_query says.",
                     {{"collection", spec.name}})
            .add();
    }

    struct OfIndex {
        std::once_flag made;
        core::Counter* queries = nullptr;
    };

    const CollectionSpec& spec;
    core::MetricRegistry& metrics;
    std::array<OfOperation, kOperations.size()> operations;
    std::array<std::once_flag, kOperations.size()> made;
    std::vector<OfIndex> indexes;
};

QueryMeter::QueryMeter(const std::vector<const CollectionSpec*>& collections,
                       core::MetricRegistry& metrics, const core::Clock& clock, core::Logger log,
                       core::Logger accesses)
    : metrics_(metrics), clock_(clock), log_(std::move(log)), accesses_(std::move(accesses)) {
    for (const CollectionSpec* spec : collections)
        series_.emplace(spec, std::make_unique<Series>(*spec, metrics_));
}

QueryMeter::~QueryMeter() = default;

void QueryMeter::set_slow(std::chrono::milliseconds time) {
    slow_ = std::chrono::nanoseconds(time).count();
}

template <class Base>
class QueryMeter::Measured : public Base {
  public:
    Measured(const QueryMeter& meter, Base& inner) : meter_(meter), inner_(inner) {}

    Result<std::optional<Record>> find(const Collection& collection, const Id& id) override {
        return timed(Operation::kFind, collection, nullptr,
                     [&] { return inner_.find(collection, id); });
    }
    Result<std::optional<Record>> find_one(const Collection& collection,
                                           const Query& query) override {
        return timed(Operation::kFindOne, collection, &query,
                     [&] { return inner_.find_one(collection, query); });
    }
    Result<Page> find_page(const Collection& collection, const Query& query,
                           const PageRequest& page) override {
        return timed(Operation::kFindPage, collection, &query,
                     [&] { return inner_.find_page(collection, query, page); });
    }
    Result<std::uint64_t> count(const Collection& collection, const Query& query) override {
        return timed(Operation::kCount, collection, &query,
                     [&] { return inner_.count(collection, query); });
    }
    Result<std::vector<Group>> aggregate(const Collection& collection,
                                         const Aggregation& aggregation) override {
        const Query query{.filter = aggregation.filter, .walk = aggregation.walk};
        return timed(Operation::kAggregate, collection, &query,
                     [&] { return inner_.aggregate(collection, aggregation); });
    }
    Result<StorageUse> storage_use(const Scope& scope) override {
        return inner_.storage_use(scope);
    }

  protected:
    /// What is told of an access: no value, and no id, which may be a name.
    struct Access {
        Operation operation;
        const Collection& collection;
        const Query* query;      ///< null: by an id
        const IndexSpec* index;  ///< null: as query
        std::chrono::nanoseconds took;
        std::uint64_t documents;

        const char* name() const { return kOperations[static_cast<std::size_t>(operation)]; }
        const char* kind() const { return operation < Operation::kInsert ? "read" : "change"; }
        std::string shape() const { return query == nullptr ? "id" : shape_of(*query); }
        std::string served_by() const { return index == nullptr ? "id" : index->name; }
    };

    /// Calls it; `query` is null for what names a document by its id.
    template <class Call>
    auto timed(Operation operation, const Collection& collection, const Query* query, Call call) {
        const auto series = meter_.series_.find(&collection.spec());
        if (series == meter_.series_.end()) return call();
        const core::SteadyTime begin = meter_.clock_.steady();
        auto answer = call();
        const std::chrono::nanoseconds took = meter_.clock_.steady() - begin;
        const Series::OfOperation& of = series->second->operation(operation);
        of.seconds->observe(std::chrono::duration<double>(took).count());
        if (!answer) {
            of.failures->add();
            if (meter_.accesses_.enabled(core::LogLevel::kTrace)) {
                tell_access({operation, collection, query, nullptr, took, 0},
                            core::info(answer.error().code()).name);
            }
            return answer;
        }
        std::uint64_t documents = 1;
        if constexpr (requires { found(*answer); }) documents = found(*answer);
        of.documents->add(documents);
        const IndexSpec* const index = query == nullptr ? nullptr : inner_.served_by();
        if (index != nullptr) series->second->served(*index);
        const Access access{operation, collection, query, index, took, documents};
        if (meter_.accesses_.enabled(core::LogLevel::kTrace)) tell_access(access, "OK");
        const std::int64_t slow = meter_.slow_.load(std::memory_order_relaxed);
        if (slow > 0 && took.count() >= slow) {
            series->second->was_slow();
            tell_slow(access);
        }
        return answer;
    }

    const QueryMeter& meter_;
    Base& inner_;

  private:
    void tell_slow(const Access& access) const {
        meter_.log_.warn(
            "a slow query",
            {{"tenant", access.collection.scope().code()},
             {"collection", access.collection.name()},
             {"operation", access.name()},
             {"shape", access.shape()},
             {"index", access.served_by()},
             {"documents", static_cast<std::int64_t>(access.documents)},
             {"ms", std::chrono::duration_cast<std::chrono::milliseconds>(access.took).count()}});
    }

    void tell_access(const Access& access, std::string_view outcome) const {
        meter_.accesses_.trace(
            "an access to documents",
            {{"tenant", access.collection.scope().code()},
             {"collection", access.collection.name()},
             {"kind", access.kind()},
             {"operation", access.name()},
             {"shape", access.shape()},
             {"documents", static_cast<std::int64_t>(access.documents)},
             {"outcome", outcome},
             {"us", std::chrono::duration_cast<std::chrono::microseconds>(access.took).count()}});
    }
};

class QueryMeter::MeasuredWriter final : public Measured<Writer> {
  public:
    using Measured<Writer>::Measured;

    Result<Record> insert(const Collection& collection, const Id& id,
                          const Document& document) override {
        return timed(Operation::kInsert, collection, nullptr,
                     [&] { return inner_.insert(collection, id, document); });
    }
    Result<Record> upsert(const Collection& collection, const Id& id,
                          const Document& document) override {
        return timed(Operation::kUpsert, collection, nullptr,
                     [&] { return inner_.upsert(collection, id, document); });
    }
    Result<Record> replace(const Collection& collection, const Id& id, const Document& document,
                           Expected expected) override {
        return timed(Operation::kReplace, collection, nullptr,
                     [&] { return inner_.replace(collection, id, document, expected); });
    }
    Result<void> restore(const Collection& collection, const Record& record) override {
        return timed(Operation::kRestore, collection, nullptr,
                     [&] { return inner_.restore(collection, record); });
    }
    Result<Record> modify(const Collection& collection, const Id& id, const Update& update,
                          Expected expected) override {
        return timed(Operation::kModify, collection, nullptr,
                     [&] { return inner_.modify(collection, id, update, expected); });
    }
    Result<std::optional<Record>> find_and_modify(const Collection& collection, const Query& query,
                                                  const Update& update,
                                                  Returned returned) override {
        return timed(Operation::kFindAndModify, collection, &query,
                     [&] { return inner_.find_and_modify(collection, query, update, returned); });
    }
    Result<std::uint64_t> update_many(const Collection& collection, const Query& query,
                                      const Update& update) override {
        return timed(Operation::kUpdateMany, collection, &query,
                     [&] { return inner_.update_many(collection, query, update); });
    }
    Result<bool> remove(const Collection& collection, const Id& id, Expected expected) override {
        return timed(Operation::kRemove, collection, nullptr,
                     [&] { return inner_.remove(collection, id, expected); });
    }
    Result<std::uint64_t> remove_many(const Collection& collection, const Query& query) override {
        return timed(Operation::kRemoveMany, collection, &query,
                     [&] { return inner_.remove_many(collection, query); });
    }
};

class QueryMeter::MeasuredDatabase final : public Database {
  public:
    MeasuredDatabase(const QueryMeter& meter, std::shared_ptr<Database> inner)
        : meter_(meter), inner_(std::move(inner)) {}

    void submit_read(ReadWork work) override {
        inner_->submit_read([&meter = meter_, work = std::move(work)](auto reader) mutable {
            if (!reader) return work(reader.take_error());
            const auto measured = meter.measure(**reader);
            work(measured.get());
        });
    }
    void submit_write(WriteWork work, Callback<void> done) override {
        auto measured = [&meter = meter_, work = std::move(work)](Writer& writer) mutable {
            return work(*meter.measure(writer));
        };
        inner_->submit_write(std::move(measured), std::move(done));
    }
    DatabaseLoad load() const override { return inner_->load(); }

  private:
    const QueryMeter& meter_;
    const std::shared_ptr<Database> inner_;
};

std::shared_ptr<Database> QueryMeter::measure(std::shared_ptr<Database> inner) const {
    return std::make_shared<MeasuredDatabase>(*this, std::move(inner));
}

std::unique_ptr<Reader> QueryMeter::measure(Reader& inner) const {
    return std::make_unique<Measured<Reader>>(*this, inner);
}

std::unique_ptr<Writer> QueryMeter::measure(Writer& inner) const {
    return std::make_unique<MeasuredWriter>(*this, inner);
}

}  // namespace zona::store
