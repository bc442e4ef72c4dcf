#include "net/tls_client.h"

#include <utility>
#include <vector>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "core/time_format.h"
#include "net/detail/tcp_connect.h"
#include "net/detail/tls_certificate.h"
#include "net/detail/tls_error.h"
#include "net/detail/tls_own.h"
#include "net/detail/tls_session.h"
#include "os/fd.h"
#include "os/socket_io.h"

namespace zona::net {
namespace {

using core::Code;
using core::Error;
using detail::TlsProgress;
using detail::TlsStep;

constexpr std::string_view kProtocols = "\x08http/1.1";

/// What a verification found wrong with the server's own certificate. SSL's app data refer to it.
struct Doubt {
    std::string reason;  ///< empty: none
    TlsCertificate certificate;
};

int note_doubt(int accepted, X509_STORE_CTX* store) {
    if (accepted == 1) return 1;
    const void* session = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    auto* doubt = static_cast<Doubt*>(SSL_get_app_data(static_cast<const SSL*>(session)));
    doubt->reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(store));
    if (const X509* leaf = X509_STORE_CTX_get0_cert(store))
        doubt->certificate = detail::describe(leaf);
    return 0;
}

core::Result<std::shared_ptr<SSL_CTX>> make_context(const TlsTrust& trust) {
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
    const bool made =
        context != nullptr && SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_alpn_protos(context.get(),
                                reinterpret_cast<const unsigned char*>(kProtocols.data()),
                                static_cast<unsigned>(kProtocols.size())) == 0;
    if (!made) return Error(Code::kInternal, "cannot set TLS up: " + detail::last_tls_error());
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (!trust.fingerprint.empty()) return context;
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, note_doubt);
    if (trust.ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context.get());
        ERR_clear_error();
        return context;
    }
    ZONA_TRY(const std::string text, os::read_file(trust.ca_file));
    core::Result<std::vector<detail::Certificate>> authorities = detail::parse_certificates(text);
    if (!authorities) return authorities.take_error().context(trust.ca_file);
    if (authorities->empty()) {
        return Error(Code::kInvalidArgument,
                     fmt::format("{} holds no certificate in PEM", trust.ca_file));
    }
    X509_STORE* store = SSL_CTX_get_cert_store(context.get());
    for (const detail::Certificate& one : *authorities)
        X509_STORE_add_cert(store, one.get());
    return context;
}

/// Whether a server ends a connection so for what the client shows.
bool is_about_certificate(int alert) {
    switch (alert) {
        case SSL_AD_BAD_CERTIFICATE:
        case SSL_AD_UNSUPPORTED_CERTIFICATE:
        case SSL_AD_CERTIFICATE_REVOKED:
        case SSL_AD_CERTIFICATE_EXPIRED:
        case SSL_AD_CERTIFICATE_UNKNOWN:
        case SSL_AD_UNKNOWN_CA:
        case SSL_AD_ACCESS_DENIED:
            return true;
        default:
            return false;
    }
}

class TlsTransport final : public ClientTransport {
  public:
    TlsTransport(RemoteEndpoint endpoint, std::string fingerprint, std::shared_ptr<SSL_CTX> context)
        : endpoint_(std::move(endpoint)),
          host_(endpoint_.authority()),
          fingerprint_(std::move(fingerprint)),
          context_(std::move(context)) {}
    ~TlsTransport() override { close(); }

    core::Result<void> connect(core::Deadline deadline, const core::Clock& clock) override {
        close();
        ZONA_TRY(socket_, detail::connect_to(endpoint_, deadline, clock));
        session_ =
            std::make_unique<detail::TlsSession>(context_, detail::TlsRole::kClient, socket_.get());
        core::Result<void> done = prepare();
        if (done.has_value()) done = shake_hands(deadline, clock);
        if (done.has_value()) done = check_pin();
        if (!done.has_value()) {
            session_.reset();
            socket_.reset();
        }
        return done;
    }

    bool usable() override {
        if (session_ == nullptr) return false;
        // Session tickets come between answers; anything else nobody asked for, an end included.
        char next = 0;
        return session_->read({&next, 1}).step == TlsStep::kWantsRead;
    }

    void close() override {
        if (session_ != nullptr) session_->close_notify();
        session_.reset();
        socket_.reset();
    }

    core::Result<std::optional<std::size_t>> send(std::string_view data) override {
        const TlsProgress progress = session_->write(data);
        if (progress.step == TlsStep::kDone) return std::optional(progress.count);
        if (progress.step == TlsStep::kFailed) return session_->error();
        if (progress.step == TlsStep::kEnd)
            return Error(Code::kUnavailable, "the server ended the connection");
        return std::optional<std::size_t>();
    }

    core::Result<std::optional<std::size_t>> receive(std::span<char> into) override {
        const TlsProgress progress = session_->read(into);
        if (progress.step == TlsStep::kDone) return std::optional(progress.count);
        if (progress.step == TlsStep::kEnd) return std::optional<std::size_t>(0);
        if (progress.step == TlsStep::kFailed) return why_it_ended();
        return std::optional<std::size_t>();
    }

