#include "process/capture.h"

#include <utility>

#include "process/detail/capture_engine.h"

namespace zona::process {

using core::Result;

Result<std::unique_ptr<Capture>> Capture::start(CaptureOptions options, const core::Clock& clock,
                                                core::Logger log) {
    auto engine =
        std::make_unique<detail::CaptureEngine>(std::move(options), clock, std::move(log));
    ZONA_TRY_VOID(engine->start());
    return std::unique_ptr<Capture>(new Capture(std::move(engine)));
}

Capture::Capture(std::unique_ptr<detail::CaptureEngine> engine) : engine_(std::move(engine)) {}
Capture::~Capture() = default;

Result<void> Capture::attach(std::uint32_t slot, LogTargets targets) {
    return engine_->attach(slot, std::move(targets));
}

Result<ChildStreams> Capture::open_for_child(std::uint32_t slot) {
    return engine_->open_for_child(slot);
}

LogPositions Capture::drain(std::uint32_t slot, Final final) {
    return engine_->drain(slot, final);
}

LogPositions Capture::positions(std::uint32_t slot) const {
    return engine_->positions(slot);
}

Result<void> Capture::detach(std::uint32_t slot, RemoveFifos remove) {
    return engine_->detach(slot, remove);
}

Result<void> Capture::write_stdin(std::uint32_t slot, std::string_view text) {
    return engine_->write_stdin(slot, text);
}

Result<void> Capture::reopen(std::uint32_t slot) {
    return engine_->reopen(slot);
}

Subscription Capture::subscribe(std::span<const std::uint32_t> slots, std::function<void()> wake) {
    const auto followers = engine_->followers();
    const std::uint64_t id = followers->add(slots, std::move(wake));
    // A turn that began before may have moved bytes without seeing the follower; after it they can
    // be read.
    engine_->wait_for_running_turns(slots);
    return Subscription(followers, id);
}

CaptureCounters Capture::counters(std::uint32_t slot) const {
    return engine_->counters(slot);
}

std::uint64_t Capture::dropped() const {
    return engine_->dropped();
}

std::string Capture::index_path(std::string_view log_file) const {
    return engine_->index_path(log_file);
}

}  // namespace zona::process
