#include "api/detail/system_setting_routes.h"

#include <utility>

#include "api/detail/setting_routes.h"
#include "tenancy/system_settings.h"
#include "tenancy/tenants.h"

namespace zona::api {

using core::Code;
using core::Result;
using tenancy::TenantSetting;

namespace {

SettingWords words() {
    return {.path = "/api/v1/system-settings",
            .component = "SystemSetting",
            .tag = Tag::kConfiguration,
            .reach = Reach::kInstallation,
            .one = "one of the installation's settings",
            .all = "the installation's settings",
            .about = "A setting of the whole installation.",
            .listed =
                "What holds on all instances: feature toggles, parameters of operation. In the "
                "order in which they were made, in pages. The settings of one daemon are others: "
                "listSettings.",
            .order = "The oldest first.",
            .key = "maintenance-window",
            .value = "sunday",
            .change_errors = {{Code::kForbidden, "It is zona's own: `build_type`."}}};
}

/// The core database.
class SystemSettings final : public SettingPlace {
  public:
    explicit SystemSettings(tenancy::Tenants& tenants) : tenants_(tenants) {}

    void list(const Call&, store::PageRequest page,
              store::Callback<tenancy::TenantSettingPage> done) const override {
        with_core(std::move(done), [&](store::Database& core, auto answer) {
            tenancy::list_system_settings(core, std::move(page), std::move(answer));
        });
    }

    void find(const Call& call, cache::Callback<cache::Found> done) const override {
        with_core(std::move(done), [&](store::Database& core, auto answer) {
            auto found = [answer = std::move(answer)](Result<TenantSetting> setting) mutable {
                if (!setting) return answer(setting.take_error());
                answer(std::make_shared<cache::Value>(shown(*setting)));
            };
            tenancy::find_system_setting(core, call.path("key"), std::move(found));
        });
    }

    void put(const Call& call, std::shared_ptr<const store::Value> value,
             store::Callback<tenancy::PutSetting> done) const override {
        with_core(std::move(done), [&](store::Database& core, auto answer) {
            tenancy::put_system_setting(core, call.path("key"), std::move(value), version_in(call),
                                        std::move(answer));
        });
    }

    void remove(const Call& call, store::Callback<TenantSetting> done) const override {
        with_core(std::move(done), [&](store::Database& core, auto answer) {
            tenancy::remove_system_setting(core, call.path("key"), version_in(call),
                                           std::move(answer));
        });
    }

  private:
    /// Calls `use` at once, if the core database is open.
    template <class T, class Use>
    void with_core(store::Callback<T> done, Use use) const {
        const auto core = tenants_.core();
        if (!core) return done(core::Error(Code::kUnavailable, "the core database is not open"));
        use(*core, std::move(done));
    }

    tenancy::Tenants& tenants_;
};

}  // namespace

Result<void> add_system_setting_routes(Service& service, tenancy::Tenants* tenants) {
    return add_setting_routes(
        service, words(),
        tenants == nullptr ? nullptr : std::make_shared<const SystemSettings>(*tenants));
}

}  // namespace zona::api
