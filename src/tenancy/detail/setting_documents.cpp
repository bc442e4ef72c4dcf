#include "tenancy/detail/setting_documents.h"

#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace zona::tenancy::detail {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Reader;
using store::Record;
using store::Writer;

namespace {

constexpr std::size_t kMostKeyBytes = 128;

TenantSetting setting_of(const Record& record) {
    const json::value* value = record.document->if_contains(kSettingValue);
    return {.key = std::get<std::string>(record.id),
            .value = std::make_shared<const json::value>(value != nullptr ? *value : json::value()),
            .version = record.version,
            .updated_at = record.updated};
}

}  // namespace

Result<void> check_setting_key(std::string_view key) {
    constexpr std::string_view kAllowed =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    if (!key.empty() && key.size() <= kMostKeyBytes &&
        key.find_first_not_of(kAllowed) == std::string_view::npos) {
        return {};
    }
    return Error(
        Code::kInvalidArgument,
        fmt::format("a setting's key is 1 to {} letters, digits and any of '._-'", kMostKeyBytes));
}

Result<TenantSetting> find_setting(Reader& reader, const Collection& settings,
                                   const std::string& key) {
    ZONA_TRY(const auto found, reader.find(settings, key));
    if (!found) return no_setting(key);
    return setting_of(*found);
}

Result<TenantSettingPage> list_settings(Reader& reader, const Collection& settings,
                                        const store::Query& query, const store::PageRequest& page) {
    ZONA_TRY(store::Page found, reader.find_page(settings, query, page));
    TenantSettingPage out;
    for (const Record& record : found.records)
        out.settings.push_back(setting_of(record));
    out.next = std::move(found.next);
    return out;
}

Result<PutSetting> put_setting(Writer& writer, const Collection& settings, const std::string& key,
                               const store::Value& value, store::Expected expected) {
    const json::object document = {{kSettingKey, key}, {kSettingValue, value}};
    ZONA_TRY(const auto before, writer.find(settings, key));
    const auto put = [&] {
        if (!expected) return writer.upsert(settings, key, document);
        if (*expected == 0) return writer.insert(settings, key, document);
        return writer.replace(settings, key, document, expected);
    };
    ZONA_TRY(const Record record, put());
    return PutSetting{.before = before.transform(setting_of), .now = setting_of(record)};
}

Result<TenantSetting> remove_setting(Writer& writer, const Collection& settings,
                                     const std::string& key, store::Expected expected) {
    ZONA_TRY(const auto before, writer.find(settings, key));
    ZONA_TRY(const bool removed, writer.remove(settings, key, expected));
    if (!removed || !before) return no_setting(key);
    return setting_of(*before);
}

}  // namespace zona::tenancy::detail

namespace zona::tenancy {

core::Error no_setting(std::string_view key) {
    return {core::Code::kNotFound, fmt::format("there is no setting '{}'", key)};
}

}  // namespace zona::tenancy
