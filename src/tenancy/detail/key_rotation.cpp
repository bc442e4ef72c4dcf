#include "tenancy/detail/key_rotation.h"

#include <algorithm>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "core/fault.h"
#include "store/blocking.h"
#include "tenancy/core_collections.h"
#include "tenancy/detail/wait.h"
#include "tenancy/encrypted_files.h"
#include "tenancy/tenants.h"
#include "vault/encrypting_vfs.h"
#include "vault/field_sealer.h"
#include "vault/key_ring.h"

namespace zona::tenancy::detail {

using core::Code;
using core::Error;
using core::Result;
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
constexpr const char* kPassword = "db_password";

/// What is common to the steps of one owner.
struct Owner {
    const jobs::Context& context;
    const TenantJobsDeps& deps;
    EncryptedFiles& files;
    std::string name;
    std::vector<Tenants::File> databases;
};

Result<void> rotate_if_old(const Owner& owner, std::chrono::milliseconds age) {
    ZONA_TRY(const std::vector<vault::DataKeyInfo> keys, owner.files.key_ring().keys(owner.name));
    // The end of one rotation comes before the next.
    if (keys.size() > 1) return {};
    const bool is_old = keys.back().made_at + age <= owner.context.clock().system();
    if (!is_old && owner.context.trigger() != jobs::Trigger::kManual) return {};
    if (auto made = owner.files.key_ring().rotate(owner.name); !made) return made.take_error();
    owner.context.count("rotated");
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

/// Nothing in the file and its log is under an old key afterwards.
Result<void> encrypt_anew(const Owner& owner, const Tenants::File& file) {
    // What is committed from here on takes the new key.
    ZONA_TRY_VOID(file.settle());
    while (true) {
        ZONA_TRY_VOID(owner.context.go_on());
        ZONA_TRY(const bool is_done, owner.files.vfs().rekey(file.path, kPagesAtOnce));
        ZONA_FAULT("keys.rekeyed_some");
        if (is_done) break;
        ZONA_TRY_VOID(owner.context.rest(kBreath));
    }
    for (int i = 1;; ++i) {
        auto emptied = vault::empty_log(file.path, owner.files.vfs().name(), kPatience);
        if (emptied) return {};
        if (emptied.error().code() != Code::kUnavailable || i == kTries)
            return emptied.take_error();
        ZONA_TRY_VOID(owner.context.rest(kPatience));
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

/// The passwords of tenants' databases, which the core database holds.
Result<void> seal_passwords_anew(const Owner& owner) {
    const auto core = owner.deps.tenants.core();
    if (!core) return Error(Code::kUnavailable, "the core database is not open");
    ZONA_TRY(const auto keys, owner.files.key_ring().tenant(owner.name));
    ZONA_TRY(const KeyId current, keys->current());
    const vault::FieldSealer& sealer = owner.files.core_fields();
    for (const store::CollectionSpec* spec : {&tenants_spec(), &tenant_history_spec()}) {
        const Collection collection(*spec, store::Scope::core());
        std::string token;
        do {
            ZONA_TRY_VOID(owner.context.go_on());
            std::string next;
            auto sealed =
                store::write_and_wait(*core, [&](Writer& writer) -> Result<std::uint64_t> {
                    const store::Query all{.filter = {}, .sort = {}, .walk = store::Walk::kAllow};
                    ZONA_TRY(const store::Page page,
                             writer.find_page(collection, all,
                                              {.limit = kRecordsAtOnce, .token = token}));
                    std::uint64_t changed = 0;
                    for (const Record& record : page.records) {
                        ZONA_TRY(const std::uint64_t one,
                                 seal_anew(writer, sealer, collection, record, current));
                        changed += one;
                    }
                    next = page.next;
                    return changed;
                });
            if (!sealed) return sealed.take_error();
            owner.context.count("passwords", static_cast<std::int64_t>(*sealed));
            token = next;
        } while (!token.empty());
    }
    return {};
}

/// The sealed fields of one collection; how many documents were changed.
Result<std::uint64_t> seal_anew(const Owner& owner, const TenantData& data,
                                const store::CollectionSpec& spec) {
    std::uint64_t changed = 0;
    std::string token;
    do {
        ZONA_TRY_VOID(owner.context.go_on());
        ZONA_TRY(Resealed page, wait_for<Resealed>([&](auto done) {
                     data.reseal(spec, {.limit = kRecordsAtOnce, .token = token}, Unsealed::kRefuse,
                                 std::move(done));
                 }));
        changed += page.changed;
        token = std::move(page.next);
    } while (!token.empty());
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
        if (changed == 0) return {};
        owner.context.count("resealed", static_cast<std::int64_t>(changed));
    }
}

Result<bool> is_used(const Owner& owner, KeyId key) {
    for (const Tenants::File& file : owner.databases) {
        ZONA_TRY(const auto keys, owner.files.vfs().keys_in_use(file.path));
        if (keys.contains(key)) {
            return Error(Code::kUnavailable,
                         fmt::format("some of {} is still under an old key: it is tried again",
                                     file.path.substr(file.path.rfind('/') + 1)));
        }
    }
    if (!owner.deps.needs_key) return false;
    return owner.deps.needs_key(owner.name, key);
}

Result<void> rotate(const Owner& owner, std::chrono::milliseconds age) {
    ZONA_TRY_VOID(rotate_if_old(owner, age));
    ZONA_TRY(const std::vector<KeyId> old, old_keys(owner));
    if (old.empty()) return {};
    for (const Tenants::File& file : owner.databases)
        ZONA_TRY_VOID(encrypt_anew(owner, file));
    ZONA_TRY_VOID(owner.name == kCoreOwner ? seal_passwords_anew(owner) : seal_fields_anew(owner));
    for (const KeyId key : old) {
        ZONA_TRY(const bool used, is_used(owner, key));
        if (used) {
            owner.context.count("waiting");
            continue;
        }
        ZONA_FAULT("keys.before_retire");
        ZONA_TRY_VOID(owner.files.key_ring().retire(owner.name, key));
        owner.context.count("retired");
    }
    return {};
}

}  // namespace

Result<void> rotate_keys(const jobs::Context& context, const TenantJobsDeps& deps,
                         std::chrono::milliseconds age) {
    ZONA_TRY(std::vector<std::string> names, deps.tenants.active());
    names.insert(names.begin(), std::string(kCoreOwner));
    return jobs::for_each_part(context, names, [&](const std::string& name) -> Result<void> {
        const std::shared_ptr<EncryptedFiles> files = deps.tenants.files();
        if (!files) return Error(Code::kUnavailable, "the databases are not open");
        ZONA_TRY(std::vector<Tenants::File> databases, deps.tenants.files_of(name));
        // One whose database is shared or elsewhere has keys once it has sealed something.
        if (databases.empty() && !files->find_keys(name)) return {};
        return rotate({.context = context,
                       .deps = deps,
                       .files = *files,
                       .name = name,
                       .databases = std::move(databases)},
                      age);
    });
}

}  // namespace zona::tenancy::detail
