#include "tenancy/tenant_settings.h"

#include <string_view>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Reader;
using store::Record;
using store::Writer;

namespace {

constexpr const char* kKey = "key";
constexpr const char* kValue = "value";
constexpr std::size_t kMostKeyBytes = 128;

Result<void> check_key(std::string_view key) {
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

TenantSetting setting_of(const Record& record) {
    const json::value* value = record.document->if_contains(kValue);
    return {.key = std::get<std::string>(record.id),
            .value = std::make_shared<const json::value>(value != nullptr ? *value : json::value()),
            .version = record.version,
            .updated_at = record.updated};
}

}  // namespace

Error no_setting(std::string_view key) {
    return {Code::kNotFound, fmt::format("there is no setting '{}'", key)};
}

const store::CollectionSpec& tenant_settings_spec() {
    static const store::CollectionSpec kSpec{
        .name = "tenant_settings",
        .fields = {{.path = kKey, .presence = store::Presence::kRequired}},
        .indexes = {{.name = "by_key", .fields = {{.path = kKey}}}}};
    return kSpec;
}

void find_setting(const TenantData& tenant, std::string key, store::Callback<TenantSetting> done) {
    tenant.read(
        [settings = tenant.collection(tenant_settings_spec()),
         key = std::move(key)](Reader& reader) -> Result<TenantSetting> {
            ZONA_TRY(const auto found, reader.find(settings, key));
            if (!found) return no_setting(key);
            return setting_of(*found);
        },
        std::move(done));
}

void list_settings(const TenantData& tenant, store::PageRequest page,
                   store::Callback<TenantSettingPage> done) {
    tenant.read(
        [settings = tenant.collection(tenant_settings_spec()),
         page = std::move(page)](Reader& reader) -> Result<TenantSettingPage> {
            const store::Query query{
                .filter = {}, .sort = {store::Path(kKey)}, .walk = store::Walk::kAllow};
            ZONA_TRY(store::Page found, reader.find_page(settings, query, page));
            TenantSettingPage out;
            for (const Record& record : found.records)
                out.settings.push_back(setting_of(record));
            out.next = std::move(found.next);
            return out;
        },
        std::move(done));
}

void put_setting(const TenantData& tenant, std::string key,
                 std::shared_ptr<const store::Value> value, store::Expected expected,
                 store::Callback<PutSetting> done) {
    if (auto good = check_key(key); !good) return done(good.take_error());
    tenant.write(
        [settings = tenant.collection(tenant_settings_spec()), key = std::move(key),
         value = std::move(value), expected](Writer& writer) -> Result<PutSetting> {
            const json::object document = {{kKey, key}, {kValue, *value}};
            ZONA_TRY(const auto before, writer.find(settings, key));
            const auto put = [&] {
                if (!expected) return writer.upsert(settings, key, document);
                if (*expected == 0) return writer.insert(settings, key, document);
                return writer.replace(settings, key, document, expected);
            };
            ZONA_TRY(const Record record, put());
            return PutSetting{.before = before.transform(setting_of), .now = setting_of(record)};
        },
        std::move(done));
}

void remove_setting(const TenantData& tenant, std::string key, store::Expected expected,
                    store::Callback<TenantSetting> done) {
    tenant.write(
        [settings = tenant.collection(tenant_settings_spec()), key = std::move(key),
         expected](Writer& writer) -> Result<TenantSetting> {
            ZONA_TRY(const auto before, writer.find(settings, key));
            ZONA_TRY(const bool removed, writer.remove(settings, key, expected));
            if (!removed || !before) return no_setting(key);
            return setting_of(*before);
        },
        std::move(done));
}

}  // namespace zona::tenancy
