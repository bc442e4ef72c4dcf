#include "tenancy/backup/backup_copies.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <set>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "crypto/encoding.h"
#include "crypto/hash.h"
#include "os/fd.h"
#include "tenancy/backup/copy_ledger.h"
#include "tenancy/detail/operation_parts.h"

namespace zona::tenancy {

namespace fs = std::filesystem;
using core::Code;
using core::Error;
using core::Result;

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20U;
/// In a directory that has copies.
constexpr std::string_view kMarker = ".zona-copies";

/// Files that are written anew under their name; others never change once they have one.
bool may_change(std::string_view name) {
    return name.ends_with("/keys.json") || name.ends_with("/ends.zbk");
}

/// Those that others need, or that say what else is there, come last.
int rank_of(std::string_view name) {
    if (name.ends_with("/whole.zbk")) return 3;
    if (name.ends_with("/ends.zbk")) return 2;
    return name.ends_with("/keys.json") ? 1 : 0;
}

/// The names of finished files below `root`, in the order in which they are to be copied.
Result<std::vector<std::string>> finished_in(const std::string& root) {
    std::vector<std::string> out;
    ZONA_TRY(const auto there, os::stat_path(root));
    if (!there) return out;
    std::error_code failed;
    for (fs::recursive_directory_iterator at(root, failed), end; !failed && at != end;
         at.increment(failed)) {
        const std::string name = at->path().lexically_relative(root).string();
        if (name.ends_with(".tmp")) {
            at.disable_recursion_pending();
            continue;
        }
        std::error_code gone;
        if (at->is_regular_file(gone)) out.push_back(name);
    }
    if (failed) return Error::from_errno(failed.value(), fmt::format("cannot read {}", root));
    std::ranges::sort(out, {},
                      [](const std::string& name) { return std::pair(rank_of(name), name); });
    return out;
}

/// Its size and hash while each piece goes to `take`.
Result<std::string> read_through(const std::string& path,
                                 const std::function<Result<void>(std::string_view)>& take) {
    ZONA_TRY(const os::UniqueFd file, os::open_file(path, O_RDONLY));
    std::vector<std::byte> piece(kPiece);
    crypto::Sha256 hash;
    for (;;) {
        ZONA_TRY(const auto got, os::read_some(file.get(), piece));
        if (!got || *got == 0) break;
        const auto part = std::span(piece).first(*got);
        hash.add(part);
        if (take) ZONA_TRY_VOID(take({reinterpret_cast<const char*>(part.data()), part.size()}));
    }
    return crypto::hex(hash.finish());
}

/// Whether two files are there and the same.
Result<bool> is_same(const std::string& one, const std::string& other) {
    ZONA_TRY(const std::string first, read_through(one, {}));
    ZONA_TRY(const std::string second, read_through(other, {}));
    return first == second;
}

Result<std::uint64_t> copy(const std::string& from, const std::string& to) {
    std::uint64_t bytes = 0;
    ZONA_TRY(NewFile file, NewFile::create(to));
    ZONA_TRY(const std::string read, read_through(from, [&](std::string_view part) {
                 bytes += part.size();
                 return os::write_all(file.fd(), part);
             }));
    ZONA_TRY_VOID(os::sync_data(file.fd()));
    ZONA_TRY(const std::string written, read_through(to + ".tmp", {}));
    if (written != read) {
        return Error(Code::kConflict, fmt::format("the copy {} has SHA-256 {}, and the backup {}",
                                                  to, written, read));
    }
    ZONA_TRY_VOID(file.commit());
    return bytes;
}

/// Replaces every `what` in a word.
std::string replaced(std::string word, std::string_view what, std::string_view by) {
    for (auto at = word.find(what); at != std::string::npos; at = word.find(what, at + by.size()))
        word.replace(at, what.size(), by);
    return word;
}

/// What a program wrote; its last lines say why it failed.
constexpr std::size_t kLinesTold = 20;

std::vector<std::string> last_lines(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        if (!line.empty()) out.push_back(without_secrets(line));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    if (out.size() > kLinesTold) out.erase(out.begin(), out.end() - kLinesTold);
    return out;
}

CopiedFile facts_of(const os::FileStat& file) {
    return {.bytes = static_cast<std::uint64_t>(file.size), .mtime_ns = file.mtime_ns};
}

}  // namespace

