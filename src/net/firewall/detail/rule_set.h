// RuleSet: the rules of the firewall as the library holds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "net/firewall/detail/modsecurity.h"
#include "net/firewall/firewall.h"
#include "net/http.h"

namespace zona::net::detail {

/// A request as the rules see it: a copy, for they are asked on another thread.
struct Sample {
    explicit Sample(const Request& request);

    std::string method;
    std::string target;
    const char* version;
    std::string address;
    std::uint16_t port = 0;
    std::uint16_t to_port = 0;
    Headers headers;
    std::string body;
};

/// Immutable once loaded; any number of threads may ask it at the same time.
class RuleSet {
  public:
    /// Ours, then those of the administrator, then the core rules. Errors: as Firewall::load().
    static core::Result<std::shared_ptr<const RuleSet>> load(const FirewallRules& rules);
    RuleSet(const RuleSet&) = delete;
    RuleSet& operator=(const RuleSet&) = delete;
    ~RuleSet();

    /// The rules that have matched, if they make the request an attack; none otherwise.
    std::vector<std::int64_t> judge(const Sample& sample) const;

    std::size_t size() const { return size_; }

  private:
    explicit RuleSet(const ModSecurityLibrary& library);
    core::Result<void> add(int added, const char* error);
    core::Result<void> add_core(const std::string& directory);

    const ModSecurityLibrary& library_;
    modsecurity::RulesSet* rules_;
    std::size_t size_ = 0;
};

}  // namespace zona::net::detail
