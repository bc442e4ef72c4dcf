"""Keys that are bound to one tenant: what they reach, and that it is nothing else."""
import json
import os
import signal

import pytest
import requests


@pytest.fixture
def zona(open_zona):
    return open_zona()


@pytest.fixture
def acme(zona):
    """The key of an admin who is bound to acme, beside the tenant globex."""
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
    return zona.run('key', 'create', 'acme-ci', '--scope', 'admin', '--tenant', 'ACME').stdout.strip()


def ask(zona, key, method, path, **options):
    return requests.request(method, zona.url + path, headers={'X-API-Key': key}, timeout=20, allow_redirects=False, **options)


# TEN-35
def test_a_tenants_key_learns_nothing_of_other_tenants_and_leaves_a_line(zona, acme):
    other, none = (ask(zona, acme, 'GET', f'/api/v1/tenants/{code}').json()['error'] for code in ('globex', 'nobody'))
    assert other['code'] == none['code'] == 'INVALID_TENANT'
    assert other['message'] == none['message'], 'it must not tell who else is a tenant here'
    lines = [json.loads(line) for line in (zona.home / 'logs/zonad.log').read_text().splitlines()]
    assert any(line.get('path') == '/api/v1/tenants/globex' and line.get('principal') == 'key acme-ci' and line.get('status') == 403
               for line in lines)


# TEN-16
def test_a_tenants_key_opens_no_stream_of_the_installation(zona, acme):
    upgrade = {'Connection': 'Upgrade', 'Upgrade': 'websocket', 'Sec-WebSocket-Version': '13',
               'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==', 'X-API-Key': acme}
    for path in ('/api/v1/stream', '/ws'):
        assert requests.get(zona.url + path, headers=upgrade, timeout=20).status_code == 403, path


def test_a_key_for_a_tenant_that_is_not_there_is_refused(zona):
    refused = zona.run('key', 'create', 'ci', '--tenant', 'nobody', check=False)
    assert refused.returncode == 3 and "no tenant 'nobody'" in refused.stderr
    wrong = zona.run('key', 'create', 'ci', '--tenant', 'a.b', check=False)
    assert wrong.returncode == 2
    assert [key['name'] for key in zona.run('key', 'list', '--json').data] == ['default']


# TEN-35
def test_a_tenants_key_stays_bound_over_rotation_and_the_death_of_the_daemon(zona, acme):
    successor = zona.run('key', 'rotate', 'acme-ci').stdout.strip()
    listed = {key['name']: key['tenant'] for key in zona.run('key', 'list', '--json').data}
    assert listed == {'default': None, 'acme-ci': 'acme'}
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    for key in (acme, successor):
        assert ask(zona, key, 'GET', '/api/v1/tenants/Acme').json()['data']['code'] == 'acme'
        assert ask(zona, key, 'GET', '/api/v1/tenants').status_code == 403