Result<std::vector<std::string>> parse_copy_command(std::string_view text) {
    std::vector<std::string> out;
    std::string word;
    bool is_word = false;
    char quote = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
            word += text[++i];
            is_word = true;
        } else if (quote != 0) {
            if (c != quote) word += c;
            if (c == quote) quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
            is_word = true;
        } else if (c != ' ' && c != '\t') {
            word += c;
            is_word = true;
        } else if (std::exchange(is_word, false)) {
            out.push_back(std::exchange(word, {}));
        }
    }
    if (is_word) out.push_back(std::move(word));
    const auto refuse = [](std::string_view what) {
        return Error(Code::kInvalidArgument, fmt::format("backup.copy_command: {}", what))
            .detail({"backup.copy_command", "", "rclone copyto {file} remote:backups/{name}"});
    };
    if (quote != 0) return refuse(fmt::format("a {} does not end", quote));
    const bool names_file =
        std::ranges::any_of(out, [](const std::string& one) { return one.contains("{file}"); });
    if (!out.empty() && !names_file) return refuse("{file} does not stand in it");
    return out;
}

std::string without_secrets(std::string_view line) {
    static constexpr std::array<std::string_view, 9> kWords = {
        "password", "passwd", "passphrase", "secret", "token", "_key", "-key", "apikey", "bearer"};
    std::string out(line);
    std::string lower(line);
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    std::vector<std::pair<std::size_t, std::size_t>> hidden;  // from, to
    for (const std::string_view word : kWords) {
        for (auto at = lower.find(word); at != std::string::npos; at = lower.find(word, at + 1)) {
            // Up to the sign that ends the name: "aws_secret_access_key = ...".
            auto from = lower.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-\"'", at);
            if (from == std::string::npos) continue;
            const auto value = lower.find_first_not_of("=: \"'", from);
            const auto end = lower.find_first_of(" \t&,;\"'", value);
            if (value != std::string::npos && value > from) hidden.emplace_back(value, end);
        }
    }
    for (auto at = lower.find("://"); at != std::string::npos; at = lower.find("://", at + 3)) {
        const auto end = lower.find_first_of("/ \t\"'", at + 3);
        const auto sign = lower.substr(0, end).rfind('@');
        if (sign != std::string::npos && sign > at + 3) hidden.emplace_back(at + 3, sign);
    }
    std::ranges::sort(hidden, std::greater<>());
    std::size_t done = std::string::npos;
    for (auto [from, to] : hidden) {
        to = std::min({to, out.size(), done});
        if (from < to) out.replace(from, to - from, "***");
        done = std::min(done, from);
    }
    return out;
}

BackupCopies::BackupCopies(CopyOptions options, CopyDeps deps)
    : options_(std::move(options)), deps_(std::move(deps)) {}

BackupCopies::~BackupCopies() = default;

Result<std::unique_ptr<BackupCopies>> BackupCopies::open(CopyOptions options, CopyDeps deps) {
    std::unique_ptr<BackupCopies> out(new BackupCopies(std::move(options), std::move(deps)));
    const CopyOptions& wanted = out->options_;
    ZONA_TRY(out->words_, parse_copy_command(wanted.command));
    if (wanted.to.empty() && out->words_.empty()) return out;
    ZONA_TRY_VOID(os::make_directories(wanted.state, 0700));
    if (!wanted.to.empty()) {
        ZONA_TRY(out->directory_, CopyLedger::open(wanted.state + "/copied-to", wanted.to));
    }
    if (!out->words_.empty()) {
        // The command itself may be of interest to nobody else.
        const std::string place =
            crypto::hex(crypto::sha256(std::as_bytes(std::span(wanted.command))));
        ZONA_TRY(out->command_, CopyLedger::open(wanted.state + "/copied-by-command", place));
    }
    return out;
}

Result<CopyReport> BackupCopies::pass(const std::function<Result<void>()>& go_on,
                                      const std::stop_token& stop) {
    // What comes after this may be in this pass, and is looked at again.
    has_news_ = false;
    CopyReport out;
    std::optional<Error> failed;
    const auto note = [&](Result<void> done) {
        if (!done && !failed) failed = done.take_error();
    };
    if (directory_ != nullptr) note(to_directory(out, go_on));
    if (command_ != nullptr && (!failed || failed->code() != Code::kCancelled)) {
        note(bring_all(out, go_on,
                       [&](const std::string& name) { return to_command(name, out, stop); }));
        note(forget_taken());
    }
    if (!failed) return out;
    has_news_ = true;
    return *std::move(failed);
}

