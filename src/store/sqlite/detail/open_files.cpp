#include "store/sqlite/detail/open_files.h"

#include <ranges>

namespace zona::store::detail {

void OpenFiles::use(Closable& file) {
    {
        const std::lock_guard lock(mutex_);
        if (file.listed_) {
            files_.splice(files_.begin(), files_, file.place_);
            return;
        }
        files_.push_front(&file);
        file.place_ = files_.begin();
        file.listed_ = true;
        size_ = files_.size();
    }
    trim();
}

void OpenFiles::trim() {
    while (size_ > most_) {
        Closable* const file = take_one();
        if (file == nullptr) return;
        file->close_now();
        ++closed_;
    }
}

Closable* OpenFiles::take_one() {
    const std::lock_guard lock(mutex_);
    if (files_.size() <= most_) return nullptr;
    for (Closable* const file : files_ | std::views::reverse) {
        if (!file->reserve_for_closing()) continue;
        files_.erase(file->place_);
        file->listed_ = false;
        size_ = files_.size();
        return file;
    }
    return nullptr;
}

void OpenFiles::remove(Closable& file) {
    const std::lock_guard lock(mutex_);
    if (!file.listed_) return;
    files_.erase(file.place_);
    file.listed_ = false;
    size_ = files_.size();
}

}  // namespace zona::store::detail
