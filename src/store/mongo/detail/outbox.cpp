#include "store/mongo/detail/outbox.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "core/fault.h"
#include "core/random.h"
#include "store/detail/plan.h"

namespace zona::store::mongo {

using core::Code;
using core::Error;
using core::Result;

namespace {

// Above it a set is written in parts; the server takes 16 MB.
constexpr std::size_t kOneDocument = std::size_t{4} << 20U;
// Documents that are asked for at a time.
constexpr std::size_t kAskedAtOnce = 100;
// How long the verdict over a set stays for its owner.
constexpr std::chrono::hours kVerdict{1};

Bson one_update(const Bson& filter, const Bson& document) {
    return Bson().put("q", filter).put("u", document);
}

Bson one_delete(const Bson& filter) {
    return Bson().put("q", filter).put("limit", 1);
}

Bson with_tag(std::string_view key, std::string_view tag) {
    return Bson().put(kIdField, key).put(kTagField, tag);
}

/// Removals make room in unique indexes, then changes may, and new documents need it.
int rank_of(const Change& change) {
    if (!change.now) return 0;
    return change.base_tag.empty() ? 2 : 1;
}

}  // namespace

Tags::Tags() {
    core::SystemRandom random;
    prefix_ = fmt::format("{:016x}-", random.next());
}

/// What the documents are now is written down, too, so that it can be given back.
Result<Outbox::Steps> Outbox::steps_of(Client& client, const std::vector<Change>& changes,
                                       const std::string& tag, bool& overtaken) const {
    std::vector<const Change*> ordered;
    for (const Change& change : changes)
        ordered.push_back(&change);
    std::ranges::sort(ordered, {}, [](const Change* change) {
        return std::pair(rank_of(*change), change->order);
    });
    std::map<std::string, std::vector<Bson>> asked;
    for (const Change& change : changes) {
        if (!change.base_tag.empty())
            asked[change.spec->name].push_back(with_tag(change.key, change.base_tag));
    }
    std::map<std::pair<std::string, std::string>, Bson> found;
    for (const auto& [collection, filters] : asked) {
        for (std::size_t at = 0; at < filters.size(); at += kAskedAtOnce) {
            const auto from = filters.begin() + static_cast<std::ptrdiff_t>(at);
            const auto to =
                from + static_cast<std::ptrdiff_t>(std::min(kAskedAtOnce, filters.size() - at));
            Cursor cursor = client.find(collection, Bson().put("$or", std::vector(from, to)), {});
            while (true) {
                ZONA_TRY(const bson_t* const document, cursor.next());
                if (document == nullptr) break;
                Bson stored(document);
                std::string key(stored.text(kIdField));
                found.emplace(std::pair(collection, std::move(key)), std::move(stored));
            }
        }
    }
    Steps steps;
    for (const Change* change : ordered) {
        Bson step;
        step.put("c", change->spec->name).put("k", change->key);
        if (!change->base_tag.empty()) {
            const auto at = found.find({change->spec->name, change->key});
            if (at == found.end()) {
                overtaken = true;
                return steps;
            }
            step.put("b", change->base_tag).put("o", at->second);
        }
        if (change->now) step.put("n", stored_form(*change, tag));
        steps.push_back(std::move(step));
    }
    return steps;
}

Result<void> Outbox::write_down(Client& client, const std::string& tag, const Steps& steps) const {
    std::size_t bytes = 0;
    for (const Bson& step : steps)
        bytes += step.size();
    Bson head;
    const std::int64_t now = microseconds(clock_.system());
    head.put(kIdField, tag).put("at", now).put("s", "forward");
    if (bytes <= kOneDocument) {
        head.put("steps", steps);
    } else {
        std::vector<Bson> parts;
        for (std::size_t i = 0; i < steps.size(); ++i) {
            Bson part;
            part.put(kIdField, fmt::format("{}/{:06}", tag, i)).put("set", tag).put("at", now);
            parts.push_back(std::move(part.put("step", steps[i])));
        }
        ZONA_TRY_VOID(client.insert(kOutbox, parts));
        head.put("parts", static_cast<std::int64_t>(parts.size()));
    }
    ZONA_FAULT("mongo.before_set");
    return client.insert(kOutbox, {head});
}

Result<Outbox::Steps> Outbox::read_back(Client& client, const Bson& head) const {
    Steps steps;
    const Bson inside = head.object("steps");
    bson_iter_t at;
    if (bson_iter_init(&at, inside.get())) {
        while (bson_iter_next(&at))
            steps.push_back(inside.object({bson_iter_key(&at), bson_iter_key_len(&at)}));
    }
    if (!head.find("parts")) return steps;
    Cursor cursor = client.find(kOutbox, Bson().put("set", head.text(kIdField)),
                                Bson().put("sort", Bson().put(kIdField, 1)));
    while (true) {
        ZONA_TRY(const bson_t* const part, cursor.next());
        if (part == nullptr) break;
        steps.push_back(Bson(part).object("step"));
    }
    return steps;
}

Result<SetOutcome> Outbox::write(Client& client, const std::vector<Change>& changes,
                                 std::string& index) {
    const std::string tag = tags_.next_set();
    bool overtaken = false;
    ZONA_TRY(const Steps steps, steps_of(client, changes, tag, overtaken));
    if (overtaken) return SetOutcome::kConflict;
    unfinished_ = true;
    auto outcome = write_steps(client, tag, steps, index);
    if (outcome.has_value()) unfinished_ = false;
    return outcome;
}

Result<SetOutcome> Outbox::write_steps(Client& client, const std::string& tag, const Steps& steps,
                                       std::string& index) const {
    ZONA_TRY_VOID(write_down(client, tag, steps));
    ZONA_FAULT("mongo.set_written");
    ZONA_TRY(const SetOutcome outcome, forward(client, tag, steps, index));
    const bool done = outcome == SetOutcome::kDone;
    ZONA_TRY(const bool mine, move_on(client, tag, "forward", done ? "done" : "undo"));
    ZONA_TRY(const bool is_done, mine ? Result<bool>(done) : was_done(client, tag));
    ZONA_FAULT("mongo.set_decided");
    if (is_done) {
        ZONA_TRY_VOID(finish(client, tag, steps));
        return SetOutcome::kDone;
    }
    ZONA_TRY_VOID(undo(client, tag, steps));
    // Somebody else's verdict goes by itself.
    if (mine) ZONA_TRY_VOID(drop(client, tag));
    return done ? SetOutcome::kConflict : outcome;
}

/// What somebody else has made of a set of ours; those that are done go at once.
Result<bool> Outbox::was_done(Client& client, const std::string& tag) const {
    ZONA_TRY(const auto head, client.find_one(kOutbox, Bson().put(kIdField, tag)));
    return !head || head->text("s") == "done";
}

Result<SetOutcome> Outbox::forward(Client& client, const std::string& tag, const Steps& steps,
                                   std::string& index) const {
    for (const Bson& step : steps) {
        ZONA_TRY(const SetOutcome outcome, this->step(client, tag, step, index));
        if (outcome != SetOutcome::kDone) return outcome;
        ZONA_FAULT("mongo.step_written");
    }
    return SetOutcome::kDone;
}

/// One document, if it is not written already.
Result<SetOutcome> Outbox::step(Client& client, const std::string& tag, const Bson& step,
                                std::string& index) const {
    const std::string collection(step.text("c"));
    const std::string key(step.text("k"));
    const bool removed = !step.find("n").has_value();
    const Bson after = removed ? tombstone(key, tag) : step.object("n");
    Result<Counted> written = Counted{};
    if (step.find("b")) {
        written = client.update(collection, {one_update(with_tag(key, step.text("b")), after)});
    } else {
        auto inserted = client.insert(collection, {after});
        written = inserted.has_value() ? Result<Counted>(Counted{1})
                                       : Result<Counted>(inserted.take_error());
    }
    const Failure failure = client.failure();
    if (!written.has_value() && failure.kind != Failure::Kind::kDuplicate)
        return written.take_error();
    if (written.has_value() && written->matched > 0) return SetOutcome::kDone;
    ZONA_TRY(const auto there, client.find_one(collection, with_tag(key, tag)));
    if (there) return SetOutcome::kDone;
    if (failure.kind != Failure::Kind::kDuplicate) return SetOutcome::kConflict;
    index = failure.index;
    return SetOutcome::kDuplicate;
}

Result<bool> Outbox::move_on(Client& client, const std::string& tag, const char* from,
                             const char* to) const {
    const Bson state = Bson().put("s", to);
    ZONA_TRY(const Counted moved,
             client.update(kOutbox, {one_update(Bson().put(kIdField, tag).put("s", from),
                                                Bson().put("$set", state))}));
    return moved.matched > 0;
}

Result<void> Outbox::finish(Client& client, const std::string& tag, const Steps& steps) const {
    for (const Bson& step : steps) {
        if (step.find("n")) continue;
        Bson filter = with_tag(step.text("k"), tag);
        filter.put(kGoneField, true);
        ZONA_TRY_VOID(success_of(client.remove(std::string(step.text("c")), {one_delete(filter)})));
    }
    ZONA_FAULT("mongo.tombstones_gone");
    return drop(client, tag);
}

Result<void> Outbox::drop(Client& client, const std::string& tag) const {
    ZONA_TRY_VOID(success_of(client.remove(kOutbox, {one_delete(Bson().put(kIdField, tag))})));
    const Bson parts = Bson().put("set", tag);
    ZONA_TRY_VOID(success_of(client.remove(kOutbox, {Bson().put("q", parts).put("limit", 0)})));
    return {};
}

Result<void> Outbox::undo(Client& client, const std::string& tag, const Steps& steps) const {
    for (auto at = steps.rbegin(); at != steps.rend(); ++at)
        ZONA_TRY_VOID(undo_step(client, tag, *at));
    return {};
}

Result<void> Outbox::undo_step(Client& client, const std::string& tag, const Bson& step) const {
    const std::string collection(step.text("c"));
    const Bson written = with_tag(step.text("k"), tag);
    if (step.find("o")) {
        auto restored = client.update(collection, {one_update(written, step.object("o"))});
        if (!restored.has_value()) {
            return restored.take_error().context(
                fmt::format("{} {} cannot be given back what it was", collection, step.text("k")));
        }
        return {};
    }
    ZONA_TRY_VOID(success_of(client.remove(collection, {one_delete(written)})));
    return {};
}

Result<bool> Outbox::is_busy(Client& client, const std::string& tag) const {
    if (!is_of_set(tag) || tags_.is_own(tag)) return false;
    ZONA_TRY(const auto head, client.find_one(kOutbox, Bson().put(kIdField, tag)));
    return head.has_value() && head->text("s") != "undone";
}

Result<void> Outbox::recover_one(Client& client, const Bson& head) const {
    const std::string tag(head.text(kIdField));
    const std::string state(head.text("s"));
    ZONA_TRY(const Steps steps, read_back(client, head));
    std::string index;
    if (state == "done") return finish(client, tag, steps);
    if (state == "forward") {
        ZONA_TRY(const SetOutcome outcome, forward(client, tag, steps, index));
        if (outcome == SetOutcome::kDone) {
            ZONA_TRY(const bool mine, move_on(client, tag, "forward", "done"));
            return mine ? finish(client, tag, steps) : Result<void>();
        }
        ZONA_TRY(const bool mine, move_on(client, tag, "forward", "undo"));
        if (!mine) return {};
    }
    ZONA_TRY_VOID(undo(client, tag, steps));
    ZONA_TRY_VOID(success_of(move_on(client, tag, "undo", "undone")));
    return {};
}

/// Parts whose head never came.
Result<void> Outbox::drop_orphans(Client& client, std::int64_t before) const {
    Cursor cursor = client.find(
        kOutbox,
        Bson().put("set", Bson().put("$exists", true)).put("at", Bson().put("$lt", before)),
        Bson().put("projection", Bson().put("set", 1)));
    std::vector<std::string> sets;
    while (true) {
        ZONA_TRY(const bson_t* const part, cursor.next());
        if (part == nullptr) break;
        std::string set(Bson(part).text("set"));
        if (sets.empty() || sets.back() != set) sets.push_back(std::move(set));
    }
    for (const std::string& set : sets) {
        ZONA_TRY(const auto head, client.find_one(kOutbox, Bson().put(kIdField, set)));
        if (!head) ZONA_TRY_VOID(drop(client, set));
    }
    return {};
}

Result<std::size_t> Outbox::recover(Client& client, std::chrono::seconds older_than) {
    const std::int64_t now = microseconds(clock_.system());
    const auto before = [now](std::chrono::seconds age) {
        return now - std::chrono::microseconds(age).count();
    };
    std::vector<Bson> heads;
    {
        Cursor cursor = client.find(kOutbox, Bson().put("s", Bson().put("$exists", true)), {});
        while (true) {
            ZONA_TRY(const bson_t* const head, cursor.next());
            if (head == nullptr) break;
            heads.emplace_back(head);
        }
    }
    std::size_t count = 0;
    for (const Bson& head : heads) {
        const std::int64_t at = head.integer("at");
        if (head.text("s") == "undone") {
            if (at > before(kVerdict)) continue;
            ZONA_TRY(const Steps steps, read_back(client, head));
            ZONA_TRY_VOID(undo(client, std::string(head.text(kIdField)), steps));
            ZONA_TRY_VOID(drop(client, std::string(head.text(kIdField))));
            continue;
        }
        if (older_than.count() > 0 && at > before(older_than)) continue;
        ZONA_TRY_VOID(recover_one(client, head));
        log_.warn("a write set that was interrupted was brought to an end",
                  {{"set", head.text(kIdField)}, {"was", head.text("s")}});
        ++count;
    }
    ZONA_TRY_VOID(drop_orphans(client, before(kVerdict)));
    if (older_than.count() == 0) unfinished_ = false;
    return count;
}

}  // namespace zona::store::mongo
