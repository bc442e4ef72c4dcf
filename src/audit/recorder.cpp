#include "audit/recorder.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/fault.h"

namespace zona::audit {

using core::Code;
using core::Error;
using core::Result;
using store::Scope;

namespace {

/// Between two tries of a record whose database cannot be had.
constexpr std::chrono::seconds kLongestPause{30};

Result<Scope> scope_of(const std::string& code) {
    if (code == Scope::core().code()) return Scope::core();
    return Scope::tenant(code);
}

/// Whether there is no database of this tenant's, and waiting does not bring one.
bool is_not_served(const Error& error) {
    return error.code() == Code::kNotFound || error.code() == Code::kTenantInactive;
}

}  // namespace

Recorder::Recorder(std::unique_ptr<Spool> spool, RecorderDeps deps)
    : deps_(std::move(deps)),
      subjects_(deps_.random),
      spool_(std::move(spool)),
      recorded_(deps_.metrics.counter("zona_audit_entries_total", "Entries that went on record.")),
      lost_total_(deps_.metrics.counter("zona_audit_lost_total",
                                        "Entries that found no room in the spool, and are lost.")),
      waiting_bytes_(
          deps_.metrics.gauge("zona_audit_spool_bytes", "What waits in the spool for a database.")),
      failures_(deps_.metrics.counter("zona_audit_failures_total",
                                      "Tries to take entries over that failed.")) {}

Recorder::~Recorder() {
    stop();
}

void Recorder::record(const std::string& scope, const Entry& entry) {
    if (!scope_of(scope)) {
        Entry told = entry;
        if (told.tenant.empty()) told.tenant = scope;
        return record(Scope::core().code(), told);
    }
    auto added = add(scope, entry);
    waiting_bytes_.set(static_cast<double>(spool_->size()));
    bool is_first = false;
    {
        const std::scoped_lock lock(mutex_);
        if (!added) is_first = lost_++ == 0;
        work_ = true;
    }
    wake_.notify_one();
    if (added) return recorded_.add();
    lost_total_.add();
    if (is_first) deps_.log.report("something was done that is not on record", added.error());
}

/// To the spool, or to memory as long as that cannot be sealed.
Result<void> Recorder::add(const std::string& scope, const Entry& entry) {
    {
        const std::scoped_lock lock(mutex_);
        if (books_ == nullptr) {
            if (early_.size() >= kMostEarly)
                return Error(Code::kResourceExhausted, "too many entries wait for the first start");
            early_.emplace_back(scope, entry);
            return {};
        }
    }
    ZONA_TRY([[maybe_unused]] const std::int64_t number, spool_->add(scope, entry));
    return {};
}

Result<void> Recorder::room() const {
    bool is_early = false;
    {
        const std::scoped_lock lock(mutex_);
        is_early = books_ == nullptr;
        if (is_early && early_.size() < kMostEarly) return {};
    }
    if (!is_early && spool_->has_room()) return {};
    return Error(
        Code::kResourceExhausted,
        "nothing can be changed now, for it could not be put on record: the audit spool is "
        "full, because a tenant's database cannot be had (zona tenant list)");
}

void Recorder::appended(const Scope& scope) {
    {
        const std::scoped_lock lock(mutex_);
        appended_.insert(scope.code());
        work_ = true;
    }
    wake_.notify_one();
}

void Recorder::start(Books& books, Turn turn, std::chrono::seconds look_around, SpoolSeal seal) {
    {
        const std::scoped_lock lock(writing_);
        turn_ = std::move(turn);
        look_around_ = look_around;
    }
    const std::scoped_lock lock(mutex_);
    spool_->set_seal(std::move(seal));
    for (const auto& [scope, entry] : early_) {
        if (auto added = spool_->add(scope, entry); added) continue;
        ++lost_;
        lost_total_.add();
    }
    early_ = {};
    books_ = &books;
    work_ = true;
    thread_ = std::thread([this] { run(); });
}

void Recorder::stop() {
    {
        const std::scoped_lock lock(mutex_);
        if (!early_.empty())
            deps_.log.error("what was done before the core database was open is not on record",
                            {{"entries", early_.size()}});
        lost_total_.add(early_.size());
        early_ = {};
        if (!thread_.joinable()) return;
        stop_ = true;
    }
    wake_.notify_one();
    gathered_.notify_one();
    thread_.join();
}

Result<Books*> Recorder::books() const {
    const std::scoped_lock lock(mutex_);
    if (books_ != nullptr) return books_;
    return Error(Code::kUnavailable,
                 "the record cannot be read yet: the tenants' data is being "
                 "opened");
}

void Recorder::run() {
    while (true) {
        const auto until = next_turn();
        {
            std::unique_lock lock(mutex_);
            const auto wanted = [this] { return work_ || stop_; };
            if (until == core::SteadyTime::max()) {
                wake_.wait(lock, wanted);
            } else {
                wake_.wait_for(lock, until - deps_.clock.steady(), wanted);
            }
            gathered_.wait_for(lock, kGather, [this] { return stop_; });
            work_ = false;
            if (stop_) break;
        }
        const auto begun = deps_.clock.steady();
        round(false);
        rest_after(deps_.clock.steady() - begun);
    }
    round(true);
}

/// When there is something to do that nobody tells of.
core::SteadyTime Recorder::next_turn() {
    const std::scoped_lock lock(writing_);
    core::SteadyTime out = core::SteadyTime::max();
    for (const auto& [code, chain] : chains_) {
        if (chain.try_again) out = std::min(out, *chain.try_again);
        if (!chain.is_signed() && chain.signed_at)
            out = std::min(out, *chain.signed_at + kSignEvery);
    }
    if (look_around_.count() > 0 && looked_around_)
        out = std::min(out, *looked_around_ + look_around_);
    return out;
}

void Recorder::round(bool is_last) {
    const std::scoped_lock lock(writing_);
    tell_lost();
    if (auto looked = look_around(); !looked) failed(Scope::core().code(), looked.error());
    take_over_due(is_last ? Pace::kAll : Pace::kGentle);
    sign_due(is_last);
    waiting_bytes_.set(static_cast<double>(spool_->size()));
    if (spool_->scopes().empty()) return;
    // What is not in a database yet has to outlive a power cut where it is.
    if (auto synced = spool_->sync(); !synced)
        deps_.log.report("the audit spool cannot be synced", synced.error());
}

void Recorder::take_over_due(Pace pace) {
    const std::set<std::string> codes = due();
    if (codes.empty()) return;
    auto turn = turn_();
    if (!turn) {
        for (const std::string& code : codes)
            failed(code, turn.error());
        return;
    }
    permit_ = std::move(*turn);
    for (const std::string& code : codes) {
        auto done = take_over(code, pace);
        Chain& chain = chains_[code];
        if (done) {
            chain.try_again.reset();
            chain.pause = {};
        } else {
            failed(code, done.error());
        }
    }
}

/// Those with something to take over, but for those whose pause is not over.
std::set<std::string> Recorder::due() {
    std::set<std::string> out;
    {
        const std::scoped_lock lock(mutex_);
        out = std::exchange(appended_, {});
    }
    for (std::string& code : spool_->scopes())
        out.insert(std::move(code));
    for (const auto& [code, chain] : chains_) {
        if (!chain.try_again) continue;
        if (*chain.try_again <= deps_.clock.steady()) {
            out.insert(code);
        } else {
            out.erase(code);
        }
    }
    return out;
}

void Recorder::failed(const std::string& code, const Error& error) {
    failures_.add();
    Chain& chain = chains_[code];
    const bool is_first = chain.pause.count() == 0;
    chain.pause = is_first ? std::chrono::seconds(1) : std::min(2 * chain.pause, kLongestPause);
    chain.try_again = deps_.clock.steady() + chain.pause;
    if (is_first)
        deps_.log.with("tenant", code).report("entries wait for their place in a record", error);
}

/// Finds what transactions have left that nobody has taken over.
Result<void> Recorder::look_around() {
    // What is left of our own is found with the next entry of that record.
    const auto now = deps_.clock.steady();
    if (look_around_.count() == 0 || (looked_around_ && now < *looked_around_ + look_around_))
        return {};
    looked_around_ = now;
    ZONA_TRY(const std::vector<Scope> all, books_->scopes());
    for (const Scope& scope : all) {
        bool waits = false;
        auto looked = books_->read(scope, [&](store::Reader& reader) -> Result<void> {
            ZONA_TRY(waits, has_pending(reader, scope));
            return {};
        });
        // One that cannot be had is looked at when it is used.
        if (!looked || !waits) continue;
        const std::scoped_lock lock(mutex_);
        appended_.insert(scope.code());
    }
    return {};
}

Result<void> Recorder::take_over(const std::string& code, Pace pace) {
    ZONA_TRY_VOID(resume(code, chains_[code]));
    ZONA_TRY(const Scope scope, scope_of(code));
    auto taken = take_all(scope, code, Way::kOwn, pace);
    if (taken || !is_not_served(taken.error()) || scope == Scope::core()) return taken;
    return take_all(Scope::core(), code, Way::kDiverted, pace);
}

Result<void> Recorder::take_all(const Scope& scope, const std::string& from, Way way, Pace pace) {
    while (true) {
        ZONA_TRY(const bool more, take_some(scope, from, way));
        if (!more) return {};
        if (pace == Pace::kAll) continue;
        const std::scoped_lock lock(mutex_);
        appended_.insert(from);
        work_ = true;
        return {};
    }
}

/// Leaves the databases to requests for a while.
void Recorder::rest_after(core::SteadyTime::duration work) {
    if (spool_->size() > kHurryAt) return;
    std::unique_lock lock(mutex_);
    gathered_.wait_for(lock, work * (kOneIn - 1), [this] { return stop_; });
}

/// One transaction. Whether there is more.
Result<bool> Recorder::take_some(const Scope& scope, const std::string& from, Way way) {
    ZONA_TRY(std::vector<Spooled> entries, spool_->peek(from, kMostAtOnce));
    if (way == Way::kDiverted && entries.empty()) return false;
    for (Spooled& one : entries) {
        if (one.entry.tenant.empty()) one.entry.tenant = from;
    }
    const Batch batch{.spool = way == Way::kOwn ? spool_->id() : spool_->id() + "/" + from,
                      .entries = std::move(entries)};
    std::optional<Advanced> advanced;
    ZONA_TRY_VOID(books_->write(scope, [&](store::Writer& writer) -> Result<void> {
        advanced.reset();
        if (!permit_) return park(writer, scope, batch);
        ZONA_TRY(advanced,
                 advance(writer, scope, batch, subjects_, *permit_, deps_.clock.system()));
        return {};
    }));
    ZONA_FAULT("audit.taken_over");
    if (!batch.entries.empty()) spool_->done(from, batch.entries.back().number);
    if (advanced && advanced->added > 0) chains_[scope.code()].head = advanced->head;
    return batch.entries.size() == kMostAtOnce || (advanced && advanced->more);
}

/// A tenant that was not served may be served again: what went to the core's record is not put into
/// its own too.
Result<void> Recorder::resume(const std::string& code, Chain& chain) {
    if (chain.resumed || code == Scope::core().code()) return {};
    std::int64_t number = 0;
    ZONA_TRY_VOID(books_->read(Scope::core(), [&](store::Reader& core) -> Result<void> {
        ZONA_TRY(number, taken(core, Scope::core(), spool_->id() + "/" + code));
        return {};
    }));
    spool_->done(code, number);
    chain.resumed = true;
    return {};
}

void Recorder::sign_due(bool is_last) {
    const auto now = deps_.clock.steady();
    for (auto& [code, chain] : chains_) {
        const bool is_due = is_last || !chain.signed_at || now >= *chain.signed_at + kSignEvery;
        if (chain.is_signed() || !is_due) continue;
        chain.signed_at = now;
        if (auto done = sign(code, chain); !done) {
            failures_.add();
            deps_.log.with("tenant", code)
                .report("the head of a record is not signed", done.error());
        }
    }
}

Result<void> Recorder::sign(const std::string& code, Chain& chain) {
    if (chain.is_signed()) return {};
    ZONA_TRY(const Scope scope, scope_of(code));
    if (!notary_) {
        ZONA_TRY(notary_, Notary::open(*books_, deps_.random));
    }
    const SignedHead head = notary_->sign(scope, chain.head, deps_.clock.system());
    bool is_kept = false;
    ZONA_TRY_VOID(books_->write(Scope::core(), [&](store::Writer& core) -> Result<void> {
        ZONA_TRY(is_kept, keep_head(core, head));
        return {};
    }));
    chain.signed_hash = head.hash;
    chain.signed_at = deps_.clock.steady();
    if (!is_kept) {
        deps_.log.error(
            "a record has another entry where its head was signed before: it was cut "
            "or restored, see zona audit verify",
            {{"tenant", code}, {"seq", head.seq}, {"hash", head.hash}});
        return {};
    }
    // Whoever collects logs elsewhere has what a record can be held against.
    deps_.log.info("the head of a record was signed",
                   {{"tenant", code}, {"seq", head.seq}, {"hash", head.hash}, {"key", head.key}});
    return {};
}

void Recorder::tell_lost() {
    std::uint64_t lost = 0;
    {
        const std::scoped_lock lock(mutex_);
        lost = lost_;
    }
    if (lost == 0 || !spool_->has_room()) return;
    Entry entry = begin();
    entry.category = Category::kSecurity;
    entry.outcome = Outcome::kFailure;
    entry.action = "loseEntries";
    entry.resource = "/audit/spool";
    entry.details = fmt::format("{} entries found no room in the spool before this one", lost);
    if (!spool_->add(Scope::core().code(), entry)) return;
    const std::scoped_lock lock(mutex_);
    lost_ -= lost;
}

Result<void> Recorder::settle(const Scope& scope) {
    ZONA_TRY(Books* const there, books());
    (void)there;
    const std::scoped_lock lock(writing_);
    ZONA_TRY(permit_, turn_());
    ZONA_TRY_VOID(take_over(scope.code(), Pace::kAll));
    return sign(scope.code(), chains_[scope.code()]);
}

}  // namespace zona::audit
