#include "process/detail/engine.h"

namespace zona::process {

void Supervisor::Engine::observe(Observer observer) {
    observer_ = std::move(observer);
    news_ = {};
    changed_.clear();
}

void Supervisor::Engine::changed(const Entry& entry) {
    versions_.changed(entry.slot);
    if (!observer_) return;
    changed_.insert(entry.stored.pm_id);
    schedule_news();
}

void Supervisor::Engine::entered(const Entry& entry) {
    versions_.list_changed();
    changed(entry);
    tell(entry, {.kind = ProcessEvent::Kind::kCreated});
}

void Supervisor::Engine::left(const Entry& entry) {
    versions_.list_changed();
    tell(entry, {.kind = ProcessEvent::Kind::kDeleted});
    if (!observer_) return;
    changed_.erase(entry.stored.pm_id);
    news_.deleted.push_back(entry.stored.pm_id);
    schedule_news();
}

void Supervisor::Engine::tell(const Entry& entry, ProcessEvent event) {
    if (!observer_) return;
    event.at = deps_.clock.system();
    event.pm_id = entry.stored.pm_id;
    event.name = entry.stored.app->spec.name;
    event.instance = entry.stored.instance;
    news_.events.push_back(std::move(event));
    schedule_news();
}

/// After the present work, so that a crash and its restart are one view and several events.
void Supervisor::Engine::schedule_news() {
    if (std::exchange(news_scheduled_, true)) return;
    post([this] { tell_news(); });
}

void Supervisor::Engine::tell_news() {
    news_scheduled_ = false;
    if (!observer_) return;
    for (const std::uint32_t pm_id : changed_) {
        if (const auto found = entries_.find(pm_id); found != entries_.end())
            news_.changed.push_back(view(*found->second));
    }
    changed_.clear();
    observer_(std::exchange(news_, {}));
}

}  // namespace zona::process
