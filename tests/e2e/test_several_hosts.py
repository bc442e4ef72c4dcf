"""Two zonas with one core database in MongoDB, as two hosts have it: what one does is so on the other, their jobs, their keys, and the database
gone and back."""
import concurrent.futures
import os
import signal

import pytest
import requests

from unix_api import Api


@pytest.fixture
def hosts(open_zona, mongo, tmp_path):
    def make(**env):
        zona = open_zona(ZONA_TENANCY_CORE_HOST=mongo.uri, ZONA_TENANCY_ROOT_KEY_FILE=str(tmp_path / 'root-key'), ZONA_MONGO_CONNECT_TIMEOUT='1s',
                         ZONA_MONGO_SELECTION_TIMEOUT='1s', **env)
        zona.keys = {}
        zona.wait_until(lambda: is_ready(zona), timeout=30)
        return zona
    return make


def is_ready(zona):
    return Api(zona)('GET', '/readyz')[0] == 200


def key_for(zona, code):
    zona.keys[code] = zona.run('key', 'create', code, '--tenant', code, '--scope', 'admin').stdout.strip()


def ask(zona, tenant, method, key='', **options):
    return requests.request(method, f'{zona.url}/api/v1/tenants/{tenant}/settings{key}', headers={'X-API-Key': zona.keys[tenant]}, timeout=30, **options)


def put(zona, tenant, key, value):
    return ask(zona, tenant, 'PUT', f'/{key}', json={'value': value})


def value(zona, tenant, key):
    return ask(zona, tenant, 'GET', f'/{key}').json()['data']['value']


# TEN-06, TEN-36, DATA-26
def test_what_one_host_does_to_a_tenant_is_so_on_the_other_within_seconds(hosts):
    one, other = hosts(), hosts()
    one.run('tenant', 'create', 'acme')
    key_for(one, 'acme')
    other.keys = one.keys
    other.wait_until(lambda: put(other, 'acme', 'theme', 'dark').status_code == 200)
    assert value(one, 'acme', 'theme') == 'dark'
    assert not (one.home / 'state/core.db').exists() and not (one.home / 'state/keys.json').exists()

    one.run('tenant', 'suspend', 'acme')
    other.wait_until(lambda: ask(other, 'acme', 'GET').status_code == 403)
    other.run('tenant', 'activate', 'acme')
    one.wait_until(lambda: value(one, 'acme', 'theme') == 'dark')

    # One after the other: FerretDB, unlike MongoDB, has no conditional update that is atomic, and would refuse one of two.
    numbers = [zona.run('tenant', 'create', f'{name}{i}', '--json').data['id'] for i in range(4) for name, zona in (('a', one), ('b', other))]
    assert len(set(numbers)) == 8, numbers
    refused = one.run('tenant', 'create', 'file', '--db-host', 'embedded', check=False)
    assert refused.returncode == 2 and 'one host' in refused.stderr, refused
    refused = one.run('tenant', 'move', 'acme', '--to', 'embedded', check=False)
    assert refused.returncode != 0, refused


# AUTH-28, SEC-15
def test_an_api_key_is_one_on_all_hosts_and_ends_on_all(hosts):
    one, other = hosts(), hosts()

    def status(zona, key):
        return requests.get(f'{zona.url}/api/v1/ping', headers={'X-API-Key': key}, timeout=30).status_code
    for zona in (one, other):
        zona.wait_until(lambda zona=zona: status(zona, one.key) == status(zona, other.key) == 200)
    key = one.run('key', 'create', 'ci').stdout.strip()
    other.wait_until(lambda: status(other, key) == 200)
    other.run('key', 'revoke', 'ci')
    assert status(other, key) == 401
    one.wait_until(lambda: status(one, key) == 401)
    assert [k['name'] for k in one.run('key', 'list', '--json').data] == ['default', 'default-2']
    # What one counts the other shows once it is written down.
    one.run('kill')
    assert {k['name']: k['requests'] > 0 for k in other.run('key', 'list', '--json').data} == {'default': True, 'default-2': True}


