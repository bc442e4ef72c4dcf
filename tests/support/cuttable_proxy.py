"""A TCP proxy on the loopback whose connections a test can cut, with TLS towards its clients if wanted."""
import contextlib
import socket
import ssl
import threading


class CuttableProxy:
    """Forwards 127.0.0.1:`port` to `target` (host, port). With `certificate` and `private_key` it speaks TLS 1.3."""

    def __init__(self, target, certificate=None, private_key=None):
        self._target = target
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.minimum_version = ssl.TLSVersion.TLSv1_3
            self._context.load_cert_chain(certificate, private_key)
        self._listener = socket.create_server(('127.0.0.1', 0))
        self.port = self._listener.getsockname()[1]
        self._open, self._lock, self._closed, self.connections = set(), threading.Lock(), False, 0
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client):
        with contextlib.ExitStack() as stack:
            stack.callback(client.close)
            try:
                if self._context:
                    client = stack.enter_context(self._context.wrap_socket(client, server_side=True))
                server = stack.enter_context(socket.create_connection(self._target, timeout=20))
            except OSError:
                return
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
                self.connections += 1
            back = threading.Thread(target=self._pump, args=(server, client))
            back.start()
            self._pump(client, server)
            back.join()
            with self._lock:
                self._open -= {client, server}

    @staticmethod
    def _pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except (OSError, ValueError):
            pass
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        """Ends every connection, in the middle of whatever it carries."""
        with self._lock:
            for end in self._open:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(20)
