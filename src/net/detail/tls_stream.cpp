#include "net/detail/tls_stream.h"

#include <algorithm>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "net/client_certificate.h"

namespace zona::net::detail {
namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

/// The first byte of a ClientHello's record (RFC 8446 section 5.1).
constexpr char kHandshakeRecord = 0x16;
/// Pieces up to this size go out together: a record each would cost a system call each.
constexpr std::size_t kGathered = 16U << 10U;

core::Counter& failures(core::MetricRegistry& metrics, std::string reason) {
    return metrics.counter("zona_tls_handshake_failures_total",
                           "TLS handshakes that came to nothing.", {{"reason", std::move(reason)}});
}

}  // namespace

TlsMeter::TlsMeter(core::MetricRegistry& metrics)
    : done(metrics.counter("zona_tls_handshakes_total", "TLS handshakes that were completed.")),
      not_tls(failures(metrics, "not_tls")),
      protocol_version(failures(metrics, "protocol_version")),
      certificate(failures(metrics, "certificate")),
      unfinished(failures(metrics, "unfinished")),
      other(failures(metrics, "other")) {}

TlsStream::TlsStream(Socket socket, std::shared_ptr<const TlsContext> server, TlsMeter& meter)
    : socket_(std::move(socket)),
      server_(std::move(server)),
      session_(std::make_unique<TlsSession>(server_->current(), TlsRole::kServer,
                                            socket_.native_handle())),
      meter_(meter) {
    boost::system::error_code ignored;  // a socket that cannot be set fails at its first use
    socket_.non_blocking(true, ignored);
}

asio::awaitable<core::Result<Opened>> TlsStream::open() {
    const core::Result<bool> tls = co_await begins_with_tls();
    if (!tls.has_value()) {
        meter_.unfinished.add();
        co_return tls.error();
    }
    if (!*tls) {
        meter_.not_tls.add();
        session_.reset();
        plain_ = std::make_unique<SocketStream>(std::move(socket_), Hangup::kEndOfInput);
        co_return Opened::kNotTls;
    }
    core::Result<void> done = co_await shake_hands();
    if (!done.has_value()) co_return done.take_error();
    meter_.done.add();
    certificate_ = ClientCertificate::of(session_->native(), server_);
    co_return Opened::kReady;
}

/// Looks at the first byte and leaves it where it is.
asio::awaitable<core::Result<bool>> TlsStream::begins_with_tls() {
    const auto [error] = co_await socket_.async_wait(Socket::wait_read, kAwait);
    if (error) co_return stream_error(error, "wait for a TLS handshake");
    char first = 0;
    boost::system::error_code failed;
    socket_.receive(asio::buffer(&first, 1), Socket::message_peek, failed);
    if (failed) co_return core::Error(core::Code::kUnavailable, "the client has gone");
    co_return first == kHandshakeRecord;
}

asio::awaitable<core::Result<void>> TlsStream::shake_hands() {
    while (true) {
        const TlsProgress progress = session_->handshake();
        if (progress.step == TlsStep::kDone) co_return core::Result<void>();
        if (progress.step == TlsStep::kFailed) {
            const TlsFailure failure = session_->failure();
            auto& counter = failure == TlsFailure::kProtocolVersion ? meter_.protocol_version
                            : failure == TlsFailure::kCertificate   ? meter_.certificate
                            : failure == TlsFailure::kBroken        ? meter_.unfinished
                                                                    : meter_.other;
            counter.add();
            co_return session_->error();
        }
        core::Result<void> ready =
            core::Error(core::Code::kUnavailable, "the client went away during the handshake");
        if (progress.step != TlsStep::kEnd) ready = co_await wait_for(progress.step);
        if (!ready.has_value()) {
            meter_.unfinished.add();
            co_return ready;
        }
    }
}

asio::awaitable<core::Result<void>> TlsStream::wait_for(TlsStep step) {
    const auto what = step == TlsStep::kWantsWrite ? Socket::wait_write : Socket::wait_read;
    const auto [error] = co_await socket_.async_wait(what, kAwait);
    if (error) co_return stream_error(error, "wait for the client");
    co_return core::Result<void>();
}

asio::awaitable<core::Result<std::size_t>> TlsStream::read_some(std::span<char> into) {
    if (plain_ != nullptr) co_return co_await plain_->read_some(into);
    bool waited = false;
    while (true) {
        if (!socket_.is_open()) co_return core::Error(core::Code::kCancelled, "closed");
        const TlsProgress progress = session_->read(into);
        if (progress.step == TlsStep::kFailed) co_return session_->error();
        if (progress.step == TlsStep::kEnd) co_return std::size_t{0};
        if (progress.step == TlsStep::kDone) {
            // A client that sends without a pause lets the others have their turn.
            if (!waited) co_await asio::post(socket_.get_executor(), kAwait);
            co_return progress.count;
        }
        ZONA_CO_TRY_VOID(co_await wait_for(progress.step));
        waited = true;
    }
}

asio::awaitable<core::Result<void>> TlsStream::write_all(std::string_view data) {
    while (!data.empty()) {
        if (!socket_.is_open()) co_return core::Error(core::Code::kCancelled, "closed");
        const TlsProgress progress = session_->write(data);
        if (progress.step == TlsStep::kDone) {
            data.remove_prefix(progress.count);
            continue;
        }
        if (progress.step == TlsStep::kFailed) co_return session_->error();
        if (progress.step == TlsStep::kEnd)
            co_return core::Error(core::Code::kUnavailable, "the TLS connection has ended");
        ZONA_CO_TRY_VOID(co_await wait_for(progress.step));
    }
    co_return core::Result<void>();
}

asio::awaitable<core::Result<void>> TlsStream::write(std::span<const std::string_view> pieces) {
    if (plain_ != nullptr) co_return co_await plain_->write(pieces);
    out_.clear();
    for (std::string_view piece : pieces) {
        const std::size_t room = kGathered - std::min(out_.size(), kGathered);
        out_.append(piece.substr(0, room));
        piece.remove_prefix(std::min(room, piece.size()));
        if (piece.empty()) continue;
        ZONA_CO_TRY_VOID(co_await write_all(out_));
        ZONA_CO_TRY_VOID(co_await write_all(piece));
        out_.clear();
    }
    ZONA_CO_TRY_VOID(co_await write_all(out_));
    // What an idle connection keeps is small.
    if (out_.capacity() > kGathered / 4) out_ = {};
    co_return core::Result<void>();
}

asio::awaitable<void> TlsStream::wait_hangup() {
    if (plain_ != nullptr) {
        co_await plain_->wait_hangup();
        co_return;
    }
    co_await socket_.async_wait(Socket::wait_read, kAwait);
    char next = 0;
    boost::system::error_code error;
    socket_.receive(asio::buffer(&next, 1), Socket::message_peek, error);
    // With input that already waits, only a broken connection is noticed.
    if (error) co_return;
    co_await socket_.async_wait(Socket::wait_error, kAwait);
}

void TlsStream::end_output() {
    if (plain_ != nullptr) return plain_->end_output();
    if (!socket_.is_open()) return;
    session_->close_notify();
    boost::system::error_code ignored;  // the peer may be gone: the next read says so
    socket_.shutdown(Socket::shutdown_send, ignored);
}

void TlsStream::cancel() {
    if (plain_ != nullptr) return plain_->cancel();
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

void TlsStream::close() {
    if (plain_ != nullptr) return plain_->close();
    if (!socket_.is_open()) return;
    session_->close_notify();
    boost::system::error_code ignored;  // close(2) frees the descriptor whatever it returns
    socket_.close(ignored);
}

}  // namespace zona::net::detail
