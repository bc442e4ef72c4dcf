"""Measures the API over TCP: beside nginx, with many clients, while the daemon is killed."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import requests

from measures import percentile, pss_kb, row, start_many
from waiting import wait_until
from zona_home import BIN, Zona


@contextlib.contextmanager
def networked(**env):
    """A zona that listens on the loopback, with its url and key."""
    zona = Zona(folder=tempfile.mkdtemp(prefix='zona-bench-', dir='/dev/shm'), env={'ZONA_API_LISTEN': '127.0.0.1:0', 'ZONA_API_KEY_REQUESTS_PER_SECOND': '0', **env})
    try:
        zona.run('start', '/bin/sleep', '--name', 'nap', '--', '100000')
        zona.address = zona.ping()['network']['address']
        zona.url = f'http://{zona.address}'
        zona.headers = {'X-API-Key': (zona.home / 'api-key').read_text().strip()}
        yield zona
    finally:
        zona.close()


@contextlib.contextmanager
def nginx_with(body, fields, log):
    """URL and workers' pids of an nginx whose every answer is `body` with these header fields, with a worker for each core."""
    home = pathlib.Path(tempfile.mkdtemp(prefix='nginx-bench-', dir='/dev/shm'))
    with socket.create_server(('127.0.0.1', 0)) as probe:
        port = probe.getsockname()[1]
    def quoted(text):
        return "'" + text.replace('\\', '\\\\').replace("'", "\\'") + "'"
    added = ''.join(f'add_header {name} {quoted(value)}; ' for name, value in fields.items())
    (home / 'nginx.conf').write_text(
        f'worker_processes {os.cpu_count()}; pid {home}/pid; error_log {home}/error.log; daemon off;\n'
        'events { worker_connections 4096; }\n'
        f'http {{ access_log {f"{home}/access.log" if log else "off"}; keepalive_requests 100000000; client_body_temp_path {home}/b; proxy_temp_path {home}/p;'
        f' fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;\n'
        f"server {{ listen 127.0.0.1:{port} reuseport; default_type application/json; server_tokens off; {added}location / {{ return 200 {quoted(body)}; }} }} }}\n")
    process = subprocess.Popen(['nginx', '-p', str(home), '-c', str(home / 'nginx.conf')])
    try:
        wait_until(lambda: requests.get(f'http://127.0.0.1:{port}/', timeout=5).text == body)
        workers = pathlib.Path(f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()
        yield f'http://127.0.0.1:{port}', workers
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


def milliseconds(text):
    found = re.fullmatch(r'([\d.]+)(us|ms|s|m)', text)
    if not found:
        raise ValueError(f'wrk says {text!r} for a latency: it got no answers')
    return float(found[1]) * {'us': 1e-3, 'ms': 1, 's': 1e3, 'm': 6e4}[found[2]]


def processor_time(pids):
    """Microseconds that these processes have taken, of their own and of the kernel's."""
    times = [pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[11:13] for pid in pids]
    return [sum(int(time[i]) for time in times) * 1e6 / os.sysconf('SC_CLK_TCK') for i in (0, 1)]


def wrk_with_time(pids, *args):
    """As wrk(), and the processor time that each answer took these processes, in microseconds."""
    before = processor_time(pids)
    result = wrk(*args)
    result['time'] = [(now - then) / result['answers'] for now, then in zip(processor_time(pids), before)]
    return result


def wrk(url, headers, seconds=10, connections=64, script=None):
    """wrk's answers in all and a second, p99 in milliseconds, and errors by kind."""
    command = ['wrk', '-t2', f'-c{connections}', f'-d{seconds}s', '--latency', '--timeout', '10s']
    for name, value in headers.items():
        command += ['-H', f'{name}: {value}']
    if script:
        command += ['-s', script]
    out = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    errors = dict(re.findall(r'(connect|read|write|timeout) (\d+)', out))
    return {'answers': int(re.search(r'(\d+) requests in', out).group(1)),
            'rate': float(re.search(r'Requests/sec:\s+([\d.]+)', out).group(1)),
            'p99': milliseconds(re.search(r'^\s+99%\s+(\S+)', out, re.M).group(1)),
            'refused': int((re.search(r'Non-2xx or 3xx responses: (\d+)', out) or [0, 0])[1]),
            'errors': {kind: int(count) for kind, count in errors.items()}}


def answered(log):
    """Three runs of zona and of nginx in turns, both with or both without an access log; the run of the median ratio."""
    with networked(ZONA_LOG_LEVELS_HTTP__ACCESS='info' if log else 'off') as zona:
        url = f'{zona.url}/api/v1/processes/0'
        answer = requests.get(url, headers=zona.headers, timeout=10)
        of_nginx = ('Date', 'Content-Type', 'Content-Length', 'Connection')
        fields = {name: value for name, value in answer.headers.items() if name not in of_nginx}
        with nginx_with(answer.text, fields, log) as (peer, workers):
            runs = [(wrk_with_time([zona.daemon_pid()], url, zona.headers, 6),
                     wrk_with_time(workers, peer, zona.headers, 6)) for _ in range(3)]
    assert not any(ours['refused'] for ours, _ in runs)
    return sorted(runs, key=lambda run: run[0]['rate'] / run[1]['rate'])[1]


def bench_http():
    """One process by its id, with a key; nginx answers the same bytes."""
    for log, what in ((True, 'access logs written'), (False, 'no access logs')):
        ours, theirs = answered(log)
        row(f'GET /api/v1/processes/ID with a key, 64 connections, {what}', ours['rate'], '/s')
        row(f'nginx `return 200` of the same body and header fields, {what}', theirs['rate'], '/s')
        row(f'zona / nginx, answers a second, median of 3, {what}', ours['rate'] / theirs['rate'], 'x', 0.7, 'more')
        row(f'zona / nginx, p99, {what}', ours['p99'] / theirs['p99'], 'x', 2, note=f"{ours['p99']:.2f} and {theirs['p99']:.2f} ms")
        for who, run in (('zona', ours), ('nginx', theirs)):
            row(f'{who}, processor time of an answer, {what}', sum(run['time']), 'us', note=f"{run['time'][1]:.1f} of it the kernel's")


@contextlib.contextmanager
def pool_server(sockets):
    process = subprocess.Popen([BIN / 'pool_server', str(sockets)], stdout=subprocess.PIPE, text=True)
    try:
        yield f'http://{process.stdout.readline().strip()}/ping'
    finally:
        process.terminate()
        process.wait()


def bench_dealt():
    """Two servers: connections dealt out from one listening socket, or hashed to one for each. In turns, three times each."""
    with pool_server(1) as dealt, pool_server(2) as hashed:
        for what, headers, connections in (('a connection for each answer', {'Connection': 'close'}, 64),
                                           ('64 connections', {}, 64), ('8 connections', {}, 8)):
            runs = [[wrk(url, headers, 3, connections) for url in (dealt, hashed)] for _ in range(3)]
            for i, how in enumerate(('dealt out', 'SO_REUSEPORT')):
                middle = sorted((run[i] for run in runs), key=lambda result: result['rate'])[1]
                row(f'{what}, {how}', middle['rate'], '/s', note=f"p99 {middle['p99']:.2f} ms")


def bench_many():
    """The list of 500 processes."""
    with networked() as zona:
        start_many(zona, 499)
        load = subprocess.run([BIN / 'api_load', zona.home / 'api.sock', '/api/v1/processes', '4', '100', '10'],
                              capture_output=True, text=True, check=True)
        figures = json.loads(load.stdout)
    row('list of 500 processes, 100 a second, p99', figures['p99_us'] / 1e3, 'ms', 5)


def bench_connections():
    """What 10,000 clients that say nothing cost."""
    with networked(ZONA_API_MAX_CONNECTIONS='10100', ZONA_API_IDLE_TIMEOUT='1h', ZONA_API_MAX_CONNECTIONS_PER_ADDRESS='20000') as zona:
        pid = zona.daemon_pid()
        host, port = zona.address.split(':')
        before = pss_kb(pid)
        clients = [socket.create_connection((host, int(port)), timeout=30) for _ in range(10_000)]
        try:
            request = f'GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n'.encode()
            for client in clients:   # all are accepted, and have been served once
                client.sendall(request)
            for client in clients:
                assert client.recv(65536).startswith(b'HTTP/1.1 '), 'no answer'
            row('daemon with 10,000 idle connections, PSS', pss_kb(pid) / 1024, 'MB', 60, note=f'{before / 1024:.1f} before')
        finally:
            for client in clients:
                client.close()


def bench_killed():
    """wrk goes on while the daemon is killed ten times."""
    with networked() as zona:
        killed = []

        def kill_often():
            for _ in range(10):
                time.sleep(0.8)
                pid = zona.daemon_pid()
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                wait_until(lambda: zona.daemon_pid() != pid)
        killer = threading.Thread(target=kill_often)
        killer.start()
        answered = wrk(f'{zona.url}/api/v1/processes/0', zona.headers, 12)
        killer.join()
    row('connections that failed while the daemon was killed 10 times', answered['errors'].get('connect', 0), '', 0)
    lost = answered['errors'].get('read', 0) + answered['errors'].get('write', 0)
    row('requests in flight that were lost', lost, '', note=f"of {answered['rate'] * 12:.0f}; 64 connections, {len(killed)} kills")


def bench_follow():
    """A log followed over HTTP by one client: its bytes as they are, and as objects."""
    with networked() as zona:
        lines = 10_000_000
        zona.run('start', BIN / 'line_flood', '--name', 'flood', '--interpreter', 'none', '--no-autorestart', '--', str(lines), check=False)
        wait_until(lambda: zona.process('flood')['status'] == 'stopped', 120)
        size = os.path.getsize(zona.process('flood')['out_file'])
        for form, factor, what in (('raw', 1, 'log followed over HTTP, raw bytes'), ('ndjson', 2, 'log followed over HTTP, a JSON object a line')):
            command = ['curl', '-sN', '-o', '/dev/null', '-w', '%{size_download} %{time_total}', '--max-time', '5', '-H', f"X-API-Key: {zona.headers['X-API-Key']}",
                       f'{zona.url}/api/v1/logs?select=flood&stream=out&since=1h&format={form}']
            received, seconds = map(float, subprocess.run(command, capture_output=True, text=True).stdout.split())
            row(what, received / seconds / 1e6, 'MB/s', 300 if form == 'raw' else None, 'more', note=f'{received / 1e6:.0f} MB of a file of {size / 1e6:.0f} MB')


def bench_streams():
    """Many clients of /api/v1/stream, one of which does not read."""
    for clients, updates in ((200, 100), (2000, 20)):
        with networked(ZONA_API_MAX_CONNECTIONS='2100', ZONA_API_MAX_CONNECTIONS_PER_ADDRESS='4000') as zona:
            host, port = zona.address.split(':')
            load = subprocess.run([BIN / 'stream_load', host, port, zona.headers['X-API-Key'], 'nap', str(clients), str(updates), '10' if clients == 200 else '2'],
                                  capture_output=True, text=True, check=True)
            figures = json.loads(load.stdout)
        row(f'updates that {clients - 1} reading WebSocket clients missed', figures['wanted'] - figures['received'], '', 0, note=f"of {figures['wanted']}")
        row(f'update to all of {clients} WebSocket clients, one not reading, p99', figures['p99_us'] / 1e3, 'ms', 20 if clients == 200 else None)


BENCHES = {'http': bench_http, 'many': bench_many, 'dealt': bench_dealt, 'connections': bench_connections, 'killed': bench_killed, 'follow': bench_follow, 'streams': bench_streams}
