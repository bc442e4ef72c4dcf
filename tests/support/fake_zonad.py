"""A scripted API on a unix socket: what the command says to zonad, and how it takes the answers.

Serves HTTP/1.1 on HOME/api.sock by rules: on(method, path, reply). A reply is a Reply, bytes-sending function
or a list of them, used in turn; the last one stays.
"""
import dataclasses
import json
import os
import pathlib
import socket
import socketserver
import threading
import urllib.parse


@dataclasses.dataclass
class Request:
    method: str
    path: str
    query: dict
    body: object


def envelope(data, status=200, **meta):
    """A success."""
    return Reply(status, {'success': True, 'data': data, **({'meta': meta} if meta else {})})


def refusal(status, code, message, hints=()):
    """An error envelope."""
    details = [{'where': '', 'problem': '', 'hint': hint} for hint in hints]
    return Reply(status, {'success': False, 'error': {'code': code, 'message': message, 'details': details,
                                                      'correlation_id': 'c-1'}})


@dataclasses.dataclass
class Reply:
    status: int
    body: object

    def __call__(self, handler):
        text = json.dumps(self.body, separators=(',', ':')).encode()
        handler.wfile.write(b'HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n'
                            % (self.status, len(text)) + text)


def hang_up(handler):
    """The connection ends without an answer."""
    handler.close_connection = True


class Stream:
    """A chunked stream of NDJSON. Each piece is an object, a callable to wait in, or CUT: the connection breaks."""
    CUT = object()

    def __init__(self, *pieces):
        self.pieces = pieces

    def __call__(self, handler):
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n')
        for piece in self.pieces:
            if piece is Stream.CUT:
                handler.close_connection = True
                return
            if callable(piece):
                piece()
                continue
            line = json.dumps(piece).encode() + b'\n'
            handler.wfile.write(b'%x\r\n' % len(line) + line + b'\r\n')
            handler.wfile.flush()
        handler.wfile.write(b'0\r\n\r\n')


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        self.close_connection = False
        while not self.close_connection:
            try:
                line = self.rfile.readline()
                if not line:
                    return
                self._answer(line.decode())
            except (BrokenPipeError, ConnectionResetError):
                return

    def _answer(self, line):
        method, target, _ = line.split()
        length = 0
        while (header := self.rfile.readline().strip()):
            name, value = header.decode().split(':', 1)
            if name.lower() == 'content-length':
                length = int(value)
        body = self.rfile.read(length)
        url = urllib.parse.urlsplit(target)
        request = Request(method, url.path, urllib.parse.parse_qs(url.query), json.loads(body) if body else None)
        reply = self.server.owner.reply_to(request)
        reply(self)
        self.wfile.flush()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


class FakeZonad:
    """Listens on HOME/api.sock until closed. `rules` is {(method, path): reply}, there with the first request."""

    def __init__(self, home, rules=None):
        home = pathlib.Path(home)
        home.mkdir(parents=True, exist_ok=True)
        self.requests = []
        self._rules = {key: [reply] for key, reply in (rules or {}).items()}
        self._lock = threading.Lock()
        # A relative name, so that the home's path may be longer than a socket address.
        here = os.open('.', os.O_RDONLY)
        os.chdir(home)
        try:
            self._server = _Server('api.sock', _Handler)
        finally:
            os.fchdir(here)
            os.close(here)
        self._socket = home / 'api.sock'
        self._server.owner = self
        threading.Thread(target=self._server.serve_forever, kwargs={'poll_interval': 0.02}, daemon=True).start()

    def on(self, method, path, *replies):
        self._rules[(method, path)] = list(replies)

    def reply_to(self, request):
        with self._lock:
            self.requests.append(request)
            replies = self._rules.get((request.method, request.path))
            if not replies:
                return refusal(404, 'NOT_FOUND', f'no route {request.method} {request.path}')
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def asked(self, method, path):
        """The requests of that kind so far."""
        with self._lock:
            return [r for r in self.requests if (r.method, r.path) == (method, path)]

    def close(self):
        """Stops listening; the socket file goes."""
        self._server.shutdown()
        self._server.server_close()
        self._socket.unlink(missing_ok=True)


def listening(path):
    """Whether somebody listens on a unix socket."""
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(str(path))
            return True
        except OSError:
            return False
