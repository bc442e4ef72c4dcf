"""Tenants: made, listed, suspended, kept over every death, in both modes; and what goes wrong with one of them."""
import fcntl
import json
import os
import pathlib
import signal

import pytest
import requests

from unix_api import Api

MODES = pytest.mark.parametrize('mode', ['MSSP', 'SINGLE_TENANT'])


def listed(zona):
    return {t['code']: (t['status'], t['connection_status']) for t in zona.run('tenant', 'list', '--json').data}


def choose(zona, mode):
    zona.home.mkdir(exist_ok=True)
    (zona.home / 'zona.toml').write_text(f'[tenancy]\nbuild_type = "{mode}"\n')


# TEN-01, TEN-11, TEN-36
@MODES
def test_tenants_live_over_the_death_of_the_daemon(zona, mode):
    choose(zona, mode)
    assert zona.run('tenant', 'create', 'Acme', '--name', 'Acme Ltd.', '--email', 'ops@acme.example').stdout == 'the tenant acme is active\n'
    zona.run('tenant', 'create', 'globex')
    assert zona.run('tenant', 'suspend', 'globex').stdout == 'the tenant globex is suspended\n'
    expected = {'default': ('active', 'connected'), 'acme': ('active', 'connected'), 'globex': ('suspended', 'disconnected')}
    zona.wait_until(lambda: listed(zona) == expected)
    before = zona.run('tenant', 'show', 'ACME', '--json').data

    os.kill(zona.daemon_pid(), signal.SIGKILL)

    assert listed(zona) == expected
    assert zona.run('tenant', 'show', 'acme', '--json').data == before
    assert (before['id'], before['name'], before['contact_email']) == (2, 'Acme Ltd.', 'ops@acme.example')
    zona.run('tenant', 'activate', 'globex')
    assert listed(zona)['globex'] == ('active', 'connected')
    assert [t['status'] for t in zona.run('tenant', 'states', 'globex', '--json').data] == ['active', 'suspended']
    files = {path.parent.name for path in (zona.home / 'state/tenants').rglob('*.db')}
    assert files == ({'acme', 'globex'} if mode == 'MSSP' else {'tenants'}), 'the default tenant was not used yet'


def test_bad_tenants_are_refused_and_nothing_is_made(zona):
    for code in ('a.b', '../x', 'core', 'ä', '-x', 'a b'):
        refused = zona.run('tenant', 'create', '--', code, check=False)
        assert refused.returncode == 2 and 'tenant' in refused.stderr, refused
    assert zona.run('tenant', 'create', 'a' * 65, check=False).returncode == 2
    zona.run('tenant', 'create', 'acme')
    assert zona.run('tenant', 'create', 'ACME', check=False).returncode == 4
    assert zona.run('tenant', 'show', 'nobody', check=False).returncode == 3
    wrong = zona.run('tenant', 'crate', 'x', check=False)
    assert wrong.returncode == 2 and "did you mean 'create'?" in wrong.stderr
    assert set(listed(zona)) == {'default', 'acme'}


# TEN-01
def test_another_build_type_is_refused_while_supervision_goes_on(zona):
    zona.run('tenant', 'create', 'acme')
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    choose(zona, 'SINGLE_TENANT')

    os.kill(zona.daemon_pid(), signal.SIGKILL)

    refused = zona.run('tenant', 'list', check=False)
    assert refused.returncode == 6 and 'made with build type MSSP' in refused.stderr
    assert zona.process('nap')['status'] == 'online'
    status, answer, _ = Api(zona)('GET', '/readyz')
    assert status == 503 and 'build type' in answer['error']['message']
    choose(zona, 'MSSP')
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    assert set(listed(zona)) == {'default', 'acme'}


# TEN-01, REL-20
@MODES
def test_another_build_type_takes_along_what_tenants_have(zona, mode):
    other = {'MSSP': 'SINGLE_TENANT', 'SINGLE_TENANT': 'MSSP'}[mode]
    choose(zona, mode)
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
        assert Api(zona)('PUT', f'/api/v1/tenants/{code}/settings/theme', {'value': f'of {code}'})[0] == 200
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    backup = zona.outcome('tenant', 'backup', 'acme')['uuid']

    asked = zona.run('store', 'migrate', '--build-type', other)

    assert f'build_type = "{other}"' in asked.stdout and 'is served meanwhile' in asked.stdout
    wrong = zona.run('store', 'migrate', '--build-type', 'BOTH', check=False)
    assert wrong.returncode == 2 and 'SINGLE_TENANT' in wrong.stderr
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    assert set(listed(zona)) == {'default', 'acme', 'globex'}, 'with the former setting all is as before'
    choose(zona, other)
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    zona.wait_until(lambda: set(listed(zona)) == {'default', 'acme', 'globex'})
    for code in ('acme', 'globex'):
        assert Api(zona)('GET', f'/api/v1/tenants/{code}/settings/theme')[1]['data']['value'] == f'of {code}'
    assert zona.process('nap')['status'] == 'online'
    files = {path.parent.name for path in (zona.home / 'state/tenants').rglob('*.db')}
    assert ('tenants' in files) == (other == 'SINGLE_TENANT') and ('acme' in files) == (other == 'MSSP')
    assert Api(zona)('PUT', '/api/v1/tenants/acme/settings/theme', {'value': 'later'})[0] == 200
    zona.run('tenant', 'restore', 'acme', backup, '--replace')
    assert Api(zona)('GET', '/api/v1/tenants/acme/settings/theme')[1]['data']['value'] == 'of acme'
    assert zona.run('store', 'check').returncode == 0
    taken_back = zona.run('store', 'migrate', '--build-type', other)
    assert f'the build type is {other}, and stays' in taken_back.stdout


