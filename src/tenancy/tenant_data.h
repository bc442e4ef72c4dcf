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

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "core/log.h"
#include "core/result.h"
#include "store/database.h"
#include "tenancy/sealed_fields.h"

namespace zona::tenancy {

/// What is about to be done to a document.
enum class Change : std::uint8_t { kWrite, kRemove };

/// Asked before each change; an error refuses it. Must be short; any thread.
/// Errors: kForbidden (TEN-33: permission denied, TEN-34: delete denied).
using PermissionHook =
    std::function<core::Result<void>(Change change, const store::Collection& collection)>;

/// What stands between a tenant's work and the database. Part of TenantData.
class TenantGuard {
  public:
    /// As TenantData.
    TenantGuard(store::Scope scope, PermissionHook hook, core::Logger log, SealedFields fields)
        : scope_(std::move(scope)),
          hook_(std::move(hook)),
          log_(std::move(log)),
          fields_(std::move(fields)) {}

    /// @{
    /// Calls `body` with a guarded reader or writer in place of the database's own.
    template <class Body>
    auto with(store::Reader& reader, Body& body) const {
        const std::unique_ptr<store::Reader> opened = open_fields(reader, fields_);
        const std::unique_ptr<store::Reader> guarded = guard(*opened);
        return body(*guarded);
    }
    template <class Body>
    auto with(store::Writer& writer, Body& body) const {
        const std::unique_ptr<store::Writer> opened = open_fields(writer, fields_);
        const std::unique_ptr<store::Writer> guarded = guard(*opened);
        return body(*guarded);
    }
    /// @}

    /// Errors: kForbidden for another scope's collection, which is reported in the log.
    core::Result<void> check(const store::Collection& collection) const;
    /// check(), then the hook.
    core::Result<void> permit(Change change, const store::Collection& collection) const;
    /// The same but for what is shown of secrets.
    std::shared_ptr<const TenantGuard> showing(Secrets secrets) const;
    const SealedFields& fields() const { return fields_; }

  private:
    std::unique_ptr<store::Reader> guard(store::Reader& reader) const;
    std::unique_ptr<store::Writer> guard(store::Writer& writer) const;

    store::Scope scope_;
    PermissionHook hook_;
    core::Logger log_;
    SealedFields fields_;
};

/// One tenant's part of a database. Source: TEN-12..TEN-14, TEN-30..TEN-34.
class TenantData {
  public:
    /// `database` must have been opened with every collection that is asked for. An empty `hook`
    /// permits everything. `fields` is of this tenant.
    TenantData(store::Scope scope, std::shared_ptr<store::Database> database, PermissionHook hook,
               core::Logger log, SealedFields fields = {});

    const std::string& code() const { return scope_.code(); }
    /// The same data for somebody who may not see its secrets: kMask stands in place of each, in
    /// what is read and in what a write gives back.
    TenantData masked() const;
    /// The tenant's part of a collection; `spec` outlives it.
    store::Collection collection(const store::CollectionSpec& spec) const {
        return store::Collection(spec, scope_);
    }

    /// Runs `body(store::Reader&) -> Result<T>` as store::read() does.
    template <class Body>
    void read(Body body, store::Callback<store::AnswerOf<Body, store::Reader>> done) const {
        store::read(
            *database_,
            [guard = guard_, body = std::move(body)](store::Reader& reader) mutable {
                return guard->with(reader, body);
            },
            std::move(done));
    }
    /// Runs `body(store::Writer&) -> Result<T>` as one transaction, as store::write() does.
    template <class Body>
    void write(Body body, store::Callback<store::AnswerOf<Body, store::Writer>> done) const {
        store::write(
            *database_,
            [guard = guard_, body = std::move(body)](store::Writer& writer) mutable {
                return guard->with(writer, body);
            },
            std::move(done));
    }

    /// reseal_page() of one collection, as one transaction that no hook is asked about: what it
    /// changes is how things are stored. For a job that follows a rotation of keys.
    void reseal(const store::CollectionSpec& spec, store::PageRequest page, Unsealed unsealed,
                store::Callback<Resealed> done) const;

  private:
    store::Scope scope_;
    std::shared_ptr<store::Database> database_;
    std::shared_ptr<const TenantGuard> guard_;  // shared with the work that goes on
};

}  // namespace zona::tenancy
