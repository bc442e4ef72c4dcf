#include "net/detail/tls_session.h"

#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "net/detail/tls_error.h"
#include "os/socket_io.h"

namespace zona::net::detail {

/// A BIO over our own reading and writing: OpenSSL's writes with SIGPIPE.
struct TlsSession::Methods {
    static int read(BIO* bio, char* into, std::size_t size, std::size_t* count) {
        auto* pipe = static_cast<Pipe*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        core::Result<std::optional<std::size_t>> got = os::receive_some(pipe->fd, {into, size});
        if (!got) {
            pipe->number = got.error().system_error();
            return 0;
        }
        if (!got->has_value()) {
            BIO_set_retry_read(bio);
            return 0;
        }
        *count = **got;
        pipe->ended = *count == 0;
        return *count > 0 ? 1 : 0;
    }

    static int write(BIO* bio, const char* data, std::size_t size, std::size_t* count) {
        auto* pipe = static_cast<Pipe*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        core::Result<std::optional<std::size_t>> sent = os::send_some(pipe->fd, {data, size});
        if (!sent) {
            pipe->number = sent.error().system_error();
            return 0;
        }
        if (!sent->has_value()) {
            BIO_set_retry_write(bio);
            return 0;
        }
        *count = **sent;
        return 1;
    }

    static long control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
        if (command == BIO_CTRL_EOF) return static_cast<Pipe*>(BIO_get_data(bio))->ended ? 1 : 0;
        return command == BIO_CTRL_FLUSH ? 1 : 0;
    }

    /// Made once and never freed, as OpenSSL's own are.
    static const BIO_METHOD* get() {
        static const BIO_METHOD* const kMethod = [] {
            BIO_METHOD* out =
                BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "zona socket");
            BIO_meth_set_read_ex(out, read);
            BIO_meth_set_write_ex(out, write);
            BIO_meth_set_ctrl(out, control);
            return out;
        }();
        return kMethod;
    }

    static BIO* over(Pipe& pipe) {
        BIO* out = BIO_new(get());
        if (out == nullptr) return nullptr;
        BIO_set_data(out, &pipe);
        BIO_set_init(out, 1);
        return out;
    }
};

TlsSession::TlsSession(std::shared_ptr<ssl_ctx_st> context, TlsRole role, int fd)
    : pipe_{.fd = fd}, context_(std::move(context)), session_(SSL_new(context_.get()), SSL_free) {
    BIO* bio = session_ ? Methods::over(pipe_) : nullptr;
    if (bio == nullptr) {
        failure_ = TlsFailure::kOther;
        reason_ = "no memory for TLS";
        session_.reset();
        return;
    }
    SSL_set_bio(session_.get(), bio, bio);  // owns it
    if (role == TlsRole::kServer) {
        SSL_set_accept_state(session_.get());
    } else {
        SSL_set_connect_state(session_.get());
    }
}

TlsSession::~TlsSession() = default;

TlsProgress TlsSession::judge(int result, std::size_t count) {
    if (result > 0) return {TlsStep::kDone, count};
    switch (SSL_get_error(session_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return {TlsStep::kWantsRead};
        case SSL_ERROR_WANT_WRITE:
            return {TlsStep::kWantsWrite};
        case SSL_ERROR_ZERO_RETURN:
            return {TlsStep::kEnd};
        default:
            break;
    }
    const int reason = ERR_GET_REASON(ERR_peek_error());
    if (reason > SSL_AD_REASON_OFFSET) alert_ = reason - SSL_AD_REASON_OFFSET;
    if (pipe_.number != 0 || pipe_.ended || reason == 0) {
        failure_ = TlsFailure::kBroken;
    } else if (reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_WRONG_VERSION_NUMBER ||
               reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION) {
        failure_ = TlsFailure::kProtocolVersion;
    } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED ||
               reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        failure_ = TlsFailure::kCertificate;
    } else {
        failure_ = TlsFailure::kOther;
    }
    reason_ = failure_ == TlsFailure::kBroken ? "the connection broke" : last_tls_error();
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        reason_ = X509_verify_cert_error_string(SSL_get_verify_result(session_.get()));
    ERR_clear_error();
    return {TlsStep::kFailed};
}

TlsProgress TlsSession::handshake() {
    if (failure_ != TlsFailure::kNone) return {TlsStep::kFailed};
    ERR_clear_error();
    const TlsProgress out = judge(SSL_do_handshake(session_.get()), 0);
    established_ = out.step == TlsStep::kDone;
    return out;
}

TlsProgress TlsSession::read(std::span<char> into) {
    if (failure_ != TlsFailure::kNone) return {TlsStep::kFailed};
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_read_ex(session_.get(), into.data(), into.size(), &count);
    return judge(result, count);
}

TlsProgress TlsSession::write(std::string_view data) {
    if (failure_ != TlsFailure::kNone) return {TlsStep::kFailed};
    ERR_clear_error();
    std::size_t count = 0;
    const int result = SSL_write_ex(session_.get(), data.data(), data.size(), &count);
    const TlsProgress out = judge(result, count);
    // A peer that takes no more may have said why.
    if (failure_ == TlsFailure::kBroken) failure_ = TlsFailure::kNone;
    return out;
}

void TlsSession::close_notify() {
    if (!established_ || failure_ != TlsFailure::kNone) return;
    ERR_clear_error();
    SSL_shutdown(session_.get());
    ERR_clear_error();
}

bool TlsSession::has_pending() const {
    return session_ && SSL_pending(session_.get()) > 0;
}

core::Error TlsSession::error() const {
    if (pipe_.number != 0) return core::Error::from_errno(pipe_.number, "TLS");
    if (failure_ == TlsFailure::kCertificate)
        return {core::Code::kUnauthenticated, "the peer's certificate: " + reason_};
    const bool broken = failure_ == TlsFailure::kBroken;
    return {broken ? core::Code::kUnavailable : core::Code::kInternal, "TLS: " + reason_};
}

}  // namespace zona::net::detail
