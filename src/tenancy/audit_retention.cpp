#include "tenancy/audit_retention.h"

#include <chrono>
#include <utility>

#include "audit/collections.h"
#include "audit/notary.h"
#include "audit/retention.h"
#include "jobs/collections.h"
#include "jobs/context.h"
#include "tenancy/compliance.h"
#include "tenancy/detail/wait.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using store::Scope;

namespace {

class Retention {
  public:
    explicit Retention(AuditRetentionDeps deps) : deps_(std::move(deps)) {}

    /// What it does, and cannot do, is on record; that it was told to end is no failure.
    Result<void> run(const jobs::Context& context) const {
        auto done = archive_all(context);
        if (!done && done.error().code() != Code::kCancelled) {
            deps_.recorder.record(
                context.tenant(),
                audit::failed_entry(deps_.recorder.begin(), audit::kArchiveAction, done.error()));
        }
        return done;
    }

  private:
    Result<void> archive_all(const jobs::Context& context) const {
        const std::string& code = context.tenant();
        ZONA_TRY(const Tenant tenant, detail::wait_for<Tenant>([&](auto done) {
                     deps_.tenants.find(code, std::move(done));
                 }));
        ZONA_TRY(const Compliance wanted, Compliance::parse(*tenant.compliance_settings));
        const auto kept = wanted.retention.find(audit::audit_log_spec().name);
        if (kept == wanted.retention.end()) return {};
        ZONA_TRY(const Scope scope, Scope::tenant(code));
        ZONA_TRY(const audit::Notary notary, audit::Notary::open(deps_.books, deps_.random));
        const auto store = [this](const audit::ArchivedSpan& span, const std::string& archive) {
            return deps_.archives.store(span, archive);
        };
        const audit::Permit permit = [&context](store::Writer& writer, const Scope& whose) {
            return context.fence().admit(writer, store::Collection(jobs::job_fences_spec(), whose));
        };
        const core::SystemTime now = context.clock().system();
        while (true) {
            ZONA_TRY_VOID(context.go_on());
            ZONA_TRY(const auto span,
                     audit::archive_oldest(deps_.books, scope, notary, now - kept->second, now,
                                           store, permit));
            if (!span) return {};
            context.count("archives");
            context.count("entries", span->last - span->first + 1);
            deps_.recorder.record(code, audit::archived_entry(deps_.recorder.begin(), *span));
        }
    }

    const AuditRetentionDeps deps_;
};

}  // namespace

jobs::Definition audit_retention(AuditRetentionDeps deps) {
    const auto retention = std::make_shared<const Retention>(std::move(deps));
    return {.name = "audit-retention",
            .summary =
                "Archives entries of tenants' records that are older than their "
                "retention_days.audit_log.",
            .schedule = jobs::Schedule::every(std::chrono::hours(24)),
            .coverage = jobs::Coverage::kEachTenant,
            .work = [retention](jobs::Context& context) { return retention->run(context); }};
}

}  // namespace zona::tenancy
