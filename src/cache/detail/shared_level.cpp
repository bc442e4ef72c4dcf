#include "cache/detail/shared_level.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace zona::cache::detail {
namespace {

using core::Code;
using core::Error;
using redis::Reply;

std::optional<std::int64_t> number_of(std::string_view text) {
    std::int64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return out;
}

/// The field of a tenant's state that tells when a tag of this mark was forgotten last. Two tags
/// of one mark cost a load.
std::string mark_of(std::string_view tag) {
    constexpr std::uint64_t kMarks = 256;
    return fmt::format("m{}", hash_of(tag) % kMarks);
}

/// Whether the state, when it began, and the marks are all from before the number `kept`.
bool are_before(const Reply& marks, std::int64_t kept) {
    // Without a beginning Redis has lost the state, and what the marks said.
    return !marks.elements.empty() && !marks.elements.front().is_nil() &&
           std::ranges::all_of(marks.elements, [&](const Reply& mark) {
               return mark.is_nil() || number_of(mark.text).value_or(INT64_MAX) <= kept;
           });
}

bool is_closing(const core::Result<void>& answered) {
    return !answered && answered.error().code() == Code::kCancelled;
}

}  // namespace

/// Owned by the answers that are awaited.
struct SharedLevel::Round {
    struct Asked {
        std::string tenant;
        std::int64_t heard;  ///< when it was asked
        std::optional<std::int64_t> number{};
    };
    core::SteadyTime began;
    std::vector<Asked> tenants;
    std::size_t awaited = 0;
    core::Result<void> answered{};
};

SharedLevel::SharedLevel(std::unique_ptr<redis::Client> client, SharedOptions options,
                         const crypto::Key& key, const SharedDeps& deps)
    : options_(std::move(options)),
      deps_(deps),
      sealer_(key, deps.random),
      origin_(fmt::format("{:016x}", deps.random.next())),
      channel_(options_.prefix + ":news"),
      gaps_(deps.metrics.counter("zona_cache_gaps_total",
                                 "Times that a tenant was forgotten here because news of it from "
                                 "other instances had been lost.")),
      up_(deps.metrics.gauge("zona_cache_redis_up",
                             "Whether Redis answers: 1, or 0 in database-only mode.")),
      sent_(deps.metrics.counter("zona_cache_network_bytes_total",
                                 "Bytes between this process and Redis.", {{"direction", "sent"}})),
      received_(deps.metrics.counter("zona_cache_network_bytes_total",
                                     "Bytes between this process and Redis.",
                                     {{"direction", "received"}})),
      client_(std::move(client)) {
    client_->subscribe(channel_, [this](std::string_view text) { hear(text); });
    client_->post([this] {
        compare();
        ask_health();
    });
}

SharedLevel::~SharedLevel() = default;

std::string SharedLevel::name_of(const Key& key) const {
    return "{" + tag_of(key.tenant()) + "}" + key.text().substr(key.tenant().size());
}

/// Where the numbers of a new state begin: above those that it had before Redis lost it.
std::string SharedLevel::base() const {
    return std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(
                              deps_.clock.system().time_since_epoch())
                              .count());
}

void SharedLevel::run(std::string_view tenant, const Script& script, std::vector<std::string> keys,
                      std::vector<std::string> arguments, redis::Callback<Reply> done) {
    const std::string count = std::to_string(keys.size());
    std::vector<std::string_view> words{"EVALSHA", script.sha1, count};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::string wire = redis::command(words);
    const std::string tag = tag_of(tenant);
    client_->execute(tag, std::move(wire),
                     [this, tag, &script, keys = std::move(keys), arguments = std::move(arguments),
                      done = std::move(done)](core::Result<Reply> reply) mutable {
                         if (!reply || !reply->is_error() || !reply->text.starts_with("NOSCRIPT"))
                             return done(std::move(reply));
                         const std::string number = std::to_string(keys.size());
                         std::vector<std::string_view> all{"EVAL", script.source, number};
                         all.insert(all.end(), keys.begin(), keys.end());
                         all.insert(all.end(), arguments.begin(), arguments.end());
                         client_->execute(tag, redis::command(all), std::move(done));
                     });
}

