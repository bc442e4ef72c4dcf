/// @file
/// TlsSession: one connection's TLS over a non-blocking socket, without any waiting: it says what
/// it waits for. The server's stream awaits that, the blocking client polls.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/result.h"

struct ssl_st;
struct ssl_ctx_st;

namespace zona::net::detail {

/// How far a step came.
enum class TlsStep : std::uint8_t {
    kDone,
    kWantsRead,   ///< call again when the socket is readable
    kWantsWrite,  ///< call again when the socket is writable
    kEnd,         ///< the peer sends no more, whether it said so or just went
    kFailed,      ///< error() says why; after a write to a peer that is gone read() may still bring
                  ///< what it said, else nothing more can be done
};

struct TlsProgress {
    TlsStep step = TlsStep::kDone;
    std::size_t count = 0;  ///< bytes, with kDone of read() and write()
};

/// Why a session failed, in the words that metrics use.
enum class TlsFailure : std::uint8_t {
    kNone,
    kProtocolVersion,
    kCertificate,  ///< the peer's is not good, or there is none
    kBroken,
    kOther
};

enum class TlsRole : std::uint8_t { kServer, kClient };

/// One thread at a time. The socket is borrowed, and must outlive the session.
class TlsSession {
  public:
    /// Holds `context`. Without memory the session has failed from the start.
    TlsSession(std::shared_ptr<ssl_ctx_st> context, TlsRole role, int fd);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    TlsProgress handshake();
    TlsProgress read(std::span<char> into);
    /// Takes a part of `data`. After kWantsWrite the next call repeats the same bytes, and may
    /// append others.
    TlsProgress write(std::string_view data);
    /// Tells the peer that no more comes, if the socket takes it now. Nothing after a failure.
    void close_notify();

    /// Whether read() would bring something without the socket.
    bool has_pending() const;
    TlsFailure failure() const { return failure_; }
    /// The alert by which the peer has ended it, as RFC 8446 section 6 numbers them; 0: none.
    int alert() const { return alert_; }
    /// In words.
    core::Error error() const;
    /// OpenSSL's SSL, for what is set before the handshake and looked at after it. Null: no memory.
    ssl_st* native() const { return session_.get(); }

  private:
    /// What the BIO works on.
    struct Pipe {
        int fd = -1;
        bool ended = false;
        int number = 0;  ///< errno of what failed
    };
    struct Methods;

    TlsProgress judge(int result, std::size_t count);

    Pipe pipe_;
    std::shared_ptr<ssl_ctx_st> context_;
    std::unique_ptr<ssl_st, void (*)(ssl_st*)> session_;
    bool established_ = false;
    TlsFailure failure_ = TlsFailure::kNone;
    int alert_ = 0;
    std::string reason_;
};

}  // namespace zona::net::detail
