"""A small HTTP service that counts its visitors in Redis, spoken to in RESP over its unix socket."""
import http.server
import os
import socket
import sys


def visits() -> int:
    with socket.socket(socket.AF_UNIX) as redis:
        redis.settimeout(2)
        redis.connect(os.environ["REDIS_SOCKET"])
        redis.sendall(b"*2\r\n$4\r\nINCR\r\n$6\r\nvisits\r\n")
        answer = redis.recv(64)
    return int(answer[1:].split(b"\r\n")[0])


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, text = 200, f"You are visitor {visits()}. This is process {os.getpid()}.\n"
        except OSError as error:
            status, text = 503, f"Redis does not answer: {error}\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format, *args):
        print(self.address_string(), format % args, flush=True)


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8081"))
    print(f"listening on http://127.0.0.1:{port}", file=sys.stderr, flush=True)
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Page).serve_forever()
