"""Clients that others wrote: what their users type works."""
import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess

import pytest
import requests
import websockets
from programs import run

PING = '/api/v1/ping'


# PM-46
def test_curl_drives_a_process(zona, tool):
    curl = [tool('curl'), '-sS', '--fail-with-body', '-H', f'Authorization: Bearer {zona.key}', '-H', 'Content-Type: application/json']

    def ask(method, path, body=None):
        done = run(*curl, '-X', method, *(['-d', json.dumps(body)] if body else []), zona.url + path)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)['data']
    made = ask('POST', '/api/v1/processes', {'apps': [{'script': '/bin/sleep', 'args': ['1000'], 'name': 'made'}], 'cwd': '/'})
    assert made['outcomes'][0]['outcome'] == 'ready'
    assert ask('GET', '/api/v1/processes/made')['status'] == 'online'
    assert ask('POST', '/api/v1/operations', {'action': 'stop', 'select': ['made']})['results'][0]['ok']
    assert ask('POST', '/api/v1/operations', {'action': 'delete', 'select': ['made']})['results'][0]['ok']
    gone = run(*curl, zona.url + '/api/v1/processes/made')
    assert gone.returncode == 22 and json.loads(gone.stdout)['error']['code'] == 'NOT_FOUND'


# PM-46
def test_requests_keeps_one_connection(zona):
    with requests.Session() as session:
        session.headers['X-API-Key'] = zona.key
        for _ in range(50):
            assert session.get(zona.url + '/api/v1/processes', timeout=10).json()['meta']['total'] == 1
        assert session.get(zona.url + '/nowhere', timeout=10).json()['error']['code'] == 'NOT_FOUND'


# OBS-01
def test_promtool_finds_nothing_wrong_with_the_metrics(zona, tool):
    requests.get(zona.url + '/api/v1/processes', headers={'X-API-Key': zona.key}, timeout=10)
    text = requests.get(zona.url + '/api/v1/metrics', headers={'X-API-Key': zona.key}, timeout=10).text
    checked = run(tool('promtool'), 'check', 'metrics', input=text)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, '', '')


# OBS-01, OBS-02
def test_prometheus_scrapes_and_answers_with_quantiles(zona, tool, free_port, folder, background, wait_until):
    (folder / 'key').write_text(zona.key)
    (folder / 'prometheus.yml').write_text(json.dumps({
        'global': {'scrape_interval': '1s'},
        'scrape_configs': [{'job_name': 'zona', 'metrics_path': '/api/v1/metrics', 'authorization': {'credentials_file': str(folder / 'key')},
                            'static_configs': [{'targets': [zona.url.removeprefix('http://')]}]}]}))
    background(tool('prometheus'), f'--config.file={folder}/prometheus.yml', f'--storage.tsdb.path={folder}/data',
               f'--web.listen-address=127.0.0.1:{free_port}')

    def query(expression):
        answer = requests.get(f'http://127.0.0.1:{free_port}/api/v1/query', params={'query': expression}, timeout=5).json()
        return {tuple(sorted(r['metric'].items())): float(r['value'][1]) for r in answer['data']['result']}
    path = '/api/v1/processes/nap'   # nobody else asks for it
    for _ in range(20):
        requests.get(zona.url + path, headers={'X-API-Key': zona.key}, timeout=10)

    def scraped():
        try:
            return list(query('up{job="zona"}').values()) == [1.0] and query(
                'zona_http_request_duration_seconds_count{route="/api/v1/processes/{id}",method="GET",status="200"}')
        except requests.ConnectionError:
            return False
    wait_until(scraped, 60)
    wait_until(lambda: list(scraped().values()) == [20.0], 30)
    for quantile in (0.5, 0.95, 0.99):
        found = query(f'histogram_quantile({quantile}, zona_http_request_duration_seconds_bucket{{route="/api/v1/processes/{{id}}"}})')
        assert len(found) == 1 and 0 < list(found.values())[0] < 10