    bool has_pending() const override { return session_ != nullptr && session_->has_pending(); }
    int fd() const override { return socket_.get(); }
    std::string_view host() const override { return host_; }

  private:
    core::Result<void> prepare() {
        SSL* session = session_->native();
        if (session == nullptr) return session_->error();
        doubt_ = {};
        SSL_set_app_data(session, &doubt_);
        X509_VERIFY_PARAM* names = SSL_get0_param(session);
        // A name in the certificate is for a name, an address for an address (RFC 6125).
        if (X509_VERIFY_PARAM_set1_ip_asc(names, endpoint_.host.c_str()) == 1) return {};
        ERR_clear_error();
        SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        const bool set = SSL_set1_host(session, endpoint_.host.c_str()) == 1 &&
                         SSL_set_tlsext_host_name(session, endpoint_.host.c_str()) == 1;
        if (set) return {};
        return Error(Code::kInternal, "cannot set TLS up: " + detail::last_tls_error());
    }

    core::Result<void> shake_hands(core::Deadline deadline, const core::Clock& clock) {
        while (true) {
            const TlsProgress progress = session_->handshake();
            if (progress.step == TlsStep::kDone) return {};
            if (progress.step == TlsStep::kFailed) return failure(clock);
            if (progress.step == TlsStep::kEnd) {
                return Error(Code::kUnavailable,
                             fmt::format("{} ended the connection before TLS began", host_));
            }
            const os::WaitFor what = progress.step == TlsStep::kWantsWrite ? os::WaitFor::kWritable
                                                                           : os::WaitFor::kReadable;
            ZONA_TRY(const os::SocketReady ready,
                     os::wait_ready(socket_.get(), what, deadline.remaining(clock)));
            if (!ready.any()) {
                return Error(Code::kTimeout,
                             fmt::format("{} did not finish the TLS handshake in time", host_));
            }
        }
    }

    Error failure(const core::Clock& clock) const {
        const TlsCertificate& shown = doubt_.certificate;
        const core::SystemTime now = clock.system();
        const bool outdated = now < shown.not_before || now > shown.not_after;
        if (!doubt_.reason.empty() && outdated) {
            const std::string here = "; here it is " + core::to_rfc3339(now);
            return distrust(doubt_.reason + here, shown);
        }
        if (!doubt_.reason.empty()) return distrust(doubt_.reason, shown);
        Error error = session_->error();
        if (session_->failure() == detail::TlsFailure::kProtocolVersion) {
            return {Code::kUnavailable,
                    fmt::format("{} speaks no TLS 1.3, or no TLS at all", host_)};
        }
        if (error.code() == Code::kInternal) error = std::move(error).recode(Code::kUnavailable);
        return std::move(error).context(host_);
    }

    /// What the server says of the client's certificate comes when the client's handshake is over.
    Error why_it_ended() const {
        const int alert = session_->alert();
        if (alert == SSL_AD_CERTIFICATE_REQUIRED) {
            return {Code::kUnauthenticated,
                    host_ + " asks for a client certificate, and none was shown"};
        }
        if (!is_about_certificate(alert)) return session_->error();
        return {Code::kUnauthenticated, fmt::format("{} does not take the client's certificate: {}",
                                                    host_, SSL_alert_desc_string_long(alert))};
    }

    Error distrust(std::string_view reason, const TlsCertificate& shown) const {
        return {Code::kUnauthenticated,
                fmt::format("the certificate of {} is not trusted: {} ({}, valid from {} to {}, "
                            "SHA-256 fingerprint {})",
                            host_, reason, shown.subject, core::to_rfc3339(shown.not_before),
                            core::to_rfc3339(shown.not_after), shown.fingerprint)};
    }

    core::Result<void> check_pin() const {
        if (fingerprint_.empty()) return {};
        const detail::Certificate shown(SSL_get1_peer_certificate(session_->native()));
        if (shown && detail::fingerprint_of(shown.get()) == fingerprint_) return {};
        if (!shown) return Error(Code::kUnauthenticated, host_ + " showed no certificate");
        return distrust("it is not the pinned one", detail::describe(shown.get()));
    }

    RemoteEndpoint endpoint_;
    std::string host_;
    std::string fingerprint_;  ///< empty: none
    std::shared_ptr<SSL_CTX> context_;
    Doubt doubt_;
    os::UniqueFd socket_;
    std::unique_ptr<detail::TlsSession> session_;
};

}  // namespace

core::Result<std::unique_ptr<ClientTransport>> tls_transport(const RemoteEndpoint& endpoint,
                                                             const TlsTrust& trust,
                                                             const TlsOwn& own) {
    std::string fingerprint;
    if (!trust.fingerprint.empty()) {
        ZONA_TRY(fingerprint, parse_fingerprint(trust.fingerprint));
    }
    ZONA_TRY(std::shared_ptr<SSL_CTX> context, make_context(trust));
    if (!own.certificates.empty()) {
        ZONA_TRY_VOID(detail::show_certificate(context.get(), own.certificates,
                                               own.key.empty() ? own.certificates : own.key));
    }
    return std::unique_ptr<ClientTransport>(
        std::make_unique<TlsTransport>(endpoint, std::move(fingerprint), std::move(context)));
}

}  // namespace zona::net
