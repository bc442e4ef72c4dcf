"""The keys that tenants' data is encrypted under: providers of the root key, rotation, revocation."""
import os
import pathlib
import shutil
import subprocess



MODULE = next((str(p) for p in map(pathlib.Path, ('/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
                                                  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so')) if p.exists()), '')
PIN = '8264-pin'


def keys_of(zona, owner):
    owners = {o['owner']: o for o in zona.run('vault', 'keys', '--json').data['owners']}
    return [(key['id'], key['state']) for key in owners[owner]['keys']]


# SEC-06, SEC-07
def test_keys_are_listed_rotated_and_rewrapped_and_never_shown(zona):
    zona.run('tenant', 'create', 'acme')
    [(first, state)] = keys_of(zona, 'acme')
    assert state == 'current'
    assert 'rotate CODE' in zona.run('vault', 'rotate', check=False).stderr + zona.run('vault', '--help').stdout

    zona.run('vault', 'rotate', 'acme')
    [(second, state)] = keys_of(zona, 'acme')
    assert second != first and state == 'current'
    zona.run('tenant', 'backup', 'acme')
    rotated = zona.run('vault', 'rotate', '--all', '--json').data
    assert rotated['action'] == 'rotate' and rotated['outcome']['owners'] == ['core', 'default', 'acme']
    assert rotated['outcome']['waiting'] == 1
    assert [state for _, state in keys_of(zona, 'acme')] == ['old', 'current'], 'its backup needs the old one'
    assert len(keys_of(zona, 'core')) == 1

    before = zona.run('vault', 'status', '--json').data
    assert before['problem'] is None and before['provider'].endswith('/root-key')
    old_file = (zona.home / 'root-key').read_text()
    zona.run('vault', 'rewrap')
    assert zona.run('vault', 'status', '--json').data['root_key'] != before['root_key']
    assert old_file.strip() not in (zona.home / 'root-key').read_text()
    text = zona.run('vault', 'keys', '--json').stdout + (zona.home / 'logs/zonad.log').read_text()
    assert 'zona_root_' not in text
    zona.run('kill')
    zona.run('tenant', 'show', 'acme')
    assert zona.run('vault', 'rotate', 'nobody', check=False).returncode == 3
    assert 'process' not in zona.run('vault', 'rotate', 'acme', '--no-wait').stdout   # it is done to keys


# SEC-07
def test_a_revoked_tenant_is_gone_and_it_takes_its_code_twice(zona):
    zona.run('tenant', 'create', 'acme')
    refused = zona.run('vault', 'revoke', 'acme', check=False)
    assert refused.returncode == 2 and '--confirm acme' in refused.stderr
    assert zona.run('vault', 'revoke', 'acme', '--confirm', 'acm', check=False).returncode == 2
    assert keys_of(zona, 'acme')
    zona.run('vault', 'revoke', 'acme', '--confirm', 'acme')
    assert keys_of(zona, 'acme') == []
    assert 'revoked' in zona.run('vault', 'keys').stdout
    assert zona.run('tenant', 'show', 'acme', '--json').data['status'] == 'inactive'
    zona.run('kill')
    assert zona.run('tenant', 'activate', 'acme', '--json').data['connection_status'] == 'error'
    assert zona.run('vault', 'revoke', 'core', '--confirm', 'core', check=False).returncode == 2


def make_token(folder, label='zona'):
    folder.mkdir()
    (folder / 'tokens').mkdir()
    conf = folder / 'softhsm2.conf'
    conf.write_text(f'directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n')
    subprocess.run(['softhsm2-util', '--init-token', '--free', '--label', label, '--so-pin', '12345678', '--pin', PIN],
                   env={**os.environ, 'SOFTHSM2_CONF': str(conf)}, check=True, stdout=subprocess.DEVNULL)
    return conf


# SEC-07
def test_the_root_key_moves_from_the_file_to_the_environment_and_into_a_token(zona, tmp_path):
    zona.run('tenant', 'create', 'acme')
    tenants = lambda: [t['connection_status'] for t in zona.run('tenant', 'list', '--json').data]
    provider = lambda: zona.run('vault', 'status', '--json').data
    key = (zona.home / 'root-key').read_text().strip()
    zona.run('kill')

    zona.env['ZONA_TENANCY_ROOT_KEY'] = 'environment'
    zona.env['ZONA_TENANCY_ROOT_KEYS'] = key
    zona.run('tenant', 'list')
    assert 'ZONA_TENANCY_ROOT_KEYS' in provider()['provider'] and provider()['problem'] is None
    (zona.home / 'root-key').unlink()
    zona.run('kill')

    pin = tmp_path / 'pin'
    pin.write_text(PIN + '\n')
    zona.env.update(ZONA_TENANCY_ROOT_KEY='pkcs11', ZONA_TENANCY_PKCS11_MODULE=MODULE, ZONA_TENANCY_PKCS11_PIN_FILE=str(pin),
                    ZONA_TENANCY_PKCS11_ENVIRONMENT=f"SOFTHSM2_CONF={make_token(tmp_path / 'hsm')}")
    zona.run('tenant', 'list')
    assert "the token 'zona'" in provider()['provider']
    assert 'root key' in provider()['problem'], 'it still lies in the environment'
    zona.run('vault', 'rewrap')
    assert provider()['problem'] is None
    zona.run('kill')

    del zona.env['ZONA_TENANCY_ROOT_KEYS']
    assert set(tenants()) == {'connected'}
    assert PIN not in zona.run('config', 'show', '--json').stdout + (zona.home / 'logs/zonad.log').read_text()


# SEC-07
def test_without_its_token_zona_supervises_and_says_so(zona, tmp_path, wait_until):
    conf = make_token(tmp_path / 'hsm')
    zona.env.update(ZONA_TENANCY_ROOT_KEY='pkcs11', ZONA_TENANCY_PKCS11_MODULE=MODULE, ZONA_TENANCY_PKCS11_PIN=PIN,
                    ZONA_TENANCY_PKCS11_ENVIRONMENT=f'SOFTHSM2_CONF={conf}')
    zona.run('tenant', 'create', 'acme')
    zona.run('kill')
    shutil.move(tmp_path / 'hsm/tokens', tmp_path / 'away')
    (tmp_path / 'hsm/tokens').mkdir()

    zona.run('start', 'sleep 1000', '--name', 'sleeper')
    refused = zona.run('tenant', 'list', check=False)
    assert refused.returncode != 0 and "the token 'zona' is not there" in refused.stderr
    assert [p['status'] for p in zona.run('list', '--json').data] == ['online']

    (tmp_path / 'hsm/tokens').rmdir()
    shutil.move(tmp_path / 'away', tmp_path / 'hsm/tokens')
    zona.run('kill')
    wait_until(lambda: zona.run('tenant', 'show', 'acme', check=False).returncode == 0)
