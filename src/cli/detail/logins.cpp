#include "cli/detail/logins.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json.hpp>
#include <fcntl.h>
#include <fmt/format.h>

#include "cli/detail/contexts.h"
#include "cli/detail/model.h"
#include "cli/detail/text.h"
#include "core/deadline.h"
#include "core/json.h"
#include "core/time_format.h"
#include "os/terminal.h"

namespace zona::cli {
namespace {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;

constexpr int kFormat = 1;
constexpr std::size_t kLargestFile = 1U << 20U;
constexpr unsigned kOfOthers = 077;
constexpr std::chrono::milliseconds kPause{20};

Error damaged(const std::string& path, std::string_view what) {
    return Error(Code::kConflict, fmt::format("{} is damaged: {}", escape_control(path), what))
        .detail({"", "", "remove it, and sign in again with `zona login`"});
}

std::optional<core::SystemTime> time_in(const json::object& from, std::string_view key) {
    const auto time = core::parse_rfc3339(text_of(from, key));
    return time ? std::optional(*time) : std::nullopt;
}

/// What answers and the file have in common.
std::optional<Login> tokens_in(const json::object& from) {
    Login login;
    login.access = core::Secret(text_of(from, "access_token"));
    login.refresh = core::Secret(text_of(from, "refresh_token"));
    const auto access_end = time_in(from, "expires_at");
    const auto refresh_end = time_in(from, "refresh_expires_at");
    if (login.access.empty() || login.refresh.empty() || !access_end || !refresh_end)
        return std::nullopt;
    login.access_end = *access_end;
    login.refresh_end = *refresh_end;
    return login;
}

json::object object_of(const Login& login) {
    return {{"host", login.url},
            {"tenant", login.tenant},
            {"user", login.user},
            {"access_token", login.access.reveal()},
            {"expires_at", core::to_rfc3339(login.access_end)},
            {"refresh_token", login.refresh.reveal()},
            {"refresh_expires_at", core::to_rfc3339(login.refresh_end)}};
}

}  // namespace

Result<Login> login_from(std::string url, std::string_view answer) {
    ZONA_TRY(const json::value envelope, core::parse_json(answer));
    boost::system::error_code none;
    const json::value* data = envelope.find_pointer("/data", none);
    const json::value* session = envelope.find_pointer("/data/session", none);
    std::optional<Login> login;
    if (data != nullptr && data->is_object()) login = tokens_in(data->get_object());
    if (!login || session == nullptr || !session->is_object())
        return Error(Code::kInternal, "the answer holds no tokens");
    login->url = std::move(url);
    login->tenant = text_of(session->get_object(), "tenant");
    login->user = text_of(session->get_object(), "name");
    return *std::move(login);
}

std::string logins_path(std::span<const std::string> environment, std::string_view user_home) {
    const std::string contexts = contexts_path(environment, user_home);
    if (contexts.empty()) return contexts;
    return contexts.substr(0, contexts.rfind('/')) + "/logins.json";
}

Result<std::vector<Login>> Logins::read() const {
    std::vector<Login> out;
    if (path_.empty()) return out;
    ZONA_TRY(const auto found, os::stat_path(path_));
    if (!found) return out;
    if ((found->mode & kOfOthers) != 0) {
        const std::string shown = escape_control(path_);
        return Error(Code::kConflict,
                     fmt::format("others may use {}, which holds your sessions", shown))
            .detail({"", "",
                     fmt::format("if nobody has: chmod 600 {0}; else rm {0}, and `zona session "
                                 "end` ends them",
                                 shown)});
    }
    ZONA_TRY(const std::string text, os::read_file(path_, kLargestFile));
    const auto parsed = core::parse_json(text);
    if (!parsed) return damaged(path_, parsed.error().message());
    const json::object* file = parsed->if_object();
    if (file == nullptr || integer_of(*file, "format") != kFormat)
        return damaged(path_, "its 'format' is not 1");
    const json::value* list = file->if_contains("logins");
    if (list == nullptr || !list->is_array()) return damaged(path_, "it has no list 'logins'");
    for (const json::value& entry : list->get_array()) {
        std::optional<Login> login;
        if (entry.is_object()) login = tokens_in(entry.get_object());
        if (!login) return damaged(path_, "a login in it is not complete");
        login->url = text_of(entry.get_object(), "host");
        login->tenant = text_of(entry.get_object(), "tenant");
        login->user = text_of(entry.get_object(), "user");
        out.push_back(*std::move(login));
    }
    return out;
}

Result<void> Logins::write(const std::vector<Login>& logins) const {
    json::array list;
    for (const Login& login : logins)
        list.push_back(object_of(login));
    const json::object file{{"format", kFormat}, {"logins", std::move(list)}};
    return os::replace_file(path_, core::to_json(file, core::JsonLayout::kIndented) + '\n', 0600);
}

Result<std::optional<Login>> Logins::find(std::string_view url) const {
    ZONA_TRY(std::vector<Login> all, read());
    const auto found = std::ranges::find(all, url, &Login::url);
    if (found == all.end()) return std::optional<Login>();
    return std::optional(std::move(*found));
}

Result<Logins::Change> Logins::change(const core::Clock& clock) const {
    if (path_.empty()) {
        return Error(Code::kInvalidArgument, "sessions have no place: HOME is not set")
            .detail({"", "", "set HOME or XDG_CONFIG_HOME"});
    }
    ZONA_TRY_VOID(os::make_directories(path_.substr(0, path_.rfind('/')), 0700));
    // Beside the file, which is replaced by every change.
    ZONA_TRY(os::UniqueFd lock, os::open_file(path_ + ".lock", O_RDWR | O_CREAT, 0600));
    const core::Deadline deadline = core::Deadline::after(clock, kChangeLimit);
    while (true) {
        auto locked = os::lock_exclusive(lock.get());
        if (locked) return Change(*this, std::move(lock));
        if (locked.error().code() != Code::kConflict) return locked.take_error();
        if (deadline.expired(clock)) {
            return Error(Code::kTimeout,
                         fmt::format("another command holds {}.lock", escape_control(path_)));
        }
        ZONA_TRY_VOID(os::wait_readable(std::array{-1}, kPause));
    }
}

Result<void> Logins::Change::put(const Login& login) {
    ZONA_TRY(std::vector<Login> all, logins_.read());
    std::erase_if(all, [&](const Login& one) { return one.url == login.url; });
    all.push_back(login);
    return logins_.write(all);
}

Result<bool> Logins::Change::remove(std::string_view url) {
    ZONA_TRY(std::vector<Login> all, logins_.read());
    if (std::erase_if(all, [&](const Login& one) { return one.url == url; }) == 0) return false;
    ZONA_TRY_VOID(logins_.write(all));
    return true;
}

}  // namespace zona::cli
