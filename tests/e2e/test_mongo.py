"""Tenants whose databases are in MongoDB, by the command and over HTTP, against FerretDB: made there, moved there and back, all of them at once,
and the server gone and back."""
import os
import re
import signal

import pytest
import requests


@pytest.fixture
def zona(open_zona):
    zona = open_zona(ZONA_MONGO_CONNECT_TIMEOUT='1s', ZONA_MONGO_SELECTION_TIMEOUT='1s', ZONA_JOBS_POOL_HEALTH_INTERVAL='1s')
    zona.keys = {}
    return zona


def create(zona, code, *options):
    zona.run('tenant', 'create', code, *options)
    zona.keys[code] = zona.run('key', 'create', code, '--tenant', code, '--scope', 'admin').stdout.strip()


def ask(zona, tenant, method, key='', **options):
    return requests.request(method, f'{zona.url}/api/v1/tenants/{tenant}/settings{key}', headers={'X-API-Key': zona.keys[tenant]}, timeout=30, **options)


def put(zona, tenant, key, value):
    return ask(zona, tenant, 'PUT', f'/{key}', json={'value': value})


def values(zona, tenant):
    return {s['key']: (s['value'], s['version']) for s in ask(zona, tenant, 'GET', params={'limit': 100}).json()['data']}


def show(zona, tenant):
    return zona.run('tenant', 'show', tenant, '--json').data


# TEN-40
def test_a_tenant_in_mongodb_over_its_storage_quota_does_not_grow(zona, mongo):
    def used():
        return show(zona, 'acme')['storage']

    create(zona, 'acme', '--db-host', mongo.uri)
    assert used() == {'documents': 0, 'used_bytes': 0, 'quota_bytes': 0}
    zona.run('tenant', 'update', 'acme', '--storage-bytes', '8000')
    assert put(zona, 'acme', 'a', 'x' * 5000).status_code == 200
    before = used()
    assert before['documents'] == 1 and 5128 < before['used_bytes'] < 5300 and before['quota_bytes'] == 8000
    assert put(zona, 'acme', 'b', 'x' * 5000).status_code == 507 and used() == before
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    assert put(zona, 'acme', 'b', 'x' * 5000).status_code == 507 and used() == before
    assert put(zona, 'acme', 'a', 'x').status_code == 200   # it shrinks
    assert put(zona, 'acme', 'b', 'x' * 5000).status_code == 200 and used()['documents'] == 2


# TEN-17, TEN-26, TEN-37, SEC-03, SEC-07
def test_a_tenant_gets_another_login_without_a_restart_if_the_server_takes_it(zona, guarded):
    def files(password):
        return ['--db-password-file', str(zona.write('password', password + '\n', 0o600))]

    def patch(tenant='acme', **body):
        return requests.patch(f'{zona.url}/api/v1/tenants/{tenant}', headers={'X-API-Key': zona.key}, json=body, timeout=30)
    create(zona, 'acme', '--db-host', guarded.uri, '--db-username', 'first', *files('s3cret-one'))
    assert put(zona, 'acme', 'theme', 'dark').status_code == 200
    pid, before = zona.daemon_pid(), show(zona, 'acme')

    refused = zona.run('tenant', 'update', 'acme', '--name', 'Acme', '--db-username', 'second', *files('s3cret-two'), check=False)
    assert refused.returncode == 5 and 'acme stays as it was' in refused.stderr and 's3cret' not in refused.stderr, refused
    answer = patch(db_password='s3cret-none')
    assert answer.status_code == 401 and answer.json()['error']['code'] == 'UNAUTHENTICATED' and 's3cret' not in answer.text, answer.text
    assert answer.json()['error']['details'][0]['where'] == 'db_username'
    assert {**show(zona, 'acme'), 'storage': None} == {**before, 'storage': None} and put(zona, 'acme', 'theme', 'light').status_code == 200

    guarded.know_only(('second', 's3cret-two'))
    zona.wait_until(lambda: show(zona, 'acme')['connection_status'] != 'connected')
    told = zona.run('tenant', 'update', 'acme', '--db-username', 'second', *files('s3cret-two'))
    assert 's3cret' not in told.stdout + told.stderr
    assert (show(zona, 'acme')['connection_status'], show(zona, 'acme')['db_username']) == ('connected', 'second')
    assert values(zona, 'acme')['theme'][0] == 'light' and zona.daemon_pid() == pid

    guarded.know_only(('second', 's3cret-three'))
    told = patch(db_password='s3cret-three', name='Acme')
    assert told.status_code == 200 and 'password' not in told.text and told.json()['data']['name'] == 'Acme', told.text
    assert put(zona, 'acme', 'theme', 'grey').status_code == 200
    zona.run('tenant', 'update', 'acme', '--db-password-file', '-', input='s3cret-three')
    assert zona.daemon_pid() == pid
    os.kill(pid, signal.SIGKILL)
    assert values(zona, 'acme')['theme'][0] == 'grey'
    assert 's3cret' not in zona.run('tenant', 'states', 'acme', '--json').stdout
    assert [f for f in (*zona.home.glob('logs/*'), *zona.home.glob('state/**/*')) if f.is_file() and b's3cret' in f.read_bytes()] == []


