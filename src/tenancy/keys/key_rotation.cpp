#include "tenancy/keys/key_rotation.h"

#include <thread>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "audit/collections.h"
#include "core/fault.h"
#include "identity/users/collections.h"
#include "jobs/collections.h"
#include "store/blocking.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/wait.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/keys/sealed_fields.h"
#include "tenancy/tenants.h"
#include "vault/encrypting_vfs.h"
#include "vault/field_sealer.h"
#include "vault/key_ring.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using detail::wait_for;
using store::Collection;
using store::Record;
using store::Writer;
using vault::KeyId;

namespace {

/// Pages between two looks at whether to go on: 2 MB of memory.
constexpr std::size_t kPagesAtOnce = 512;
constexpr std::chrono::milliseconds kBreath(2);
/// How long writers may wait for a log to be emptied, and how often it is tried.
constexpr std::chrono::milliseconds kPatience(100);
constexpr int kTries = 50;
constexpr std::size_t kRecordsAtOnce = 100;
/// How often records that another host changes meanwhile are read again.
constexpr int kMostOvertaken = 16;
constexpr const char* kPassword = "db_password";

/// What is common to the steps of one owner.
struct Owner {
    const KeyRotationDeps& deps;
    const std::atomic<bool>& stopping;
    const RotationPlan& plan;
    EncryptedFiles& files;
    std::string name;
    std::vector<Tenants::File> databases;
    Rotated& done;

