/// @file
/// Reads all sources of a configuration once and collects every mistake on the way.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <boost/json/value.hpp>

#include "core/config.h"
#include "core/document.h"

namespace zona::core::detail {

/// Whether `name` may be a member of a family: [a-z0-9_.-]{1,64}.
bool is_member_name(std::string_view name);

/// `text` in quotes, fit for a message whatever its bytes.
std::string to_json_text(std::string_view text);

/// Single use: make one, call load().
class ConfigLoader {
  public:
    /// Both must outlive this.
    ConfigLoader(const SettingTable& table, const ConfigInputs& inputs);

    /// As Config::load.
    Result<std::shared_ptr<const ConfigSnapshot>> load();

    /// Reads `text` as the file's content; for tests and fuzzing, load() calls it.
    void read_text(const std::string& path, std::string_view text);

  private:
    /// Where a secret is; read only when nothing overrides it, so that a profile that is not active
    /// needs none.
    struct SecretFile {
        std::string path;
    };
    struct SecretVariable {
        std::string name;
    };
    struct Candidate {
        std::string key;
        const Setting* setting;
        std::variant<SettingValue, SecretFile, SecretVariable> value;
        ConfigSource source;
        std::string profile;  // of [profiles.NAME], else empty
        std::string name;     // path, variable or "--set key"
        int line = 0;
    };
    /// A place in the tree of the file.
    struct Place {
        const Document& document;
        std::string path;     // of the file
        std::string key;      // dotted
        std::string pointer;  // JSON pointer
        std::string profile;
    };

    void read_file();
    std::optional<std::string> find_file();
    void read_section(const boost::json::value& section, const Place& place);
    void read_profiles(const boost::json::value& profiles, const Place& place);
    void read_member(const boost::json::value& value, const Place& place);
    void read_value(const Setting& setting, const boost::json::value& value, const Place& place);
    void read_secret(const Setting& setting, const boost::json::value& value, const Place& place);
    void add_from_file(Candidate candidate, const Place& place);

    void read_environment();
    void read_family_variable(const Setting& setting, const std::string& name,
                              const std::string& text);
    void warn_about_variables();
    void read_flags();
    void add_text(const Setting& setting, std::string key, std::string_view text,
                  ConfigSource source, std::string name);

    std::string choose_profile() const;
    std::map<std::string, ConfigSnapshot::Item> assemble();
    SettingValue default_value(const Setting& setting, const std::string& profile,
                               ConfigSource& source) const;
    void apply(const Candidate& candidate, std::map<std::string, ConfigSnapshot::Item>& items);
    std::optional<SettingValue> resolve(const Candidate& candidate);
    SettingValue rooted(const Setting& setting, SettingValue value) const;

    void mistake(std::string where, std::string problem, std::string hint = {});
    void mistake_at(const Place& place, std::string problem, std::string hint = {});
    /// "did you mean" for an unknown key, or nothing.
    std::string key_hint(std::string_view key) const;
    Error error() const;

    const SettingTable& table_;
    const ConfigInputs& inputs_;
    std::map<std::string_view, std::string_view> variables_;
    std::string file_;
    std::vector<Candidate> candidates_;
    std::map<std::pair<std::string, std::string>, int> lines_;  // by profile and key
    std::multimap<int, Detail>
        file_mistakes_;  // by line, since the tree is not in the file's order
    std::vector<Detail> mistakes_;
    std::vector<Detail> warnings_;
    Code code_ = Code::kInvalidArgument;  // of the error, if the file itself cannot be had
};

}  // namespace zona::core::detail
