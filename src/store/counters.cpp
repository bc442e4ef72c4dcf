#include "store/counters.h"

#include <limits>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "store/detail/compare.h"
#include "store/detail/plan.h"

namespace zona::store {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr const char* kCurrent = "current_value";
constexpr const char* kStep = "increment_by";
constexpr const char* kUpdated = "last_updated";

std::int64_t whole(const json::object& document, const char* key) {
    const json::value* value = document.if_contains(key);
    return value == nullptr ? 0 : detail::as_integer(*value).value_or(0);
}

}  // namespace

const CollectionSpec& counters_spec() {
    static const CollectionSpec kSpec{
        .name = "counters",
        .fields = {{.path = kCurrent, .type = FieldType::kInteger, .presence = Presence::kRequired},
                   {.path = kStep, .type = FieldType::kInteger, .presence = Presence::kRequired},
                   {.path = kUpdated, .type = FieldType::kInteger, .presence = Presence::kRequired},
                   {.path = "metadata", .type = FieldType::kObject}},
        .indexes = {{.name = "by_created"}},
    };
    return kSpec;
}

Result<std::int64_t> next_number(Writer& writer, const Collection& counters,
                                 const std::string& name, core::SystemTime now) {
    ZONA_TRY(const std::optional<Record> found, writer.find(counters, name));
    if (!found) {
        ZONA_TRY_VOID(set_step(writer, counters, name, 1, now));
        return next_number(writer, counters, name, now);
    }
    std::int64_t next = 0;
    if (__builtin_add_overflow(whole(*found->document, kCurrent), whole(*found->document, kStep),
                               &next)) {
        return Error(Code::kResourceExhausted,
                     fmt::format("the counter {} has given out its last number", name));
    }
    Update update;
    update.set(kCurrent, next).set(kUpdated, detail::microseconds(now));
    ZONA_TRY(const Record changed, writer.modify(counters, name, update, found->version));
    return whole(*changed.document, kCurrent);
}

Result<void> set_step(Writer& writer, const Collection& counters, const std::string& name,
                      std::int64_t increment_by, core::SystemTime now) {
    if (increment_by < 1)
        return Error(Code::kInvalidArgument, fmt::format("counter {}: a step below 1", name));
    ZONA_TRY(const std::optional<Record> found, writer.find(counters, name));
    json::object document = found ? *found->document : json::object{{kCurrent, 0}};
    document[kStep] = increment_by;
    document[kUpdated] = detail::microseconds(now);
    ZONA_TRY(const Record stored, writer.upsert(counters, name, document));
    return {};
}

}  // namespace zona::store
