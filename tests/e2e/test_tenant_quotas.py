"""Quotas of tenants: a noisy one waits and is refused, its neighbours are not."""
import concurrent.futures
import os
import signal

import pytest
import requests


@pytest.fixture
def zona(open_zona):
    zona = open_zona()
    zona.keys = {}
    for code in ('noisy', 'quiet'):
        zona.run('tenant', 'create', code)
        zona.keys[code] = zona.run('key', 'create', code, '--tenant', code).stdout.strip()
    return zona


def ask(zona, code):
    return requests.get(f'{zona.url}/api/v1/tenants/{code}', headers={'X-API-Key': zona.keys[code]}, timeout=30)


def at_once(zona, code, count):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: ask(zona, code), range(count)))


def outcomes(zona, code):
    text = requests.get(f'{zona.url}/metrics', headers={'X-API-Key': (zona.home / 'api-key').read_text().strip()}, timeout=20).text
    found = {}
    for line in text.splitlines():
        if line.startswith('zona_tenant_requests_total{') and f'tenant="{code}"' in line:
            found[line.split('outcome="')[1].split('"')[0]] = float(line.rsplit(' ', 1)[1])
    return found


# TEN-40
def test_a_noisy_tenant_is_paced_then_refused_and_its_neighbour_is_not(zona):
    shown = zona.run('tenant', 'update', 'noisy', '--requests-per-second', '1', '--json').data
    assert shown['quotas'] == {'requests_per_second': 1}
    answers = at_once(zona, 'noisy', 12)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused and {answer.status_code for answer in answers} == {200, 429}
    assert refused[0].headers['Retry-After'] == '1'
    error = refused[0].json()['error']
    assert error['code'] == 'TOO_MANY_REQUESTS' and "'noisy'" in error['message'] and '1 a second' in error['message']
    assert outcomes(zona, 'noisy') == {'admitted': 1, 'waited': 11 - len(refused), 'refused': len(refused)}

    assert {answer.status_code for answer in at_once(zona, 'quiet', 12)} == {200}
    assert outcomes(zona, 'quiet') == {'admitted': 12, 'waited': 0, 'refused': 0}


# TEN-40, TEN-38
def test_a_quota_outlives_the_daemon_and_can_be_taken_back(zona):
    zona.run('tenant', 'update', 'noisy', '--requests-per-second', '1', '--concurrent-requests', '3')
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    assert 429 in {answer.status_code for answer in at_once(zona, 'noisy', 12)}
    zona.run('tenant', 'update', 'noisy', '--requests-per-second', 'default')
    assert zona.run('tenant', 'show', 'noisy', '--json').data['quotas'] == {'concurrent_requests': 3}
    assert {answer.status_code for answer in at_once(zona, 'noisy', 12)} == {200}
    assert [state['quotas'] for state in zona.run('tenant', 'states', 'noisy', '--json').data] == [
        {}, {'requests_per_second': 1, 'concurrent_requests': 3}]


# TEN-40
def test_a_tenant_over_its_storage_quota_reads_and_removes_but_does_not_grow(zona):
    def put(key, size):
        return requests.put(f'{zona.url}/api/v1/tenants/noisy/settings/{key}', json={'value': 'x' * size},
                            headers={'X-API-Key': (zona.home / 'api-key').read_text().strip()}, timeout=30)

    def used():
        return zona.run('tenant', 'show', 'noisy', '--json').data['storage']

    assert used() == {'documents': 0, 'used_bytes': 0, 'quota_bytes': 0}
    assert put('a', 5000).status_code == 200
    zona.run('tenant', 'update', 'noisy', '--storage-bytes', '8000')
    before = used()
    assert before['documents'] == 1 and 5128 < before['used_bytes'] < 5300 and before['quota_bytes'] == 8000

    refused = put('b', 5000)
    assert refused.status_code == 507
    error = refused.json()['error']
    assert error['code'] == 'RESOURCE_EXHAUSTED' and '8000 bytes' in error['message'] and str(before['used_bytes']) in error['message']
    assert used() == before
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    assert put('b', 5000).status_code == 507 and used() == before
    assert put('c', 100).status_code == 200
    assert put('a', 10).status_code == 200   # it shrinks
    assert put('b', 5000).status_code == 200
    assert 'bytes of 8000, 3 documents' in zona.run('tenant', 'show', 'noisy').stdout
    zona.run('tenant', 'update', 'noisy', '--storage-bytes', '1')
    assert put('d', 1).status_code == 507
    assert requests.delete(f'{zona.url}/api/v1/tenants/noisy/settings/b', timeout=30,
                           headers={'X-API-Key': (zona.home / 'api-key').read_text().strip()}).status_code == 200
    zona.run('tenant', 'update', 'noisy', '--storage-bytes', 'default')
    assert put('d', 1).status_code == 200


def test_a_quota_that_is_no_number_is_refused_and_nothing_changes(zona):
    for wrong in ('-1', 'many', '1.5', '1000001'):
        refused = zona.run('tenant', 'update', 'noisy', f'--requests-per-second={wrong}', check=False)
        assert refused.returncode == 2 and 'requests_per_second' in refused.stderr, refused
    assert zona.run('tenant', 'update', 'noisy', check=False).returncode == 2
    assert zona.run('tenant', 'show', 'noisy', '--json').data['quotas'] == {}
