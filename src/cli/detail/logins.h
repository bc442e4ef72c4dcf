/// @file
/// Who has signed in to other zonas from here: what `zona login` keeps, and commands show.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "core/secret.h"
#include "os/fd.h"

namespace zona::cli {

/// One session at one zona.
struct Login {
    std::string url;     ///< of the zona, as Remote::url() has it
    std::string tenant;  ///< its code; "core": of none
    std::string user;
    core::Secret access;
    core::SystemTime access_end{};
    core::Secret refresh;
    core::SystemTime refresh_end{};
};

/// The login that `data`, the answer of signIn or renewSession, is about. Errors: kInternal: it has
/// no tokens.
core::Result<Login> login_from(std::string url, std::string_view data);

/// `zona/logins.json` below XDG_CONFIG_HOME or ~/.config, as contexts_path().
std::string logins_path(std::span<const std::string> environment, std::string_view user_home);

/// The file with the logins of a person, at most one for each zona. It is replaced as a whole, has
/// the mode 0600, and is not read where others may read or write it. One thread; other processes
/// may use the file at the same time. Errors of all: from errno; kConflict: the file is damaged,
/// or not private.
class Logins {
  public:
    /// The right to change the file, until it goes.
    class Change;

    /// Reads nothing yet. An empty path: nobody has a place for logins, so there are none.
    explicit Logins(std::string path) : path_(std::move(path)) {}

    const std::string& path() const { return path_; }
    core::Result<std::optional<Login>> find(std::string_view url) const;
    /// Waits until nobody else changes the file. Errors: kTimeout: somebody does for over
    /// kChangeLimit; kInvalidArgument: there is no place for it.
    core::Result<Change> change(const core::Clock& clock) const;

    static constexpr std::chrono::seconds kChangeLimit{30};

  private:
    core::Result<std::vector<Login>> read() const;
    core::Result<void> write(const std::vector<Login>& logins) const;

    std::string path_;
};

class Logins::Change {
  public:
    /// Puts it in the place of what was there for its zona.
    core::Result<void> put(const Login& login);
    /// Takes that of a zona away; whether there was one.
    core::Result<bool> remove(std::string_view url);

  private:
    friend class Logins;
    Change(const Logins& logins, os::UniqueFd lock) : logins_(logins), lock_(std::move(lock)) {}

    const Logins& logins_;
    os::UniqueFd lock_;
};

}  // namespace zona::cli
