#include "tenancy/system_settings.h"

#include <utility>

#include <fmt/format.h>

#include "tenancy/core_collections.h"
#include "tenancy/detail/setting_documents.h"

namespace zona::tenancy {

using core::Result;
using store::Reader;
using store::Writer;

namespace {

store::Collection settings() {
    return {system_config_spec(), store::Scope::core()};
}

Result<void> may_change(const std::string& key) {
    if (key != kBuildTypeSetting) return detail::check_setting_key(key);
    return core::Error(
        core::Code::kForbidden,
        fmt::format("the setting '{}' is zona's own: it says how the data was made", key));
}

}  // namespace

void find_system_setting(store::Database& core, std::string key,
                         store::Callback<TenantSetting> done) {
    store::read(
        core,
        [key = std::move(key)](Reader& reader) {
            return detail::find_setting(reader, settings(), key);
        },
        std::move(done));
}

void list_system_settings(store::Database& core, store::PageRequest page,
                          store::Callback<TenantSettingPage> done) {
    store::read(
        core,
        [page = std::move(page)](Reader& reader) {
            const store::Query query{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
            return detail::list_settings(reader, settings(), query, page);
        },
        std::move(done));
}

void put_system_setting(store::Database& core, std::string key,
                        std::shared_ptr<const store::Value> value, store::Expected expected,
                        store::Callback<PutSetting> done) {
    if (auto may = may_change(key); !may) return done(may.take_error());
    store::write(
        core,
        [key = std::move(key), value = std::move(value), expected](Writer& writer) {
            return detail::put_setting(writer, settings(), key, *value, expected);
        },
        std::move(done));
}

void remove_system_setting(store::Database& core, std::string key, store::Expected expected,
                           store::Callback<TenantSetting> done) {
    if (auto may = may_change(key); !may) return done(may.take_error());
    store::write(
        core,
        [key = std::move(key), expected](Writer& writer) {
            return detail::remove_setting(writer, settings(), key, expected);
        },
        std::move(done));
}

}  // namespace zona::tenancy
