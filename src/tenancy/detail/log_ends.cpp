#include "tenancy/detail/log_ends.h"

#include <boost/json.hpp>
#include <fcntl.h>

#include "core/time_format.h"
#include "tenancy/detail/operation_parts.h"
#include "tenancy/detail/sealed_note.h"

namespace zona::tenancy::detail {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;

namespace {

constexpr const char* kName = "/ends.zbk";
constexpr const char* kPurpose = "ends";

Error no_ends() {
    return {Code::kConflict, "what a whole backup says of its logs is damaged"};
}

/// The name of an image's file without directory and ending.
std::string name_of(const std::string& image) {
    const std::string name = image.substr(image.rfind('/') + 1);
    return name.substr(0, name.rfind('.'));
}

Result<LogEnds> parse_ends(std::string_view text) {
    boost::system::error_code failed;
    const json::value value = json::parse(text, failed);
    if (failed || !value.is_object()) return no_ends();
    LogEnds out;
    for (const auto& [name, said] : value.get_object()) {
        const json::object* end = said.if_object();
        const json::value* number = end == nullptr ? nullptr : end->if_contains("number");
        const json::value* until = end == nullptr ? nullptr : end->if_contains("until");
        if (number == nullptr || !number->is_int64() || until == nullptr || !until->is_string())
            return no_ends();
        ZONA_TRY(const SystemTime moment, core::parse_rfc3339(until->get_string()));
        const json::value* written = end->if_contains("written");
        if (written == nullptr || !written->is_int64()) return no_ends();
        out[name] = {.number = static_cast<std::uint64_t>(number->get_int64()),
                     .until = moment,
                     .written = written->get_int64()};
    }
    return out;
}

}  // namespace

Result<void> write_ends(const std::string& directory, const BackupTitle& title, const LogEnds& ends,
                        const vault::DataKeys& keys, core::Random& random) {
    json::object text;
    for (const auto& [name, end] : ends) {
        text[name] = {{"number", end.number},
                      {"until", core::to_rfc3339(end.until)},
                      {"written", end.written}};
    }
    return write_note(directory + kName, kPurpose, {.title = title, .text = json::serialize(text)},
                      keys, random);
}

Result<LogEnds> read_ends(const std::string& directory, const core::Uuid& whole,
                          const vault::DataKeys& keys) {
    ZONA_TRY(const auto there, os::stat_path(directory + kName));
    if (!there) return LogEnds();
    ZONA_TRY(const SealedNote note, read_note(directory + kName, kPurpose, keys));
    if (note.title.id != whole) return no_ends();
    return parse_ends(note.text);
}

Result<std::vector<LogFile>> find_links(const std::string& image, const LogEnds& ends,
                                        SystemTime at) {
    const std::string name = name_of(image);
    ZONA_TRY(const os::UniqueFd file, os::open_file(image, O_RDONLY));
    ZONA_TRY(const BackupTitle title, read_title(file.get()));
    const auto said = ends.find(name);
    const KnownEnd end =
        said == ends.end() ? KnownEnd{.number = 0, .until = title.made_at} : said->second;
    if (at < title.made_at || at > end.until) {
        return Error(Code::kConflict,
                     fmt::format("{} cannot be restored as it was at {}: this backup and its log "
                                 "reach from {} to {}",
                                 name, core::to_rfc3339(at), core::to_rfc3339(title.made_at),
                                 core::to_rfc3339(end.until)))
            .detail({"at", "", "give one of these two, a moment between them, or another backup"});
    }
    ZONA_TRY(std::vector<LogFile> links, links_until(image, at));
    ZONA_TRY(const auto all, log_files(image));
    // One that is gone from the end may have been written before that moment.
    if (links.size() == all.size() && links.size() < end.number) {
        return Error(Code::kConflict,
                     fmt::format("link {} of the log of {} is missing", links.size() + 1, name))
            .detail({"at", "", "restore to a moment before it, or to a later backup"});
    }
    return links;
}

}  // namespace zona::tenancy::detail
