/// @file
/// TenantData: all that code about a tenant's business can reach: that tenant's documents.
///
/// It cannot be made without a tenant, and the code that uses it cannot tell in which mode the
/// platform runs: whether the database behind it holds this tenant alone or all of them (TEN-13).
/// What a read or a write is given is guarded: a collection of another scope is refused and
/// reported, and the hook is asked before each write and each removal (§ 8.8). Fields that a
/// collection flags as encrypted are plain here and sealed in the database (sealed_fields.h).
///
///     tenant.write([tasks = tenant.collection(kTasks)](store::Writer& w) {
///         return w.insert(tasks, id, document);
///     }, [](core::Result<store::Record> stored) { ... });
///
/// Copies are cheap, and keep the database open. Any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "core/log.h"
#include "core/result.h"
#include "store/database.h"
#include "store/query_meter.h"
#include "tenancy/keys/sealed_fields.h"
#include "tenancy/limits/storage_quota.h"

namespace zona::tenancy {

/// What is about to be done to a document.
enum class Change : std::uint8_t { kWrite, kRemove };

/// Asked before each change; an error refuses it. Must be short; any thread.
/// Errors: kForbidden (TEN-33: permission denied, TEN-34: delete denied).
using PermissionHook =
    std::function<core::Result<void>(Change change, const store::Collection& collection)>;

/// What is counted of one tenant's work. What it refers to outlives it.
struct TenantMeter {
    const store::QueryMeter& queries;
    core::Counter& committed;  ///< transactions
    core::Counter& failed;
    std::function<void()> changed;  ///< told of each that was committed; must be cheap
};

/// What stands between a tenant's work and the database. Part of TenantData.
class TenantGuard {
  public:
    /// As TenantData.
    TenantGuard(store::Scope scope, PermissionHook hook, core::Logger log, SealedFields fields,
                std::shared_ptr<const StorageQuota> quota, std::shared_ptr<const TenantMeter> meter)
        : scope_(std::move(scope)),
          hook_(std::move(hook)),
          log_(std::move(log)),
          fields_(std::move(fields)),
          quota_(std::move(quota)),
          meter_(std::move(meter)) {}

    /// @{
    /// Calls `body` with a guarded reader or writer in place of the database's own.
    template <class Body>
    auto with(store::Reader& reader, Body& body) const {
        const std::unique_ptr<store::Reader> measured = measure(reader);
        const std::unique_ptr<store::Reader> opened =
            open_fields(measured ? *measured : reader, fields_);
        const std::unique_ptr<store::Reader> guarded = guard(*opened);
        return body(*guarded);
    }
    template <class Body>
    auto with(store::Writer& writer, Body& body) const -> decltype(body(writer)) {
        const std::unique_ptr<store::Writer> measured = measure(writer);
        const std::unique_ptr<store::Writer> opened =
            open_fields(measured ? *measured : writer, fields_);
        const std::unique_ptr<store::Writer> guarded = guard(*opened);
        ZONA_TRY(const auto before, use_of(writer));
        auto answer = body(*guarded);
        if (answer) ZONA_TRY_VOID(check_room(writer, before));
        return answer;
    }
    /// @}

    /// Errors: kForbidden for another scope's collection, which is reported in the log.
    core::Result<void> check(const store::Collection& collection) const;
    /// The same of a scope alone; `collection` is what the error names.
    core::Result<void> check(const store::Scope& scope, std::string_view collection) const;
    /// check(), then the hook.
    core::Result<void> permit(Change change, const store::Collection& collection) const;
    /// The same but for what is shown of secrets.
    std::shared_ptr<const TenantGuard> showing(Secrets secrets) const;
    std::shared_ptr<const TenantGuard> without_quota() const;  ///< the same but for that
    const SealedFields& fields() const { return fields_; }
    const TenantMeter* meter() const { return meter_.get(); }   ///< null: nothing is counted
    const StorageQuota* quota() const { return quota_.get(); }  ///< null: any number

  private:
    std::unique_ptr<store::Reader> guard(store::Reader& reader) const;
    std::unique_ptr<store::Writer> guard(store::Writer& writer) const;
    /// Null: nothing is measured.
    std::unique_ptr<store::Reader> measure(store::Reader& reader) const;
    std::unique_ptr<store::Writer> measure(store::Writer& writer) const;
    core::Result<std::optional<store::StorageUse>> use_of(store::Writer& writer) const;
    core::Result<void> check_room(store::Writer& writer,
                                  const std::optional<store::StorageUse>& before) const;

    store::Scope scope_;
    PermissionHook hook_;
    core::Logger log_;
    SealedFields fields_;
    std::shared_ptr<const StorageQuota> quota_;  // shared with whoever changes it
    std::shared_ptr<const TenantMeter> meter_;   // shared with the session
};

/// What all the TenantData of one session go through to the database, so that it can be taken from
/// them: for the moment at which a tenant's documents are exchanged, moved or erased. Any thread.
class TenantDoor {
  public:
    /// Open, and keeps `database` open.
    explicit TenantDoor(std::shared_ptr<store::Database> database)
        : database_(std::move(database)) {}

