#include "net/tls.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include "core/time_format.h"
#include "net/detail/tls_certificate.h"
#include "net/detail/tls_clients.h"
#include "net/detail/tls_error.h"
#include "net/detail/tls_own.h"
#include "os/fd.h"

namespace zona::net {
namespace {

using core::Code;
using core::Error;
using detail::Certificate;

constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr const char* kSuites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/// The one protocol spoken here, as ALPN writes it: its length, its name.
constexpr std::string_view kProtocols = "\x08http/1.1";

int select_protocol(SSL* /*session*/, const unsigned char** chosen, unsigned char* length,
                    const unsigned char* offered, unsigned int offered_length, void* /*unused*/) {
    unsigned char* found = nullptr;
    const int result = SSL_select_next_proto(
        &found, length, reinterpret_cast<const unsigned char*>(kProtocols.data()),
        static_cast<unsigned>(kProtocols.size()), offered, offered_length);
    if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

core::Result<std::shared_ptr<SSL_CTX>> make_context() {
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
    const bool made = context != nullptr &&
                      SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1 &&
                      SSL_CTX_set1_groups_list(context.get(), kGroups) == 1 &&
                      SSL_CTX_set_ciphersuites(context.get(), kSuites) == 1;
    if (!made) return Error(Code::kInternal, "cannot set TLS up: " + detail::last_tls_error());
    // A client that goes without saying so has ended: HTTP's own framing tells a message cut short.
    SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_IGNORE_UNEXPECTED_EOF |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Idle connections hold no buffers.
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context.get(), select_protocol, nullptr);
    return context;
}

std::string key_warning(const std::string& path) {
    const core::Result<std::optional<os::FileStat>> facts = os::stat_path(path);
    constexpr mode_t kOthers = S_IROTH | S_IWOTH;
    if (!facts || !facts->has_value() || ((*facts)->mode & kOthers) == 0) return {};
    return fmt::format(
        "the TLS key {} can be read or written by everybody (mode {:04o}); chmod 600 it", path,
        (*facts)->mode & 07777U);
}

}  // namespace

TlsContext::TlsContext(TlsFiles files, const core::Clock& clock)
    : files_(std::move(files)), clock_(clock) {}

core::Result<TlsContext::Loaded> TlsContext::read(const TlsFiles& files) {
    Loaded out;
    ZONA_TRY(out.context, make_context());
    ZONA_TRY(const Certificate own,
             detail::show_certificate(out.context.get(), files.certificates, files.key));
    out.certificate = detail::describe(own.get());
    out.key_warning = key_warning(files.key);
    if (!files.authorities.empty()) {
        ZONA_TRY(out.revocations, detail::ask_clients(out.context.get(), files));
    }
    return out;
}

core::Result<std::shared_ptr<TlsContext>> TlsContext::load(TlsFiles files,
                                                           const core::Clock& clock) {
    std::shared_ptr<TlsContext> out(new TlsContext(std::move(files), clock));
    ZONA_TRY_VOID(out->reload());
    return out;
}

core::Result<void> TlsContext::reload() {
    ZONA_TRY(Loaded fresh, read(files_));
    const std::lock_guard lock(mutex_);
    std::swap(loaded_, fresh);
    return {};
}

TlsCertificate TlsContext::certificate() const {
    const std::lock_guard lock(mutex_);
    return loaded_.certificate;
}

std::vector<std::string> TlsContext::warnings() const {
    const std::lock_guard lock(mutex_);
    const core::SystemTime now = clock_.system();
    const TlsCertificate& shown = loaded_.certificate;
    std::vector<std::string> out;
    if (now >= shown.not_after) {
        out.push_back(fmt::format("the TLS certificate {} expired at {}; clients will refuse it",
                                  files_.certificates, core::to_rfc3339(shown.not_after)));
    }
    if (now < shown.not_before) {
        out.push_back(
            fmt::format("the TLS certificate {} is valid from {} on only; clients will "
                        "refuse it until then",
                        files_.certificates, core::to_rfc3339(shown.not_before)));
    }
    if (!loaded_.key_warning.empty()) out.push_back(loaded_.key_warning);
    for (const TlsRevocations& list : loaded_.revocations) {
        if (!list.next_update || now < *list.next_update) continue;
        out.push_back(
            fmt::format("the revocation list of {} in {} was to be replaced by {}; until "
                        "it is, certificates of this issuer are refused",
                        list.issuer, files_.revocations, core::to_rfc3339(*list.next_update)));
    }
    return out;
}

std::shared_ptr<ssl_ctx_st> TlsContext::current() const {
    const std::lock_guard lock(mutex_);
    return loaded_.context;
}

}  // namespace zona::net
