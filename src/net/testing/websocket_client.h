/// @file
/// A WebSocket client for tests that sends the frames it is told to, good ones or not.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/testing/raw_client.h"
#include "net/websocket.h"

namespace zona::net {

inline constexpr int kContinuation = 0;
inline constexpr int kText = 1;
inline constexpr int kBinary = 2;
inline constexpr int kClose = 8;
inline constexpr int kPing = 9;
inline constexpr int kPong = 10;
/// What a read brings at the end of the connection.
inline constexpr int kEnd = -1;

enum class Final : std::uint8_t { kYes, kNo };

/// The bytes of a frame's head, with an all-zero mask so that payloads stay readable.
inline std::string frame_head(int opcode, std::uint64_t size, Final final_frame = Final::kYes) {
    std::string out;
    out += static_cast<char>(opcode | (final_frame == Final::kYes ? 0x80 : 0));
    unsigned bytes = 0;
    if (size < 126) {
        out += static_cast<char>(0x80U | size);
    } else if (size < 65536) {
        out += static_cast<char>(0x80U | 126U);
        bytes = 2;
    } else {
        out += static_cast<char>(0x80U | 127U);
        bytes = 8;
    }
    for (; bytes > 0; --bytes)
        out += static_cast<char>(size >> ((bytes - 1) * 8U) & 0xffU);
    return out.append(4, '\0');
}

/// A frame with a real mask.
inline std::string frame(int opcode, std::string_view payload, Final final_frame = Final::kYes) {
    constexpr std::string_view kMask = "\x5a\x0f\xf0\xa5";
    std::string out = frame_head(opcode, payload.size(), final_frame);
    out.replace(out.size() - kMask.size(), kMask.size(), kMask);
    for (std::size_t i = 0; i < payload.size(); ++i)
        out += static_cast<char>(payload[i] ^ kMask[i % kMask.size()]);
    return out;
}

inline std::string close_payload(std::uint16_t code, std::string_view reason = "") {
    std::string out;
    out += static_cast<char>(code >> 8U);
    out += static_cast<char>(code & 0xffU);
    return out.append(reason);
}

/// A frame that the server sent.
struct Frame {
    int opcode = kEnd;
    std::string payload;

    CloseCode code() const {
        if (opcode != kClose || payload.size() < 2) return CloseCode::kNoCode;
        const auto high = static_cast<unsigned char>(payload[0]);
        const auto low = static_cast<unsigned char>(payload[1]);
        return static_cast<CloseCode>(high << 8U | low);
    }
    std::string reason() const { return payload.size() < 2 ? "" : payload.substr(2); }
};

/// The request of a good handshake; `more` are lines of header fields.
inline std::string handshake(std::string_view path = "/ws", std::string_view more = "") {
    std::string out = "GET ";
    out += path;
    out +=
        " HTTP/1.1\r\nHost: zona\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    out += more;
    return out + "\r\n";
}

class WebSocketClient {
  public:
    /// Opens a socket; `ahead` is sent with the request, before its answer.
    explicit WebSocketClient(const std::string& endpoint, std::string_view more = "",
                             std::string_view ahead = "")
        : raw_(endpoint) {
        raw_.send(handshake("/ws", more).append(ahead));
        head_ = raw_.read_until("\r\n\r\n");
    }

    RawClient& raw() { return raw_; }
    /// Of the server's answer.
    const std::string& head() const { return head_; }

    bool send(std::string_view bytes) { return raw_.send(bytes); }
    bool send_text(std::string_view text) { return send(frame(kText, text)); }

    Frame read() {
        Frame out;
        const std::string head = raw_.read_count(2);
        if (head.size() < 2) return out;
        EXPECT_EQ(head[0] & 0x70, 0) << "reserved bits";
        EXPECT_EQ(head[1] & 0x80, 0) << "a server masks nothing";
        std::uint64_t size = static_cast<unsigned char>(head[1]);
        if (size >= 126) {
            const std::string bytes = raw_.read_count(size == 126 ? 2 : 8);
            size = 0;
            for (const char byte : bytes)
                size = size << 8U | static_cast<unsigned char>(byte);
        }
        out.opcode = head[0] & 0x0f;
        out.payload = raw_.read_count(size);
        return out;
    }
    /// The next frame that is no ping.
    Frame read_message() {
        Frame out = read();
        while (out.opcode == kPing)
            out = read();
        return out;
    }

    /// Answers a close and sees the end of the connection.
    bool finish(std::uint16_t code = 1000) {
        send(frame(kClose, close_payload(code)));
        return raw_.closed_silently();
    }

  private:
    RawClient raw_;
    std::string head_;
};

}  // namespace zona::net
