#include "jobs/lease.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "jobs/collections.h"
#include "jobs/detail/fields.h"

namespace zona::jobs {

namespace json = boost::json;
using core::Code;
using core::Error;
using core::Result;
using store::Collection;
using store::Reader;
using store::Record;
using store::Scope;
using store::Writer;

namespace {

Collection leases() {
    return Collection(job_leases_spec(), Scope::core());
}

LeaseState state_of(const json::object& from) {
    return {.line = detail::text_in(from, "line"),
            .holder = {.instance = detail::text_in(from, "instance"),
                       .life = detail::text_in(from, "life")},
            .fence = detail::whole_in(from, "fence"),
            .beat = detail::whole_in(from, "beat"),
            .cancel = detail::flag_in(from, "cancel")};
}

json::object document_of(const LeaseState& state) {
    return {{"line", state.line},        {"instance", state.holder.instance},
            {"life", state.holder.life}, {"fence", state.fence},
            {"beat", state.beat},        {"cancel", state.cancel}};
}

Result<void> put(Writer& core, const std::string& name, const LeaseState& state) {
    ZONA_TRY(const Record stored, core.upsert(leases(), name, document_of(state)));
    return {};
}

Error lost(const std::string& name) {
    return {Code::kConflict,
            fmt::format("the lease of {} is another's by now: this run must end", name)};
}

}  // namespace

Result<LeaseState> find_lease(Reader& core, const std::string& name) {
    ZONA_TRY(const std::optional<Record> found, core.find(leases(), name));
    return found ? state_of(*found->document) : LeaseState();
}

Result<void> Fence::check(Writer& core) const {
    ZONA_TRY(const LeaseState state, find_lease(core, lease_));
    if (state.line != line_ || state.fence != number_ || state.is_free()) return lost(lease_);
    return {};
}

Result<void> Fence::admit(Writer& writer, const Collection& fences) const {
    ZONA_TRY(const std::optional<Record> found, writer.find(fences, lease_));
    std::int64_t seen = 0;
    if (found && detail::text_in(*found->document, "line") == line_)
        seen = detail::whole_in(*found->document, "fence");
    if (seen > number_) return lost(lease_);
    if (seen == number_) return {};
    const json::object mine = {{"line", line_}, {"fence", number_}};
    ZONA_TRY(const Record stored, writer.upsert(fences, lease_, mine));
    return {};
}

Result<Fence> take_lease(Writer& core, const std::string& name, const Holder& holder,
                         const std::string& line) {
    ZONA_TRY(LeaseState state, find_lease(core, name));
    if (state.line.empty()) state.line = line;
    state.holder = holder;
    ++state.fence;
    state.beat = 0;
    state.cancel = false;
    ZONA_TRY_VOID(put(core, name, state));
    return Fence(name, state.line, state.fence);
}

Result<LeaseState> beat_lease(Writer& core, const std::string& name, const Fence& fence) {
    ZONA_TRY_VOID(fence.check(core));
    ZONA_TRY(LeaseState state, find_lease(core, name));
    ++state.beat;
    ZONA_TRY_VOID(put(core, name, state));
    return state;
}

Result<void> free_lease(Writer& core, const std::string& name, const Fence& fence) {
    ZONA_TRY(LeaseState state, find_lease(core, name));
    if (state.fence != fence.number()) return {};
    state.holder = {};
    state.cancel = false;
    return put(core, name, state);
}

Result<void> forget_lease(Writer& core, const std::string& name) {
    ZONA_TRY_VOID(core.remove(leases(), name));
    return {};
}

Result<bool> cancel_lease(Writer& core, const std::string& name) {
    ZONA_TRY(LeaseState state, find_lease(core, name));
    if (state.is_free()) return false;
    state.cancel = true;
    ZONA_TRY_VOID(put(core, name, state));
    return true;
}

}  // namespace zona::jobs