    Result<void> go_on() const {
        if (stopping) return Error(Code::kCancelled, "zona is stopping");
        return plan.go_on ? plan.go_on() : Result<void>();
    }
    Result<void> rest(std::chrono::milliseconds pause) const {
        std::this_thread::sleep_for(pause);
        return go_on();
    }
    void tell(std::string step, std::uint64_t amount, std::string_view unit) const {
        plan.tell({.step = std::move(step), .done = amount, .unit = std::string(unit)});
    }
};

Result<void> rotate_if_old(const Owner& owner) {
    ZONA_TRY(const std::vector<vault::DataKeyInfo> keys, owner.files.key_ring().keys(owner.name));
    const auto& age = owner.plan.age;
    if (age && keys.back().made_at + *age > owner.deps.clock.system()) return {};
    ZONA_TRY(const KeyId key, owner.files.key_ring().rotate(owner.name));
    owner.deps.log.info(
        "an owner has a new key",
        {{"owner", owner.name}, {"key", fmt::format("{:08x}", std::to_underlying(key))}});
    ++owner.done.rotated;
    ZONA_FAULT("keys.rotated");
    return {};
}

Result<std::vector<KeyId>> old_keys(const Owner& owner) {
    ZONA_TRY(const std::vector<vault::DataKeyInfo> keys, owner.files.key_ring().keys(owner.name));
    std::vector<KeyId> out;
    for (std::size_t i = 0; i + 1 < keys.size(); ++i)
        out.push_back(keys[i].id);
    return out;
}

std::string name_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

/// Nothing in the file and its log is under an old key afterwards.
Result<void> encrypt_anew(const Owner& owner, const Tenants::File& file) {
    // What is committed from here on takes the new key.
    ZONA_TRY_VOID(file.settle());
    const std::string step = fmt::format("encrypt {} of {}", name_of(file.path), owner.name);
    for (std::uint64_t pages = 0;; pages += kPagesAtOnce) {
        owner.tell(step, pages, "pages");
        ZONA_TRY_VOID(owner.go_on());
        ZONA_TRY(const bool is_done, owner.files.vfs().rekey(file.path, kPagesAtOnce));
        ZONA_FAULT("keys.rekeyed_some");
        if (is_done) break;
        ZONA_TRY_VOID(owner.rest(kBreath));
    }
    for (int i = 1;; ++i) {
        auto emptied = vault::empty_log(file.path, owner.files.vfs().name(), kPatience);
        if (emptied) return {};
        if (emptied.error().code() != Code::kUnavailable || i == kTries)
            return emptied.take_error();
        ZONA_TRY_VOID(owner.rest(kPatience));
    }
}

/// The password in one record, sealed anew if it is under an old key; 1 if it was.
Result<std::uint64_t> seal_anew(Writer& writer, const vault::FieldSealer& sealer,
                                const Collection& collection, const Record& record, KeyId current) {
    const boost::json::value* const field = record.document->if_contains(kPassword);
    if (field == nullptr || !field->is_string()) return 0;
    const std::string sealed(field->get_string());
    const auto key = vault::FieldSealer::key_of(sealed);
    if (!key || *key == current) return 0;
    const std::string code(record.document->at("tenant_code").as_string());
    const vault::FieldPlace place{
        .collection = tenants_spec().name, .document = code, .field = kPassword};
    ZONA_TRY(const core::Secret password, sealer.open(place, sealed));
    ZONA_TRY(const std::string anew, sealer.seal(place, password.reveal()));
    store::Update update;
    update.set(kPassword, boost::json::string(anew));
    ZONA_TRY(const Record stored, writer.modify(collection, record.id, update, record.version));
    return 1;
}

/// What `seal` has done with a page, which is called again when another host has changed a record
/// of it meanwhile: that one may do the same.
template <class Seal>
Result<Resealed> unless_overtaken(const Owner& owner, Seal seal) {
    for (int tries = 1;; ++tries) {
        ZONA_TRY_VOID(owner.go_on());
        Result<Resealed> page = seal();
        const bool overtaken = !page && page.error().code() == Code::kConflict;
        if (!overtaken || tries == kMostOvertaken) return page;
        ZONA_TRY_VOID(owner.rest(kBreath));
    }
}

/// How many passwords of one page were sealed anew, and the token of the next page. Errors:
/// kConflict: another host was quicker with one of them.
Result<Resealed> seal_page_anew(const Owner& owner, store::Database& core,
                                const Collection& collection, const std::string& token) {
    ZONA_TRY(const auto keys, owner.files.key_ring().tenant(owner.name));
    ZONA_TRY(const KeyId current, keys->current());
    const vault::FieldSealer& sealer = owner.files.core_fields();
    return store::write_and_wait(core, [&](Writer& writer) -> Result<Resealed> {
        const store::Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
        ZONA_TRY(store::Page page,
                 writer.find_page(collection, all, {.limit = kRecordsAtOnce, .token = token}));
        Resealed out;
        for (const Record& record : page.records) {
            ZONA_TRY(const std::uint64_t one,
                     seal_anew(writer, sealer, collection, record, current));
            out.changed += one;
        }
        out.next = std::move(page.next);
        return out;
    });
}

/// The passwords of tenants' databases, which the core database holds.
Result<void> seal_passwords_anew(const Owner& owner) {
    const auto core = owner.deps.tenants.core();
    if (!core) return Error(Code::kUnavailable, "the core database is not open");
    for (const store::CollectionSpec* spec : {&tenants_spec(), &tenant_history_spec()}) {
        const Collection collection(*spec, store::Scope::core());
        std::string token;
        do {
            ZONA_TRY(Resealed page, unless_overtaken(owner, [&] {
                         return seal_page_anew(owner, *core, collection, token);
                     }));
            owner.done.passwords += page.changed;
            token = std::move(page.next);
        } while (!token.empty());
    }
    return {};
}

/// The flagged fields of the core database's record and of tasks, until a round has changed
/// nothing.
Result<void> seal_record_anew(const Owner& owner) {
    const auto core = owner.deps.tenants.core();
    if (!core) return Error(Code::kUnavailable, "the core database is not open");
    // Lives as long as the files, which outlive the rotation.
    const SealedFields fields{.sealer = {std::shared_ptr<void>(), &owner.files.core_fields()},
                              .log = owner.deps.log};
    std::vector<const store::CollectionSpec*> specs = audit::core_collections();
    specs.push_back(&jobs::tasks_spec());
    for (const store::CollectionSpec* spec : specs) {
        if (!store::has_encrypted_fields(*spec)) continue;
        const Collection collection(*spec, store::Scope::core());
        Resealed page;
        bool changed = false;
        do {
            if (page.next.empty()) changed = false;
            ZONA_TRY(page, unless_overtaken(owner, [&] {
                         return store::write_and_wait(*core, [&, token = page.next](Writer& w) {
                             return reseal_page(w, fields, collection,
                                                {.limit = kRecordsAtOnce, .token = token},
                                                Unsealed::kRefuse);
                         });
                     }));
            owner.done.resealed += page.changed;
            changed = changed || page.changed > 0;
        } while (!page.next.empty() || changed);
    }
    return {};
}

/// The sealed fields of one collection; how many documents were changed.
Result<std::uint64_t> seal_anew(const Owner& owner, const TenantData& data,
                                const store::CollectionSpec& spec) {
    std::uint64_t changed = 0;
    std::string token;
    do {
        ZONA_TRY(Resealed page, unless_overtaken(owner, [&] {
                     return wait_for<Resealed>([&](auto done) {
                         data.reseal(spec, {.limit = kRecordsAtOnce, .token = token},
                                     Unsealed::kRefuse, std::move(done));
                     });
                 }));
        changed += page.changed;
        token = std::move(page.next);
    } while (!token.empty());
    return changed;
}

/// The secrets of the owner's users and invitations, which the core database holds; how many
/// documents were changed.
Result<std::uint64_t> seal_identity_anew(const Owner& owner) {
    const auto core = owner.deps.tenants.core();
    if (!core) return Error(Code::kUnavailable, "the core database is not open");
    auto scope = store::Scope::core();
    if (owner.name != kCoreOwner) {
        ZONA_TRY(scope, store::Scope::tenant(owner.name));
    }
    SealedFields fields{.sealer = {}, .secrets = Secrets::kShown, .log = owner.deps.log};
    ZONA_TRY(fields.sealer, owner.files.fields(owner.name));
    std::uint64_t changed = 0;
    for (const store::CollectionSpec* spec : identity::user_collections_of_tenants()) {
        const Collection collection(*spec, scope);
        std::string token;
        do {
            const store::PageRequest request{.limit = kRecordsAtOnce, .token = token};
            ZONA_TRY(Resealed page, unless_overtaken(owner, [&] {
                         return store::write_and_wait(*core, [&](Writer& writer) {
                             return reseal_page(writer, fields, collection, request,
                                                Unsealed::kRefuse);
                         });
                     }));
            changed += page.changed;
            token = std::move(page.next);
        } while (!token.empty());
    }
    return changed;
}

/// All sealed fields of a tenant, in whichever database they are, until a round has changed
/// nothing: then none is under an old key.
Result<void> seal_fields_anew(const Owner& owner) {
    ZONA_TRY(const TenantData data, wait_for<TenantData>([&](auto done) {
                 owner.deps.tenants.data_of(owner.name, std::move(done));
             }));
    while (true) {
        std::uint64_t changed = 0;
        for (const store::CollectionSpec* spec : tenant_collections()) {
            ZONA_TRY(const std::uint64_t documents, seal_anew(owner, data, *spec));
            changed += documents;
        }
        ZONA_TRY(const std::uint64_t of_users, seal_identity_anew(owner));
        changed += of_users;
        if (changed == 0) return {};
        owner.done.resealed += changed;
        owner.tell(fmt::format("seal the secrets of {}", owner.name), owner.done.resealed,
                   "documents");
    }
}

Result<void> seal_core_anew(const Owner& owner) {
    ZONA_TRY_VOID(seal_passwords_anew(owner));
    ZONA_TRY_VOID(seal_record_anew(owner));
    while (true) {
        ZONA_TRY(const std::uint64_t changed, seal_identity_anew(owner));
        if (changed == 0) return {};
        owner.done.resealed += changed;
    }
}

Result<bool> is_used(const Owner& owner, KeyId key) {
    for (const Tenants::File& file : owner.databases) {
        ZONA_TRY(const auto keys, owner.files.vfs().keys_in_use(file.path));
        if (keys.contains(key)) {
            return Error(Code::kUnavailable,
                         fmt::format("some of {} is still under an old key: it is tried again",
                                     name_of(file.path)));
        }
    }
    if (!owner.deps.needs_key) return false;
    return owner.deps.needs_key(owner.name, key);
}

Result<void> rotate(const Owner& owner) {
    ZONA_TRY_VOID(rotate_if_old(owner));
    ZONA_TRY(const std::vector<KeyId> old, old_keys(owner));
    if (old.empty()) return {};
    // Before anything is sealed anew: what another host may still write under an old key is not
    // found then.
    const bool is_settled = owner.files.key_ring().is_settled(owner.name);
    for (const Tenants::File& file : owner.databases)
        ZONA_TRY_VOID(encrypt_anew(owner, file));
    ZONA_TRY_VOID(owner.name == kCoreOwner ? seal_core_anew(owner) : seal_fields_anew(owner));
    for (const KeyId key : old) {
        ZONA_TRY(const bool used, is_used(owner, key));
        if (used || !is_settled) {
            ++owner.done.waiting;
            continue;
        }
        ZONA_FAULT("keys.before_retire");
        ZONA_TRY_VOID(owner.files.key_ring().retire(owner.name, key));
        ++owner.done.retired;
    }
    return {};
}

}  // namespace

