/// @file
/// What the settings say of tenants' data, as what the modules take.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "core/random.h"
#include "core/result.h"
#include "core/secret.h"
#include "core/settings.h"
#include "identity/users/password_rules.h"
#include "store/mongo_database.h"
#include "tenancy/backup/backup_copies.h"
#include "tenancy/backup/backup_jobs.h"
#include "vault/root_key.h"

namespace zona::daemon {

/// What signs page tokens until the daemon ends: those of an earlier one are not taken.
core::Secret new_page_token_key(core::Random& random);

/// When backups are made by themselves. Errors: kInvalidArgument, naming the setting.
core::Result<tenancy::BackupJobsOptions> backup_options(const core::Settings& settings);

/// Where the daemon and what it starts for itself look for programs: PATH.
std::string search_path();

/// Where backups are copied to; `home` is zona's.
tenancy::CopyOptions copy_options(const core::Settings& settings, const std::string& home);

/// What all databases in MongoDB have in common, and where the shared one is; `end` is asked to
/// stop when zona ends.
store::MongoOptions mongo_options(const core::Settings::Mongo& mongo, core::Random& random,
                                  const std::stop_source& end);

/// Where the core database is in MongoDB; without a URI it is a file. Errors: kInvalidArgument,
/// naming the setting that does not go with it.
core::Result<store::MongoOptions> core_options(const core::Settings& settings, core::Random& random,
                                               const std::stop_source& end);

/// The provider that is set, then those that the keys may still lie under; `random` outlives it.
std::unique_ptr<vault::RootKeyProvider> root_key_providers(const core::Settings::RootKey& wanted,
                                                           core::Random& random);

/// Gives this process the variables that a token's library reads. Before there are other threads.
/// Errors: kInvalidArgument for what is not NAME=VALUE.
core::Result<void> set_token_environment(const core::Settings::RootKey& wanted);

/// What tells this zona from others on the same core database; made with the first start.
/// Errors: those of writing `state/instance`.
core::Result<std::string> instance_of(const std::string& home, core::Random& random);

/// What is asked of new passwords.
identity::PasswordRules password_rules(const core::Settings& settings);

}  // namespace zona::daemon