# TEN-17
def test_a_login_belongs_to_a_database_in_mongodb_and_is_no_other_place(zona, mongo):
    create(zona, 'file')
    create(zona, 'acme', '--db-host', mongo.uri)
    refused = zona.run('tenant', 'update', 'file', '--db-username', 'me', check=False)
    assert refused.returncode == 2 and 'zona tenant move file --to' in refused.stderr, refused
    for field in ('db_host', 'db_name'):
        answer = requests.patch(f'{zona.url}/api/v1/tenants/acme', headers={'X-API-Key': zona.key}, json={field: 'x'}, timeout=30)
        assert answer.status_code == 400 and '/moves' in answer.json()['error']['details'][0]['hint'], answer.text
    mongo.kill()
    away = zona.run('tenant', 'update', 'acme', '--db-username', 'me', check=False)
    assert away.returncode == 6 and 'acme stays as it was' in away.stderr, away
    assert show(zona, 'acme')['db_username'] == ''


# TEN-02, TEN-30
def test_a_tenant_made_in_mongodb_keeps_its_documents_over_deaths_and_is_backed_up(zona, mongo):
    create(zona, 'acme', '--db-host', mongo.uri, '--db-name', 'acme_data')
    create(zona, 'file')
    assert show(zona, 'acme')['db_host'] == mongo.uri and show(zona, 'acme')['connection_status'] == 'connected'
    assert 'acme_data' in mongo.databases() and not (zona.home / 'state/tenants/acme').exists()
    assert put(zona, 'acme', 'theme', {'name': 'dark', '$ne': [1.5, None]}).status_code == 200
    assert put(zona, 'file', 'theme', 'light').status_code == 200
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    assert values(zona, 'acme') == {'theme': ({'name': 'dark', '$ne': [1.5, None]}, 1)}
    assert values(zona, 'file') == {'theme': ('light', 1)}

    backup = zona.outcome('tenant', 'backup', 'acme')
    assert backup['documents'] >= 1 and backup['content'] == 'documents'
    assert put(zona, 'acme', 'theme', 'changed').status_code == 200
    zona.outcome('tenant', 'restore', 'acme', backup['uuid'], '--replace')
    assert values(zona, 'acme') == {'theme': ({'name': 'dark', '$ne': [1.5, None]}, 1)}

    taken = zona.run('tenant', 'create', 'thief', '--db-host', mongo.uri, '--db-name', 'acme_data', check=False)
    assert taken.returncode == 4 and 'acme' in taken.stderr, taken
    zona.write('password', 's3cret-of-acme\n', 0o600)
    for code, file, stdin in (('one', zona.folder / 'password', None), ('two', '-', 's3cret-of-acme')):
        told = zona.run('tenant', 'create', code, '--db-host', mongo.uri, '--db-username', 'me', '--db-password-file', file, input=stdin, check=False)
        assert 's3cret' not in told.stdout + told.stderr + zona.run('tenant', 'show', code).stdout, told
    listed = requests.get(f'{zona.url}/tenant/list', headers={'X-API-Key': zona.key}, timeout=10).json()
    assert {t['tenantcode']: t['db_password'] for t in listed} == {'default': '', 'acme': '', 'file': '', 'one': '***', 'two': '***'}
    shown = zona.run('tenant', 'create', 'own', '--db-host', 'mongodb://me:s3cret@localhost/', check=False)
    assert shown.returncode == 2 and 's3cret' not in shown.stderr + shown.stdout, shown


