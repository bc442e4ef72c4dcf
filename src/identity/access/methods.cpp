#include "identity/access/methods.h"

#include <algorithm>
#include <mutex>
#include <ranges>
#include <utility>

#include <fmt/format.h>

#include "core/text.h"

namespace zona::identity {

using core::Code;
using core::Error;
using core::Result;

namespace {

using Row = std::pair<std::string_view, Method>;
constexpr Row kNames[] = {{"key", Method::kKey},
                          {"token", Method::kToken},
                          {"certificate", Method::kCertificate},
                          {"second_factor", Method::kSecondFactor}};

Error no_way(std::string_view text, std::string_view reason) {
    return Error(Code::kInvalidArgument, fmt::format("'{}' {}", text, reason))
        .detail({"", "",
                 "methods joined by '+', as in certificate+token: key, token, certificate, "
                 "second_factor"});
}

Result<Methods> way_of(std::string_view text) {
    Methods out;
    for (const auto part : text | std::views::split('+')) {
        const std::string_view name = core::trimmed(std::string_view(part));
        const auto* const found = std::ranges::find(kNames, name, &Row::first);
        if (found == std::end(kNames)) return no_way(text, "has something in it that is no method");
        out.add(found->second);
    }
    // Who asks by a key has no session, and so on.
    const bool is_of_both = out.has(Method::kKey) && out.has(Method::kToken);
    const bool lacks_token = out.has(Method::kSecondFactor) && !out.has(Method::kToken);
    if (is_of_both || lacks_token)
        return no_way(text,
                      "cannot be shown at once: a second factor is of a token, and a token's "
                      "request has no key");
    return out;
}

}  // namespace

std::string Methods::to_string() const {
    std::string out;
    for (const auto& [name, method] : kNames) {
        if (!has(method)) continue;
        if (!out.empty()) out += '+';
        out += name;
    }
    return out;
}

Result<RequiredMethods> RequiredMethods::parse(std::span<const std::string> ways) {
    RequiredMethods out;
    for (const std::string& text : ways) {
        ZONA_TRY(const Methods way, way_of(text));
        out.ways_.push_back(way);
    }
    return out;
}

Result<RequiredMethods> RequiredMethods::parse(std::string_view ways) {
    std::vector<std::string> list;
    for (const auto part : ways | std::views::split(',')) {
        const std::string_view way = core::trimmed(std::string_view(part));
        if (!way.empty()) list.emplace_back(way);
    }
    return parse(list);
}

RequiredMethods RequiredMethods::impossible() {
    RequiredMethods out;
    // Nobody's way: bits that no method has.
    out.ways_.push_back(Methods::from(0xf0));
    return out;
}

bool RequiredMethods::are_met_by(Methods shown) const {
    return ways_.empty() ||
           std::ranges::any_of(ways_, [shown](Methods way) { return shown.has(way); });
}

std::string RequiredMethods::to_string() const {
    std::string out;
    for (const Methods way : ways_) {
        if (!out.empty()) out += " or ";
        out += way.to_string();
    }
    return out;
}

void MethodPolicies::set_usual(RequiredMethods required) {
    const std::unique_lock lock(mutex_);
    usual_ = std::move(required);
}

void MethodPolicies::set(const std::string& tenant, RequiredMethods required) {
    const std::unique_lock lock(mutex_);
    if (required.empty()) {
        of_tenant_.erase(tenant);
    } else {
        of_tenant_.insert_or_assign(tenant, std::move(required));
    }
}

Result<void> MethodPolicies::check(std::string_view tenant, Methods shown) const {
    const std::shared_lock lock(mutex_);
    const auto own = of_tenant_.find(tenant);
    const RequiredMethods* unmet = nullptr;
    if (!usual_.are_met_by(shown)) unmet = &usual_;
    if (own != of_tenant_.end() && !own->second.are_met_by(shown)) unmet = &own->second;
    if (unmet == nullptr) return {};
    return Error(Code::kUnauthenticated,
                 fmt::format("{} has to be shown at once, and the request shows {}",
                             unmet->to_string(), shown.to_string()));
}

}  // namespace zona::identity
