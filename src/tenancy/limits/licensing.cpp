#include "tenancy/limits/licensing.h"

#include <algorithm>
#include <charconv>
#include <ranges>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/text.h"
#include "core/time_format.h"
#include "identity/users/collections.h"
#include "jobs/context.h"
#include "os/fd.h"
#include "store/blocking.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/wait.h"
#include "tenancy/limits/license_repository.h"
#include "tenancy/tenant.h"

namespace zona::tenancy {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Reader;
using store::Record;
using store::Scope;

namespace {

using detail::wait_for;

/// An end that is so far away is none.
constexpr std::int64_t kMostWarnDays = 3650;

/// Of the tenants that were not erased; all is counted but users and roles.
Result<std::vector<std::string>> count_tenants(Reader& core, LicenseUsage& into) {
    std::vector<std::string> codes;
    const store::Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
    store::PageRequest request{.limit = store::kMaxPageSize, .token = {}};
    do {
        ZONA_TRY(store::Page page,
                 core.find_page(Collection(tenants_spec(), Scope::core()), all, request));
        for (const Record& record : page.records) {
            const json::object& tenant = *record.document;
            if (tenant.contains("erased_at")) continue;
            const std::string_view status = tenant.at("status").get_string();
            if (status == to_string(TenantStatus::kActive)) ++into.active;
            if (status == to_string(TenantStatus::kSuspended)) ++into.suspended;
            if (status == to_string(TenantStatus::kInactive)) ++into.inactive;
            codes.emplace_back(tenant.at("tenant_code").get_string());
        }
        request.token = std::move(page.next);
    } while (!request.token.empty());
    return codes;
}

Result<std::uint64_t> count_all(Reader& core, const store::CollectionSpec& spec,
                                const Scope& scope) {
    const store::Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
    return core.count(Collection(spec, scope), all);
}

std::int64_t peak_of(const License& license) {
    const json::value* const peak =
        license.usage_metrics ? license.usage_metrics->if_contains("peak_tenants") : nullptr;
    return peak != nullptr && peak->is_int64() ? peak->get_int64() : 0;
}

}  // namespace

Result<std::vector<std::int64_t>> parse_warn_days(std::string_view text) {
    std::vector<std::int64_t> out;
    for (const auto part : std::views::split(text, ',')) {
        const std::string_view word(part);
        std::int64_t days = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), days);
        if (error != std::errc() || end != word.data() + word.size() || days < 1 ||
            days > kMostWarnDays) {
            return Error(Code::kInvalidArgument,
                         fmt::format("license.warn_days: '{}' is no number from 1 to {}", word,
                                     kMostWarnDays));
        }
        out.push_back(days);
    }
    std::ranges::sort(out);
    return out;
}

Result<LicenseUsage> count_usage(Reader& core) {
    LicenseUsage out;
    ZONA_TRY(const std::vector<std::string> codes, count_tenants(core, out));
    ZONA_TRY(out.users, count_all(core, identity::users_spec(), Scope::core()));
    for (const std::string& code : codes) {
        ZONA_TRY(const Scope scope, Scope::tenant(code));
        ZONA_TRY(const std::uint64_t users, count_all(core, identity::users_spec(), scope));
        ZONA_TRY(const std::uint64_t roles, count_all(core, identity::roles_spec(), scope));
        out.users += users;
        out.roles += roles;
    }
    return out;
}