std::optional<std::int64_t> SharedLevel::heard(std::string_view tenant) {
    const std::lock_guard lock(mutex_);
    const auto at = tenants_.find(tenant);
    if (at == tenants_.end()) return std::nullopt;
    at->second.used = deps_.clock.steady();
    return at->second.heard;
}

/// The number of the tenant's last news; those that come from now on are counted from there.
void SharedLevel::learn(const std::string& tenant) {
    const Script& script = Scripts::learn();
    const std::string state = state_of(tenant);
    const std::string first = base();
    client_->execute(tag_of(tenant), redis::command({"EVAL", script.source, "1", state, first}),
                     [this, tenant](const core::Result<Reply>& reply) {
                         if (!done_by(reply)) return;
                         const std::optional<std::int64_t> number = number_of(reply->text);
                         if (!number) return;
                         const std::lock_guard lock(mutex_);
                         tenants_.try_emplace(tenant, Known{*number, deps_.clock.steady()});
                     });
}

/// On one connection the answers come in order: the number is known before what is asked next.
void SharedLevel::follow(std::string_view tenant) {
    if (!heard(tenant)) learn(std::string(tenant));
}

void SharedLevel::get(const Key& key, LookedDone done) {
    if (undelivered_.concerns(key)) return done({});
    follow(key.tenant());
    std::string name = name_of(key);
    const std::string_view tag = std::string_view(name).substr(1, name.find('}') - 1);
    std::string wire = redis::command({"GET", name});
    client_->execute(tag, std::move(wire),
                     [this, key, name, done = std::move(done)](core::Result<Reply> reply) mutable {
                         Looked looked;
                         if (done_by(reply)) {
                             looked.seen = heard(key.tenant());
                             if (reply->text.starts_with('V'))
                                 open(key, name, std::move(reply->text), looked);
                         }
                         check_tags(
                             key, std::move(looked),
                             [this, key, done = std::move(done)](Looked checked) mutable {
                                 TenantMeter& meter = deps_.meter.of(key.tenant());
                                 (checked.found ? meter.shared_hits : meter.shared_misses).add();
                                 done(std::move(checked));
                             });
                     });
}

/// The scripts put a number behind the version of what was sealed.
void SharedLevel::open(const Key& key, const std::string& name, std::string kept, Looked& into) {
    constexpr std::size_t kAt = 20;
    constexpr std::size_t kDigits = 19;
    if (kept.size() > kAt + kDigits) {
        into.number = number_of(std::string_view(kept).substr(kAt, kDigits)).value_or(0);
        into.found = sealer_.open(name, kept.erase(kAt, kDigits));
    }
    if (into.found) return;
    deps_.log.warn("a value in Redis is not what zona put there; it is not used",
                   {{"tenant", unescaped(key.tenant())}, {"entity", key.entity()}});
}

/// Tags cost another question, and what has none does not.
void SharedLevel::check_tags(const Key& key, Looked looked, LookedDone done) {
    if (!looked.found || looked.found->tags.empty()) return done(std::move(looked));
    const std::string state = state_of(key.tenant());
    std::vector<std::string> marks;
    for (const std::string& tag : looked.found->tags)
        marks.push_back(mark_of(tag));
    std::vector<std::string_view> words{"HMGET", state, "b"};
    words.insert(words.end(), marks.begin(), marks.end());
    client_->execute(tag_of(key.tenant()), redis::command(words),
                     [this, looked = std::move(looked),
                      done = std::move(done)](const core::Result<Reply>& reply) mutable {
                         if (!done_by(reply) || !are_before(*reply, looked.number))
                             looked.found.reset();
                         done(std::move(looked));
                     });
}

