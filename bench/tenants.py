"""Measures what one tenant's load does to another, over HTTP with keys, in both modes."""
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import time

from measures import percentile, row
from network import networked

RATE = 100  # requests a second of the quiet tenant
SECONDS = 8


class Client:
    """One kept connection of the quiet tenant."""

    def __init__(self, zona, key):
        host, port = zona.address.rsplit(':', 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = f'Host: {zona.address}\r\nX-API-Key: {key}\r\n'

    def ask(self, method, path, body=''):
        text = f'{method} {path} HTTP/1.1\r\n{self.head}'
        if body:
            text += f'Content-Type: application/json\r\nContent-Length: {len(body)}\r\n'
        self.socket.sendall(f'{text}\r\n{body}'.encode())
        got = b''
        while b'\r\n\r\n' not in got:
            got += self.socket.recv(65536)
        head, _, rest = got.partition(b'\r\n\r\n')
        left = int(re.search(rb'Content-Length: (\d+)', head)[1]) - len(rest)
        while left > 0:
            left -= len(self.socket.recv(65536))
        assert head.startswith(b'HTTP/1.1 200'), head


def times(zona, key, method, body=''):
    """Milliseconds that the quiet tenant waits, each from when its request was due."""
    client = Client(zona, key)
    path = '/api/v1/tenants/quiet/settings/a'
    client.ask('PUT', path, '{"value": 1}')
    out, begin = [], time.perf_counter()
    for n in range(RATE * SECONDS):
        due = begin + n / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        client.ask(method, path, body)
        out.append((time.perf_counter() - due) * 1e3)
    return out


def noise(zona, key, method, body):
    """64 connections of another tenant that ask as fast as they are answered."""
    script = pathlib.Path(tempfile.mkdtemp(prefix='zona-bench-', dir='/dev/shm')) / 'noise.lua'
    script.write_text(f'wrk.method = "{method}"\nwrk.headers["X-API-Key"] = "{key}"\n' +
                      (f"wrk.headers[\"Content-Type\"] = \"application/json\"\nwrk.body = '{body}'\n" if body else ''))
    return subprocess.Popen(['wrk', '-t1', '-c64', f'-d{SECONDS + 2}s', '-s', str(script),
                             f'{zona.url}/api/v1/tenants/noisy/settings/a'], stdout=subprocess.PIPE, text=True)


def bench_noise():
    for mode in ('MSSP', 'SINGLE_TENANT'):
        with networked(ZONA_TENANCY_BUILD_TYPE=mode) as zona:
            keys = {}
            for code in ('noisy', 'quiet'):
                zona.run('tenant', 'create', code)
                keys[code] = zona.run('key', 'create', code, '--tenant', code, '--scope', 'admin').stdout.strip()
            for what, method, body in (('reads', 'GET', ''), ('writes', 'PUT', json.dumps({'value': 'x' * 100}))):
                alone = percentile(times(zona, keys['quiet'], method, body), 99)
                other = noise(zona, keys['noisy'], method, body)
                time.sleep(1)
                beside = percentile(times(zona, keys['quiet'], method, body), 99)
                rate = float(re.search(r'Requests/sec:\s+([\d.]+)', other.communicate(timeout=60)[0])[1])
                row(f'{mode}: p99 of a tenant beside a noisy one, {what}, of that alone', beside / alone, 'x', 1.2,
                    note=f'{alone:.2f} and {beside:.2f} ms; {rate:.0f}/s of the noisy one')


BENCHES = {'noise': bench_noise}
