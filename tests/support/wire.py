"""HTTP byte by byte: a client that sends exactly what it is told and says what became of the connection."""
import dataclasses
import json
import socket

from waiting import FACTOR


@dataclasses.dataclass
class Reply:
    """One answer. `closed`: the server ended the connection behind it."""
    status: int
    headers: dict
    body: bytes
    closed: bool = None

    @property
    def code(self):
        """The code in the error envelope; None for a success."""
        document = json.loads(self.body or '{"success": true}')
        return None if document['success'] else document['error']['code']

    @property
    def message(self):
        return json.loads(self.body)['error']['message']


class Wire:
    """One connection. `connect` returns a connected socket."""

    def __init__(self, connect):
        self.socket = connect()
        self.socket.settimeout(20 * FACTOR)
        self.buffer = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """Sends all of it, or as much as the server takes before it closes."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def end(self):
        """No more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)

    def reply(self, method='GET'):
        """The next answer; None when the server closes instead."""
        while b'\r\n\r\n' not in self.buffer:
            if not self._receive():
                assert not self.buffer, f'half an answer: {self.buffer!r}'
                return None
        head, self.buffer = self.buffer.split(b'\r\n\r\n', 1)
        first, *lines = head.decode('latin-1').split('\r\n')
        version, status, _ = first.split(' ', 2)
        assert version == 'HTTP/1.1', first
        headers = {name.lower(): value for name, value in (line.split(': ', 1) for line in lines)}
        if status == '100':
            return self.reply(method)
        length = 0 if method == 'HEAD' or status in ('204', '304') else int(headers['content-length'])
        while len(self.buffer) < length:
            assert self._receive(), 'an answer is cut off'
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return Reply(int(status), headers, body)

    def is_closed(self):
        """Whether the server ends the connection; waits for it, so ask only where it should."""
        return not self.buffer and not self._receive()

    def ask(self, data, method='GET'):
        """Sends a request, reads its answer, and finds out whether the connection lives on."""
        self.send(data)
        reply = self.reply(method)
        if reply is None:
            return None
        says_so = reply.headers.get('connection') == 'close'
        if says_so:
            reply.closed = self.is_closed()
            assert reply.closed, f'more than one answer: {self.buffer!r}'
        else:
            # Still open, and at the beginning of a message: the next request gets its own answer.
            self.send(b'GET /api/v1/ping HTTP/1.1\r\nHost: localhost\r\nX-Correlation-Id: next\r\n\r\n')
            following = self.reply()
            assert following is not None and following.headers['x-correlation-id'] == 'next'
            reply.closed = False
        return reply


def over_unix(path):
    """A `connect` for Wire."""
    def connect():
        it = socket.socket(socket.AF_UNIX)
        it.settimeout(20 * FACTOR)
        it.connect(str(path))
        return it
    return connect


def over_tcp(host, port):
    """A `connect` for Wire."""
    def connect():
        return socket.create_connection((host, port), timeout=20 * FACTOR)
    return connect
