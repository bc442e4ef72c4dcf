#include "tenancy/audit_retention.h"

#include <array>
#include <chrono>
#include <span>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>

#include "audit/collections.h"
#include "audit/notary.h"
#include "jobs/collections.h"
#include "jobs/context.h"
#include "os/fd.h"
#include "tenancy/compliance.h"
#include "tenancy/detail/wait.h"
#include "tenancy/keys/encrypted_files.h"
#include "vault/sealed_file.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;
using store::Scope;

namespace {

constexpr std::size_t kMostArchive = 2 * audit::kMostArchivedText;

std::string purpose_of(const std::string& code, const std::string& name) {
    return fmt::format("audit archive|{}|{}", code, name);
}

Result<std::shared_ptr<const vault::DataKeys>> keys_of(Tenants& tenants, const std::string& code) {
    const auto files = tenants.files();
    if (!files) return Error(Code::kUnavailable, "the tenants' data is not open");
    return files->keys(code);
}

/// On the disk when it returns, whole or not at all.
Result<void> write_sealed(const std::string& folder, const std::string& name,
                          const std::string& archive, const vault::DataKeys& keys,
                          std::string_view purpose, core::Random& random) {
    ZONA_TRY_VOID(os::make_directories(folder, 0700));
    const std::string path = folder + "/" + name;
    const std::string unfinished = path + ".tmp";
    ZONA_TRY(const os::UniqueFd fd, os::open_file(unfinished, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    ZONA_TRY(vault::SealedWriter writer,
             vault::SealedWriter::create(fd.get(), keys, purpose, random));
    ZONA_TRY_VOID(writer.write(std::as_bytes(std::span(archive))));
    ZONA_TRY_VOID(writer.finish());
    ZONA_TRY_VOID(os::sync_data(fd.get()));
    ZONA_TRY_VOID(os::rename_file(unfinished, path));
    return os::sync_directory(folder);
}

/// Tells of an archive in the record that it is of.
void tell(audit::Recorder& recorder, const audit::ArchivedSpan& span) {
    audit::Entry entry = recorder.begin();
    entry.category = audit::Category::kCompliance;
    entry.action = "archiveAudit";
    entry.resource = "/audit/archives/" + span.file;
    entry.details = fmt::format("entries {} to {} are in {}", span.first, span.last, span.file);
    recorder.record(span.scope, entry);
}

class Retention {
  public:
    Retention(std::string directory, AuditRetentionDeps deps)
        : directory_(std::move(directory)), deps_(deps) {}

    Result<void> run(const jobs::Context& context) const {
        const std::string& code = context.tenant();
        ZONA_TRY(const Tenant tenant, detail::wait_for<Tenant>([&](auto done) {
                     deps_.tenants.find(code, std::move(done));
                 }));
        ZONA_TRY(const Compliance wanted, Compliance::parse(*tenant.compliance_settings));
        const auto kept = wanted.retention.find(audit::audit_log_spec().name);
        if (kept == wanted.retention.end()) return {};
        ZONA_TRY(const Scope scope, Scope::tenant(code));
        ZONA_TRY(const auto keys, keys_of(deps_.tenants, code));
        ZONA_TRY(const audit::Notary notary, audit::Notary::open(deps_.books, deps_.random));
        const auto store = [&](const audit::ArchivedSpan& span,
                               const std::string& archive) -> Result<std::string> {
            std::string name = fmt::format("{:012}-{:012}.zaa", span.first, span.last);
            ZONA_TRY_VOID(write_sealed(directory_ + "/" + code, name, archive, *keys,
                                       purpose_of(code, name), deps_.random));
            return name;
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
            tell(deps_.recorder, *span);
        }
    }

  private:
    const std::string directory_;
    const AuditRetentionDeps deps_;
};

}  // namespace

jobs::Definition audit_retention(std::string directory, AuditRetentionDeps deps) {
    const auto retention = std::make_shared<const Retention>(std::move(directory), deps);
    return {.name = "audit-retention",
            .summary =
                "Archives entries of tenants' records that are older than their "
                "retention_days.audit_log.",
            .schedule = jobs::Schedule::every(std::chrono::hours(24)),
            .coverage = jobs::Coverage::kEachTenant,
            .work = [retention](jobs::Context& context) { return retention->run(context); }};
}

Result<audit::Archive> read_stored_archive(const std::string& directory, const std::string& code,
                                           const std::string& name,
                                           const AuditRetentionDeps& deps) {
    ZONA_TRY(const auto keys, keys_of(deps.tenants, code));
    ZONA_TRY(const os::UniqueFd fd, os::open_file(directory + "/" + code + "/" + name, O_RDONLY));
    ZONA_TRY(vault::SealedReader reader,
             vault::SealedReader::open(fd.get(), *keys, purpose_of(code, name)));
    std::string text;
    std::array<std::byte, 65'536> chunk{};
    while (true) {
        ZONA_TRY(const std::size_t got, reader.read(chunk));
        if (got == 0) break;
        text.append(reinterpret_cast<const char*>(chunk.data()), got);
        if (text.size() > kMostArchive)
            return Error(Code::kTooLarge, "the archive is larger than any that zona writes");
    }
    ZONA_TRY(const audit::PublicKeys known, audit::public_keys(deps.books));
    return audit::read_archive(text, known);
}

}  // namespace zona::tenancy