# SEC-06, SEC-07
def test_keys_that_both_hosts_change_at_once_are_all_kept(hosts, mongo):
    one, other = hosts(), hosts()
    one.write('password', 's3cret-of-acme\n', 0o600)
    one.run('tenant', 'create', 'acme', '--db-host', mongo.uri, '--db-username', 'me', '--db-password-file', one.folder / 'password', check=False)
    for _ in range(3):
        with concurrent.futures.ThreadPoolExecutor() as both:
            for rotated in [both.submit(zona.run, 'vault', 'rotate', '--all', '--json') for zona in (one, other)]:
                assert rotated.result().data['status'] == 'success', rotated.result()
        # Passwords are opened to be listed.
        for zona in (one, other):
            assert {t['code'] for t in zona.run('tenant', 'list', '--json').data} == {'default', 'acme'}
    for zona in (one, other):
        zona.kill_keeper_and_daemon()
        zona.wait_until(lambda zona=zona: zona.run('tenant', 'show', 'acme', check=False).returncode == 0, timeout=30)


# SEC-07
def test_a_host_without_the_root_key_of_the_others_says_so(hosts, new_zona, mongo):
    hosts()
    stranger = new_zona(env={'ZONA_TENANCY_CORE_HOST': mongo.uri})
    refused = stranger.run('tenant', 'list', check=False)
    assert refused.returncode != 0 and 'root key' in refused.stderr, refused


def job(zona, name):
    return zona.run('job', 'show', name, '--json').data


# BG-12
def test_a_singleton_job_goes_on_with_the_other_host_when_one_is_killed_in_it(hosts):
    one, other = hosts(), hosts()
    for code in 'abcdef':
        one.run('tenant', 'create', code)

    def catch_it_at_work():
        begun = one.run('job', 'run', 'key-rotation', '--json').data['number']
        os.kill(daemon, signal.SIGSTOP)
        if job(other, 'key-rotation')['running']:
            return begun
        os.kill(daemon, signal.SIGCONT)
        return None
    keeper, daemon = one.keeper_pid(), one.daemon_pid()
    begun = one.wait_until(catch_it_at_work)
    refused = other.run('job', 'run', 'key-rotation', check=False)
    assert refused.returncode == 4, refused

    for pid in (keeper, daemon):
        os.kill(pid, signal.SIGKILL)

    # A lease that the dead one held is free after 30 s without a beat.
    other.wait_until(lambda: job(other, 'key-rotation')['last_run']['number'] > begun and not job(other, 'key-rotation')['running'], timeout=90)
    runs = {r['number']: r for r in other.run('job', 'history', 'key-rotation', '--json').data}
    assert runs[begun]['outcome'] == 'interrupted', runs
    last = runs[max(runs)]
    assert (last['outcome'], last['instance']) == ('succeeded', (other.home / 'state/instance').read_text()), last
    assert {t['code'] for t in other.run('tenant', 'list', '--json').data} == {'default', *'abcdef'}


# TEN-21, TEN-26, REL-24
def test_without_the_core_database_supervision_goes_on_and_it_is_opened_when_it_is_back(hosts, mongo):
    zona = hosts()
    zona.keys['default'] = zona.key
    assert put(zona, 'default', 'theme', 'dark').status_code == 200
    mongo.kill()

    zona.wait_until(lambda: not is_ready(zona), timeout=60)
    assert zona.process('nap')['status'] == 'online' and Api(zona)('GET', '/livez')[0] == 200
    assert 'core database' in Api(zona)('GET', '/readyz')[1]['error']['message']
    mongo.start()
    zona.wait_until(lambda: is_ready(zona), timeout=30)
    zona.wait_until(lambda: value(zona, 'default', 'theme') == 'dark', timeout=30)

    mongo.kill()
    zona.kill_keeper_and_daemon()
    assert zona.process('nap')['status'] == 'online'
    assert zona.run('tenant', 'list', check=False).returncode == 6
    assert not is_ready(zona)
    mongo.start()
    zona.wait_until(lambda: is_ready(zona), timeout=30)
    zona.wait_until(lambda: zona.run('tenant', 'list', check=False).returncode == 0)