/// What has come while others were brought comes before those that say of it that it is there.
Result<void> BackupCopies::bring_all(
    CopyReport& report, const std::function<Result<void>()>& go_on,
    const std::function<Result<void>(const std::string&)>& bring) const {
    std::set<std::string> done;
    for (;;) {
        ZONA_TRY(const auto names, finished_in(options_.from));
        report.files = names.size();
        const auto before = done.size();
        for (const std::string& name : names) {
            if (rank_of(name) > 0 || !done.insert(name).second) continue;
            ZONA_TRY_VOID(go_on());
            ZONA_TRY_VOID(bring(name));
        }
        if (done.size() > before) continue;
        for (const std::string& name : names) {
            if (rank_of(name) == 0) continue;
            ZONA_TRY_VOID(go_on());
            ZONA_TRY_VOID(bring(name));
        }
        return {};
    }
}

/// Whether the directory is marked as the one that the copies are in.
Result<bool> BackupCopies::is_marked() const {
    const std::string& to = options_.to;
    std::error_code failed;
    if (!fs::is_directory(to, failed)) {
        return Error(Code::kInvalidArgument, fmt::format("{} is no directory", to))
            .detail({"backup.copy_to", "", "mount what it is to be, or make it"});
    }
    if (to == options_.from || to.starts_with(options_.from + "/")) {
        return Error(Code::kInvalidArgument, fmt::format("{} is within the backups themselves", to))
            .detail({"backup.copy_to", "", "give a directory on another disk"});
    }
    ZONA_TRY(const auto marker, os::stat_path(fmt::format("{}/{}", to, kMarker)));
    if (marker) return true;
    const auto copied = directory_->copied();
    if (copied.empty()) return false;
    for (const std::string& name : copied) {
        ZONA_TRY(const auto there, os::stat_path(to + "/" + name));
        if (there) return false;
    }
    return Error(Code::kInvalidArgument,
                 fmt::format("{} is not the directory that the copies were in: is it mounted?", to))
        .detail({"backup.copy_to", "",
                 fmt::format("mount it; if the copies are to begin anew there, make the file {} "
                             "in it",
                             kMarker)});
}

/// Room is made first: without it nothing could be copied.
Result<void> BackupCopies::to_directory(CopyReport& report,
                                        const std::function<Result<void>()>& go_on) {
    ZONA_TRY(const bool marked, is_marked());
    auto pruned = prune(report);
    if (!marked) {
        ZONA_TRY_VOID(os::replace_file(fmt::format("{}/{}", options_.to, kMarker),
                                       "zona knows by this file that the directory is mounted "
                                       "which has the copies of its backups.\n",
                                       0600));
    }
    ZONA_TRY_VOID(bring_all(report, go_on,
                            [&](const std::string& name) { return to_directory(name, report); }));
    return pruned;
}

Result<void> BackupCopies::to_directory(const std::string& name, CopyReport& report) {
    const std::string source = options_.from + "/" + name;
    const std::string target = options_.to + "/" + name;
    const auto known = directory_->find(name);
    if (known && known->removed_at) return {};
    ZONA_TRY(const auto here, os::stat_path(source));
    if (!here) return {};  // deleted meanwhile
    ZONA_TRY(const auto there, os::stat_path(target));
    const CopiedFile facts = facts_of(*here);
    const bool is_known = known && known->copied_at && (!may_change(name) || known->file == facts);
    bool is_there = there && there->size == here->size;
    if (is_there && !is_known) {
        ZONA_TRY(is_there, is_same(source, target));
    }
    if (is_there)
        return is_known ? Result<void>() : directory_->found(name, facts, deps_.clock.system());
    ZONA_TRY_VOID(directory_->begun(name));
    auto copied = copy(source, target);
    ZONA_TRY(const auto still, os::stat_path(source));
    // Deleted meanwhile, perhaps before this was known of it.
    if (!still) return directory_->removed(name, CopyEnd::kAsKept, deps_.clock.system());
    if (!copied) return copied.take_error();
    ZONA_TRY_VOID(directory_->put(name, facts, deps_.clock.system()));
    ++report.copied;
    report.bytes += *copied;
    return {};
}