# TEN-21
def test_without_the_core_database_supervision_goes_on_and_the_api_says_why(zona):
    zona.run('tenant', 'create', 'acme')
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    zona.kill_keeper_and_daemon()
    core = zona.home / 'state/core.db'
    kept = core.read_bytes(), pathlib.Path(f'{core}-wal').read_bytes()
    core.write_bytes(b'x' * 100_000)
    pathlib.Path(f'{core}-wal').unlink()

    refused = zona.run('tenant', 'list', check=False)

    assert refused.returncode == 6 and 'core database cannot be used' in refused.stderr
    assert zona.process('nap')['status'] == 'online'
    assert Api(zona)('GET', '/readyz')[0] == 503 and Api(zona)('GET', '/livez')[0] == 200
    assert core.read_bytes() == b'x' * 100_000, 'what is damaged is left for a person'
    zona.kill_keeper_and_daemon()
    core.write_bytes(kept[0])
    pathlib.Path(f'{core}-wal').write_bytes(kept[1])
    assert set(listed(zona)) == {'default', 'acme'}


# TEN-21, TEN-26
def test_a_core_database_that_somebody_holds_is_opened_when_it_is_free(zona):
    zona.run('tenant', 'create', 'acme')
    zona.kill_keeper_and_daemon()
    with open(zona.home / 'state/core.db', 'r+b') as core:
        fcntl.lockf(core, fcntl.LOCK_EX, 512, 0x40000000)   # where SQLite takes its locks
        refused = zona.run('tenant', 'list', check=False)
        assert refused.returncode == 6 and 'locked' in refused.stderr, refused
        assert Api(zona)('GET', '/readyz')[0] == 503

    zona.wait_until(lambda: Api(zona)('GET', '/readyz')[0] == 200)
    assert set(listed(zona)) == {'default', 'acme'}


# SEC-03, SEC-04
@MODES
def test_nothing_of_a_tenant_lies_in_clear(zona, mode):
    choose(zona, mode)
    secret = 'Hidden-4f1c@acme.example'
    zona.run('tenant', 'create', 'acme', '--name', 'Name-93ab', '--email', secret)

    def in_clear():
        files = [path for path in zona.home.rglob('*') if path.is_file()]
        assert len(files) > 8
        return [path for path in files if any(word in path.read_bytes() for word in (secret.encode(), b'Name-93ab'))]

    assert in_clear() == []
    zona.run('kill')
    assert in_clear() == []
    assert zona.run('tenant', 'show', 'acme', '--json').data['contact_email'] == secret


# SEC-07
def test_without_the_root_key_nothing_opens_and_none_is_made(zona):
    zona.run('tenant', 'create', 'acme')
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    key = zona.home / 'root-key'
    away = zona.folder / 'away'
    for other in (None, (key.read_text()[:-6] + 'AAAAA\n')):
        zona.kill_keeper_and_daemon()
        key.rename(away)
        if other:
            key.write_text(other)
            key.chmod(0o600)
        refused = zona.run('tenant', 'list', check=False)
        assert refused.returncode == 6 and 'root-key' in refused.stderr, refused
        assert zona.process('nap')['status'] == 'online'
        assert Api(zona)('GET', '/readyz')[0] == 503
        assert key.exists() == (other is not None)
        zona.kill_keeper_and_daemon()
        away.rename(key)
        assert set(listed(zona)) == {'default', 'acme'}


# TEN-17, TEN-26, TEN-47, REL-24
def test_a_tenant_whose_database_is_gone_is_told_and_comes_back(zona):
    def health():
        told = Api(zona)('GET', '/api/v1/health')[1]['data']
        return told['status'], Api(zona)('GET', '/readyz')[1]['data']['status'], [tenant['code'] for tenant in told['tenants_failed']]

    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
    zona.kill_keeper_and_daemon()
    folder = zona.home / 'state/tenants/acme'
    folder.rename(folder.with_suffix('.away'))
    folder.write_text('no directory')

    zona.wait_until(lambda: listed(zona)['acme'][1] == 'error')
    assert listed(zona)['globex'] == ('active', 'connected')
    assert health() == ('degraded', 'degraded', ['acme'])

    folder.unlink()
    folder.with_suffix('.away').rename(folder)
    zona.wait_until(lambda: listed(zona)['acme'][1] == 'connected')
    assert health() == ('ready', 'ready', [])


# ORCH-61
def test_the_first_interface_lists_tenants_without_passwords(open_zona):
    zona = open_zona()
    zona.run('tenant', 'create', 'acme')
    assert requests.get(zona.url + '/tenant/list', timeout=20).status_code == 401
    answer = requests.get(zona.url + '/tenant/list', headers={'X-API-Key': zona.key}, timeout=20).json()
    assert [(t['id'], t['tenantcode'], t['db_password']) for t in answer] == [(1, 'default', ''), (2, 'acme', '')]
    assert set(answer[0]) == {'id', 'name', 'tenantcode', 'status', 'db_host', 'db_username', 'db_password', 'db_name', 'connection_status'}


# SEC-21
def test_a_viewer_changes_no_tenant(open_zona):
    zona = open_zona()
    viewer = {'X-API-Key': zona.run('key', 'create', 'wall').stdout.strip()}
    url = zona.url + '/api/v1/tenants'
    assert requests.post(url, json={'code': 'acme'}, headers=viewer, timeout=20).status_code == 403
    assert requests.put(url + '/default/status', json={'status': 'inactive'}, headers=viewer, timeout=20).status_code == 403
    assert [t['code'] for t in requests.get(url, headers=viewer, timeout=20).json()['data']] == ['default']
