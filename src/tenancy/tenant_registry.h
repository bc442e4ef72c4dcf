/// @file
/// TenantRegistry: which tenants there are and ever were, in the core database.
///
/// A tenant is never deleted here: it is suspended or deactivated, and each state that its record
/// had is kept (TEN-11). Its database's password is stored as ciphertext only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "store/database.h"
#include "tenancy/limits/license.h"
#include "tenancy/tenant.h"

namespace zona::vault {
class FieldSealer;
}

namespace zona::tenancy {

/// All members from any thread; callbacks come on threads of the database's own. Errors of all
/// besides their own: those of the database (store/database.h).
class TenantRegistry {
  public:
    /// `core` was opened with core_collections(). Without a sealer no password can be kept.
    /// `clock` and `sealer` outlive it and its callbacks. `keys` says whose licences count.
    TenantRegistry(std::shared_ptr<store::Database> core, const core::Clock& clock,
                   const vault::FieldSealer* sealer, LicenseKeys keys = {});

    /// Errors: kInvalidArgument: the code, or a name over 200 bytes. kConflict: the code is taken,
    /// by an inactive tenant too; its database in MongoDB is another tenant's. kLicense: the
    /// licence allows no more, or is not valid (license.h). kUnsupported: a password, and there is
    /// no sealer. Of several hosts that want the last place one gets it (LIC-05, GAP-71).
    void create(NewTenant wanted, store::Callback<Tenant> done);
    /// None: nobody has this code.
    void find(const std::string& code, store::Callback<std::optional<Tenant>> done);
    /// All, also those that are not served, in the order of their making.
    void list(store::Callback<std::vector<Tenant>> done);
    /// A number that is another one once any of this has changed, but for set_connection(): what
    /// other hosts ask for, so that they know when to look. Where the database has no transactions
    /// it may be another one some seconds before the change is there.
    void changes(store::Callback<std::int64_t> done);
    /// Errors: kNotFound. kConflict: it was erased, or one of several hosts moves or erases it.
    void set_status(const std::string& code, TenantStatus status, store::Callback<Tenant> done);
    /// Errors: kNotFound, kInvalidArgument for a name that is too long. kConflict: it was erased,
    /// or its database is not where `change` says (any more). kUnsupported: a password, and no
    /// sealer.
    void update(const std::string& code, TenantChange change, store::Callback<Tenant> done);
    /// What a try of its database has shown. It is no part of the history. Errors: kNotFound.
    void set_connection(const std::string& code, ConnectionStatus status,
                        store::Callback<Tenant> done);
    /// Says where its database is from now on, and keeps TENANTDB true with it. Errors: kNotFound.
    /// kConflict: it is another tenant's (TEN-02). kUnsupported: a password, and no sealer.
    void set_database(const std::string& code, DatabaseAddress address,
                      store::Callback<Tenant> done);
    /// Takes out all that is about people from its record, every former state of it, and TENANTDB;
    /// it stays as a number, a code and times. Errors: kNotFound.
    void forget(const std::string& code, store::Callback<Tenant> done);
    /// Every state that the record had before the present one, the oldest first; passwords are left
    /// out. Errors: kNotFound.
    void history(const std::string& code, store::Callback<std::vector<Tenant>> done);

  private:
    struct Work;
    static void try_to_create(store::Database& core, const std::shared_ptr<const Work>& work,
                              std::shared_ptr<const NewTenant> wanted, int tries,
                              store::Callback<Tenant> done);

    std::shared_ptr<store::Database> core_;
    std::shared_ptr<const Work> work_;  // shared with what the database still runs
};

}  // namespace zona::tenancy
