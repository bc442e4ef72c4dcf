#include "store/testing/property.h"

#include <cstdlib>

#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "store/detail/plan.h"
#include "store/testing/memory_database.h"

namespace zona::store {
namespace {

std::uint64_t number_of(const char* variable, std::uint64_t otherwise) {
    const char* text = std::getenv(variable);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string show(const Record& record) {
    return fmt::format("{} {} v{} {} {} {}", record.scope.code(), to_string(record.id),
                       record.version, detail::microseconds(record.created),
                       detail::microseconds(record.updated), json::serialize(*record.document));
}
std::string show(const std::optional<Record>& record) {
    return record ? show(*record) : "nothing";
}
std::string show(std::uint64_t number) {
    return std::to_string(number);
}
std::string show(const Page& page) {
    std::string out;
    for (const Record& record : page.records)
        out += show(record) + "\n";
    return out + page.next;
}
std::string show(const std::vector<Group>& groups) {
    std::string out;
    for (const Group& group : groups) {
        out += group.key == nullptr ? "none" : json::serialize(*group.key);
        for (const auto& value : group.values) {
            out += value ? std::visit([](auto n) { return fmt::format(" {}", n); }, *value) : " -";
        }
        out += "\n";
    }
    return out;
}
template <class T>
std::string show(const Result<T>& result) {
    if (result.has_value()) return show(*result);
    return fmt::format("{}: {}", core::info(result.error().code()).name, result.error().message());
}

/// Documents, filters and operations from small sets, so that they meet.
class Generator {
  public:
    explicit Generator(std::uint64_t seed) : random_(seed) {}

    std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
    bool sometimes(std::uint64_t one_in) { return below(one_in) == 0; }

    Collection collection() {
        return {tasks_spec(), Scope::tenant(sometimes(3) ? "globex" : "acme").value()};
    }
    Id id() {
        const auto number = static_cast<std::int64_t>(below(60));
        return sometimes(4) ? Id(std::to_string(number)) : Id(number);
    }
    json::value text() {
        static constexpr const char* kTexts[] = {"open", "done", "failed", "open2"};
        return kTexts[below(4)];
    }
    json::value name() {
        static constexpr const char* kNames[] = {"", "a", "ab", "b", "\u00e9", "a\x01"};
        return kNames[below(6)];
    }
    /// Whole numbers and halves, some of them equal; exact in sums.
    json::value number() {
        const auto half = static_cast<double>(below(12)) / 2 - 2;
        if (sometimes(2)) return static_cast<std::int64_t>(half);
        return half;
    }
    json::value whole() { return static_cast<std::int64_t>(below(6)) - 1; }

    /// One to three words, some of which begin as others do.
    std::string title() {
        static constexpr const char* kWords[] = {"Disk",  "disks", "full",          "FAILED",
                                                 "login", "a",     "\u00c9t\u00e9", "\u65e5\u672c"};
        std::string out = kWords[below(8)];
        for (std::uint64_t left = below(3); left > 0; --left)
            out += (sometimes(2) ? " " : "-") + std::string(kWords[below(8)]);
        return out;
    }
    Filter search() {
        const std::string text = title();
        return Filter::search(tasks_spec().search, sometimes(3) ? text + "*" : text);
    }

    json::object document() {
        json::object out = {{"status", text()}, {"priority", whole()}, {"score", number()}};
        if (sometimes(3)) out["email"] = fmt::format("e{}", below(30));
        if (sometimes(2)) out["owner"] = {{"name", name()}};
        if (sometimes(3)) out["flag"] = sometimes(2);
        if (sometimes(3)) out["tags"] = json::array{name()};
        if (sometimes(2)) out["title"] = title();
        if (sometimes(25)) out.erase("score");
        if (sometimes(25)) out["priority"] = 1.5;
        if (sometimes(25)) out["status"] = "nothing of ours";
        return out;
    }

    Filter condition() {
        const Path owner({"owner", "name"});
        switch (below(16)) {
            case 14:
            case 15:
                return search();
            case 0:
                return Filter::eq("status", text());
            case 1:
                return Filter::in("status", {text(), text(), text()});
            case 2:
                return Filter::eq("priority", number());
            case 3:
                return Filter::gt("priority", number());
            case 4:
                return Filter::lte("priority", number());
            case 5:
                return Filter::gte("score", number());
            case 6:
                return Filter::lt("score", number());
            case 7:
                return Filter::prefix(owner, sometimes(2) ? "a" : "");
            case 8:
                return Filter::gte(owner, name());
            case 9:
                return Filter::eq("flag", sometimes(2));
            case 10:
                return Filter::exists("tags", sometimes(2) ? Exists::kYes : Exists::kNo);
            case 11:
                return Filter::ne("status", text());
            case 12:
                return Filter::eq("email", fmt::format("e{}", below(30)).c_str());
            default:
                return Filter::eq("score", number());
        }
    }
    Filter filter(int depth = 0) {
        if (depth < 3 && sometimes(3)) return Filter::all({filter(depth + 1), filter(depth + 1)});
        if (depth < 3 && sometimes(8)) return Filter::any({filter(depth + 1), filter(depth + 1)});
        if (depth < 3 && sometimes(8)) return Filter::negate(filter(depth + 1));
        return sometimes(12) ? Filter() : condition();
    }
    Query query() {
        Query out{.filter = filter()};
        if (sometimes(3)) out.sort = {sometimes(2) ? Path("priority") : Path("score")};
        if (sometimes(2)) out.direction = Direction::kDescending;
        if (!sometimes(4)) out.walk = Walk::kAllow;
        return out;
    }
    Update update() {
        Update out;
        switch (below(7)) {
            case 6:
                return out.set("title", title().c_str());
            case 0:
                return out.set("status", text());
            case 1:
                return out.inc("priority", 1).inc("score", 0.5);
            case 2:
                return out.unset("owner").set({"deep", "er"}, number());
            case 3:
                return out.push("tags", name(), 3).set("flag", sometimes(2));
            case 4:
                return out.set("email", fmt::format("e{}", below(30)).c_str());
            default:
                return out.inc("status", 1);
        }
    }
    Expected expected() {
        if (!sometimes(3)) return std::nullopt;
        return static_cast<std::int64_t>(1 + below(3));
    }
    std::size_t limit() { return 1 + below(sometimes(3) ? 100 : 4); }

  private:
    core::SeededRandom random_;
};

/// One operation, drawn once and done on both.
std::string apply_read(Generator& random, Reader& r) {
    const Collection collection = random.collection();
    switch (random.below(5)) {
        case 0:
            return show(r.find(collection, random.id()));
        case 1:
            return show(r.find_one(collection, random.query()));
        case 2:
            return show(r.count(collection, random.query()));
        case 3: {
            using Kind = Measure::Kind;
            Aggregation wanted{.filter = random.filter(),
                               .group_by = Path(random.sometimes(2) ? "flag" : "status"),
                               .measures = {{.kind = Kind::kCount},
                                            {.kind = Kind::kSum, .path = "priority"},
                                            {.kind = Kind::kMin, .path = "score"},
                                            {.kind = Kind::kAverage, .path = "score"}},
                               .walk = Walk::kAllow};
            if (random.sometimes(2)) {  // what columns of whole numbers answer
                wanted.measures.clear();
                for (const Kind kind :
                     {Kind::kCount, Kind::kSum, Kind::kMin, Kind::kMax, Kind::kAverage})
                    wanted.measures.push_back({.kind = kind, .path = "priority"});
                if (random.sometimes(3)) wanted.group_by.reset();
            }
            return show(r.aggregate(collection, wanted));
        }
        default: {
            const Query query = random.query();
            PageRequest request{.limit = random.limit()};
            std::string out;
            do {
                const auto page = r.find_page(collection, query, request);
                out += show(page);
                request.token = page.has_value() ? page->next : "";
            } while (!request.token.empty());
            return out;
        }
    }
}

std::string apply_write(Generator& random, Writer& w) {
    const Collection collection = random.collection();
    const auto modified = [&](const Result<std::optional<Record>>& r) { return show(r); };
    switch (random.below(9)) {
        case 0:
        case 1:
            return show(w.insert(collection, random.id(), random.document()));
        case 2:
            return show(w.upsert(collection, random.id(), random.document()));
        case 3: {
            const Id id = random.id();
            const json::object document = random.document();
            return show(w.replace(collection, id, document, random.expected()));
        }
        case 4: {
            const Id id = random.id();
            const Update update = random.update();
            return show(w.modify(collection, id, update, random.expected()));
        }
        case 5: {
            Query query = random.query();
            const Update update = random.update();
            return modified(
                w.find_and_modify(collection, query, update,
                                  random.sometimes(2) ? Returned::kBefore : Returned::kAfter));
        }
        case 6: {
            const Query query = random.query();
            return show(w.update_many(collection, query, random.update()));
        }
        case 7: {
            const Id id = random.id();
            const auto removed = w.remove(collection, id, random.expected());
            return removed.has_value() ? std::to_string(int{*removed})
                                       : show(Result<std::uint64_t>(removed.error()));
        }
        default: {
            // Few documents go at once, else there are none left to meet.
            if (!random.sometimes(4)) return apply_read(random, w);
            return show(w.remove_many(
                collection, {.filter = Filter::all({random.condition(), random.condition()})}));
        }
    }
}

/// One transaction: what it answered, step by step.
std::string transaction(Database& database, std::uint64_t seed) {
    Generator kind(seed);
    std::string out;
    if (kind.sometimes(3)) {
        const auto done = read_and_wait(database, [&](Reader& r) -> Result<int> {
            out += apply_read(kind, r);
            return 0;
        });
        return out;
    }
    const auto done = write_and_wait(database, [&](Writer& w) -> Result<int> {
        // It may be called again.
        Generator steps(seed);
        (void)steps.sometimes(3);
        out.clear();
        for (std::uint64_t left = 1 + steps.below(4); left > 0; --left)
            out += apply_write(steps, w) + "\n";
        if (steps.sometimes(6)) return Error(Code::kCancelled, "undone");
        return 0;
    });
    return out + (done.has_value() ? "kept" : "undone");
}

}  // namespace

void expect_answers_of_the_model(std::unique_ptr<Backend> (*make)(), std::uint64_t seeds,
                                 std::uint64_t steps) {
    const std::uint64_t first = number_of("ZONA_TEST_SEED", 1);
    seeds = std::getenv("ZONA_TEST_SEED") == nullptr ? seeds : 1;
    steps = number_of("ZONA_TEST_STEPS", steps);
    for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
        const auto backend = make();
        MemoryDatabase model(test_specs(), core::Secret(std::string(32, 'k')), backend->clock());
        core::SeededRandom random(seed);
        for (std::uint64_t step = 0; step < steps; ++step) {
            const std::uint64_t one = random.next();
            if (random.below(2) == 0) backend->clock().advance(std::chrono::milliseconds(1));
            ASSERT_EQ(transaction(backend->database(), one), transaction(model, one))
                << "ZONA_TEST_SEED=" << seed << ", step " << step;
        }
    }
}

}  // namespace zona::store