Licensing::Licensing(LicensingOptions options, LicensingDeps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      installed_(std::make_shared<const std::vector<License>>()) {}

std::shared_ptr<store::Database> Licensing::core() const {
    const std::lock_guard lock(mutex_);
    return core_;
}

void Licensing::start(std::shared_ptr<store::Database> core) {
    if (auto known = read(core); !known)
        deps_.log.report("what is licensed is not known", known.error());
    const std::lock_guard lock(mutex_);
    core_ = std::move(core);
}

void Licensing::stop() {
    std::shared_ptr<store::Database> last;
    const std::lock_guard lock(mutex_);
    last.swap(core_);
}

Result<void> Licensing::read(const std::shared_ptr<store::Database>& core) {
    LicenseRepository repository(core, options_.keys);
    ZONA_TRY(std::vector<License> all,
             wait_for<std::vector<License>>([&](auto done) { repository.list(std::move(done)); }));
    measure(all);
    auto kept = std::make_shared<const std::vector<License>>(std::move(all));
    const std::lock_guard lock(mutex_);
    installed_ = std::move(kept);
    return {};
}

void Licensing::measure(const std::vector<License>& all) const {
    const core::SystemTime now = deps_.clock.system();
    for (const License& license : all) {
        const auto days = license.days_left(now);
        if (!days) continue;
        deps_.metrics
            .gauge("zona_license_days_left", "Days until the licence expires; 0: it has.",
                   {{"type", std::string(to_string(license.type))}})
            .set(static_cast<double>(*days));
    }
    deps_.metrics
        .gauge("zona_license_valid", "Whether the installation's licence is valid: 1 or 0.")
        .set(governing(all, {}, now).state(now) == LicenseState::kValid ? 1 : 0);
}

Result<License> Licensing::put(const std::shared_ptr<store::Database>& core,
                               const std::string& text) {
    LicenseRepository repository(core, options_.keys);
    const core::SystemTime now = deps_.clock.system();
    ZONA_TRY(License installed,
             wait_for<License>([&](auto done) { repository.install(text, now, std::move(done)); }));
    ZONA_TRY_VOID(read(core));
    deps_.log.info(
        "a licence is installed",
        {{"id", installed.id}, {"type", to_string(installed.type)}, {"holder", installed.holder}});
    return installed;
}

Result<License> Licensing::install(const std::string& text) {
    const auto core = this->core();
    if (!core) return Error(Code::kUnavailable, "the core database is not open");
    return put(core, text);
}

Result<LicenseUsage> Licensing::usage() const {
    const auto core = this->core();
    if (!core) return Error(Code::kUnavailable, "the core database is not open");
    return store::read_and_wait(*core, [](Reader& reader) { return count_usage(reader); });
}

Result<void> Licensing::look() {
    const auto core = this->core();
    if (!core) return Error(Code::kUnavailable, "the core database is not open");
    ZONA_TRY_VOID(read(core));
    take_file(core);
    for (const License& license : installed())
        ZONA_TRY_VOID(warn(core, license));
    return note_usage(core);
}

/// Wrong or not, the licence that is installed stays.
void Licensing::take_file(const std::shared_ptr<store::Database>& core) {
    auto there = os::stat_path(options_.file);
    if (!there) return tell_file_problem(there.error());
    if (!*there) {
        const std::lock_guard lock(mutex_);
        return file_problem_.clear();
    }
    auto text = os::read_file(options_.file, kMostLicenseBytes + 1);
    if (!text) return tell_file_problem(text.error());
    const std::vector<License> before = installed();
    auto wanted = parse_license(*text, options_.keys);
    if (!wanted) return tell_file_problem(wanted.error());
    const bool is_new =
        std::ranges::none_of(before, [&](const License& one) { return one.text == wanted->text; });
    if (is_new) {
        auto installed = put(core, *text);
        // One that is older than what is installed was renewed elsewhere.
        if (!installed && installed.error().code() != Code::kConflict)
            return tell_file_problem(installed.error());
        if (installed && deps_.record) {
            deps_.record("installLicense", installed->id,
                         fmt::format("of the file {}", options_.file));
        }
    }
    const std::lock_guard lock(mutex_);
    file_problem_.clear();
}

/// Once for each problem.
void Licensing::tell_file_problem(const Error& error) {
    {
        const std::lock_guard lock(mutex_);
        if (file_problem_ == error.message()) return;
        file_problem_ = error.message();
    }
    deps_.log.warn("the licence in the file is not installed",
                   {{"file", options_.file}, {"error", error.message()}});
}

Result<void> Licensing::warn(const std::shared_ptr<store::Database>& core, const License& license) {
    const auto days = license.days_left(deps_.clock.system());
    if (!days) return {};
    const auto due = std::ranges::lower_bound(options_.warn_days, *days);
    if (*days > 0 && due == options_.warn_days.end()) return {};
    const std::int64_t level = *days == 0 ? 0 : *due;
    LicenseRepository repository(core, options_.keys);
    ZONA_TRY(const bool is_first, wait_for<bool>([&](auto done) {
                 repository.note_warning(license.type, license.id, level, std::move(done));
             }));
    if (!is_first) return {};
    const std::string end = core::to_rfc3339(*license.expiry_date);
    deps_.log.warn(*days == 0 ? "the licence has expired" : "the licence expires soon",
                   {{"id", license.id},
                    {"type", to_string(license.type)},
                    {"expires_at", end},
                    {"days", *days}});
    if (deps_.record) {
        deps_.record(*days == 0 ? "licenseExpired" : "licenseExpires", license.id,
                     fmt::format("{} days are left until {}", *days, end));
    }
    return {};
}

/// Now and then: users are counted in each tenant.
Result<void> Licensing::note_usage(const std::shared_ptr<store::Database>& core) {
    const License license = of({});
    const core::SteadyTime now = deps_.clock.steady();
    if (license.id.empty() || (usage_noted_ && now - *usage_noted_ < kUsagePause)) return {};
    ZONA_TRY(const LicenseUsage usage, this->usage());
    const auto tenants = static_cast<std::int64_t>(usage.tenants());
    json::object document = {{"tenants", tenants},
                             {"users", static_cast<std::int64_t>(usage.users)},
                             {"roles", static_cast<std::int64_t>(usage.roles)},
                             {"peak_tenants", std::max(tenants, peak_of(license))}};
    usage_noted_ = now;
    if (license.usage_metrics && *license.usage_metrics == document) return {};
    LicenseRepository repository(core, options_.keys);
    ZONA_TRY_VOID(wait_for<bool>([&](auto done) {
        repository.note_usage(license.type, std::move(document), std::move(done));
    }));
    return {};
}

std::vector<License> Licensing::installed() const {
    const std::lock_guard lock(mutex_);
    return *installed_;
}

License Licensing::of(std::string_view tenant) const {
    std::shared_ptr<const std::vector<License>> all;
    {
        const std::lock_guard lock(mutex_);
        all = installed_;
    }
    return governing(*all, core::lower_ascii(tenant), deps_.clock.system());
}

std::string Licensing::file_problem() const {
    const std::lock_guard lock(mutex_);
    return file_problem_;
}

std::int64_t Licensing::warns_from() const {
    return options_.warn_days.empty() ? 0 : options_.warn_days.back();
}

jobs::Definition license_check(Licensing& licensing, std::chrono::milliseconds interval) {
    return {.name = "license-check",
            .summary =
                "Installs a new licence of the file, warns before one expires, and notes "
                "what is used.",
            .schedule = jobs::Schedule::every(interval),
            .instances = jobs::Instances::kEach,
            .retries = {.attempts = 0},
            .work = [&licensing](jobs::Context&) { return licensing.look(); },
            .due =
                [&licensing](std::optional<core::SystemTime> planned) {
                    return licensing.takes_licenses() ? planned : std::nullopt;
                }};
}

}  // namespace zona::tenancy
