// A user as a document of `users`, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "core/random.h"
#include "core/result.h"
#include "identity/users/users.h"
#include "store/database.h"
#include "vault/field_sealer.h"

namespace zona::identity::detail {

/// What a session goes by.
struct SessionFacts {
    UserNow now;
    UserStatus status = UserStatus::kActive;
    bool must_change_password = false;
};

/// One tenant's users, within a transaction or a read.
struct TenantUsers {
    std::string tenant;
    store::Collection collection;
    std::shared_ptr<const vault::FieldSealer> sealer;

    /// Errors: those of the tenant's code.
    static core::Result<TenantUsers> of(const std::string& tenant,
                                        std::shared_ptr<const vault::FieldSealer> sealer);

    core::Result<User> shown(const store::Record& record) const;
    /// The same without what is sealed.
    core::Result<SessionFacts> session_facts(const store::Record& record) const;
    /// Errors: kNotFound.
    core::Result<store::Record> get(store::Reader& core, std::int64_t id) const;
    core::Result<std::optional<store::Record>> by_name(store::Reader& core,
                                                       std::string_view name) const;
    core::Result<std::optional<store::Record>> by_email(store::Reader& core,
                                                        std::string_view email) const;
    /// Who is linked with this somebody of an identity provider.
    core::Result<std::optional<store::Record>> by_external(store::Reader& core,
                                                           const std::string& key) const;
    /// The hash by which by_external() finds them.
    core::Result<std::string> external_key(store::Writer& core, core::Random& random,
                                           std::string_view issuer, std::string_view subject) const;
    /// A secret field of a record; empty if it is not there.
    core::Result<core::Secret> secret(const store::Record& record, std::string_view field) const;
    /// The same as a list of texts.
    core::Result<std::vector<std::string>> secrets(const store::Record& record,
                                                   std::string_view field) const;
    /// Puts a secret into a document of this id; an empty one takes the field out.
    core::Result<void> set_secret(boost::json::object& document, std::int64_t id,
                                  std::string_view field, std::string_view text) const;
    /// The same of an e-mail address, with the hash by which it is found.
    core::Result<void> set_email(store::Writer& core, core::Random& random,
                                 boost::json::object& document, std::int64_t id,
                                 std::string_view email) const;
    /// A new password's hash, the last `remembered` ones with it.
    core::Result<void> set_password(boost::json::object& document, const store::Record* before,
                                    std::int64_t id, const std::string& hash,
                                    std::size_t remembered) const;
};

/// Errors: kInvalidArgument, naming the rule.
core::Result<void> check_name(std::string_view name);
core::Result<void> check_email(std::string_view email);

}  // namespace zona::identity::detail
