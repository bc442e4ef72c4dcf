#include "tenancy/build_type.h"

#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "store/blocking.h"
#include "tenancy/core_collections.h"
#include "tenancy/system_settings.h"

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr const char* kValue = "value";
constexpr const char* kAsked = "asked";
constexpr const char* kBefore = "before";

store::Collection settings() {
    return {system_config_spec(), store::Scope::core()};
}

Result<std::optional<BuildType>> type_in(const store::Document& document, const char* field) {
    const json::value* const value = document.if_contains(field);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    ZONA_TRY(const BuildType type, parse_build_type(value->get_string()));
    return type;
}

Result<std::optional<BuildTypeRecord>> find(store::Reader& reader) {
    ZONA_TRY(const auto found, reader.find(settings(), kBuildTypeSetting));
    if (!found) return std::nullopt;
    BuildTypeRecord out;
    ZONA_TRY(const auto type, type_in(*found->document, kValue));
    if (!type) return Error(Code::kInternal, "the recorded build type is none");
    out.type = *type;
    ZONA_TRY(out.asked, type_in(*found->document, kAsked));
    ZONA_TRY(out.before, type_in(*found->document, kBefore));
    return out;
}

Result<BuildTypeRecord> keep(store::Writer& writer, const BuildTypeRecord& record) {
    json::object out{{kValue, to_string(record.type)}};
    if (record.asked) out[kAsked] = to_string(*record.asked);
    if (record.before) out[kBefore] = to_string(*record.before);
    ZONA_TRY_VOID(writer.upsert(settings(), kBuildTypeSetting, out));
    return record;
}

Error another(const BuildTypeRecord& record, BuildType wanted) {
    return Error(Code::kConflict,
                 fmt::format("the data of this zona was made with build type {}, and {} is "
                             "configured",
                             to_string(record.type), to_string(wanted)))
        .detail({"tenancy.build_type", "",
                 fmt::format("set it to {0}; to change the data, say `zona store migrate "
                             "--build-type {1}` while zona runs with {0}, then set it to {1} and "
                             "restart zona",
                             to_string(record.type), to_string(wanted))});
}

/// What is recorded, which is there once zona was started.
template <class Change>
Result<BuildTypeRecord> change_record(store::Database& core, Change change) {
    return store::write_and_wait(core, [&](store::Writer& writer) -> Result<BuildTypeRecord> {
        ZONA_TRY(auto record, find(writer));
        if (!record) return Error(Code::kConflict, "no build type is recorded yet");
        ZONA_TRY_VOID(change(*record));
        return keep(writer, *record);
    });
}

}  // namespace

Result<BuildTypeRecord> settle_build_type(store::Database& core, BuildType wanted) {
    return store::write_and_wait(core, [&](store::Writer& writer) -> Result<BuildTypeRecord> {
        ZONA_TRY(const auto record, find(writer));
        if (!record) return keep(writer, {.type = wanted, .asked = {}, .before = {}});
        if (record->type != wanted && record->asked != wanted) return another(*record, wanted);
        return *record;
    });
}

Result<BuildTypeRecord> ask_for_build_type(store::Database& core, BuildType wanted) {
    return change_record(core, [wanted](BuildTypeRecord& record) -> Result<void> {
        record.asked.reset();
        if (wanted == record.type) return {};
        if (record.before) {
            return Error(Code::kConflict,
                         fmt::format("what was left of build type {} is not removed yet",
                                     to_string(*record.before)))
                .detail({"", "", "restart zona, and look into its log for what hinders it"});
        }
        record.asked = wanted;
        return {};
    });
}

Result<void> note_build_type(store::Database& core, BuildType type) {
    ZONA_TRY_VOID(change_record(core, [type](BuildTypeRecord& record) -> Result<void> {
        record = {.type = type, .asked = {}, .before = record.type};
        return {};
    }));
    return {};
}

Result<void> forget_former_build_type(store::Database& core) {
    ZONA_TRY_VOID(change_record(core, [](BuildTypeRecord& record) -> Result<void> {
        record.before.reset();
        return {};
    }));
    return {};
}

}  // namespace zona::tenancy
