#include "api/detail/tenant_setting_routes.h"

#include <utility>

#include "api/detail/setting_routes.h"
#include "cache/cache.h"
#include "core/text.h"
#include "tenancy/tenants.h"

namespace zona::api {

using core::Code;
using core::Result;
using tenancy::PutSetting;
using tenancy::TenantData;
using tenancy::TenantSetting;

namespace {

constexpr std::string_view kCachedSettings = "settings";

SettingWords words() {
    return {.path = "/api/v1/tenants/{code}/settings",
            .component = "TenantSetting",
            .tag = Tag::kTenants,
            .reach = Reach::kTenant,
            .one = "one of a tenant's own settings",
            .all = "a tenant's own settings",
            .about = "One of a tenant's own settings.",
            .listed =
                "By key, in pages. What the installation sets for a tenant stands in "
                "its record.",
            .order = "By key.",
            .key = "theme",
            .value = "dark",
            .parameters = {{.name = std::string(kTenantParameter),
                            .shape = Shape::text("The tenant's code; case does not matter.")
                                         .example("\"default\""),
                            .place = Place::kPath,
                            .presence = Presence::kRequired}},
            .errors = {{Code::kInvalidTenant, "There is no such tenant."},
                       {Code::kTenantInactive, "The tenant is not active."},
                       {Code::kSessionError, "The tenant's database cannot be used now."}}};
}

/// Answers as the cache has them: the JSON that is shown.
cache::Loaded cached(const TenantSetting& setting) {
    return {.bytes = shown(setting), .version = setting.version};
}

/// A tenant's documents. Reads go through the cache, if there is one; so writes do.
class TenantSettings final : public SettingPlace {
  public:
    TenantSettings(tenancy::Tenants& tenants, cache::Cache* cache)
        : tenants_(tenants), cache_(cache) {}

    void list(const Call& call, store::PageRequest page,
              store::Callback<tenancy::TenantSettingPage> done) const override {
        with_data(call, std::move(done),
                  [page = std::move(page)](const TenantData& data, auto answer) mutable {
                      tenancy::list_settings(data, std::move(page), std::move(answer));
                  });
    }

    cache::Found known(const Call& call) const override {
        return cache_ == nullptr ? nullptr : cache_->find(which_of(call).cached());
    }

    void find(const Call& call, cache::Callback<cache::Found> done) const override {
        const Which which = which_of(call);
        if (cache_ != nullptr) return cache_->read(which.cached(), loader(which), std::move(done));
        loader(which)([done = std::move(done)](auto loaded) mutable {
            if (!loaded) return done(loaded.take_error());
            if (!*loaded) return done(nullptr);
            done(std::make_shared<cache::Value>(std::move((*loaded)->bytes)));
        });
    }

    void put(const Call& call, std::shared_ptr<const store::Value> value,
             store::Callback<PutSetting> done) const override {
        with_data(
            call, std::move(done),
            [cache = cache_, which = which_of(call), value = std::move(value),
             version = version_in(call)](const TenantData& data, auto answer) mutable {
                if (cache == nullptr) {
                    return tenancy::put_setting(data, which.key, std::move(value), version,
                                                std::move(answer));
                }
                // Of the writer, and of whoever answers when the cache knows of it.
                const auto put = std::make_shared<PutSetting>();
                cache::Writer writer = [data, key = which.key, value = std::move(value), version,
                                        put](cache::Callback<cache::Loaded> written) mutable {
                    put_setting(
                        data, std::move(key), std::move(value), version,
                        [put, written = std::move(written)](Result<PutSetting> result) mutable {
                            if (!result) return written(result.take_error());
                            *put = *std::move(result);
                            written(cached(put->now));
                        });
                };
                cache->write(
                    which.cached(), std::move(writer),
                    [put, answer = std::move(answer)](const Result<cache::Found>& kept) mutable {
                        if (!kept) return answer(kept.error());
                        answer(std::move(*put));
                    });
            });
    }

    void remove(const Call& call, store::Callback<TenantSetting> done) const override {
        with_data(call, std::move(done),
                  [cache = cache_, which = which_of(call), version = version_in(call)](
                      const TenantData& data, auto answer) mutable {
                      if (cache == nullptr)
                          return tenancy::remove_setting(data, which.key, version,
                                                         std::move(answer));
                      const auto was = std::make_shared<TenantSetting>();
                      cache::Remover remover = [data, key = which.key, version,
                                                was](cache::Callback<std::int64_t> gone) mutable {
                          remove_setting(
                              data, std::move(key), version,
                              [was, gone = std::move(gone)](Result<TenantSetting> result) mutable {
                                  if (!result) return gone(result.take_error());
                                  *was = *std::move(result);
                                  gone(was->version);
                              });
                      };
                      cache->remove(
                          which.cached(), std::move(remover),
                          [was, answer = std::move(answer)](const Result<void>& removed) mutable {
                              if (!removed) return answer(removed.error());
                              answer(std::move(*was));
                          });
                  });
    }

  private:
    /// Which setting of whom.
    struct Which {
        std::string tenant;
        std::string key;
        cache::Key cached() const { return {tenant, kCachedSettings, key}; }
    };
    static Which which_of(const Call& call) {
        return {core::lower_ascii(call.path(kTenantParameter)), call.path("key")};
    }

    cache::Loader loader(const Which& which) const {
        return [&tenants = tenants_,
                which](cache::Callback<std::optional<cache::Loaded>> done) mutable {
            tenants.data_of(which.tenant, [key = which.key, done = std::move(done)](
                                              Result<TenantData> data) mutable {
                if (!data) return done(data.take_error());
                auto found = [done = std::move(done)](Result<TenantSetting> setting) mutable {
                    if (setting) return done(cached(*setting));
                    if (setting.error().code() == Code::kNotFound) return done(std::nullopt);
                    done(setting.take_error());
                };
                tenancy::find_setting(*data, std::move(key), std::move(found));
            });
        };
    }

    template <class T, class Use>
    void with_data(const Call& call, store::Callback<T> done, Use use) const {
        tenants_.data_of(
            call.path(kTenantParameter),
            [use = std::move(use), done = std::move(done)](Result<TenantData> data) mutable {
                if (!data) return done(data.take_error());
                use(*data, std::move(done));
            });
    }

    tenancy::Tenants& tenants_;
    cache::Cache* const cache_;
};

}  // namespace

Result<void> add_tenant_setting_routes(Service& service, const DaemonApiDeps* deps) {
    std::shared_ptr<const SettingPlace> place;
    if (deps != nullptr) {
        // Without a Redis other hosts would not hear of what is written here.
        const bool is_alone = !deps->tenants.is_shared();
        const bool is_told = deps->cache.mode() != cache::Mode::kMemory;
        place = std::make_shared<const TenantSettings>(
            deps->tenants, is_alone || is_told ? &deps->cache : nullptr);
    }
    return add_setting_routes(service, words(), std::move(place));
}

}  // namespace zona::api