@pytest.fixture
def front(zona, tool, free_port, folder, background, wait_until):
    """The address of an nginx in front of zona, set up as docs/api.md says."""
    (folder / 'nginx.conf').write_text(f'''
        daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
        http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
               uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
          map $http_upgrade $connection_wanted {{ default upgrade; "" ""; }}
          server {{ listen 127.0.0.1:{free_port};
            location / {{ proxy_pass {zona.url}; proxy_http_version 1.1; proxy_buffering off; proxy_set_header Host $http_host;
                          proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_wanted; }} }} }}''')
    background(tool('nginx'), '-p', folder, '-c', folder / 'nginx.conf')
    address = f'http://127.0.0.1:{free_port}'

    def answers():
        try:
            return requests.get(address + PING, headers={'X-API-Key': zona.key}, timeout=5).status_code == 200
        except requests.ConnectionError:
            return False
    wait_until(answers)
    return address


# PM-46
def test_nginx_in_front_passes_everything_on(zona, front):
    assert requests.get(front + PING, timeout=5).status_code == 401
    zona.run('start', '/bin/sh', '--name', 'talker', '--', '-c', 'for i in 1 2 3; do echo line $i; done; exec sleep 1000')
    with requests.get(front + '/api/v1/logs?select=talker&follow=true', headers={'X-API-Key': zona.key}, timeout=20, stream=True) as stream:
        lines = []
        for line in stream.iter_lines():
            lines.append(json.loads(line).get('line'))
            if 'line 3' in lines:
                break
    assert [line for line in lines if line] == ['line 1', 'line 2', 'line 3']


def socket_of(front, zona, path, **headers):
    """A WebSocket through the proxy, as a page of the proxy's own origin opens it."""
    return websockets.connect(front.replace('http', 'ws') + path, extra_headers={'X-API-Key': zona.key, 'Origin': front, **headers})


async def state_of(socket, name, state):
    """Waits until the socket has told that the process has this state."""
    while True:
        message = json.loads(await asyncio.wait_for(socket.recv(), 20))
        process = message.get('data') if message['type'] == 'process' else message.get('process')
        if process and process['name'] == name and process.get('status', process.get('state')) == state:
            return


SUBSCRIBE = '{"type":"subscribe","id":"a","topics":["processes"]}'


# PM-54, PM-55
@pytest.mark.parametrize('path', ['/api/v1/stream', '/ws'])
def test_websockets_pass_through_nginx(zona, front, path):
    async def talk():
        async with socket_of(front, zona, path) as one, socket_of(front, zona, path) as other:
            for socket in (one, other):
                if path == '/api/v1/stream':
                    await socket.send(SUBSCRIBE)
            await asyncio.to_thread(zona.run, 'stop', 'nap')
            for socket in (one, other):
                await state_of(socket, 'nap', 'stopped')
            pong = await one.ping(b'through')
            await asyncio.wait_for(pong, 20)
            await one.close(4000, 'bye')
            assert (one.close_rcvd.code, one.close_rcvd.reason) == (4000, '')
            # The other end closes: a mistake of the client, then the end of the daemon.
            await other.send(b'no text')
            with pytest.raises(websockets.ConnectionClosed):
                while True:
                    await asyncio.wait_for(other.recv(), 20)
            assert (other.close_rcvd.code, other.close_rcvd.reason) == (1003, 'messages are JSON texts')
        async with socket_of(front, zona, path) as last:
            await asyncio.to_thread(zona.run, 'kill')
            with pytest.raises(websockets.ConnectionClosed):
                while True:
                    await asyncio.wait_for(last.recv(), 20)
            assert last.close_rcvd.code == 1001
    asyncio.run(talk())


# PM-56
def test_nginx_in_front_lets_nobody_in_that_zona_would_not(zona, front):
    async def refused(**headers):
        with pytest.raises(websockets.InvalidStatusCode) as told:
            async with socket_of(front, zona, '/api/v1/stream', **headers):
                pass
        return told.value.status_code

    async def ask():
        assert await refused(Origin='http://evil.example') == 403
        assert await refused(Origin='null') == 403
        assert await refused(**{'X-API-Key': 'wrong'}) == 401
    asyncio.run(ask())
    assert requests.get(front + PING, headers={'Host': 'evil.example', 'X-API-Key': zona.key}, timeout=20).status_code == 421


