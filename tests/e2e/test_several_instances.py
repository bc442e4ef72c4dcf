"""Three zonas on one core database and one Redis, behind nginx as the guide sets it up: any of them serves any request, and one that dies is not
missed."""
import concurrent.futures
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading

import pytest
import requests

from processes import alive
from redis_server import cached_by
from unix_api import Api
from waiting import wait_until

GUIDE = pathlib.Path(__file__).resolve().parents[2] / 'docs/guides/several-instances.md'
PASSWORD = 'tulip orbit kettle 41'


def configuration(addresses, port):
    """What the guide says, with these instances, and on a port of the loopback."""
    block = re.search(r'^## nginx\n((?:    .*\n)+)', GUIDE.read_text(), re.M).group(1)
    for number, address in enumerate(addresses, 1):
        block = block.replace(f'10.0.0.{number}:8063', address)
    block = re.sub(r'listen 443 ssl;', f'listen 127.0.0.1:{port};', re.sub(r' *ssl_certificate.*\n', '', block))
    assert '10.0.0.' not in block and 'ssl' not in block
    return f'daemon off; pid nginx.pid; error_log error.log; events {{}} http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy;\n' \
           f'fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n{block}}}\n'


@pytest.fixture
def installation(mongo, redis, open_zona, tmp_path):
    zonas = []
    for _ in range(3):
        zona = open_zona(**cached_by(redis), ZONA_TENANCY_CORE_HOST=mongo.uri, ZONA_TENANCY_ROOT_KEY_FILE=str(tmp_path / 'root-key'),
                         ZONA_MONGO_CONNECT_TIMEOUT='1s', ZONA_MONGO_SELECTION_TIMEOUT='1s', ZONA_API_HOSTS='zona.example',
                         ZONA_API_TRUSTED_PROXIES='127.0.0.1')
        zona.wait_until(lambda zona=zona: Api(zona)('GET', '/readyz')[0] == 200, timeout=30)
        zonas.append(zona)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    (tmp_path / 'nginx.conf').write_text(configuration([zona.url.removeprefix('http://') for zona in zonas], port))
    tmp_path.chmod(0o755)
    nginx = subprocess.Popen(['nginx', '-p', str(tmp_path), '-c', str(tmp_path / 'nginx.conf')], stderr=subprocess.DEVNULL)
    url = f'http://127.0.0.1:{port}'

    def answers():
        with socket.create_connection(('127.0.0.1', port), timeout=5):
            return True
    wait_until(lambda: nginx.poll() is None and answers())
    for zona in zonas:
        wait_until(lambda zona=zona: ask(zona.url, 'GET', '/api/v1/ping', zonas[0].key).status_code == 200)
    yield zonas, url
    nginx.terminate()
    nginx.wait()


def ask(url, method, path, token, **options):
    headers = {'Authorization': f'Bearer {token}', 'Host': 'zona.example'}
    return requests.request(method, url + path, headers=headers, timeout=30, **options)


# HTTP-17, AUTH-16, AUTH-19, BG-12
def test_any_instance_serves_any_request_and_what_ends_on_one_ends_on_all(installation):
    zonas, balanced = installation
    key = zonas[0].key
    assert ask(balanced, 'POST', '/api/v1/tenants', key, json={'code': 'acme', 'name': 'Acme Ltd.'}).status_code == 201
    for zona in zonas:
        wait_until(lambda zona=zona: ask(zona.url, 'GET', '/api/v1/tenants/acme/settings', key).status_code == 200)
    user = {'name': 'anna', 'password': PASSWORD, 'roles': ['admin']}
    assert ask(balanced, 'POST', '/api/v1/tenants/acme/users', key, json=user).status_code == 201
    begun = requests.post(f'{balanced}/api/v1/sessions', headers={'Host': 'zona.example'}, timeout=30,
                          json={'tenant': 'acme', 'name': 'anna', 'password': PASSWORD})
    assert begun.status_code == 201, begun.text
    token = begun.json()['data']['access_token']
    # Each step by another instance.
    for step, zona in enumerate(zonas * 2):
        assert ask(zona.url, 'PUT', '/api/v1/tenants/acme/settings/theme', token, json={'value': step}).status_code in (200, 201)
        def value(reader):
            return ask(reader.url, 'GET', '/api/v1/tenants/acme/settings/theme', token).json()['data']['value']
        assert value(zona) == step   # where it was written; the others hear of it
        for reader in zonas:
            wait_until(lambda reader=reader, value=value, step=step: value(reader) == step)
    assert ask(zonas[1].url, 'DELETE', '/api/v1/sessions/current', token).json()['data'] == {'ended': 1}
    for zona in zonas:
        wait_until(lambda zona=zona: ask(zona.url, 'GET', '/api/v1/whoami', token).status_code == 401)
    # A job that is of one of them is known to all.
    number = zonas[2].run('job', 'run', 'api-key-check', '--json').data['number']
    for zona in zonas:
        zona.wait_until(lambda zona=zona: [r['outcome'] for r in zona.run('job', 'history', 'api-key-check', '--json').data
                                           if r['number'] == number] == ['succeeded'])
        manual = [r for r in zona.run('job', 'history', 'api-key-check', '--json').data if r['trigger'] == 'manual']
        assert len(manual) == 1, manual


# HTTP-17
def test_one_instance_that_is_killed_under_load_is_not_noticed(installation):
    zonas, balanced = installation
    key = zonas[0].key
    assert ask(balanced, 'PUT', '/api/v1/tenants/default/settings/read', key, json={'value': 'kept'}).status_code in (200, 201)
    stop = threading.Event()
    counts = [0] * 4

    def client(number):
        session = requests.Session()
        session.headers.update({'Authorization': f'Bearer {key}', 'Host': 'zona.example'})
        wrong = []
        while not stop.is_set() and not wrong:
            read = session.get(f'{balanced}/api/v1/tenants/default/settings/read', timeout=30)
            if read.status_code != 200 or read.json()['data']['value'] != 'kept':
                wrong.append((read.status_code, read.text))
            if number == 0:
                written = session.put(f'{balanced}/api/v1/tenants/default/settings/written', json={'value': counts[0] + 1}, timeout=30)
                if written.status_code not in (200, 201):
                    wrong.append((written.status_code, written.text))
            counts[number] += 1
        return wrong

    def more():
        seen = list(counts)
        return lambda: all(now >= then + 10 for now, then in zip(counts, seen))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        clients = [pool.submit(client, number) for number in range(4)]
        try:
            wait_until(more(), timeout=60)
            zonas[1].kill_keeper_and_daemon()
            wait_until(more(), timeout=60)
            keeper = zonas[2].keeper_pid()
            os.kill(zonas[2].daemon_pid(), signal.SIGTERM)
            wait_until(lambda: not alive(keeper), timeout=60)
            wait_until(more(), timeout=60)
        finally:
            stop.set()
        assert [c.result() for c in clients] == [[], [], [], []]
    assert ask(zonas[0].url, 'GET', '/api/v1/tenants/default/settings/written', key).json()['data']['value'] == counts[0]
