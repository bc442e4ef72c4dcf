/// @file
/// Entry: what is put on record about one thing that was done, or refused.
///
/// An entry is a plain value: who, what, to what, when, how it ended, what it was before and is
/// after. It knows no user management: whoever makes it says who acted. Secrets are not for it:
/// changed() masks what a collection declares as encrypted. Source: AUDIT-01, AUDIT-06, AUDIT-07,
/// DATA-13.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/random.h"
#include "core/result.h"
#include "store/collection.h"

namespace zona::audit {

/// What an entry is about.
enum class Category : std::uint8_t {
    kAuthentication,  ///< sign-ins, sessions, keys
    kDataAccess,      ///< documents read or changed
    kConfiguration,   ///< settings, tenants, roles
    kProcess,         ///< processes started, stopped, restarted
    kSecurity,        ///< refusals, attacks, rotations of keys
    kCompliance,      ///< retention, erasure, exports, reports of the record itself
};
/// "authentication", "data_access", "configuration", "process", "security", "compliance".
std::string_view to_string(Category category);
/// Errors: kInvalidArgument, listing them.
core::Result<Category> parse_category(std::string_view text);

/// How it ended.
enum class Outcome : std::uint8_t {
    kSuccess,
    kFailure,  ///< it was allowed and did not work
    kRefused,  ///< whoever wanted it may not
};
/// "success", "failure", "refused".
std::string_view to_string(Outcome outcome);
/// Errors: kInvalidArgument, listing them.
core::Result<Outcome> parse_outcome(std::string_view text);

/// Who did it. Kind and id stay readable for ever, so an id is no name and no address; those lie
/// under the subject's key (subjects.h).
struct Actor {
    std::string kind = "system";           ///< "user", "key", "local", "anonymous", "system"
    std::string id{};                      ///< within its kind; may be empty
    std::optional<std::int64_t> number{};  ///< `userid`, of users
    std::string name{};                    ///< personal: how people know it
    std::string address{};                 ///< personal: where the request came from
    std::string session{};                 ///< personal: of a session or token, never a secret

    /// "user:17", "system": what entries are searched by, and whose key the personal fields are
    /// under.
    std::string subject() const;
    bool operator==(const Actor&) const = default;
};

/// Bytes of the fields of an entry; what is longer is cut by fitted().
inline constexpr std::size_t kMostActor = 160;
inline constexpr std::size_t kMostAction = 120;    ///< see kMostActor
inline constexpr std::size_t kMostResource = 512;  ///< see kMostActor
inline constexpr std::size_t kMostDetails = 4096;  ///< see kMostActor
/// Bytes of the JSON text of `before`, `after` and `context`, each.
inline constexpr std::size_t kMostData = std::size_t{64} << 10U;

/// What is put on record about one thing.
struct Entry {
    std::string id;         ///< a UUID, the same wherever the entry is
    core::SystemTime at{};  ///< when it happened
    std::string tenant;     ///< whom it is about; empty: the installation
    Category category = Category::kDataAccess;
    Outcome outcome = Outcome::kSuccess;
    Actor actor{};
    std::string action;         ///< what was done, "updateTenant"
    std::string resource;       ///< to what, "/api/v1/tenants/acme"
    std::string details{};      ///< for people: why it was refused, say
    std::string correlation{};  ///< of the request
    /// Whose personal data `before`, `after` and `context` hold, "user:17": they lie under that
    /// subject's key then. Empty: nobody's.
    std::string subject{};
    /// @{
    /// Null: there is none. Never changed: copies share them.
    std::shared_ptr<const store::Document> before{};
    std::shared_ptr<const store::Document> after{};
    std::shared_ptr<const store::Document> context{};  ///< what it was done for
    /// @}
};

/// An entry of now, with an id.
Entry new_entry(const core::Clock& clock, core::Random& random);

/// The same within the limits above: texts are cut, made UTF-8, and data that is too large is
/// replaced by its size and SHA-256. What is on record is never refused for its form.
Entry fitted(Entry entry);

/// Puts into `entry` what has changed from one state of a document to another: of each the members
/// that are not the same in the other, and kMasked in place of all that the collection declares as
/// encrypted. Null: it is not there before, or after.
void set_change(Entry& entry, const store::CollectionSpec& spec, const store::Document* before,
                const store::Document* after);
/// What stands in place of a secret.
inline constexpr std::string_view kMasked = "***";

/// The JSON object of an entry in one line, nothing of it sealed: of a spool or an export.
std::string to_json_text(const Entry& entry);
/// What to_json_text() gave. Errors: kInvalidArgument for anything else.
core::Result<Entry> entry_from_json(std::string_view text);

}  // namespace zona::audit