# REL-20, PM-55
def test_behind_nginx_a_client_comes_back_after_the_death_of_the_daemon(zona, front):
    async def talk():
        async with socket_of(front, zona, '/api/v1/stream') as first:
            await first.send(SUBSCRIBE)
            await state_of(first, 'nap', 'online')
            pid = zona.daemon_pid()
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(websockets.ConnectionClosed):
                while True:
                    await asyncio.wait_for(first.recv(), 20)
        async with socket_of(front, zona, '/api/v1/stream') as second:   # no 502: the keeper holds the listening socket
            await second.send(SUBSCRIBE)
            await state_of(second, 'nap', 'online')
        assert zona.daemon_pid() != pid
    asyncio.run(talk())


# REL-20
def test_wrk_fails_no_connection_while_the_daemon_is_killed(zona, tool, wait_until, folder):
    with open(folder / 'wrk', 'w') as out:
        load = subprocess.Popen([tool('wrk'), '-t1', '-c8', '-d4s', '-H', f'X-API-Key: {zona.key}', zona.url + PING], stdout=out)
    for _ in range(3):
        wait_until(lambda: load.poll() is None)
        pid = zona.daemon_pid()
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: zona.daemon_pid() != pid)
    assert load.wait(60) == 0
    text = (folder / 'wrk').read_text()
    errors = dict(re.findall(r'(connect|read|write|timeout) (\d+)', text))
    assert errors.get('connect', '0') == '0' and 'Non-2xx' not in text, text
    assert int(errors.get('read', 0)) <= 3 * 8, text   # in flight when it was killed


def test_two_requests_in_one_packet_are_answered_in_order(zona):
    host, port = zona.url.removeprefix('http://').split(':')
    with socket.create_connection((host, int(port)), timeout=10) as client:
        head = f'Host: {host}\r\nX-API-Key: {zona.key}\r\n'
        client.sendall(f'GET {PING} HTTP/1.1\r\n{head}\r\nGET /nowhere HTTP/1.1\r\n{head}Connection: close\r\n\r\n'.encode())
        answers = b''.join(iter(lambda: client.recv(65536), b''))
    assert answers.count(b'HTTP/1.1 200') == 1 and answers.index(b'HTTP/1.1 200') < answers.index(b'HTTP/1.1 404')


# HTTP-04
def test_curl_that_insists_on_http_2_is_refused_and_one_that_offers_it_is_served(zona, tool):
    curl = [tool('curl'), '-sS', '-o', '-', '-w', ' %{http_version}', '-H', f'X-API-Key: {zona.key}', zona.url + PING]

    assert run(*curl, '--http2-prior-knowledge').returncode in (16, 52)   # curl hides what it was told
    offered = run(*curl, '--http2')

    told = [json.loads(line) for line in (zona.home / 'logs/zonad.log').read_text().split('\n') if '"status":505' in line]
    assert 'only HTTP/1.1 and HTTP/1.0 are spoken here' in [line.get('error') for line in told]
    assert offered.returncode == 0 and offered.stdout.endswith(' 1.1') and json.loads(offered.stdout[:-4])['success']


# PM-46
def test_a_kept_connection_ends_with_the_daemon_and_the_next_one_waits_for_its_successor(zona):
    client = http.client.HTTPConnection(zona.url.removeprefix('http://'), timeout=20)

    def pid():
        client.request('GET', PING, headers={'X-API-Key': zona.key})
        return json.loads(client.getresponse().read())['data']['daemon']['pid']
    first = pid()
    kept = client.sock
    assert pid() == first and client.sock is kept

    os.kill(first, signal.SIGKILL)
    try:
        second = pid()
    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
        client.close()
        second = pid()   # no connection is refused in between: the keeper holds the socket

    assert second != first
    client.close()
