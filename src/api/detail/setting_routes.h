// The four routes of settings by a key, wherever these lie.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/service.h"
#include "cache/cache.h"
#include "tenancy/tenant_settings.h"

namespace zona::api {

/// Where settings lie. Any thread; `call` need not outlive a member's return. Errors of all: as of
/// tenancy/tenant_settings.h.
class SettingPlace {
  public:
    SettingPlace() = default;
    SettingPlace(const SettingPlace&) = delete;
    SettingPlace& operator=(const SettingPlace&) = delete;
    virtual ~SettingPlace() = default;

    virtual void list(const Call& call, store::PageRequest page,
                      store::Callback<tenancy::TenantSettingPage> done) const = 0;
    /// @{
    /// What shown() makes of the setting; known() what is in memory, or null.
    virtual cache::Found known(const Call&) const { return nullptr; }
    virtual void find(const Call& call, cache::Callback<cache::Found> done) const = 0;
    /// @}
    virtual void put(const Call& call, std::shared_ptr<const store::Value> value,
                     store::Callback<tenancy::PutSetting> done) const = 0;
    /// Gives what it was.
    virtual void remove(const Call& call, store::Callback<tenancy::TenantSetting> done) const = 0;
};

/// What documents say of the settings of one place.
struct SettingWords {
    std::string path;       ///< "/api/v1/system-settings"
    std::string component;  ///< "SystemSetting"; the operations' ids are made of it
    Tag tag;
    Reach reach;
    std::string one;    ///< "one of the installation's settings"
    std::string all;    ///< "the installation's settings"
    std::string about;  ///< what one is: a sentence
    std::string listed;
    std::string order;
    std::string key;                          ///< of the examples
    std::string value;                        ///< the same, a text
    std::vector<ParameterSpec> parameters{};  ///< of each operation, before its own
    std::vector<ErrorSpec> errors{};          ///< of each operation, behind its own
    std::vector<ErrorSpec> change_errors{};   ///< of changes, before those
};

/// Lists, shows, sets and removes; `place` is null where nobody asks.
core::Result<void> add_setting_routes(Service& service, const SettingWords& words,
                                      std::shared_ptr<const SettingPlace> place);

/// A setting as it is answered: JSON.
std::string shown(const tenancy::TenantSetting& setting);

/// The version that a change asks for; 0: there must be none.
inline store::Expected version_in(const Call& call) {
    return call.integer("version");
}

}  // namespace zona::api