def listed(zona):
    return [(t['id'], t['code'], t['db_host'], t['created_at']) for t in zona.run('tenant', 'list', '--json').data]


# TEN-36, SEC-07, TEN-41
@pytest.mark.parametrize('killed_at', ['nowhere', 'claimed', 'copied', 'shared', 'aside'])
def test_an_installation_of_one_host_becomes_one_of_several(open_zona, hosts, mongo, tmp_path, killed_at):
    env = {'ZONA_TENANCY_ROOT_KEY_FILE': str(tmp_path / 'root-key'), 'ZONA_MONGO_CONNECT_TIMEOUT': '1s', 'ZONA_MONGO_SELECTION_TIMEOUT': '1s'}
    one = open_zona(**env)
    one.keys = {}
    one.run('tenant', 'create', 'acme', '--name', 'Acme Ltd')
    key_for(one, 'acme')
    assert put(one, 'acme', 'theme', 'dark').status_code == 200
    moved = one.run('store', 'migrate', '--to', mongo.uri, '--json').data
    assert moved['status'] == 'success', moved
    before = listed(one)

    one.kill_keeper_and_daemon()
    one.env['ZONA_TENANCY_CORE_HOST'] = mongo.uri
    if killed_at != 'nowhere':
        fault = one.write('fault', f'tenancy.core_{killed_at}:1\n')
        one.env['ZONA_FAULT_FILE'] = str(fault)
        one.run('list', check=False)
        one.wait_until(lambda: os.path.exists(f'{fault}.hits'))
        fault.write_text('')
    one.wait_until(lambda: one.run('list', check=False).returncode == 0 and is_ready(one), timeout=60)
    one.url = f"http://{one.ping()['network']['address']}"

    assert listed(one) == before and one.process('nap')['status'] == 'online'
    assert value(one, 'acme', 'theme') == 'dark'
    assert {path.name for path in (one.home / 'state').iterdir() if path.name.startswith(('core.db', 'keys.json'))} >= {'core.db.shared', 'keys.json.shared'}
    assert not (one.home / 'state/core.db').exists() and not (one.home / 'state/keys.json').exists()
    other = hosts()
    other.keys = one.keys   # they came along
    assert listed(other) == before
    assert put(other, 'acme', 'theme', 'light').status_code == 200 and value(one, 'acme', 'theme') == 'light'


# TEN-21
def test_a_setting_that_does_not_fit_the_home_or_the_others_is_refused(new_zona, mongo):
    zona = new_zona()
    zona.run('tenant', 'create', 'acme')
    zona.run('kill')
    zona.env['ZONA_TENANCY_CORE_HOST'] = mongo.uri
    refused = zona.run('tenant', 'list', check=False)
    assert refused.returncode != 0 and 'default, acme' in refused.stderr and 'zona store migrate' in refused.stderr and os.path.exists(zona.home / 'state/core.db'), refused
    zona.run('kill')
    del zona.env['ZONA_TENANCY_CORE_HOST']
    assert {t['code'] for t in zona.run('tenant', 'list', '--json').data} == {'default', 'acme'}
    for env, setting in (({'ZONA_TENANCY_CORE_HOST': 'postgres://x/'}, 'tenancy.core_host'),
                         ({'ZONA_TENANCY_CORE_HOST': mongo.uri, 'ZONA_TENANCY_PLACEMENT': 'A-Z: embedded; other: embedded'}, 'tenancy.placement')):
        refused = new_zona(env=env).run('tenant', 'list', check=False)
        assert refused.returncode != 0 and setting in refused.stderr, refused
