#include "store/sqlite/detail/idle_readers.h"

#include <algorithm>
#include <utility>

namespace zona::store::detail {

std::unique_ptr<Connection> IdleReaders::take(const void* file) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(idle_, file, &Idle::file);
    if (found == idle_.end()) return nullptr;
    std::unique_ptr<Connection> connection = std::move(found->connection);
    idle_.erase(found);
    return connection;
}

void IdleReaders::give(const void* file, std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex_);
    idle_.push_front({.file = file, .connection = std::move(connection)});
    if (idle_.size() > most_) idle_.pop_back();
}

void IdleReaders::drop(const void* file) {
    const std::lock_guard lock(mutex_);
    std::erase_if(idle_, [file](const Idle& idle) { return idle.file == file; });
}

std::size_t IdleReaders::size() const {
    const std::lock_guard lock(mutex_);
    return idle_.size();
}

std::size_t IdleReaders::size(const void* file) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count(idle_, file, &Idle::file));
}

}  // namespace zona::store::detail
