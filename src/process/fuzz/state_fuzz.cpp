// Any bytes as the files in state/: loading never fails but for a newer format, and what is loaded
// can be written and loaded again. The first byte chooses the file and whether the checksums are
// made right, so that what is behind them is reached.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "process/detail/state_exits.h"
#include "process/detail/state_files.h"
#include "process/detail/state_image.h"
#include "process/detail/state_journal.h"
#include "process/detail/state_load.h"

namespace {

using namespace zona;
using namespace zona::process::detail;

void expect(bool holds) {
    if (!holds) std::abort();
}

void write_and_load_again(const StateModel& model) {
    const ImageReading again = decode_image(encode_image(image_of(model)));
    expect(again.envelope.state == EnvelopeState::kGood && again.complete);
    const StateModel same = model_of(again.image);
    expect(same.processes().size() == model.processes().size());
    expect(same.killed().size() == model.killed().size());
    expect(same.apps().entries().size() == model.apps().entries().size());
    expect(same.next_pm_id() == model.next_pm_id());
}

void load(const std::map<std::string, std::string, std::less<>>& files) {
    StateSource source;
    source.segments = {1, 2};
    source.read = [&](std::string_view name) -> core::Result<std::optional<std::string>> {
        const auto file = files.find(name);
        if (file == files.end()) return std::optional<std::string>();
        return std::optional<std::string>(file->second);
    };
    const auto loading = load_state(source);
    if (loading.has_value()) {
        write_and_load_again(loading->model);
    } else {
        expect(loading.error().code() == core::Code::kConflict);
    }
}

std::string framed(std::string_view bodies) {
    std::string text;
    std::uint64_t sequence = 0;
    while (!bodies.empty()) {
        const std::string_view body = bodies.substr(0, bodies.find('\n'));
        bodies.remove_prefix(std::min(bodies.size(), body.size() + 1));
        text += journal_line(++sequence, body);
    }
    return text;
}

void read_history(std::string_view bytes) {
    const ExitsReading reading = read_exits(bytes);
    if (reading.header == ExitsHeader::kNewer) return;
    std::string text = exits_header();
    for (const ExitEntry& entry : reading.entries) {
        text +=
            entry.forgotten ? encode_forgotten(entry.record.process) : encode_exit(entry.record);
    }
    const ExitsReading again = read_exits(text);
    expect(again.header == ExitsHeader::kGood && again.damaged == 0);
    expect(again.entries.size() == reading.entries.size());
    for (std::size_t i = 0; i < again.entries.size(); ++i) {
        expect(again.entries[i].forgotten || again.entries[i].record == reading.entries[i].record);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::string_view half = text.substr(0, text.size() / 2);
    switch (data[0] % 6) {
        case 0:
            load({{"snapshot.json", std::string(text)}});
            break;
        case 1:
            load({{"journal.1", std::string(text)}});
            break;
        case 2:
            load({{"snapshot.json", seal(text)}, {"journal.1", framed(half)}});
            break;
        case 3:
            load({{"journal.1", framed(text)}});
            break;
        case 4:
            load({{"snapshot.json", std::string(half)},
                  {"snapshot.previous.json", seal(text)},
                  {"journal.2", std::string(text.substr(half.size()))}});
            break;
        default:
            read_history(text);
            break;
    }
    return 0;
}
