"""WebSocket frame by frame: a client that sends exactly the bytes that it is told to, good ones or not."""
import dataclasses
import struct

from wire import Wire

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
LAST, MORE = 0x80, 0   # whether a frame ends its message
MASK = b'\x5a\x0f\xf0\xa5'
VERSION = b'Sec-WebSocket-Version: 13\r\n'
KEY = b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'


def handshake(path=b'/api/v1/stream', head=VERSION + KEY, upgrade=b'Connection: Upgrade\r\nUpgrade: websocket\r\n'):
    """The request that asks for a WebSocket."""
    return b'GET ' + path + b' HTTP/1.1\r\nHost: localhost\r\n' + upgrade + head + b'\r\n'


def frame_head(opcode, size, final=LAST, mask=b'\0\0\0\0'):
    """What stands before a payload of `size` bytes, that are sent or only announced."""
    first = bytes([final | opcode])
    if size < 126:
        return first + bytes([0x80 | size]) + mask
    if size < 1 << 16:
        return first + struct.pack('!BH', 0x80 | 126, size) + mask
    return first + struct.pack('!BQ', 0x80 | 127, size) + mask


def frame(opcode, payload=b'', final=LAST):
    """One frame of a client: masked."""
    masked = bytes(byte ^ MASK[i % 4] for i, byte in enumerate(payload))
    return frame_head(opcode, len(payload), final, MASK) + masked


def close_frame(code, reason=b''):
    return frame(CLOSE, struct.pack('!H', code) + reason)


@dataclasses.dataclass(frozen=True)
class Frame:
    """What the server sent. `code` and `reason` are those of a close."""
    opcode: int
    payload: bytes

    @property
    def code(self):
        return struct.unpack('!H', self.payload[:2])[0] if self.opcode == CLOSE else None

    @property
    def reason(self):
        return self.payload[2:].decode()


class FrameWire(Wire):
    """One WebSocket that is open. `head` are lines of the request."""

    def __init__(self, connect, path=b'/api/v1/stream', head=b''):
        super().__init__(connect)
        self.send(handshake(path, VERSION + KEY + head))
        while b'\r\n\r\n' not in self.buffer:
            assert self._receive(), 'closed instead of an answer to the handshake'
        answer, self.buffer = self.buffer.split(b'\r\n\r\n', 1)
        assert answer.startswith(b'HTTP/1.1 101 '), answer

    def _take(self, count):
        while len(self.buffer) < count:
            if not self._receive():
                return None
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def frame(self):
        """The next frame; None at the end of the connection."""
        head = self._take(2)
        if head is None:
            return None
        assert not head[0] & 0x70 and not head[1] & 0x80, 'a server sets no reserved bit and masks nothing'
        size = head[1]
        if size >= 126:
            size = int.from_bytes(self._take(2 if size == 126 else 8), 'big')
        return Frame(head[0] & 0x0f, self._take(size))

    def until(self, *opcodes):
        """The next frame of one of these kinds. A ping that comes before it is answered."""
        while (it := self.frame()) is not None and it.opcode not in opcodes:
            if it.opcode == PING:
                self.send(frame(PONG, it.payload))
        return it
