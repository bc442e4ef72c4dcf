#include "process/supervisor.h"

#include "process/detail/engine.h"

namespace zona::process {

std::string_view cause_name(ExitView::Cause cause) {
    switch (cause) {
        case ExitView::Cause::kExited:
            return "exited";
        case ExitView::Cause::kSignaled:
            return "signaled";
        case ExitView::Cause::kOutOfMemory:
            return "out_of_memory";
        case ExitView::Cause::kNotStarted:
            return "not_started";
        case ExitView::Cause::kUnknown:
            return "unknown";
    }
    return "unknown";
}

Supervisor::Supervisor(SupervisorOptions options, SupervisorDeps deps)
    : engine_(std::make_unique<Engine>(std::move(options), deps)) {}

Supervisor::~Supervisor() = default;

void Supervisor::recover(std::vector<StoredProcess> loaded, std::uint32_t next_pm_id) {
    engine_->begin_watching();
    engine_->recover(std::move(loaded), next_pm_id);
}

void Supervisor::start(StartRequest request, Callback<StartReply> done, Progress progress) {
    engine_->post([e = engine_.get(), request = std::move(request), done = std::move(done),
                   progress = std::move(progress)]() mutable {
        e->start(request, std::move(done), std::move(progress));
    });
}

void Supervisor::operate(OperationRequest request, Callback<std::vector<OperationResult>> done,
                         Progress progress) {
    engine_->post([e = engine_.get(), request = std::move(request), done = std::move(done),
                   progress = std::move(progress)]() mutable {
        e->operate(std::move(request), std::move(done), std::move(progress));
    });
}

void Supervisor::list(std::vector<std::string> select, Callback<std::vector<ProcessView>> done) {
    engine_->post(
        [e = engine_.get(), select = std::move(select), done = std::move(done)]() mutable {
            auto chosen = e->select(select);
            if (!chosen) return done(chosen.take_error());
            std::vector<ProcessView> views;
            views.reserve(chosen->size());
            for (Entry* entry : *chosen)
                views.push_back(e->view(*entry));
            done(std::move(views));
        });
}

void Supervisor::find(std::string id, Callback<ProcessView> done) {
    engine_->post([e = engine_.get(), id = std::move(id), done = std::move(done)]() mutable {
        auto entry = e->find_one(id);
        if (!entry) return done(entry.take_error());
        done(e->view(**entry));
    });
}

void Supervisor::exits(std::string id,
                       Callback<std::pair<ProcessView, std::vector<ExitView>>> done) {
    engine_->post([e = engine_.get(), id = std::move(id), done = std::move(done)]() mutable {
        auto entry = e->find_one(id);
        if (!entry) return done(entry.take_error());
        done(std::pair(e->view(**entry), e->exits(**entry)));
    });
}

void Supervisor::environment(std::string id, Callback<std::map<std::string, std::string>> done) {
    engine_->post([e = engine_.get(), id = std::move(id), done = std::move(done)]() mutable {
        auto entry = e->find_one(id);
        if (!entry) return done(entry.take_error());
        done(e->environment(**entry));
    });
}

void Supervisor::log_files(std::vector<std::string> select, Callback<std::vector<LogFiles>> done) {
    engine_->post(
        [e = engine_.get(), select = std::move(select), done = std::move(done)]() mutable {
            auto chosen = e->select(select);
            if (!chosen) return done(chosen.take_error());
            std::vector<LogFiles> files;
            for (const Entry* entry : *chosen) {
                files.push_back({.slot = entry->slot,
                                 .pm_id = entry->stored.pm_id,
                                 .instance = entry->stored.instance,
                                 .name = entry->stored.app->spec.name,
                                 .out_file = entry->stored.out_file,
                                 .error_file = entry->stored.error_file});
            }
            done(std::move(files));
        });
}

void Supervisor::save(Force force, Callback<Saved> done) {
    engine_->post(
        [e = engine_.get(), force, done = std::move(done)]() mutable { done(e->save(force)); });
}

void Supervisor::resurrect(Callback<std::pair<StartReply, std::string>> done, Progress progress) {
    engine_->post(
        [e = engine_.get(), done = std::move(done), progress = std::move(progress)]() mutable {
            e->resurrect(std::move(done), std::move(progress));
        });
}

void Supervisor::killed_count(Callback<std::size_t> done) {
    engine_->post([e = engine_.get(), done = std::move(done)]() mutable {
        done(e->deps_.state.killed().size());
    });
}

void Supervisor::observe(Observer observer) {
    engine_->post([e = engine_.get(), observer = std::move(observer)]() mutable {
        e->observe(std::move(observer));
    });
}

const Versions& Supervisor::versions() const {
    return engine_->versions();
}

void Supervisor::shutdown(Shutdown how, std::move_only_function<void(std::size_t)> begun,
                          std::move_only_function<void()> done) {
    engine_->post(
        [e = engine_.get(), how, begun = std::move(begun), done = std::move(done)]() mutable {
            e->shutdown(how, std::move(begun), std::move(done));
        });
}

}  // namespace zona::process
