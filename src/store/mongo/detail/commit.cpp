#include "store/mongo/detail/commit.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "core/fault.h"
#include "core/random.h"

namespace zona::store::mongo {

using core::Code;
using core::Error;
using core::Result;
using Kind = Failure::Kind;

namespace {

/// 1 ms, then up to twice as long each time; two who meet do not meet again.
void pause(int attempt) {
    core::SystemRandom random;
    const std::uint64_t most = std::uint64_t{1000} << std::min(attempt, 8);
    std::this_thread::sleep_for(std::chrono::microseconds(1000 + random.below(most)));
}

Bson conditional(const Change& change) {
    return Bson().put(kIdField, change.key).put(kTagField, change.base_tag);
}

/// The refusal of a unique index by the server, in the words of the others.
Error taken(const std::vector<Change>& changes, const std::string& index) {
    for (const Change& change : changes) {
        for (const IndexSpec& spec : change.spec->indexes) {
            if (spec.name != index || spec.uniqueness != Uniqueness::kUnique) continue;
            return {Code::kConflict,
                    fmt::format("{} has another document with these values (index {})",
                                change.spec->name, index)};
        }
    }
    return {Code::kConflict, "another document has this id or these unique values"};
}

/// By how much these change what the scopes' documents take.
Amounts amounts_of(const std::vector<Change>& changes) {
    Amounts out;
    for (const Change& change : changes)
        out[change.scope.code()] += change.amount();
    return out;
}

Error always_overtaken() {
    return {Code::kConflict,
            fmt::format("others change the same documents all the time: given up after {} tries; "
                        "try again",
                        kTries)};
}

}  // namespace

void Committer::run(Client& client, Database::ReadWork& work) {
    if (setup_.transactions) {
        Session session(client, setup_, sums_, Use::kRead, Care::kAsks);
        work(static_cast<Reader*>(&session));
        return;
    }
    if (auto settled = settle(client); !settled.has_value()) {
        work(settled.take_error());
        return;
    }
    const auto reading = gate_.to_read();
    Session session(client, setup_, sums_, Use::kRead, Care::kAsks);
    work(static_cast<Reader*>(&session));
}

Result<void> Committer::run(Client& client, Database::WriteWork& work) {
    auto kept = try_until_kept(client, work);
    ++(kept.has_value() ? transactions_ : failed_);
    return kept;
}

Result<void> Committer::try_until_kept(Client& client, Database::WriteWork& work) {
    Care care = Care::kAssumes;
    for (int attempt = 1;; ++attempt) {
        if (!setup_.transactions) ZONA_TRY_VOID(settle(client));
        Ended ended = call(client, work, care);
        client.abort();
        if (ended.next == Next::kAnswer) return std::move(ended.answer);
        ++repeated_;
        if (ended.next == Next::kAsk && care == Care::kAssumes) {
            care = Care::kAsks;
            continue;
        }
        care = Care::kAsks;
        if (attempt >= kTries) {
            if (!ended.answer.has_value()) return std::move(ended.answer);
            return always_overtaken();
        }
        client.renew_if_needed();
        pause(attempt);
    }
}

/// A set of this process that failed half way comes first.
Result<void> Committer::settle(Client& client) {
    if (!outbox_.is_unfinished()) return {};
    const auto writing = gate_.to_write();
    if (!outbox_.is_unfinished()) return {};
    ZONA_TRY(const std::size_t count, outbox_.recover(client, std::chrono::seconds(0)));
    if (count > 0) sums_.distrust();
    recovered_ += count;
    return {};
}

Result<std::size_t> Committer::recover(Client& client, std::chrono::seconds older_than) {
    const auto writing = gate_.to_write();
    ZONA_TRY(const std::size_t count, outbox_.recover(client, older_than));
    if (count > 0) sums_.distrust();
    recovered_ += count;
    return count;
}

Committer::Ended Committer::call(Client& client, Database::WriteWork& work, Care care) {
    Session session(client, setup_, sums_, Use::kWrite, care);
    Result<void> answer = work(session);
    if (session.failure().kind != Kind::kNone) {
        // Nothing was written yet. What the function made of the failure does not count.
        if (answer.has_value()) answer = Error(Code::kUnavailable, "the database did not answer");
        return {.next = Next::kGoOn, .answer = std::move(answer)};
    }
    if (session.must_ask() || (!answer.has_value() && session.has_assumed()))
        return {.next = Next::kAsk};
    if (!answer.has_value()) return {.answer = std::move(answer)};
    const std::vector<Change> changes = session.take_changes();
    if (changes.empty()) return {.answer = std::move(answer)};
    ZONA_FAULT("mongo.before_commit");
    const Amounts amounts = amounts_of(changes);
    sums_.begin(amounts);
    Ended kept = keep(client, changes, care);
    const bool was_kept = kept.next == Next::kAnswer && kept.answer.has_value();
    sums_.end(amounts, was_kept);
    // Of other failures it is not known what they have left.
    const bool has_failed = kept.next == Next::kAnswer && !was_kept;
    if (has_failed && kept.answer.error().code() != Code::kConflict) sums_.distrust();
    ZONA_FAULT("mongo.after_commit");
    return kept;
}

Committer::Ended Committer::keep(Client& client, const std::vector<Change>& changes, Care care) {
    const bool lone_insert = changes.size() == 1 && changes.front().base_tag.empty();
    if (setup_.transactions) {
        if (lone_insert && !client.in_transaction()) return alone(client, changes.front(), care);
        return in_transaction(client, changes, care);
    }
    const auto busy = is_busy(client, changes);
    if (!busy.has_value()) return refused(busy.error(), client.failure(), care, changes);
    if (*busy) return {.next = Next::kRepeat};
    const auto writing = gate_.to_write();
    if (changes.size() == 1) return alone(client, changes.front(), care);
    return by_outbox(client, changes, care);
}

Committer::Ended Committer::refused(Error error, const Failure& failure, Care care,
                                    const std::vector<Change>& changes) {
    switch (failure.kind) {
        case Kind::kDuplicate:
            if (care == Care::kAssumes) return {.next = Next::kAsk};
            return {.next = Next::kRepeat, .answer = taken(changes, failure.index)};
        case Kind::kTransient:
            return {.next = Next::kGoOn, .answer = std::move(error)};
        default:
            return {.answer = std::move(error)};
    }
}

/// Removals make room in unique indexes, then changes may, and new documents need it.
Result<void> Committer::apply(Client& client, const std::vector<Change>& changes, bool& overtaken) {
    using Batches = std::map<std::string, std::vector<Bson>>;
    Batches removed;
    Batches changed;
    Batches inserted;
    const std::string tag = tags_.next();
    for (const Change& change : changes) {
        const std::string& collection = change.spec->name;
        if (!change.now) {
            removed[collection].push_back(Bson().put("q", conditional(change)).put("limit", 1));
        } else if (change.base_tag.empty()) {
            inserted[collection].push_back(stored_form(change, tag));
        } else {
            changed[collection].push_back(
                Bson().put("q", conditional(change)).put("u", stored_form(change, tag)));
        }
    }
    const auto all_of = [&overtaken](const Counted& counted, const std::vector<Bson>& parts) {
        if (counted.matched != static_cast<std::int64_t>(parts.size())) overtaken = true;
    };
    for (const auto& [collection, parts] : removed) {
        ZONA_TRY(const Counted counted, client.remove(collection, parts));
        all_of(counted, parts);
    }
    for (const auto& [collection, parts] : changed) {
        ZONA_TRY(const Counted counted, client.update(collection, parts));
        all_of(counted, parts);
    }
    for (const auto& [collection, parts] : inserted)
        ZONA_TRY_VOID(client.insert(collection, parts));
    return {};
}

Committer::Ended Committer::in_transaction(Client& client, const std::vector<Change>& changes,
                                           Care care) {
    const auto failed = [&](Error error) {
        const Failure failure = client.failure();
        // Before the commit nothing is done, whatever was lost.
        if (failure.kind == Kind::kNetwork)
            return Ended{.next = Next::kGoOn, .answer = std::move(error)};
        return refused(std::move(error), failure, care, changes);
    };
    if (!client.in_transaction()) {
        if (auto begun = client.begin(); !begun.has_value()) return failed(begun.take_error());
    }
    bool overtaken = false;
    if (auto applied = apply(client, changes, overtaken); !applied.has_value())
        return failed(applied.take_error());
    if (overtaken) return {.next = Next::kRepeat};
    ZONA_FAULT("mongo.applied");
    auto committed = client.commit();
    if (committed.has_value()) return {};
    if (client.failure().kind == Kind::kTransient)
        return {.next = Next::kGoOn, .answer = std::move(committed)};
    return {.answer = Error(Code::kUnavailable,
                            fmt::format("whether the change was kept is not known: {}",
                                        committed.error().message()))};
}

Result<Counted> Committer::write_one(Client& client, const Change& change, const std::string& tag) {
    const std::string& collection = change.spec->name;
    if (!change.now)
        return client.remove(collection, {Bson().put("q", conditional(change)).put("limit", 1)});
    const Bson document = stored_form(change, tag);
    if (!change.base_tag.empty())
        return client.update(collection, {Bson().put("q", conditional(change)).put("u", document)});
    ZONA_TRY_VOID(client.insert(collection, {document}));
    return Counted{1};
}

/// Whether a write of which no answer came was done.
Result<bool> Committer::is_there(Client& client, const Change& change, const std::string& tag) {
    ZONA_TRY(const auto found,
             client.find_one(change.spec->name, Bson().put(kIdField, change.key)));
    if (!change.now) return !found.has_value();
    return found && found->text(kTagField) == tag;
}

Committer::Ended Committer::alone(Client& client, const Change& change, Care care) {
    const std::string tag = tags_.next();
    auto written = write_one(client, change, tag);
    if (written.has_value()) return {.next = written->matched == 1 ? Next::kAnswer : Next::kRepeat};
    const Failure failure = client.failure();
    if (failure.kind == Kind::kDuplicate || failure.kind == Kind::kNetwork) {
        // A driver that has repeated it may be told of its own document.
        client.renew_if_needed();
        auto there = is_there(client, change, tag);
        if (there.has_value() && *there) return {};
        if (failure.kind == Kind::kNetwork && there.has_value())
            return {.next = Next::kGoOn, .answer = written.take_error()};
        if (failure.kind == Kind::kNetwork)
            return {.answer = Error(Code::kUnavailable,
                                    fmt::format("whether the change was made is not known: {}",
                                                written.error().message()))};
    }
    return refused(written.take_error(), failure, care, {change});
}

Result<bool> Committer::is_busy(Client& client, const std::vector<Change>& changes) {
    for (const Change& change : changes) {
        ZONA_TRY(const bool busy, outbox_.is_busy(client, change.base_tag));
        if (busy) return true;
    }
    return false;
}

Committer::Ended Committer::by_outbox(Client& client, const std::vector<Change>& changes,
                                      Care care) {
    std::string index;
    auto outcome = outbox_.write(client, changes, index);
    if (!outcome.has_value()) {
        return {.answer = std::move(outcome.take_error())
                              .context("the change may still be made, all of it, when the database "
                                       "answers again")};
    }
    switch (*outcome) {
        case SetOutcome::kDone:
            return {};
        case SetOutcome::kConflict:
            return {.next = Next::kRepeat};
        case SetOutcome::kDuplicate:
            return refused(Error(Code::kConflict, ""), {.kind = Kind::kDuplicate, .index = index},
                           care, changes);
    }
    return {};
}

}  // namespace zona::store::mongo
