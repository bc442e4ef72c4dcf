"""How zona starts, step by step, what it looks after meanwhile, and how it ends under load."""
import json
import os
import signal
import socket
import subprocess
import threading

import pytest
import requests

from processes import alive
from unix_api import Api
from waiting import wait_until
from zona_home import BIN


def log_of(zona):
    return [json.loads(line) for line in (zona.home / 'logs/zonad.log').read_text().splitlines()]


def metrics_of(zona):
    return Api(zona)('GET', '/api/v1/metrics')[1].decode()


STEPS = ['start: logging', 'start: configuration', 'start: settings are valid', 'the core database is open', 'the build type is settled',
         'the tenants are listed', 'the connections are set', 'a tenant has a session', 'the connections were tried', 'start: router', 'start: routes',
         'start: middleware', 'start: cache', 'a loop has begun', 'a loop has begun', 'a loop has begun', 'start: HTTP server', 'ready']


# ARCH-01, BG-01
@pytest.mark.parametrize('build_type', ['MSSP', 'SINGLE_TENANT'])
def test_the_start_goes_in_the_specified_order(open_zona, build_type):
    zona = open_zona(ZONA_TENANCY_BUILD_TYPE=build_type)
    log = log_of(zona)
    assert [line['message'] for line in log if line['message'] in STEPS] == STEPS
    assert [line['build_type'] for line in log if line['message'] == 'the build type is settled'] == [build_type]
    assert [line['loop'] for line in log if line['message'] == 'a loop has begun'] == ['cache health check', 'session clean-up', 'metrics collection']
    assert requests.get(f'{zona.url}/readyz', timeout=10).status_code == 200


# ARCH-01
def test_a_start_without_its_core_database_serves_what_needs_none_and_says_so(open_zona, tmp_path):
    zona = open_zona(ZONA_TENANCY_CORE_HOST=f'mongodb://{str(tmp_path).replace("/", "%2F")}%2Fnobody.sock/', ZONA_MONGO_SELECTION_TIMEOUT='20s')
    messages = [line['message'] for line in log_of(zona)]
    steps = [m for m in messages if m in STEPS]
    assert steps == [s for s in STEPS if s.startswith(('start:', 'a loop has begun', 'ready'))]
    assert requests.get(f'{zona.url}/readyz', timeout=10).status_code == 503
    assert zona.process('nap')['status'] == 'online'


# BG-04, OBS-05
def test_metrics_of_all_three_groups_are_collected_and_written(new_zona):
    zona = new_zona(env={'ZONA_METRICS_INTERVAL': '100ms'})
    file = zona.folder / 'zona.prom'
    zona.env['ZONA_METRICS_FILE'] = str(file)
    zona.run('save', '--force')

    def turns(text):
        prefix = 'zona_metrics_collections_total{group="'
        return {line[len(prefix):].split('"')[0]: int(line.split()[-1]) for line in text.splitlines() if line.startswith(prefix)}
    wait_until(file.exists)
    before = turns(file.read_text())
    assert set(before) == {'application', 'database', 'cache'}
    wait_until(lambda: all(count > before[group] for group, count in turns(file.read_text()).items()))
    wait_until(lambda: 'zona_core_database_up 1' in file.read_text())
    shown = file.read_text()
    for name in ['zona_process_resident_bytes', 'zona_process_cpu_seconds', 'zona_process_threads', 'zona_database_connections{database="core"}',
                 'zona_cache_limit_bytes']:
        value = next(float(line.split()[-1]) for line in shown.splitlines() if line.startswith(name))
        assert value > 0 or 'cpu' in name, name
    # Who asks the API gets the same.
    assert set(turns(metrics_of(zona))) == set(before)
    assert file.stat().st_mode & 0o777 == 0o644


class Writer(threading.Thread):
    """Sets one setting again and again; `acknowledged` is the last value that the server has said it has."""

    def __init__(self, zona, name):
        super().__init__()
        self.url = f'{zona.url}/api/v1/tenants/default/settings/{name}'
        self.session = requests.Session()
        self.session.headers['X-API-Key'] = zona.key
        self.acknowledged = 0
        self.wrong = []

    def run(self):
        while True:
            try:
                answer = self.session.put(self.url, json={'value': self.acknowledged + 1}, timeout=30)
            except requests.ConnectionError:
                return   # not answered: whether it was done is not known
            except requests.RequestException as error:   # half an answer
                return self.wrong.append(repr(error))
            if answer.status_code not in (200, 201):
                # Refused as a whole, in words.
                if answer.status_code != 503 or not answer.json()['error']:
                    self.wrong.append(answer.text)
                return
            self.acknowledged += 1