# TEN-12, TEN-30
def test_a_tenant_goes_to_mongodb_and_back(zona, mongo):
    create(zona, 'acme')
    for number in range(20):
        assert put(zona, 'acme', f'key{number}', number).status_code == 200
    put(zona, 'acme', 'key3', 'again')
    before = values(zona, 'acme')

    sums = zona.outcome('tenant', 'move', 'acme', '--to', mongo.uri, '--db-name', 'moved')['collections']
    assert {s['name']: s['documents'] for s in sums}['tenant_settings'] == 20
    assert values(zona, 'acme') == before
    assert not list((zona.home / 'state/tenants').glob('acme/**/data.db'))
    assert put(zona, 'acme', 'later', 1).status_code == 200
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    assert zona.run('tenant', 'move', 'acme', '--to', mongo.uri, '--db-name', 'moved', check=False).returncode == 4
    again = zona.outcome('tenant', 'move', 'acme', '--to', 'embedded')['collections']
    assert [s for s in again if s['documents']] != [s for s in sums if s['documents']], 'one more'
    assert values(zona, 'acme') == {**before, 'later': (1, 1)}
    assert show(zona, 'acme')['db_host'] == 'embedded'
    assert zona.run('store', 'check').returncode == 0

    refused = zona.run('tenant', 'move', 'acme', '--to', 'postgres://localhost/', check=False)
    assert refused.returncode == 2 and 'mongodb://' in refused.stderr, refused
    for words in (['tenant', 'list', '--to', 'embedded'], ['tenant', 'show', 'acme', '--db-name', 'x'], ['store', 'check', '--to', 'embedded'],
                  ['tenant', 'move', 'acme', '--to', mongo.uri, '--db-password-file', str(zona.folder / 'missing')]):
        assert zona.run(*words, check=False).returncode in (2, 3), words


# TEN-02, TEN-12
def test_all_tenants_go_to_mongodb_and_back(zona, mongo):
    for code in ('acme', 'globex'):
        create(zona, code)
        assert put(zona, code, 'theme', f'of {code}').status_code == 200

    moved = zona.outcome('store', 'migrate', '--to', mongo.uri)
    assert {m['tenant']: m['documents'] for m in moved['moved']}.keys() == {'default', 'acme', 'globex'} and moved['findings'] == []
    assert {'zona_acme', 'zona_globex', 'zona_default'} <= mongo.databases()
    assert values(zona, 'acme') == {'theme': ('of acme', 1)} and values(zona, 'globex') == {'theme': ('of globex', 1)}
    assert zona.outcome('store', 'migrate', '--to', mongo.uri)['there'] == 3
    mongo.kill()
    failed = zona.run('store', 'migrate', '--to', 'embedded', check=False)
    assert failed.returncode == 4 and 'acme' in failed.stdout, failed
    mongo.start()
    zona.wait_until(lambda: ask(zona, 'acme', 'GET').status_code == 200)
    told = zona.run('store', 'migrate', '--to', 'embedded').stdout
    assert re.search(r'acme, \d+ documents', told), told   # its setting, and its record
    assert values(zona, 'acme') == {'theme': ('of acme', 1)} and values(zona, 'globex') == {'theme': ('of globex', 1)}


# REL-24, TEN-26, TEN-47
def test_a_server_that_goes_takes_its_tenants_alone_and_they_come_back_with_it(zona, mongo):
    create(zona, 'acme', '--db-host', mongo.uri)
    create(zona, 'file')
    assert put(zona, 'acme', 'theme', 'dark').status_code == 200
    mongo.kill()

    def readiness():
        return requests.get(f'{zona.url}/readyz', timeout=10)
    assert ask(zona, 'acme', 'GET', '/unread').status_code in (500, 503)
    zona.wait_until(lambda: readiness().json()['data']['status'] == 'degraded')
    assert readiness().status_code == 200
    assert put(zona, 'file', 'theme', 'light').status_code == 200 and values(zona, 'file') == {'theme': ('light', 1)}
    pid = zona.daemon_pid()

    mongo.start()
    zona.wait_until(lambda: ask(zona, 'acme', 'GET', '/unread').status_code == 404, timeout=30)
    assert values(zona, 'acme') == {'theme': ('dark', 1)}
    assert zona.daemon_pid() == pid
    zona.wait_until(lambda: readiness().json()['data']['status'] == 'ready')


