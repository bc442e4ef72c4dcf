#include "store/testing/contract.h"

#include "store/testing/memory_database.h"

namespace zona::store {
namespace {

class MemoryBackend final : public Backend {
  public:
    Database& database() override { return database_; }
    void plant(const Collection& where, const Record& record) override {
        database_.plant(where, record);
    }

  private:
    MemoryDatabase database_{test_specs(), core::Secret(std::string(32, 'k')), clock()};
};

}  // namespace

const CollectionSpec& tasks_spec() {
    static const CollectionSpec kSpec{
        .name = "tasks",
        .fields = {{.path = "status",
                    .type = FieldType::kText,
                    .allowed = {"open", "done", "failed", "open2"}},
                   {.path = "tags", .type = FieldType::kArray}},
        .indexes = {{.name = "by_created"},
                    {.name = "by_status", .fields = {{"status", FieldType::kText}}},
                    {.name = "by_status_priority",
                     .fields = {{"status", FieldType::kText}, {"priority", FieldType::kInteger}}},
                    {.name = "by_score", .fields = {{"score", FieldType::kNumber}}},
                    {.name = "by_email",
                     .fields = {{"email", FieldType::kText}},
                     .uniqueness = Uniqueness::kUnique,
                     .coverage = Coverage::kSparse},
                    {.name = "by_owner",
                     .fields = {{Path({"owner", "name"}), FieldType::kText}},
                     .coverage = Coverage::kSparse},
                    {.name = "by_flag",
                     .fields = {{"flag", FieldType::kBoolean}},
                     .coverage = Coverage::kSparse}},
        .search = {"title", "tags", "details"},
        .limits = {.max_bytes = core::ByteCount::kib(64), .max_depth = 8},
    };
    return kSpec;
}

const CollectionSpec& numbers_spec() {
    static const CollectionSpec kSpec{
        .name = "numbers",
        .fields = {{.path = "even", .type = FieldType::kInteger, .presence = Presence::kRequired}},
        .indexes = {{.name = "by_group_even",
                     .fields = {{"group", FieldType::kText}, {"even", FieldType::kInteger}},
                     .uniqueness = Uniqueness::kUnique}},
        .accounting = Accounting::kFree,
        .check = [](const Document& document) -> Result<void> {
            if (document.at("even").as_int64() % 2 == 0) return {};
            return Error(Code::kInvalidArgument, "/even: is odd");
        },
    };
    return kSpec;
}

std::vector<const CollectionSpec*> test_specs() {
    return {&tasks_spec(), &numbers_spec(), &counters_spec()};
}

json::object task(std::string_view status, std::int64_t priority, double score) {
    return {{"status", status}, {"priority", priority}, {"score", score}};
}

json::object parsed(std::string_view text) {
    return json::parse(text).as_object();
}

std::unique_ptr<Backend> make_memory_backend() {
    return std::make_unique<MemoryBackend>();
}

std::vector<std::string> StoreContract::ids(const Query& query, std::size_t limit) {
    std::vector<std::string> out;
    PageRequest request{.limit = limit};
    do {
        auto answer = page(query, request);
        EXPECT_TRUE(answer.has_value()) << answer.error().message();
        if (!answer.has_value()) return out;
        EXPECT_LE(answer->records.size(), limit);
        for (const Record& record : answer->records)
            out.push_back(to_string(record.id));
        request.token = answer->next;
    } while (!request.token.empty());
    return out;
}

}  // namespace zona::store
