"""The API over the unix socket of a zona, without the command."""
import http.client
import json
import socket


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__('zona', timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


class Api:
    def __init__(self, zona):
        self.socket = str(zona.home / 'api.sock')

    def __call__(self, method, path, body=None, headers=None):
        connection = UnixConnection(self.socket)
        try:
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, text, {**({'Content-Type': 'application/json'} if text else {}), **(headers or {})})
            answer = connection.getresponse()
            raw = answer.read()
            is_json = (answer.headers['Content-Type'] or '').startswith('application/json')
            return answer.status, json.loads(raw) if is_json and raw else raw, answer.headers
        finally:
            connection.close()

    def raw(self, data):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.socket)
            s.sendall(data)
            received = b''
            while chunk := s.recv(65536):
                received += chunk
            return received
