#include "identity/tokens/signing_keys.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <boost/json.hpp>

#include "identity/detail/fields.h"

namespace zona::identity {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using core::SystemTime;
using store::Collection;
using store::Reader;
using store::Record;
using store::Writer;

namespace {

constexpr const char* kMade = "made";
constexpr const char* kRetired = "retired";
constexpr const char* kPublic = "public";
constexpr const char* kPrivate = "private";
/// Keys that are read; there are a handful.
constexpr std::size_t kMostKeys = 100;
/// How old the published set may be where others rotate: everybody may ask for it.
constexpr std::chrono::seconds kSetFresh{1};

Collection keys() {
    return Collection(signing_keys_spec(), store::Scope::core());
}

vault::FieldPlace place_of(const std::string& id) {
    return {.collection = signing_keys_spec().name, .document = id, .field = kPrivate};
}

core::Result<store::Page> all_keys(Reader& reader) {
    return reader.find_page(keys(), {.walk = store::Walk::kAllow}, {.limit = kMostKeys});
}

}  // namespace

/// What was read at one moment.
struct SigningKeys::Ring {
    struct Entry {
        Verifier key;
        SystemTime made;
        std::optional<SystemTime> retired;

        bool verifies_at(SystemTime now) const {
            return !retired || now < *retired + kRetiredVerifies;
        }
    };
    std::vector<Entry> entries;  ///< those that sign first, the newest first
    Signer signer;               ///< null: there is none whose private part can be opened
    core::SteadyTime read_at;
};

const store::CollectionSpec& signing_keys_spec() {
    using store::FieldType;
    using store::Presence;
    static const store::CollectionSpec kSpec{
        .name = "signing_keys",
        .fields = {{.path = kMade, .type = FieldType::kInteger, .presence = Presence::kRequired},
                   {.path = kRetired, .type = FieldType::kInteger},
                   {.path = kPublic, .type = FieldType::kObject, .presence = Presence::kRequired},
                   {.path = kPrivate, .protection = store::Protection::kEncrypted}},
        .indexes = {{.name = "by_created"}}};
    return kSpec;
}

std::shared_ptr<SigningKeys> SigningKeys::make(SigningKeysDeps deps) {
    return std::shared_ptr<SigningKeys>(new SigningKeys(std::move(deps)));
}

SigningKeys::SigningKeys(SigningKeysDeps deps) : deps_(std::move(deps)) {}

SigningKeys::~SigningKeys() = default;

std::shared_ptr<const SigningKeys::Ring> SigningKeys::known() const {
    const std::lock_guard lock(mutex_);
    return ring_;
}

bool SigningKeys::is_fresh(const Ring& ring, std::chrono::seconds age) const {
    return !deps_.is_shared || deps_.clock.steady() - ring.read_at < age;
}

void SigningKeys::signer(store::Callback<Signer> done) {
    const auto ring = known();
    if (ring && ring->signer && is_fresh(*ring, kKeysFresh)) return done(ring->signer);
    load([self = shared_from_this(),
          done = std::move(done)](Result<std::shared_ptr<const Ring>> read) mutable {
        if (!read) return done(read.take_error());
        if ((*read)->signer) return done((*read)->signer);
        self->rotate([self, done = std::move(done)](Result<std::string> made) mutable {
            if (!made) return done(made.take_error());
            const auto ring = self->known();
            if (!ring->signer)
                return done(Error(Code::kInternal, "a new signing key cannot be opened"));
            done(ring->signer);
        });
    });
}

SigningKeys::Verifier SigningKeys::find(std::string_view id) const {
    const auto ring = known();
    if (!ring) return nullptr;
    const auto found = std::ranges::find_if(
        ring->entries, [&](const Ring::Entry& entry) { return entry.key->id() == id; });
    if (found == ring->entries.end() || !found->verifies_at(deps_.clock.system())) return nullptr;
    return found->key;
}

void SigningKeys::look_up(std::string id, store::Callback<Verifier> done) {
    Verifier found = find(id);
    if (found || (known() && !deps_.is_shared)) return done(std::move(found));
    load([self = shared_from_this(), id = std::move(id),
          done = std::move(done)](Result<std::shared_ptr<const Ring>> read) mutable {
        if (!read) return done(read.take_error());
        done(self->find(id));
    });
}

void SigningKeys::rotate(store::Callback<std::string> done) {
    const SigningKey key = SigningKey::generate(deps_.algorithm);
    store::write(
        *deps_.core,
        [self = shared_from_this(), key](Writer& writer) { return self->store_new(writer, key); },
        [self = shared_from_this(), done = std::move(done)](Result<std::string> stored) mutable {
            if (!stored) return done(stored.take_error());
            self->deps_.log.info("another key signs tokens", {{"key", *stored}});
            // Before the answer: from then on nothing is signed with the old one here.
            self->load([id = std::move(*stored),
                        done = std::move(done)](Result<std::shared_ptr<const Ring>> read) mutable {
                if (!read) return done(read.take_error());
                done(std::move(id));
            });
        });
}

void SigningKeys::rotate_if_older(std::chrono::seconds age, store::Callback<bool> done) {
    load([self = shared_from_this(), age,
          done = std::move(done)](Result<std::shared_ptr<const Ring>> read) mutable {
        if (!read) return done(read.take_error());
        const SystemTime now = self->deps_.clock.system();
        const bool is_good = (*read)->signer && now - (*read)->entries.front().made < age;
        if (is_good) return done(false);
        self->rotate([done = std::move(done)](Result<std::string> made) mutable {
            if (!made) return done(made.take_error());
            done(true);
        });
    });
}

void SigningKeys::key_set(store::Callback<std::string> done) {
    auto render = [self = shared_from_this()](const Ring& ring) {
        std::vector<VerificationKey> shown;
        for (const Ring::Entry& entry : ring.entries) {
            if (entry.verifies_at(self->deps_.clock.system())) shown.push_back(*entry.key);
        }
        return render_key_set(shown);
    };
    const auto ring = known();
    if (ring && is_fresh(*ring, kSetFresh)) return done(render(*ring));
    load([render, done = std::move(done)](Result<std::shared_ptr<const Ring>> read) mutable {
        if (!read) return done(read.take_error());
        done(render(**read));
    });
}

/// Who asks while a look is under way waits for the one after it: that one sees all that was there
/// when they asked.
void SigningKeys::load(Loaded done) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.push_back(std::move(done));
        if (std::exchange(loading_, true)) return;
    }
    load_next();
}

