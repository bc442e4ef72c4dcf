#include "net/firewall/detail/matched_rules.h"

#include <modsecurity/modsecurity.h>
#include <modsecurity/rule_message.h>
#include <modsecurity/transaction.h>

namespace zona::net::detail {

const char* const kModSecurityVersion =
    MODSECURITY_MAJOR "." MODSECURITY_MINOR "." MODSECURITY_PATCHLEVEL;

std::vector<std::int64_t> matched_rules(const modsecurity::Transaction& transaction) {
    std::vector<std::int64_t> out;
    for (const modsecurity::RuleMessage& message : transaction.m_rulesMessages)
        out.push_back(message.m_ruleId);
    return out;
}

}  // namespace zona::net::detail
