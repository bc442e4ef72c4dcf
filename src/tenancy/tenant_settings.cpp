#include "tenancy/tenant_settings.h"

#include <utility>

#include "tenancy/detail/setting_documents.h"

namespace zona::tenancy {

using store::Reader;
using store::Writer;

const store::CollectionSpec& tenant_settings_spec() {
    static const store::CollectionSpec kSpec{
        .name = "tenant_settings",
        .fields = {{.path = detail::kSettingKey, .presence = store::Presence::kRequired}},
        .indexes = {{.name = "by_key", .fields = {{.path = detail::kSettingKey}}}}};
    return kSpec;
}

void find_setting(const TenantData& tenant, std::string key, store::Callback<TenantSetting> done) {
    tenant.read([settings = tenant.collection(tenant_settings_spec()), key = std::move(key)](
                    Reader& reader) { return detail::find_setting(reader, settings, key); },
                std::move(done));
}

void list_settings(const TenantData& tenant, store::PageRequest page,
                   store::Callback<TenantSettingPage> done) {
    tenant.read(
        [settings = tenant.collection(tenant_settings_spec()),
         page = std::move(page)](Reader& reader) {
            const store::Query query{.filter = {},
                                     .sort = {store::Path(detail::kSettingKey)},
                                     .walk = store::Walk::kAllow};
            return detail::list_settings(reader, settings, query, page);
        },
        std::move(done));
}

void put_setting(const TenantData& tenant, std::string key,
                 std::shared_ptr<const store::Value> value, store::Expected expected,
                 store::Callback<PutSetting> done) {
    if (auto good = detail::check_setting_key(key); !good) return done(good.take_error());
    tenant.write(
        [settings = tenant.collection(tenant_settings_spec()), key = std::move(key),
         value = std::move(value), expected](Writer& writer) {
            return detail::put_setting(writer, settings, key, *value, expected);
        },
        std::move(done));
}

void remove_setting(const TenantData& tenant, std::string key, store::Expected expected,
                    store::Callback<TenantSetting> done) {
    tenant.write(
        [settings = tenant.collection(tenant_settings_spec()), key = std::move(key), expected](
            Writer& writer) { return detail::remove_setting(writer, settings, key, expected); },
        std::move(done));
}

}  // namespace zona::tenancy
