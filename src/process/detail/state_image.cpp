#include "process/detail/state_image.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <unordered_map>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "core/json.h"
#include "process/detail/printable.h"
#include "process/detail/state_json.h"

namespace zona::process::detail {
namespace {

namespace json = boost::json;
using core::JsonReader;
using Keys = std::unordered_map<const StoredApp*, AppKey>;

constexpr std::string_view kApps = "\"apps\":{";
constexpr std::string_view kProcesses = "\"processes\":[";
constexpr std::string_view kKilled = "\"killed\":[";

void append_processes(std::string& text, const std::vector<ProcessPtr>& processes,
                      const Keys& keys) {
    for (std::size_t i = 0; i < processes.size(); ++i) {
        text += core::to_json(process_value(*processes[i], keys.at(processes[i]->app.get())));
        text += i + 1 < processes.size() ? ",\n" : "\n";
    }
}

/// Reads the lines behind the first.
class ImageReader {
  public:
    explicit ImageReader(ImageReading& out) : out_(out) {}

    void read(std::string_view text) {
        while (!text.empty()) {
            std::string_view line = text.substr(0, text.find('\n'));
            text.remove_prefix(std::min(text.size(), line.size() + 1));
            if (line.ends_with(',')) line.remove_suffix(1);
            read_line(line);
        }
        if (section_ != Section::kEnd) leave_out("what follows", "the file has no end");
    }

  private:
    enum class Section : std::uint8_t { kNone, kApps, kProcesses, kKilled, kEnd };

    void end_section() { section_ = Section::kNone; }

    void read_line(std::string_view line) {
        switch (section_) {
            case Section::kNone:
                begin_section(line);
                break;
            case Section::kApps:
                line == "}" ? end_section() : add_app(line);
                break;
            case Section::kProcesses:
            case Section::kKilled:
                line == "]" ? end_section() : add_process(line);
                break;
            case Section::kEnd:
                leave_out("a line", "it stands behind the end");
                break;
        }
    }

    void begin_section(std::string_view line) {
        if (line == kApps) {
            section_ = Section::kApps;
        } else if (line == kProcesses) {
            section_ = Section::kProcesses;
        } else if (line == kKilled) {
            section_ = Section::kKilled;
        } else if (line == "}") {
            section_ = Section::kEnd;
        } else {
            read_numbers(line);
        }
    }

    void read_numbers(std::string_view line) {
        constexpr JsonReader::IntegerRange kNatural = {.least = 0};
        constexpr JsonReader::IntegerRange kShort = {0, std::numeric_limits<std::uint32_t>::max()};
        const auto value = parse_state(fmt::format("{{{}}}", line));
        if (!value.has_value()) {
            leave_out("a line", value.error().message());
            return;
        }
        const JsonReader in(*value);
        StateImage& image = out_.image;
        const auto sequence = in.integer("sequence", kNatural);
        const auto journal = in.integer("journal", kNatural);
        const auto next_pm_id = in.integer("next_pm_id", kShort);
        image.sequence = static_cast<std::uint64_t>(sequence.value_or(0));
        image.journal = static_cast<std::uint64_t>(journal.value_or(0));
        image.next_pm_id = static_cast<std::uint32_t>(next_pm_id.value_or(0));
        const auto finished = in.finish("the line of numbers");
        if (!finished.has_value()) leave_out("a setting", finished.error().message());
    }

    /// `"17":{...}`
    void add_app(std::string_view line) {
        AppKey key = 0;
        const char* const end = line.data() + line.size();
        const auto digits = line.starts_with('"') ? std::from_chars(line.data() + 1, end, key)
                                                  : std::from_chars_result{end, std::errc()};
        line.remove_prefix(static_cast<std::size_t>(digits.ptr - line.data()));
        if (!line.starts_with("\":") || apps_.contains(key)) {
            leave_out("an app", "its number cannot be read");
            return;
        }
        auto app = parsed_app(line.substr(2));
        if (!app.has_value()) {
            leave_out(fmt::format("app {}", key), app.error().message());
            return;
        }
        apps_.emplace(key, *app);
        out_.image.apps.emplace_back(key, std::move(*app));
    }

    core::Result<AppPtr> parsed_app(std::string_view text) {
        ZONA_TRY(const json::value value, parse_state(text));
        return read_app(value, out_.warnings);
    }

    void add_process(std::string_view line) {
        auto read = parsed_process(line);
        if (!read.has_value()) {
            leave_out("a process", read.error().message());
            return;
        }
        auto& list = section_ == Section::kKilled ? out_.image.killed : out_.image.processes;
        list.push_back(std::make_shared<const StoredProcess>(std::move(*read)));
    }

    core::Result<StoredProcess> parsed_process(std::string_view text) const {
        ZONA_TRY(const json::value value, parse_state(text));
        ZONA_TRY(ReadProcess read, read_process(value));
        const auto app = apps_.find(read.app);
        if (app == apps_.end()) return no_such_app(read);
        read.process.app = app->second;
        return std::move(read.process);
    }

    void leave_out(std::string_view what, std::string_view problem) {
        out_.complete = false;
        out_.warnings.push_back(fmt::format("{} is left out: {}", what, problem));
    }

    ImageReading& out_;
    Section section_ = Section::kNone;
    std::map<AppKey, AppPtr> apps_;
};

}  // namespace

StateImage image_of(const StateModel& model) {
    StateImage image;
    image.next_pm_id = model.next_pm_id();
    for (const auto& [key, entry] : model.apps().entries())
        image.apps.emplace_back(key, entry.app);
    image.processes = in_order(model.processes());
    image.killed = model.killed();
    return image;
}

StateImage processes_of(const StateModel& model) {
    StateImage image;
    image.processes = in_order(model.processes());
    std::map<AppKey, AppPtr> apps;
    for (const ProcessPtr& process : image.processes) {
        apps.emplace(model.apps().find(process->app)->key, process->app);
    }
    image.apps.assign(apps.begin(), apps.end());
    return image;
}

std::string encode_image(const StateImage& image) {
    std::string text = fmt::format("\"sequence\":{},\"journal\":{},\"next_pm_id\":{},\n{}\n",
                                   image.sequence, image.journal, image.next_pm_id, kApps);
    Keys keys;
    for (std::size_t i = 0; i < image.apps.size(); ++i) {
        const auto& [key, app] = image.apps[i];
        text += fmt::format("\"{}\":", key);
        text += core::to_json(app_value(*app));
        text += i + 1 < image.apps.size() ? ",\n" : "\n";
        keys.emplace(app.get(), key);
    }
    text += fmt::format("}},\n{}\n", kProcesses);
    append_processes(text, image.processes, keys);
    text += fmt::format("],\n{}\n", kKilled);
    append_processes(text, image.killed, keys);
    text += "]\n}\n";
    return seal(text);
}

ImageReading decode_image(std::string_view text) {
    ImageReading reading;
    reading.envelope = open_envelope(text);
    if (reading.envelope.state == EnvelopeState::kGood) {
        ImageReader(reading).read(text.substr(text.find('\n') + 1));
    }
    return reading;
}

StateModel model_of(const StateImage& image) {
    StateModel model;
    for (const auto& [key, app] : image.apps) {
        if (model.apps().find(key) == nullptr) model.apps().add(key, app);
    }
    for (const ProcessPtr& process : image.processes)
        model.put(process);
    for (const ProcessPtr& process : image.killed)
        model.add_killed(process);
    model.set_next_pm_id(std::max(image.next_pm_id, model.next_pm_id()));
    model.apps().drop_unused();
    return model;
}

}  // namespace zona::process::detail