void SharedLevel::put(const Key& key, const Content& content, std::int64_t seen) {
    if (undelivered_.concerns(key)) return;
    const std::string name = name_of(key);
    run(key.tenant(), Scripts::put(), {name, state_of(key.tenant())},
        {digits(content.version), digits(seen), std::to_string(options_.ttl.count()),
         sealer_.seal(name, content)},
        [this, tenant = std::string(key.tenant())](const core::Result<Reply>& reply) {
            // Redis has forgotten everything: whatever was told before is gone with it.
            if (done_by(reply) && reply->integer < 0) lost(tenant);
        });
}

void SharedLevel::write(const Key& key, const Content& content, Done done) {
    if (content.version == 0) return remove(key, 0, std::move(done));
    follow(key.tenant());
    const std::string name = name_of(key);
    News news{.kind = News::Kind::kWritten, .key = key, .version = content.version};
    run(key.tenant(), Scripts::write(), {name, state_of(key.tenant())},
        {digits(content.version), std::to_string(options_.ttl.count()), sealer_.seal(name, content),
         base(), channel_, origin_, news.to_words()},
        [this, key, version = content.version,
         done = std::move(done)](const core::Result<Reply>& reply) mutable {
            told(key, version, done_by(reply), std::move(done));
        });
}

void SharedLevel::told(const Key& key, std::int64_t floor, core::Result<void> answer, Done done) {
    if (answer) {
        undelivered_.delivered(key.text(), floor);
    } else {
        undelivered_.add(key, floor);
        deps_.memory.remove(key, floor);
    }
    done(std::move(answer));
}

void SharedLevel::remove(const Key& key, std::int64_t floor, Done done) {
    News news{.kind = News::Kind::kRemoved, .key = key, .version = floor};
    run(key.tenant(), Scripts::remove(), {name_of(key), state_of(key.tenant())},
        {digits(floor), std::to_string(options_.floor.count()), base(), channel_, origin_,
         news.to_words()},
        [this, key, floor, done = std::move(done)](const core::Result<Reply>& reply) mutable {
            told(key, floor, done_by(reply), std::move(done));
        });
}

void SharedLevel::tell(const News& news, redis::Callback<void> done) {
    const std::string tenant = escaped(news.tenant);
    const std::string field = news.kind == News::Kind::kTag ? mark_of(news.tag) : "g";
    run(tenant, Scripts::forget(), {state_of(tenant)},
        {base(), channel_, origin_, news.to_words(), field},
        [this, done = std::move(done)](const core::Result<Reply>& reply) mutable {
            done(done_by(reply));
        });
}

void SharedLevel::forget(const News& news, redis::Callback<void> done) {
    const std::string tenant = escaped(news.tenant);
    auto finish = [this, tenant, done = std::move(done)](core::Result<void> told) mutable {
        if (!told) undelivered_.add_tenant(tenant);
        done(std::move(told));
    };
    if (news.kind == News::Kind::kTag) return tell(news, std::move(finish));
    // What is told first keeps older loads out, so that the scan finds all there is; what is told
    // last has those forget it who read it meanwhile.
    tell(news, [this, news, finish = std::move(finish)](core::Result<void> told) mutable {
        if (!told) return finish(std::move(told));
        Pattern pattern = news.pattern;
        pattern.tenant = news.tenant;
        unlink(pattern,
               [this, news, finish = std::move(finish)](core::Result<void> unlinked) mutable {
                   if (!unlinked) return finish(std::move(unlinked));
                   tell(news, std::move(finish));
               });
    });
}

