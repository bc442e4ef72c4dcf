// Fields of identity's own documents, which a check of the collection has let in.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "core/clock.h"
#include "core/result.h"
#include "store/database.h"

namespace zona::identity::detail {

inline std::string text_in(const boost::json::object& from, std::string_view key) {
    const boost::json::value* value = from.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

inline std::int64_t whole_in(const boost::json::object& from, std::string_view key) {
    const boost::json::value* value = from.if_contains(key);
    if (value == nullptr) return 0;
    boost::system::error_code error;
    const auto number = value->to_number<std::int64_t>(error);
    return error ? 0 : number;
}

inline bool flag_in(const boost::json::object& from, std::string_view key) {
    const boost::json::value* value = from.if_contains(key);
    return value != nullptr && value->is_bool() && value->get_bool();
}

inline std::vector<std::string> texts_in(const boost::json::object& from, std::string_view key) {
    std::vector<std::string> out;
    const boost::json::value* value = from.if_contains(key);
    if (value == nullptr || !value->is_array()) return out;
    for (const boost::json::value& item : value->get_array()) {
        if (item.is_string()) out.emplace_back(item.get_string());
    }
    return out;
}

inline bool holds(const std::vector<std::string>& texts, std::string_view text) {
    return std::ranges::find(texts, text) != texts.end();
}

inline boost::json::array to_field(const std::vector<std::string>& texts) {
    return boost::json::array(texts.begin(), texts.end());
}

/// Moments are kept in microseconds since 1970.
inline std::int64_t to_field(core::SystemTime moment) {
    return std::chrono::floor<std::chrono::microseconds>(moment.time_since_epoch()).count();
}

inline std::optional<core::SystemTime> time_in(const boost::json::object& from,
                                               std::string_view key) {
    const boost::json::value* value = from.if_contains(key);
    if (value == nullptr || value->is_null()) return std::nullopt;
    return core::SystemTime(std::chrono::microseconds(whole_in(from, key)));
}

/// The scope of a tenant's code; of the empty one the core's. Errors: those of Scope::tenant().
inline core::Result<store::Scope> scope_of(const std::string& tenant) {
    if (tenant.empty()) return store::Scope::core();
    return store::Scope::tenant(tenant);
}

/// Calls `use(record) -> Result<void>` with every record of the collection, by age.
template <class Use>
core::Result<void> for_each(store::Reader& reader, const store::Collection& collection, Use use) {
    const store::Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
    store::PageRequest request{.limit = store::kMaxPageSize};
    do {
        ZONA_TRY(store::Page page, reader.find_page(collection, all, request));
        for (const store::Record& record : page.records)
            ZONA_TRY_VOID(use(record));
        request.token = std::move(page.next);
    } while (!request.token.empty());
    return {};
}

/// What nobody can ask while the core database is not open.
inline core::Error core_is_closed() {
    return {core::Code::kUnavailable, "the core database is not open yet"};
}

}  // namespace zona::identity::detail
