/// @file
/// Placement: which host a new tenant's database is made on, by its code: ranges of first
/// characters, or a hash over several hosts.
///
/// Only tenants that are made without a `db_host` are placed, and only when they are made: a new
/// table moves nobody. `zona store migrate` does. Value type; any thread. Source: PERF-18, PERF-26,
/// GAP-62.
#pragma once

#include <array>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "tenancy/tenant.h"

namespace zona::tenancy {

/// Two kinds of tables, as a setting holds them; a HOST is `embedded` or `mongodb://...`:
///
///     A-G: mongodb://one/; H-Z: mongodb://two/; 0-9: embedded     each letter and digit once
///     A-G: mongodb://one/; other: embedded                        and what is left
///     hash: mongodb://one/ mongodb://two/ mongodb://three/        evenly; a host more takes its
///                                                                 part from all, and no code goes
///                                                                 from one old host to another
class Placement {
  public:
    /// Everybody is embedded.
    Placement() = default;
    /// Reads a table; an empty one is the default. `login` is who zona is at hosts in MongoDB: its
    /// user name and password. Errors: kInvalidArgument, naming what is wrong: an entry that is
    /// none, a host of another kind or with credentials, characters that two ranges have, or none.
    static core::Result<Placement> parse(std::string_view table, const DatabaseAddress& login);

    /// Where a tenant of this code belongs; the name is left open.
    DatabaseAddress address_of(std::string_view code) const;
    /// Each that the table names, once.
    std::set<std::string> hosts() const;

  private:
    static constexpr std::size_t kFirsts = 36;  ///< 0-9, a-z
    const std::string& host_of(std::string_view code) const;
    static core::Result<std::vector<std::string>> hosts_in(std::string_view text);
    core::Result<void> add_range(std::string_view range, const std::string& host);

    std::array<std::string, kFirsts> ranges_{};  ///< hosts; all empty: embedded
    std::vector<std::string> hashed_;            ///< goes before the ranges, if there are any
    DatabaseAddress login_;
};

}  // namespace zona::tenancy
