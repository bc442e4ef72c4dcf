#include "process/detail/state_load.h"

#include <algorithm>

#include <fmt/format.h>

#include "process/detail/state_codec.h"
#include "process/detail/state_files.h"
#include "process/detail/state_journal.h"

namespace zona::process::detail {
namespace {

/// An unreadable file counts as damaged unless somebody else is the cause.
bool is_refusal(const core::Error& error) {
    return error.code() == core::Code::kForbidden || error.code() == core::Code::kResourceExhausted;
}

struct Generation {
    bool there = false;
    std::string problem;  ///< there and not usable
    ImageReading reading;
    std::uint64_t bytes = 0;
    bool usable() const { return there && problem.empty(); }
};

core::Result<Generation> read_generation(const StateSource& source, const std::string& name) {
    Generation generation;
    auto text = source.read(name);
    if (!text.has_value()) {
        if (is_refusal(text.error())) return text.take_error();
        generation.there = true;
        generation.problem = text.error().message();
        return generation;
    }
    if (!text->has_value()) return generation;
    generation.there = true;
    generation.bytes = (*text)->size();
    generation.reading = decode_image(**text);
    const Envelope& envelope = generation.reading.envelope;
    if (envelope.state == EnvelopeState::kNewer) return newer_format(name, envelope.format);
    if (envelope.state == EnvelopeState::kDamaged) generation.problem = envelope.problem;
    return generation;
}

class Loader {
  public:
    explicit Loader(const StateSource& source) : source_(source) {}

    core::Result<StateLoading> load() && {
        ZONA_TRY(const Generation newest, read_generation(source_, current_name(kSnapshot)));
        Generation older;
        if (newest.usable()) {
            out_.snapshot_present = true;
            adopt(newest, current_name(kSnapshot));
        } else {
            ZONA_TRY(older, read_generation(source_, previous_name(kSnapshot)));
            if (older.usable()) adopt(older, previous_name(kSnapshot));
        }
        ZONA_TRY_VOID(replay_segments());
        report(newest, older);
        out_.model.apps().drop_unused();
        out_.sequence = std::max(out_.sequence, highest_);
        if (!out_.replaced.empty() || !out_.damaged.empty()) out_.rewrite = true;
        return std::move(out_);
    }

  private:
    void warn(std::string text) { out_.warnings.push_back(std::move(text)); }

    void adopt(const Generation& generation, const std::string& name) {
        const StateImage& image = generation.reading.image;
        out_.model = model_of(image);
        out_.sequence = image.sequence;
        out_.snapshot_journal = image.journal;
        out_.snapshot_bytes = generation.bytes;
        for (const std::string& text : generation.reading.warnings)
            warn(fmt::format("state/{}: {}", name, text));
        if (generation.reading.complete) return;
        // By the time it is set aside, a new snapshot has made it the previous one.
        replace(previous_name(kSnapshot));
        warn(fmt::format("state/{}: the file is kept as {}.damaged", name,
                         previous_name(kSnapshot)));
    }

    core::Result<void> replay_segments() {
        if (out_.snapshot_journal != 0 &&
            !std::ranges::binary_search(source_.segments, out_.snapshot_journal)) {
            warn(fmt::format("state/{} is missing: changes since the snapshot may be lost",
                             journal_name(out_.snapshot_journal)));
            out_.rewrite = true;
        }
        for (const std::uint64_t segment : source_.segments) {
            if (segment < out_.snapshot_journal) continue;
            const std::string name = journal_name(segment);
            auto text = source_.read(name);
            if (!text.has_value() && is_refusal(text.error())) return text.take_error();
            if (!text.has_value()) {
                break_chain(name, fmt::format("cannot be read: {}", text.error().message()));
                continue;
            }
            if (text->has_value()) ZONA_TRY_VOID(replay(segment, name, **text));
        }
        // Otherwise its end would be met, and reported, at every start.
        if (torn_ != 0 && torn_ != out_.segment) out_.rewrite = true;
        if (!lost_.empty()) {
            warn(fmt::format("not applied, because they came after the damage: {}{}",
                             fmt::join(lost_, "; "),
                             lost_more_ > 0 ? fmt::format("; and {} more", lost_more_) : ""));
        }
        return {};
    }

