#include "net/filter_addresses.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace zona::net {

std::string_view to_string(AddressRefusal refusal) {
    switch (refusal) {
        case AddressRefusal::kDenied:
            return "denied";
        case AddressRefusal::kCountry:
            return "country";
        case AddressRefusal::kNotAllowed:
            break;
    }
    return "not_allowed";
}

namespace {

bool has(const std::vector<std::string>& countries, const std::string& country) {
    return std::ranges::binary_search(countries, country);
}

std::optional<AddressRefusal> judge(const AddressRules& rules, std::string_view address) {
    if (rules.deny.contains(address)) return AddressRefusal::kDenied;
    const std::string country = rules.country_of ? rules.country_of(address) : std::string();
    if (has(rules.deny_countries, country)) return AddressRefusal::kCountry;
    if (rules.allow.empty() && rules.allow_countries.empty()) return std::nullopt;
    if (rules.allow.contains(address) || has(rules.allow_countries, country)) return std::nullopt;
    return AddressRefusal::kNotAllowed;
}

}  // namespace

AddressFilter::AddressFilter(core::MetricRegistry& metrics)
    : metrics_(metrics), rules_(std::make_shared<const AddressRules>()) {}

void AddressFilter::set_rules(AddressRules rules) {
    const bool has_rules = !rules.is_empty();
    auto now = std::make_shared<const AddressRules>(std::move(rules));
    const std::scoped_lock lock(mutex_);
    rules_.swap(now);
    has_rules_ = has_rules;
}

std::shared_ptr<const AddressRules> AddressFilter::rules() const {
    const std::scoped_lock lock(mutex_);
    return rules_;
}

std::optional<AddressRefusal> AddressFilter::refusal(std::string_view address) {
    if (!has_rules_) return std::nullopt;
    const auto refused = judge(*rules(), address);
    if (refused) {
        metrics_
            .counter("zona_denied_addresses_total",
                     "Requests from addresses that the lists do not let in.",
                     {{"reason", std::string(to_string(*refused))}})
            .add();
    }
    return refused;
}

Middleware filter_addresses(AddressFilter& filter) {
    return [&filter](const Request& request) -> Decision {
        const auto* remote = std::get_if<TcpPeer>(&request.peer);
        if (remote == nullptr || !filter.refusal(remote->address)) return {};
        return answer_with(Response::failed(
            core::Error(core::Code::kAddressDenied,
                        "requests from this address are not taken here (api.deny_addresses, "
                        "api.allow_addresses)")));
    };
}

}  // namespace zona::net
