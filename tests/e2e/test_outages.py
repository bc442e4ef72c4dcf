"""Outages of what tenants' data lies on (docs/outages.md): who notices, what goes on, how it ends."""
import concurrent.futures
import json
import os
import signal

import pytest
import requests
from small_disk import Disk


@pytest.fixture
def disk(zona):
    made = Disk(zona, '32m')
    yield made
    made.run('kill')
    made.close()


def put(disk, key, size=10):
    """Sets one of acme's settings; the answer's status and body."""
    done = disk.do('curl', '-sS', '-w', '\n%{http_code}', '--unix-socket', f'{disk.path}/home/api.sock', '-X', 'PUT',
                   '-H', 'Content-Type: application/json', '-d', json.dumps({'value': 'x' * size}),
                   f'http://localhost/api/v1/tenants/acme/settings/{key}')
    body, _, status = done.stdout.rpartition('\n')
    return int(status), json.loads(body)


def keys(disk):
    done = disk.do('curl', '-sS', '--unix-socket', f'{disk.path}/home/api.sock', 'http://localhost/api/v1/tenants/acme/settings')
    return [setting['key'] for setting in json.loads(done.stdout)['data']]


# REL-16
def test_on_a_full_disk_tenants_read_and_write_again_when_there_is_room(disk):
    assert disk.run('tenant', 'create', 'acme').returncode == 0
    assert put(disk, 'before')[0] == 200
    disk.do('dd', 'if=/dev/zero', f'of={disk.path}/fill', 'bs=1k')

    stored = []
    for number in range(100):   # what the files have room for is taken
        status, body = put(disk, f'k{number:03}', 50_000)
        if status != 200:
            break
        stored.append(f'k{number:03}')
    assert status == 507 and body['error']['code'] == 'RESOURCE_EXHAUSTED', (status, body)
    assert keys(disk) == ['before', *stored][:20]

    disk.do('rm', f'{disk.path}/fill')
    assert put(disk, 'after')[0] == 200
    assert keys(disk)[:2] == ['after', 'before']


# REL-24, REL-13(part)
def test_one_tenants_outage_is_no_error_of_another(open_zona):
    zona = open_zona()
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
    (zona.home / 'state/tenants/acme/data.db').write_bytes(b'x' * 100_000)
    (zona.home / 'state/tenants/acme/data.db-wal').unlink(missing_ok=True)
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    zona.run('tenant', 'list')
    key = {'X-API-Key': (zona.home / 'api-key').read_text().strip()}

    def ask(number):
        code = ('acme', 'globex')[number % 2]
        answer = requests.put(f'{zona.url}/api/v1/tenants/{code}/settings/k{number}', json={'value': number}, headers=key, timeout=30)
        return code, answer.status_code

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(200)))

    assert {status for code, status in answers if code == 'globex'} == {200}
    assert 200 not in {status for code, status in answers if code == 'acme'}
