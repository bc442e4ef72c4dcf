#include "flags.h"

#include <algorithm>
#include <cstdlib>

namespace zona::daemon {

bool Flags::has(std::string_view name) const {
    return std::ranges::find(words_, name) != words_.end();
}

std::string Flags::value(std::string_view name) const {
    const auto found = std::ranges::find(words_, name);
    if (found == words_.end() || found + 1 == words_.end()) return {};
    return *(found + 1);
}

std::uint64_t Flags::number(std::string_view name) const {
    return std::strtoull(value(name).c_str(), nullptr, 10);
}

std::vector<std::string> Flags::values(std::string_view name) const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i + 1 < words_.size(); ++i) {
        if (words_[i] == name) out.push_back(words_[++i]);
    }
    return out;
}

std::vector<std::pair<std::string, std::string>> split(const std::vector<std::string>& settings) {
    std::vector<std::pair<std::string, std::string>> out;
    for (const std::string& setting : settings) {
        const std::size_t equals = setting.find('=');
        const bool has_value = equals != std::string::npos;
        out.emplace_back(setting.substr(0, equals), has_value ? setting.substr(equals + 1) : "");
    }
    return out;
}

}  // namespace zona::daemon
