#include "process/detail/state_saved.h"

#include <utility>

#include <fmt/format.h>

namespace zona::process::detail {

core::Result<void> write_saved(const StateDirectory& directory, core::ByteCount limit,
                               const StateImage& image) {
    const std::string name = current_name(kSaved);
    ZONA_TRY(const auto before, directory.read(name, limit));
    Former former = Former::kIsGone;
    if (before.has_value()) {
        const Envelope envelope = open_envelope(*before);
        if (envelope.state == EnvelopeState::kNewer) {
            return newer_format(directory.path_of(name), envelope.format);
        }
        if (envelope.state == EnvelopeState::kGood) {
            former = Former::kIsPrevious;
        } else {
            ZONA_TRY_VOID(directory.set_aside(name));
        }
    }
    return directory.write_generation(kSaved, encode_image(image), former);
}

core::Result<std::optional<SavedReading>> read_saved(const StateDirectory& directory,
                                                     core::ByteCount limit) {
    std::vector<std::string> problems;
    bool damaged = false;
    for (const std::string& name : {current_name(kSaved), previous_name(kSaved)}) {
        ZONA_TRY(const auto text, directory.read(name, limit));
        if (!text.has_value()) {
            problems.push_back(fmt::format("state/{} is not there", name));
            continue;
        }
        ImageReading reading = decode_image(*text);
        if (reading.envelope.state == EnvelopeState::kNewer) {
            return newer_format(directory.path_of(name), reading.envelope.format);
        }
        if (reading.envelope.state == EnvelopeState::kGood) {
            for (std::string& warning : reading.warnings) {
                problems.push_back(fmt::format("state/{}: {}", name, std::move(warning)));
            }
            return std::optional(SavedReading{name, std::move(reading.image), std::move(problems)});
        }
        damaged = true;
        problems.push_back(fmt::format("state/{} is damaged ({}) and was left as it is", name,
                                       reading.envelope.problem));
    }
    if (!damaged) return std::optional<SavedReading>();
    return core::Error(core::Code::kConflict,
                       fmt::format("the saved list cannot be read: {}", fmt::join(problems, "; ")));
}

}  // namespace zona::process::detail
