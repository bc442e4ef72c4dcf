#include "tenancy/audit_archives.h"

#include <array>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>

#include "os/fd.h"
#include "tenancy/keys/encrypted_files.h"
#include "vault/sealed_file.h"

namespace zona::tenancy {

using core::Code;
using core::Error;
using core::Result;

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

/// What the system says, without the path of the file: tenants read these errors.
Error told(const Error& error, const std::string& name) {
    const std::string why = error.system_error() == 0
                                ? error.message()
                                : std::system_category().message(error.system_error());
    return {error.code(), fmt::format("the archive {}: {}", name, why)};
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

bool is_same(const audit::ArchivedSpan& one, const audit::ArchivedSpan& other) {
    return one.scope == other.scope && one.first == other.first && one.last == other.last &&
           one.previous == other.previous && one.hash == other.hash;
}

}  // namespace

Result<std::string> AuditArchives::store(const audit::ArchivedSpan& span,
                                         const std::string& archive) const {
    ZONA_TRY(const auto keys, keys_of(tenants_, span.scope));
    const std::string name = fmt::format("{:012}-{:012}.zaa", span.first, span.last);
    const auto written = write_sealed(directory_ + "/" + span.scope, name, archive, *keys,
                                      purpose_of(span.scope, name), random_);
    if (!written) return told(written.error(), name);
    return name;
}

Result<std::string> AuditArchives::unsealed(const audit::ArchivedSpan& span) const {
    ZONA_TRY(const auto keys, keys_of(tenants_, span.scope));
    auto fd = os::open_file(directory_ + "/" + span.scope + "/" + span.file, O_RDONLY);
    if (!fd && fd.error().code() == Code::kNotFound) {
        return Error(Code::kNotFound,
                     fmt::format("it is not there: bring it back to state/audit/{}/ from where it "
                                 "was copied to",
                                 span.scope));
    }
    if (!fd) return fd.take_error();
    ZONA_TRY(vault::SealedReader reader,
             vault::SealedReader::open(fd->get(), *keys, purpose_of(span.scope, span.file)));
    std::string text;
    std::array<std::byte, 65'536> chunk{};
    while (true) {
        ZONA_TRY(const std::size_t got, reader.read(chunk));
        if (got == 0) return text;
        text.append(reinterpret_cast<const char*>(chunk.data()), got);
        if (text.size() > kMostArchive)
            return Error(Code::kTooLarge, "it is larger than any that zona writes");
    }
}

Result<audit::Archive> AuditArchives::read(const audit::ArchivedSpan& span,
                                           const audit::PublicKeys& known) const {
    const auto text = unsealed(span);
    if (!text) return told(text.error(), span.file);
    auto archive = audit::read_archive(*text, known);
    if (!archive) return told(archive.error(), span.file);
    if (is_same(archive->span, span)) return archive;
    return Error(Code::kConflict,
                 fmt::format("the archive {}: it holds other entries than those that left the "
                             "record of {} as {} to {}",
                             span.file, span.scope, span.first, span.last));
}

Result<bool> AuditArchives::may_be_under(const audit::ArchivedSpan& span, vault::KeyId key) const {
    ZONA_TRY(const auto keys, keys_of(tenants_, span.scope));
    const std::string path = directory_ + "/" + span.scope + "/" + span.file;
    ZONA_TRY(const auto here, os::stat_path(path));
    if (!here) return true;
    ZONA_TRY(const os::UniqueFd fd, os::open_file(path, O_RDONLY));
    const auto reader =
        vault::SealedReader::open(fd.get(), *keys, purpose_of(span.scope, span.file));
    // What has no header, or whose key is gone already, no key opens.
    return reader && reader->key() == key;
}

Result<bool> AuditArchives::needs_key(audit::Books& books, const store::Scope& scope,
                                      vault::KeyId key) const {
    constexpr std::size_t kPage = 100;
    std::vector<audit::ArchivedSpan> spans;
    do {
        const std::int64_t next = spans.empty() ? 0 : spans.back().last + 1;
        ZONA_TRY_VOID(books.read(store::Scope::core(), [&](store::Reader& core) -> Result<void> {
            ZONA_TRY(spans, audit::archived_spans(core, scope, next, kPage));
            return {};
        }));
        for (const audit::ArchivedSpan& span : spans) {
            ZONA_TRY(const bool is_needed, may_be_under(span, key));
            if (is_needed) return true;
        }
    } while (spans.size() == kPage);
    return false;
}

}  // namespace zona::tenancy