    core::Result<void> replay(std::uint64_t segment, const std::string& name,
                              std::string_view text) {
        const JournalReading reading = read_journal(text);
        if (reading.end == JournalEnd::kNewer) return newer_format(name, reading.format);
        for (const JournalRecord& record : reading.records)
            apply(name, record);
        out_.segment = segment;
        out_.segment_bytes = reading.good_bytes;
        out_.journal_bytes += reading.good_bytes;
        if (reading.end == JournalEnd::kTorn && !broken_) {
            torn_ = segment;
            warn(fmt::format(
                "state/{}: the last record is incomplete, its writing was cut short; {} "
                "bytes are cut off, everything before them is there",
                name, text.size() - reading.good_bytes));
        }
        if (reading.end == JournalEnd::kDamaged) {
            break_chain(name, fmt::format("is damaged at byte {}, behind record {}",
                                          reading.good_bytes, out_.sequence));
        }
        for (const JournalRecord& record : reading.behind)
            lose(name, record);
        return {};
    }

    void apply(const std::string& name, const JournalRecord& record) {
        highest_ = std::max(highest_, record.sequence);
        if (record.sequence <= out_.sequence) return;
        if (!broken_ && record.sequence != out_.sequence + 1) {
            break_chain(name, fmt::format("begins at record {}, and the records from {} on are not "
                                          "there",
                                          record.sequence, out_.sequence + 1));
        }
        if (broken_) {
            lose(name, record);
            return;
        }
        out_.sequence = record.sequence;
        const auto applied = apply_record(record.body, out_.model, out_.warnings);
        if (applied.has_value()) return;
        warn(fmt::format("state/{}: record {} is left out: {}", name, record.sequence,
                         applied.error().message()));
        replace(name);
    }

    void lose(const std::string& name, const JournalRecord& record) {
        constexpr std::size_t kNamed = 10;
        highest_ = std::max(highest_, record.sequence);
        if (record.sequence <= out_.sequence) return;
        replace(name);
        if (lost_.size() < kNamed) {
            lost_.push_back(describe_record(record.body, out_.model));
        } else {
            ++lost_more_;
        }
    }

    void break_chain(const std::string& name, const std::string& problem) {
        warn(fmt::format("state/{} {}; the file is kept as {}.damaged", name, problem, name));
        broken_ = true;
        replace(name);
    }

    void replace(const std::string& name) {
        if (std::ranges::find(out_.replaced, name) == out_.replaced.end()) {
            out_.replaced.push_back(name);
        }
    }

    void report(const Generation& newest, const Generation& older) {
        const std::string current = current_name(kSnapshot);
        const std::string previous = previous_name(kSnapshot);
        if (newest.there && !newest.usable()) set_aside(current, newest.problem);
        if (older.there && !older.usable()) set_aside(previous, older.problem);
        if (broken_) {
            warn("the state is not complete; `zona resurrect` starts what was saved last");
        } else if (!newest.usable() && (newest.there || older.there)) {
            out_.rewrite = true;
            // A kill between two renames leaves the older one alone: nothing to be told.
            if (!newest.there && older.usable()) return;
            warn(out_.sequence == 0
                     ? "nothing of the state could be read; `zona resurrect` starts what was saved "
                       "last"
                     : fmt::format("{} served in its place; nothing is missing",
                                   older.usable() ? "the previous snapshot and the journal"
                                                  : "the journal"));
        }
    }

    void set_aside(const std::string& name, const std::string& problem) {
        out_.damaged.push_back(name);
        warn(fmt::format("state/{} is damaged ({}); the file is kept as {}.damaged", name, problem,
                         name));
    }

    const StateSource& source_;
    StateLoading out_;
    bool broken_ = false;
    std::uint64_t highest_ = 0;
    std::uint64_t torn_ = 0;  // the last segment with a torn end
    std::vector<std::string> lost_;
    std::size_t lost_more_ = 0;
};

}  // namespace

core::Result<StateLoading> load_state(const StateSource& source) {
    return Loader(source).load();
}

}  // namespace zona::process::detail
