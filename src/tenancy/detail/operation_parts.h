// What the operations on whole tenants share: progress, exclusion, files.
#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

#include "os/fd.h"
#include "store/blocking.h"
#include "store/sqlite_database.h"
#include "tenancy/detail/wait.h"
#include "tenancy/keys/encrypted_files.h"
#include "tenancy/operations/document_copy.h"
#include "tenancy/operations/tenant_operations.h"
#include "tenancy/session_map.h"
#include "tenancy/tenant_databases.h"
#include "tenancy/tenant_registry.h"

namespace zona::tenancy {

/// Tells where an operation is, some hundred times at most, and ends it when zona stops.
class TenantOperations::Steps {
  public:
    Steps(const core::ProgressSink& tell, std::size_t steps, const std::atomic<bool>& stopping)
        : tell_(tell), stopping_(stopping) {
        present_.number = 0;
        present_.steps = steps;
    }

    void begin(std::string step, std::uint64_t total, std::string_view unit) {
        present_.step = std::move(step);
        ++present_.number;
        present_.steps = std::max(present_.steps, present_.number);
        present_.done = 0;
        present_.total = total;
        present_.unit = unit;
        next_ = 0;
        tell();
    }
    /// So much of the step is done. Errors: kCancelled when zona stops, or somebody asks for it.
    core::Result<void> at(std::uint64_t done) {
        if (stopping_) return core::Error(core::Code::kCancelled, "zona is stopping");
        if (tell_.stop_requested())
            return core::Error(core::Code::kCancelled, "it was told to end");
        present_.done = done;
        if (done >= next_) tell();
        return {};
    }

  private:
    void tell() {
        next_ = present_.done + std::max<std::uint64_t>(present_.total / 100, 64);
        tell_(present_);
    }

    const core::ProgressSink& tell_;
    const std::atomic<bool>& stopping_;
    core::Progress present_;
    std::uint64_t next_ = 0;
};

/// Nobody else works on the tenant as long as it lives.
class TenantOperations::Busy {
  public:
    Busy(TenantOperations& operations, std::string code)
        : operations_(&operations), code_(std::move(code)) {}
    Busy(Busy&& other) noexcept
        : operations_(std::exchange(other.operations_, nullptr)), code_(std::move(other.code_)) {}
    Busy& operator=(Busy&&) = delete;
    ~Busy() {
        if (operations_ == nullptr) return;
        const std::lock_guard lock(operations_->mutex_);
        operations_->busy_.erase(code_);
    }

  private:
    TenantOperations* operations_;
    std::string code_;
};

/// A backup that is open behind its title.
struct TenantOperations::Opened {
    std::string path;
    os::UniqueFd file;
    std::uint64_t bytes = 0;
    BackupTitle title;
    std::shared_ptr<const vault::DataKeys> keys;
};

/// A file that gets its name when it is whole, and is gone if it never is.
class NewFile {
  public:
    /// Errors: those of the disk.
    static core::Result<NewFile> create(std::string path);
    NewFile(NewFile&&) = default;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile();

    int fd() const { return fd_.get(); }
    /// Syncs, closes, renames, syncs the directory; the file's size.
    core::Result<std::uint64_t> commit();

  private:
    NewFile(os::UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
    std::string temporary() const { return path_ + ".tmp"; }

    os::UniqueFd fd_;
    std::string path_;
};

/// Removes a directory and all below it; missing is success. Links are removed, not followed.
core::Result<void> remove_tree(const std::string& path);

/// Why a tenant is not served for now.
inline core::Error being_done(std::string_view what, const std::string& code) {
    return core::Error(core::Code::kUnavailable,
                       fmt::format("the tenant {} is being {}", code, what))
        .detail({"", "", "ask again when that is over"});
}

/// The tenant's database for a copy of all that is in it: what it is served from, unless that may
/// give an older state.
inline core::Result<std::shared_ptr<store::Database>> exact_database(const Tenants::Parts& parts,
                                                                     const Tenant& tenant) {
    if (parts.databases->may_be_old(tenant)) return parts.databases->open_exact(tenant);
    return parts.sessions->database(tenant.code);
}

/// Runs `read` over one state of the database: if it can, on connections of its own.
core::Result<void> read_snapshot(store::Database& database,
                                 const std::function<core::Result<void>(store::Reader&)>& read);

}  // namespace zona::tenancy