/// Which versions are sealed nowhere, but a pattern's bound on them is left to the first level: in
/// Redis all that its glob means goes, which costs a load and no truth.
void SharedLevel::unlink(const Pattern& pattern, redis::Callback<void> done) {
    const std::string tenant = escaped(pattern.tenant);
    const std::string glob = "{" + tag_of(tenant) + "}" + pattern.glob().substr(tenant.size());
    /// Of the scan and of what it found; owned by the answers that are awaited.
    struct Gathering {
        std::size_t awaited;
        redis::Callback<void> done;
        core::Result<void> unlinked{};

        void take(core::Result<void> answer) {
            if (!answer) unlinked = std::move(answer);
            if (--awaited == 0) done(std::move(unlinked));
        }
    };
    auto gathering = std::make_shared<Gathering>(1, std::move(done));
    client_->scan(
        tag_of(tenant), glob,
        [this, tenant, gathering](const std::vector<std::string>& keys) {
            std::vector<std::string_view> words{"UNLINK"};
            words.insert(words.end(), keys.begin(), keys.end());
            ++gathering->awaited;
            client_->execute(tag_of(tenant), redis::command(words),
                             [this, gathering](const core::Result<Reply>& reply) {
                                 gathering->take(done_by(reply));
                             });
        },
        [gathering](core::Result<void> scanned) { gathering->take(std::move(scanned)); });
}

void SharedLevel::tenants(redis::Callback<std::vector<std::string>> done) {
    // Owned by the scan.
    auto found = std::make_shared<std::vector<std::string>>();
    client_->scan(
        "", "{" + options_.prefix + ":*}:state",
        [this, found](const std::vector<std::string>& keys) {
            for (const std::string& key : keys) {
                const std::size_t begin = options_.prefix.size() + 2;
                found->push_back(key.substr(begin, key.find('}') - begin));
            }
        },
        [found, done = std::move(done)](core::Result<void> scanned) mutable {
            if (!scanned) return done(scanned.take_error());
            done(std::move(*found));
        });
}

void SharedLevel::hear(std::string_view text) {
    const std::optional<Delivered> delivered = Delivered::parse(text);
    if (!delivered) return deps_.log.warn("news in Redis that zona did not write");
    const News& news = delivered->news;
    if (delivered->origin != origin_) apply(news);
    const std::string tenant = escaped(news.tenant);
    {
        const std::lock_guard lock(mutex_);
        const auto at = tenants_.find(tenant);
        if (at == tenants_.end() || delivered->number <= at->second.heard) return;
        const bool follows = delivered->number == at->second.heard + 1;
        at->second.heard = delivered->number;
        if (follows) return;
    }
    forget_here(tenant);
}

void SharedLevel::apply(const News& news) {
    switch (news.kind) {
        case News::Kind::kWritten:
            return deps_.memory.outdate(*news.key, news.version);
        case News::Kind::kRemoved:
            return deps_.memory.remove(*news.key, news.version);
        case News::Kind::kTag:
            return deps_.memory.invalidate_tag(news.tenant, news.tag);
        case News::Kind::kTenant:
            return deps_.memory.invalidate_tenant(news.tenant);
        case News::Kind::kPattern:
            deps_.memory.invalidate(news.pattern);
            return;
    }
}

void SharedLevel::forget_here(const std::string& tenant) {
    gaps_.add();
    deps_.memory.invalidate_tenant(unescaped(tenant));
}

/// Redis knows nothing of the tenant any more; it is learned anew.
void SharedLevel::lost(const std::string& tenant) {
    {
        const std::lock_guard lock(mutex_);
        tenants_.erase(tenant);
    }
    forget_here(tenant);
}

void SharedLevel::compare() {
    auto round = std::make_shared<Round>();
    round->began = deps_.clock.steady();
    {
        const std::lock_guard lock(mutex_);
        // Whom nobody asks for is not followed any more: what is in memory has expired by then.
        const auto idle = options_.memory_ttl + options_.floor;
        std::erase_if(tenants_,
                      [&](const auto& known) { return round->began - known.second.used > idle; });
        for (const auto& [tenant, known] : tenants_)
            round->tenants.push_back({.tenant = tenant, .heard = known.heard});
    }
    round->awaited = round->tenants.size() + 1;
    client_->execute_everywhere(redis::command({"PING"}),
                                [this, round](const core::Result<std::vector<Reply>>& replies) {
                                    if (!replies) round->answered = replies.error();
                                    compared(round);
                                });
    for (Round::Asked& asked : round->tenants) {
        const std::string state = state_of(asked.tenant);
        client_->execute(tag_of(asked.tenant), redis::command({"HGET", state, "s"}),
                         [this, round, &asked](const core::Result<Reply>& reply) {
                             if (auto done = done_by(reply); !done) round->answered = done;
                             if (reply) asked.number = number_of(reply->text);
                             compared(round);
                         });
    }
    client_->check_subscriptions();
}