Result<void> BackupCopies::prune(CopyReport& report) {
    const core::SystemTime now = deps_.clock.system();
    for (const auto& [name, entry] : directory_->removed()) {
        if (entry.end == CopyEnd::kAsKept && *entry.removed_at + options_.keep > now) continue;
        ZONA_TRY(const auto here, os::stat_path(options_.from + "/" + name));
        if (here) {  // it is being deleted, or could not be
            has_news_ = true;
            continue;
        }
        if (entry.is_ours) {
            fs::path path = options_.to + "/" + name;
            ZONA_TRY_VOID(os::remove_file(path));
            ZONA_TRY_VOID(os::remove_file(path.string() + ".tmp"));
            ++report.removed;
            std::error_code not_empty;
            while ((path = path.parent_path()).string().size() > options_.to.size() && !not_empty)
                fs::remove(path, not_empty);
        }
        ZONA_TRY_VOID(directory_->gone(name));
    }
    return {};
}

Result<void> BackupCopies::to_command(const std::string& name, CopyReport& report,
                                      const std::stop_token& stop) {
    const auto known = command_->find(name);
    if (known && known->removed_at) return {};
    ZONA_TRY(const auto here, os::stat_path(options_.from + "/" + name));
    if (!here) return {};
    const CopiedFile facts = facts_of(*here);
    if (known && known->copied_at && known->file == facts) return {};
    if (auto taken = run_command(name, stop); !taken) {
        ZONA_TRY(const auto still, os::stat_path(options_.from + "/" + name));
        if (!still) return {};  // deleted meanwhile
        return taken;
    }
    ZONA_TRY_VOID(command_->put(name, facts, deps_.clock.system()));
    ++report.copied;
    report.bytes += facts.bytes;
    return {};
}

Result<void> BackupCopies::forget_taken() {
    for (const auto& [name, entry] : command_->removed()) {
        ZONA_TRY(const auto here, os::stat_path(options_.from + "/" + name));
        if (!here) ZONA_TRY_VOID(command_->gone(name));
    }
    return {};
}

Result<void> BackupCopies::run_command(const std::string& name, const std::stop_token& stop) {
    os::HelperPlan plan{
        .words = words_, .environment = options_.environment, .time_limit = options_.command_limit};
    for (std::string& word : plan.words) {
        // One after the other: a file's name may have braces.
        word = replaced(std::move(word), "{name}", name);
        word = replaced(std::move(word), "{file}", options_.from + "/" + name);
    }
    ZONA_TRY(const os::HelperEnd end, deps_.helpers.run(plan, stop));
    const auto level = end.is_success() ? core::LogLevel::kDebug : core::LogLevel::kWarn;
    for (const std::string& line : last_lines(end.output))
        deps_.log.log(level, "the copy command wrote", {{"file", name}, {"line", line}});
    if (end.is_success()) return {};
    return Error(Code::kUnavailable, fmt::format("backup.copy_command: {} {} for {}",
                                                 words_.front(), to_string(end), name))
        .detail({"backup.copy_command", "",
                 "zona's log has what it wrote; it is run again with the next pass"});
}

void BackupCopies::note_change() {
    if (!has_news_.exchange(true) && deps_.changed) deps_.changed();
}

Result<void> BackupCopies::note_removal(const std::string& name, CopyEnd end) {
    for (const auto& ledger : {directory_.get(), command_.get()}) {
        if (ledger != nullptr) ZONA_TRY_VOID(ledger->removed(name, end, deps_.clock.system()));
    }
    note_change();
    return {};
}

std::optional<core::SystemTime> BackupCopies::copied_at(const std::string& name) const {
    std::optional<core::SystemTime> out;
    for (const auto& ledger : {directory_.get(), command_.get()}) {
        if (ledger == nullptr) continue;
        const auto entry = ledger->find(name);
        if (!entry || !entry->copied_at) return std::nullopt;
        out = std::max(out.value_or(*entry->copied_at), *entry->copied_at);
    }
    return out;
}

}  // namespace zona::tenancy