    /// The database, for one piece of work, after which leave() is called. Errors: what close() was
    /// given.
    core::Result<std::shared_ptr<store::Database>> enter();
    void leave();  ///< after enter(), once the work is done
    /// Lets nobody in any more; the database is let go of by the last who leaves. For good: whoever
    /// comes later asks for the tenant's data anew.
    void shut(core::Error reason);
    /// shut(), and waits until all are out. Not on a thread of the database's own.
    void close(core::Error reason);

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    // All guarded by mutex_.
    std::shared_ptr<store::Database> database_;
    std::size_t inside_ = 0;
    bool awaited_ = false;  ///< somebody is in close()
    std::optional<core::Error> closed_;
};

/// One tenant's part of a database. Source: TEN-12..TEN-14, TEN-30..TEN-34.
class TenantData {
  public:
    /// `database` must have been opened with every collection that is asked for. An empty `hook`
    /// permits everything. `fields` is of this tenant.
    TenantData(store::Scope scope, std::shared_ptr<store::Database> database, PermissionHook hook,
               core::Logger log, SealedFields fields = {});
    /// The same through a door that may be closed: then reads and writes fail with its reason.
    /// Writes are held to `quota`, and work is counted by `meter`, if there is one.
    TenantData(store::Scope scope, std::shared_ptr<TenantDoor> door, PermissionHook hook,
               core::Logger log, SealedFields fields = {},
               std::shared_ptr<const StorageQuota> quota = {},
               std::shared_ptr<const TenantMeter> meter = {});

    const std::string& code() const { return scope_.code(); }
    /// The same data for somebody who may not see its secrets: kMask stands in place of each, in
    /// what is read and in what a write gives back.
    TenantData masked() const;
    /// The same data for the platform's own work, which a storage quota does not hold up.
    TenantData without_quota() const;
    /// The tenant's part of a collection; `spec` outlives it.
    store::Collection collection(const store::CollectionSpec& spec) const {
        return store::Collection(spec, scope_);
    }

    /// Runs `body(store::Reader&) -> Result<T>` as store::read() does.
    template <class Body>
    void read(Body body, store::Callback<store::AnswerOf<Body, store::Reader>> done) const {
        auto database = door_->enter();
        if (!database) return done(database.take_error());
        store::read(
            **database,
            [guard = guard_, body = std::move(body)](store::Reader& reader) mutable {
                return guard->with(reader, body);
            },
            leaving<store::AnswerOf<Body, store::Reader>>(*database, std::move(done)));
    }
    /// Runs `body(store::Writer&) -> Result<T>` as one transaction, as store::write() does.
    template <class Body>
    void write(Body body, store::Callback<store::AnswerOf<Body, store::Writer>> done) const {
        auto database = door_->enter();
        if (!database) return done(database.take_error());
        store::write(
            **database,
            [guard = guard_, body = std::move(body)](store::Writer& writer) mutable {
                return guard->with(writer, body);
            },
            leaving<store::AnswerOf<Body, store::Writer>>(*database, counted(std::move(done))));
    }

    /// What its documents take. Errors: kUnsupported: a database that does not count.
    void storage_use(store::Callback<store::StorageUse> done) const;
    /// What they may take, in bytes; 0: any number.
    std::uint64_t storage_quota() const {
        return guard_->quota() == nullptr ? 0 : guard_->quota()->bytes();
    }

    /// reseal_page() of one collection, as one transaction that no hook is asked about: what it
    /// changes is how things are stored. For a job that follows a rotation of keys.
    void reseal(const store::CollectionSpec& spec, store::PageRequest page, Unsealed unsealed,
                store::Callback<Resealed> done) const;

  private:
    /// Counts the transaction when it has ended.
    template <class T>
    store::Callback<T> counted(store::Callback<T> done) const {
        if (guard_->meter() == nullptr) return done;
        return [guard = guard_, done = std::move(done)](core::Result<T> answer) mutable {
            const TenantMeter& meter = *guard->meter();
            (answer ? meter.committed : meter.failed).add();
            if (answer) meter.changed();
            done(std::move(answer));
        };
    }

    /// Keeps the database open until the answer was given.
    template <class T>
    store::Callback<T> leaving(std::shared_ptr<store::Database> database,
                               store::Callback<T> done) const {
        return [door = door_, database = std::move(database),
                done = std::move(done)](core::Result<T> answer) mutable {
            done(std::move(answer));
            database.reset();
            door->leave();
        };
    }

    store::Scope scope_;
    std::shared_ptr<TenantDoor> door_;
    std::shared_ptr<const TenantGuard> guard_;  // shared with the work that goes on
};

}  // namespace zona::tenancy
