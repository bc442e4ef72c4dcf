#include "tenancy/detail/tenants_files.h"

#include <utility>

#include <fmt/format.h>

namespace zona::tenancy {

using core::Result;

Result<const vault::FieldSealer*> Tenants::Files::begin(RingPlace ring) {
    ZONA_TRY(std::shared_ptr<EncryptedFiles> files, deps_.open_files(ring));
    const std::lock_guard lock(mutex_);
    files_ = std::move(files);
    return &files_->core_fields();
}

Result<std::shared_ptr<const vault::FieldSealer>> Tenants::Files::fields(std::string_view owner) {
    return files()->fields(owner);
}

std::shared_ptr<EncryptedFiles> Tenants::Files::files() {
    const std::lock_guard lock(mutex_);
    return files_;
}

Result<std::shared_ptr<store::Database>> Tenants::Files::open(
    const std::string& path, std::string_view owner,
    const std::vector<const store::CollectionSpec*>& collections) {
    close(path);
    std::shared_ptr<EncryptedFiles> files;
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !being_closed_.contains(path); });
        files = files_;
    }
    ZONA_TRY(std::shared_ptr<store::Database> database,
             files->open_database(path, owner, collections));
    return closed_elsewhere(path, std::move(database), std::move(files));
}

Result<std::shared_ptr<store::Database>> Tenants::Files::open(
    const store::MongoOptions& options,
    const std::vector<const store::CollectionSpec*>& collections) {
    store::MongoOptions wanted = options;
    wanted.collections = collections;
    ZONA_TRY(std::shared_ptr<store::Database> database,
             store::open_mongo(wanted, deps_.clock, deps_.log));
    const std::string name = fmt::format("database {} in MongoDB", ++in_mongo_);
    return closed_elsewhere(name, std::move(database), nullptr);
}

void Tenants::Files::wait_until_closed() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_.empty(); });
    files_.reset();
}

void Tenants::Files::wait_until_closed(const std::string& path) {
    close(path);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !open_.contains(path); });
}

/// Known as `path` until it is closed, which is not on the thread of its last owner.
std::shared_ptr<store::Database> Tenants::Files::closed_elsewhere(
    const std::string& path, std::shared_ptr<store::Database> database,
    std::shared_ptr<EncryptedFiles> files) {
    {
        const std::lock_guard lock(mutex_);
        open_.insert(path);
    }
    store::Database* const shown = database.get();
    // Its last owner may be a thread of the database's own, so it is closed on another one, or by
    // whoever wants the file first.
    auto owned = std::make_shared<OpenDatabase>(std::move(files), std::move(database));
    auto close = [self = shared_from_this(), path,
                  owned = std::move(owned)](store::Database*) mutable {
        {
            const std::lock_guard lock(self->mutex_);
            self->closing_.emplace(path, std::move(owned));
        }
        auto& run_blocking = self->deps_.run_blocking;
        run_blocking([self = std::move(self), path] { self->close(path); });
    };
    return std::shared_ptr<store::Database>(shown, std::move(close));
}

/// Closes it, if nobody uses it any more and nobody closes it already.
void Tenants::Files::close(const std::string& path) {
    std::shared_ptr<OpenDatabase> owned;
    {
        std::unique_lock lock(mutex_);
        const auto found = closing_.find(path);
        if (found == closing_.end()) return;
        owned = std::move(found->second);
        closing_.erase(found);
        being_closed_.insert(path);
    }
    owned->second.reset();
    owned.reset();
    const std::lock_guard lock(mutex_);
    being_closed_.erase(path);
    open_.erase(open_.find(path));
    changed_.notify_all();
}

}  // namespace zona::tenancy