# PERF-18, PERF-26
def test_new_tenants_are_placed_by_the_first_character_of_their_code(new_zona, mongo):
    zona = new_zona(env={'ZONA_TENANCY_PLACEMENT': f'A-M: {mongo.uri}; other: embedded'})
    zona.run('tenant', 'create', 'acme')
    zona.run('tenant', 'create', 'zorg')
    assert [show(zona, code)['db_host'] for code in ('acme', 'zorg', 'default')] == [mongo.uri, 'embedded', 'embedded']
    assert [m['tenant'] for m in zona.outcome('store', 'migrate')['moved']] == ['default']
    zona.run('kill')
    zona.env['ZONA_TENANCY_PLACEMENT'] = 'A-M: embedded; L-Z: embedded; 0-9: embedded'
    refused = zona.run('tenant', 'list', check=False)
    assert refused.returncode != 0 and "'l'" in refused.stderr and 'tenancy.placement' in refused.stderr, refused


# REL-07
def test_the_one_database_of_all_goes_to_mongodb_by_backups(open_zona, mongo):
    zona = open_zona(ZONA_TENANCY_BUILD_TYPE='SINGLE_TENANT')
    zona.keys = {}
    for code in ('acme', 'globex'):
        create(zona, code)
        assert put(zona, code, 'theme', f'of {code}').status_code == 200
    refused = zona.run('store', 'migrate', '--to', mongo.uri, check=False)
    assert 'mongo.uri' in refused.stderr and 'zona tenant backup' in refused.stderr
    backups = {code: zona.outcome('tenant', 'backup', code)['uuid'] for code in ('default', 'acme', 'globex')}

    zona.run('kill')
    zona.env['ZONA_MONGO_URI'] = mongo.uri
    for code, backup in backups.items():
        zona.outcome('tenant', 'restore', code, backup, '--replace')

    zona.url = f"http://{zona.ping()['network']['address']}"
    for code in ('acme', 'globex'):
        assert {key: value for key, (value, _) in values(zona, code).items()} == {'theme': f'of {code}'}
    assert mongo.databases()


# REL-07, TEN-41
@pytest.mark.parametrize('moment', [False, True], ids=['as-backed-up', 'at-a-moment'])
@pytest.mark.parametrize('mode', ['MSSP', 'SINGLE_TENANT'])
def test_a_whole_restore_says_who_is_in_mongodb_and_what_restores_it(open_zona, mongo, tmp_path, mode, moment):
    shared = {'ZONA_MONGO_URI': mongo.uri} if mode == 'SINGLE_TENANT' else {}
    zona = open_zona(ZONA_TENANCY_BUILD_TYPE=mode, **shared)
    zona.keys = {}
    create(zona, 'acme', *(['--db-host', mongo.uri, '--db-name', 'acme_data'] if mode == 'MSSP' else []))
    assert put(zona, 'acme', 'theme', 'dark').status_code == 200
    zona.run('backup', 'create')
    whole = zona.run('backup', 'list', '--json').data[0]
    assert put(zona, 'acme', 'theme', 'light').status_code == 200
    at = []
    if moment:
        zona.run('job', 'run', 'backup-log')
        zona.wait_until(lambda: zona.run('backup', 'list', '--json').data[0]['restorable_until'] > whole['restorable_until'])
        at = ['--at', zona.run('backup', 'list', '--json').data[0]['restorable_until']]
    fresh = tmp_path / 'fresh'

    restored = zona.run('backup', 'restore', whole['uuid'], '--to', str(fresh), *at, check=False)

    assert restored.returncode == 4 and 'acme: not restored: ' in restored.stdout and 'in MongoDB' in restored.stdout, restored
    assert f"{1 if mode == 'MSSP' else 0} tenants " in restored.stdout, restored
    said = [line.split('try: zona ')[1].split() for line in restored.stdout.splitlines() if ' tenant restore acme ' in line]
    assert len(said) == 1 and said[0][:2] == ['--home', str(fresh)], restored
    assert values(zona, 'acme')['theme'][0] == 'light', 'a restore elsewhere has changed it'
    checked = zona.run('backup', 'check', whole['uuid'], *at)
    assert ('acme: as it was at the backup: ' in checked.stdout) == moment, checked
    zona.outcome(*said[0][2:])
    assert values(zona, 'acme')['theme'][0] == 'dark'