# BG-06, REL-13, TEN-24
@pytest.mark.parametrize('core', ['embedded', 'in MongoDB'])
def test_the_end_waits_for_no_server_that_is_away_and_loses_nothing(new_zona, mongo, tmp_path, core):
    """Whatever is waited for takes a minute here, and one thing that waits must not wait for another."""
    env = {'ZONA_MONGO_SELECTION_TIMEOUT': '1m'}
    if core != 'embedded':
        env |= {'ZONA_TENANCY_CORE_HOST': mongo.uri, 'ZONA_TENANCY_ROOT_KEY_FILE': str(tmp_path / 'root-key')}
    zona, tenants = new_zona(env=env), ['acme', 'globex', 'initech']
    zona.home.mkdir(parents=True)
    keeper = subprocess.Popen([str(BIN / 'zona-keeper'), '--home', str(zona.home)], env=zona.environment())
    api = Api(zona)
    wait_until(lambda: api('GET', '/readyz')[0] == 200, timeout=30)
    for code in tenants:
        zona.run('tenant', 'create', code, '--db-host', mongo.uri)
    daemon = zona.daemon_pid()
    for code in tenants:
        assert api('PUT', f'/api/v1/tenants/{code}/settings/theme', {'value': code})[0] == 200
    mongo.kill()
    os.kill(daemon, signal.SIGTERM)

    assert keeper.wait(170) == 0
    assert log_of(zona)[-1]['message'] == 'stopped'
    mongo.start()
    zona.run('save', '--force')
    for code in tenants:
        wait_until(lambda: api('GET', f'/api/v1/tenants/{code}/settings/theme')[1]['data']['value'] == code, timeout=30)
        # Where it waited for the database, for some of them.
        wait_until(lambda: [entry['action'] for entry in zona.run('audit', 'list', '--tenant', code, '--json').data] == ['putTenantSetting'], timeout=30)


# BG-06
def test_sigterm_under_load_finishes_what_was_begun_and_loses_nothing(new_zona):
    zona = new_zona(env={'ZONA_API_LISTEN': '127.0.0.1:0', 'ZONA_METRICS_INTERVAL': '100ms'})
    zona.home.mkdir(parents=True)
    keeper = subprocess.Popen([str(BIN / 'zona-keeper'), '--home', str(zona.home)], env=zona.environment())
    wait_until(lambda: Api(zona)('GET', '/readyz')[0] == 200)
    zona.url = f"http://{zona.ping()['network']['address']}"
    zona.key = (zona.home / 'api-key').read_text().strip()
    host, port = zona.url.removeprefix('http://').split(':')
    writers = [Writer(zona, f'w{i}') for i in range(8)]
    for writer in writers:
        writer.start()
    stream = requests.get(f'{zona.url}/api/v1/events', headers={'X-API-Key': zona.key}, stream=True, timeout=60)
    assert stream.status_code == 200, stream.text
    wait_until(lambda: all(writer.acknowledged > 3 for writer in writers))
    body = json.dumps({'value': 'of a slow client'})
    with socket.create_connection((host, int(port)), timeout=60) as slow:
        slow.sendall(f'PUT /api/v1/tenants/default/settings/slow HTTP/1.1\r\nHost: {host}:{port}\r\nX-API-Key: {zona.key}\r\n'
                     f'Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body[:5]}'.encode())
        daemon = zona.daemon_pid()
        os.kill(daemon, signal.SIGTERM)
        # Streams end, and those who ask again and again are told to go; who was in the middle is waited for.
        list(stream.iter_content(None))
        for writer in writers:
            writer.join(60)
        assert alive(daemon)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=10).close()
        slow.sendall(body[5:].encode())
        answer = b''
        while part := slow.recv(65536):
            answer += part
    assert answer.startswith(b'HTTP/1.1 2') and b'of a slow client' in answer
    assert keeper.wait(60) == 0
    assert not [writer.wrong for writer in writers if writer.wrong]
    ended = [line for line in log_of(zona) if line['message'] == 'a loop has ended']
    assert [line['loop'] for line in ended] == ['cache health check', 'session clean-up', 'metrics collection']
    assert log_of(zona)[-1]['message'] == 'stopped'

    zona.run('save', '--force')
    wait_until(lambda: Api(zona)('GET', '/readyz')[0] == 200)

    def value(name):
        return Api(zona)('GET', f'/api/v1/tenants/default/settings/{name}')[1]['data']['value']
    # One more than was acknowledged may have been done.
    assert all(value(f'w{i}') - writer.acknowledged in (0, 1) for i, writer in enumerate(writers))
    assert value('slow') == 'of a slow client'