void SigningKeys::load_next() {
    auto waiting = std::make_shared<std::vector<Loaded>>();
    {
        const std::lock_guard lock(mutex_);
        waiting->swap(waiting_);
        if (waiting->empty()) {
            loading_ = false;
            return;
        }
    }
    auto self = shared_from_this();
    store::read(
        *deps_.core, [self](Reader& reader) { return self->read_ring(reader); },
        [self, waiting](Result<std::shared_ptr<const Ring>> read) {
            if (read) {
                const std::lock_guard lock(self->mutex_);
                self->ring_ = *read;
            }
            for (Loaded& one : *waiting)
                one(read);
            self->load_next();
        });
}

Result<std::shared_ptr<const SigningKeys::Ring>> SigningKeys::read_ring(Reader& reader) const {
    auto ring = std::make_shared<Ring>();
    ring->read_at = deps_.clock.steady();
    ZONA_TRY(const store::Page page, all_keys(reader));
    std::vector<std::pair<Ring::Entry, const Record*>> read;
    for (const Record& record : page.records) {
        const json::object& document = *record.document;
        ZONA_TRY(VerificationKey key, VerificationKey::from_jwk(document.at(kPublic)));
        Ring::Entry entry{.key = std::make_shared<const VerificationKey>(std::move(key)),
                          .made = detail::time_in(document, kMade).value_or(SystemTime()),
                          .retired = detail::time_in(document, kRetired)};
        read.emplace_back(std::move(entry), &record);
    }
    // Two instances may have made one at the same time: all take the same of them.
    std::ranges::sort(read, [](const auto& a, const auto& b) {
        return std::tuple(!a.first.retired, a.first.made, a.first.key->id()) >
               std::tuple(!b.first.retired, b.first.made, b.first.key->id());
    });
    if (!read.empty() && !read.front().first.retired) {
        const std::string& id = read.front().first.key->id();
        const json::value* const sealed = read.front().second->document->if_contains(kPrivate);
        auto opened = sealed == nullptr
                          ? Result<core::Secret>(Error(Code::kNotFound, "it has no private part"))
                          : deps_.fields->open(place_of(id), sealed->as_string());
        if (opened) {
            ZONA_TRY(SigningKey key, SigningKey::from_jwk(*opened));
            ring->signer = std::make_shared<const SigningKey>(std::move(key));
        } else {
            deps_.log.report("the key that signs tokens cannot be opened; another is made",
                             opened.error(), {{"key", id}});
        }
    }
    for (auto& [entry, record] : read)
        ring->entries.push_back(std::move(entry));
    return ring;
}

Result<std::string> SigningKeys::store_new(Writer& writer, const SigningKey& key) const {
    const SystemTime now = deps_.clock.system();
    ZONA_TRY(const store::Page page, all_keys(writer));
    for (const Record& record : page.records) {
        const auto retired = detail::time_in(*record.document, kRetired);
        if (!retired) {
            store::Update update;
            update.set(kRetired, detail::to_field(now)).unset(kPrivate);
            ZONA_TRY(const Record changed, writer.modify(keys(), record.id, update));
        } else if (*retired + kRetiredVerifies <= now) {
            auto removed = writer.remove(keys(), record.id);
            if (!removed) return removed.take_error();
        }
    }
    const VerificationKey& verification = key.verification_key();
    const std::string& id = verification.id();
    ZONA_TRY(const std::string sealed, deps_.fields->seal(place_of(id), key.to_jwk().reveal()));
    const json::object document = {
        {kMade, detail::to_field(now)}, {kPublic, verification.to_jwk()}, {kPrivate, sealed}};
    ZONA_TRY(const Record stored, writer.insert(keys(), id, document));
    return id;
}

}  // namespace zona::identity