Rotated& Rotated::operator+=(const Rotated& other) {
    rotated += other.rotated;
    retired += other.retired;
    waiting += other.waiting;
    passwords += other.passwords;
    resealed += other.resealed;
    return *this;
}

Result<KeyRotation::Turn> KeyRotation::begin() {
    if (busy_.exchange(true)) {
        return Error(Code::kConflict, "the keys are being changed already")
            .detail({"", "", "ask again when that is over: zona execution list, zona job list"});
    }
    return Turn(*this);
}

Result<std::vector<std::string>> KeyRotation::Turn::owners() const {
    ZONA_TRY(std::vector<std::string> names, rotation_->deps_.tenants.active());
    names.insert(names.begin(), std::string(kCoreOwner));
    return names;
}

Result<Rotated> KeyRotation::Turn::rotate(const std::string& name, const RotationPlan& plan) const {
    Tenants& tenants = rotation_->deps_.tenants;
    const std::shared_ptr<EncryptedFiles> files = tenants.files();
    if (!files) return Error(Code::kUnavailable, "the databases are not open");
    ZONA_TRY(std::vector<Tenants::File> databases, tenants.files_of(name));
    Rotated done;
    // One whose database is shared or elsewhere has keys once it has sealed something.
    if (databases.empty() && !files->find_keys(name)) return done;
    ZONA_TRY_VOID(tenancy::rotate({.deps = rotation_->deps_,
                                   .stopping = rotation_->stopping_,
                                   .plan = plan,
                                   .files = *files,
                                   .name = name,
                                   .databases = std::move(databases),
                                   .done = done}));
    return done;
}

Result<Rotated> KeyRotation::Turn::rotate_all(const std::vector<std::string>& owners,
                                              const RotationPlan& plan) const {
    Rotated done;
    std::optional<Error> first;
    std::size_t failed = 0;
    std::size_t number = 0;
    const auto tell_of_one = [&](core::Progress progress) {
        progress.number = number;
        progress.steps = owners.size();
        plan.tell(progress);
    };
    const RotationPlan each{.age = plan.age, .go_on = plan.go_on, .tell = tell_of_one};
    for (const std::string& owner : owners) {
        ++number;
        auto rotated = rotate(owner, each);
        if (rotated) {
            done += *rotated;
            continue;
        }
        if (rotated.error().code() == Code::kCancelled) return rotated.take_error();
        ++failed;
        if (!first) first = rotated.take_error().context(owner);
    }
    if (!first) return done;
    return first->context(fmt::format("{} of {} failed", failed, owners.size()));
}

}  // namespace zona::tenancy
