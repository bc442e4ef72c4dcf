/// @file
/// From one app's object in the tree to a valid AppSpec.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "process/app_spec.h"
#include "process/detail/ecosystem_report.h"
#include "process/detail/ecosystem_tree.h"
#include "process/ecosystem.h"

namespace zona::process::detail {

/// What the reader of one key may use. A reader that finds its value wrong reports that and leaves
/// the spec as it is; ranges are left to validate(), which knows them.
class AppReader {
  public:
    AppReader(const EcosystemInput& input, EcosystemRules rules, Report& report)
        : input_(input), rules_(rules), report_(report) {}

    /// Reads `app`, which stands at `path` ("apps[0]"), into spec(). False if any error was
    /// reported; then spec() holds what was right.
    bool read(const Node& app, const std::string& path);

    /// The value being read, and the key as the file spells it.
    const Node& node() const { return *node_; }
    AppSpec& spec() { return spec_; }
    const EcosystemInput& input() const { return input_; }
    bool is_pm2() const { return rules_ == EcosystemRules::kPm2; }

    // Each returns nothing after having reported why.
    std::optional<std::string> text();
    std::optional<bool> boolean();
    std::optional<std::int64_t> integer();
    std::optional<std::chrono::milliseconds> duration();
    std::optional<std::vector<std::string>> arguments();
    /// text(), with `~/` expanded.
    std::optional<std::string> path();

    /// Reports the present value, or one inside it.
    void wrong(std::string problem, std::string hint = {});
    void wrong_type(std::string_view expected);
    void wrong_at(std::string_view below, Position at, std::string problem, std::string hint = {});
    /// Where validate()'s findings about `setting` are to be shown.
    void remember(const std::string& setting, Position at) { places_[setting] = at; }

    /// The scalar in quotes, or a neutral word if it came from the environment.
    static std::string shown(const Node& scalar);

  private:
    void choose_entries(const Node& app);
    void choose(std::size_t row, const Entry& entry);
    void unknown_key(const Entry& entry);
    void default_name();
    void check();
    Place place_of(const std::string& setting) const;

    const EcosystemInput& input_;
    EcosystemRules rules_;
    Report& report_;

    std::string path_;
    Position app_at_;
    AppSpec spec_;
    bool failed_ = false;
    bool hidden_ = false;                       ///< a setting came from the environment
    std::set<std::string, std::less<>> wrong_;  ///< settings already reported
    std::vector<const Entry*> chosen_;          ///< one per row of the key table
    std::map<std::string, Position> places_;
    const Node* node_ = nullptr;
    std::string_view key_;       ///< as the file spells it
    std::string_view row_name_;  ///< as the table does
};

/// A row of the key table.
struct KeyRow {
    std::string_view name;
    std::string_view type;
    std::string_view default_value;
    std::array<std::string_view, 4> aliases;  ///< the first empty one ends them
    std::string_view meaning;
    void (*read)(AppReader&);
};

/// In the order of the document; `cwd` stands before the keys whose paths start from it.
std::span<const KeyRow> key_rows();

/// The value that asks for nothing, so that ignoring the key changes nothing.
enum class Harmless : std::uint8_t {
    kWhenOff,   ///< false, 0, "", "fork", empty
    kWhenTrue,  ///< true
};

/// A key that is known but not in force.
struct LaterKey {
    std::string_view name;
    Harmless harmless = Harmless::kWhenOff;
    std::string_view instead;  ///< what helps until then; may be empty
};

/// Keys that a later version takes.
std::span<const LaterKey> later_keys();

/// Whether a PM2 key says something that zona has no use for: nothing is lost by leaving it out.
bool is_meaningless_key(std::string_view key);

}  // namespace zona::process::detail