void SharedLevel::compared(const std::shared_ptr<Round>& round) {
    if (--round->awaited > 0) return;
    if (is_closing(round->answered)) return;
    set_available(round->answered);
    count_traffic();
    client_->after(options_.staleness / 2, [this] { compare(); });
    if (!round->answered) return;
    // News that are on their way are no lost ones.
    client_->after(
        std::min<std::chrono::milliseconds>(options_.staleness / 10, std::chrono::seconds(1)),
        [this, round] { verify(*round); });
}

void SharedLevel::verify(const Round& round) {
    for (const Round::Asked& asked : round.tenants) {
        // A state that begins anew, or that is older than what was heard: Redis was flushed, or a
        // replica has become master that had not got everything.
        if (!asked.number || *asked.number < asked.heard) {
            lost(asked.tenant);
            continue;
        }
        {
            const std::lock_guard lock(mutex_);
            const auto at = tenants_.find(asked.tenant);
            if (at == tenants_.end() || at->second.heard >= *asked.number) continue;
            at->second.heard = *asked.number;
        }
        forget_here(asked.tenant);
    }
    const bool was_out_of_touch = confirmed_ && round.began - *confirmed_ > options_.staleness;
    if (was_out_of_touch) deps_.memory.invalidate_all();
    confirmed_ = round.began;
    deps_.memory.confirm(round.began);
    deliver();
}

void SharedLevel::deliver() {
    for (const auto& [text, floor] : undelivered_.keys()) {
        if (auto key = Key::parse(text)) remove(*key, floor, [](const core::Result<void>&) {});
    }
    for (const std::string& tenant : undelivered_.tenants()) {
        forget({.kind = News::Kind::kTenant, .tenant = unescaped(tenant)},
               [this, tenant](const core::Result<void>& told) {
                   if (told) undelivered_.delivered_tenant(tenant);
               });
    }
}

void SharedLevel::count_traffic() {
    sent_.add(client_->traffic().sent - sent_.value());
    received_.add(client_->traffic().received - received_.value());
}

void SharedLevel::ask_health() {
    client_->execute_everywhere(
        redis::command({"PING"}), [this](const core::Result<std::vector<Reply>>& replies) {
            const core::Result<void> answered =
                replies ? core::Result<void>() : core::Result<void>(replies.error());
            if (is_closing(answered)) return;
            set_available(answered);
            if (const std::string wrong = problem(); !wrong.empty()) {
                deps_.log.warn("the cache has no Redis: everything is read from the database",
                               {{"error", wrong}});
            }
            const std::lock_guard lock(mutex_);
            refusal_.clear();
        });
}

/// Success, or why Redis did not do it. What it refuses is a problem until the next check of
/// health, though it answers: rights that it does not give, or no memory.
core::Result<void> SharedLevel::done_by(const core::Result<Reply>& reply) {
    if (!reply) return reply.error();
    if (!reply->is_error()) return {};
    const std::lock_guard lock(mutex_);
    refusal_ = "Redis refuses it: " + reply->text;
    return Error(Code::kUnavailable, refusal_);
}

void SharedLevel::set_available(const core::Result<void>& answered) {
    const std::lock_guard lock(mutex_);
    problem_ = answered ? refusal_ : answered.error().message();
    available_.store(problem_.empty(), std::memory_order_release);
    up_.set(problem_.empty() ? 1 : 0);
}

std::string SharedLevel::problem() const {
    const std::lock_guard lock(mutex_);
    return problem_;
}

}  // namespace zona::cache::detail
