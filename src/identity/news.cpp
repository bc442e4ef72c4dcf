#include "identity/news.h"

#include <utility>

#include <boost/json.hpp>

namespace zona::identity {

using core::Result;
using store::Filter;
using store::Query;

store::CollectionSpec news_collection(std::string name, std::vector<store::FieldSpec> fields) {
    fields.insert(fields.begin(), {.path = kNewsNumber,
                                   .type = store::FieldType::kInteger,
                                   .presence = store::Presence::kRequired});
    return {.name = std::move(name),
            .fields = std::move(fields),
            .indexes = {{.name = "by_number",
                         .fields = {{.path = kNewsNumber, .type = store::FieldType::kInteger}},
                         .uniqueness = store::Uniqueness::kUnique}}};
}

Result<std::int64_t> newest_number(store::Reader& core, const store::Collection& news) {
    const Query newest{
        .filter = {}, .sort = {kNewsNumber}, .direction = store::Direction::kDescending};
    ZONA_TRY(const std::optional<store::Record> found, core.find_one(news, newest));
    return found ? found->document->at(kNewsNumber).to_number<std::int64_t>() : 0;
}

Result<void> add_numbered(store::Writer& core, const store::Collection& news,
                          store::Document document) {
    ZONA_TRY(const std::int64_t newest, newest_number(core, news));
    const std::int64_t number = newest + 1;
    document[kNewsNumber] = number;
    auto inserted = core.insert(news, number, document);
    if (!inserted) return inserted.take_error();
    if (number % (kNewsKept / 10) != 0) return {};
    const Query old{.filter = Filter::lte(kNewsNumber, number - kNewsKept), .sort = {}};
    auto removed = core.remove_many(news, old);
    if (!removed) return removed.take_error();
    return {};
}

}  // namespace zona::identity
