"""No secret that zona was ever given leaves it: not in an answer, a file, a log, a backup, or a core dump."""
import json
import os
import pathlib
import resource
import signal
import urllib.parse

import pytest
from unix_api import Api

DB_PASSWORD = 'marker-of-the-db-password'
PIN = 'marker-of-the-token-pin'
MONGO = 'marker-of-the-mongo-password'


@pytest.fixture
def secretive(new_zona):
    """A zona with one of each kind of secret; `secrets` by name, with the files that are there to hold them."""
    zona = new_zona(env={'ZONA_TENANCY_PKCS11_PIN': PIN, 'ZONA_MONGO_PASSWORD': MONGO, 'ZONA_LOG_LEVEL': 'trace'})
    zona.run('tenant', 'create', 'acme')
    made = Api(zona)('POST', '/api/v1/tenants', {'code': 'far', 'db_host': 'mongodb://127.0.0.1:1', 'db_name': 'far', 'db_username': 'far',
                                                 'db_password': DB_PASSWORD})
    assert made[0] == 201, made
    zona.secrets = {
        'db password': (DB_PASSWORD, set()),
        'token PIN': (PIN, set()),
        'MongoDB password': (MONGO, set()),
        'API key': (zona.run('key', 'create', 'ci').stdout.strip(), set()),
        "a tenant's API key": (zona.run('key', 'create', 'acme-ci', '--tenant', 'acme').stdout.strip(), set()),
        'default API key': ((zona.home / 'api-key').read_text().strip(), {'api-key'}),
        'root key': ((zona.home / 'root-key').read_text().strip(), {'root-key'}),
        **{f'share {i}': (share, set()) for i, share in enumerate(zona.run('key', 'export-shares').stdout.split('\n')) if share.strip()}}
    assert all(len(text) > 20 for text, _ in zona.secrets.values()), zona.secrets
    return zona


def leaks(zona, where, data, file=None):
    data = data if isinstance(data, bytes) else data.encode()
    forms = lambda text: {text.encode(), urllib.parse.quote(text, safe='').encode(), json.dumps(text)[1:-1].encode()}
    return [(name, where) for name, (text, files) in zona.secrets.items()
            if file not in files and any(form in data for form in forms(text))]


# SEC-03, SEC-04, SEC-07
def test_no_secret_is_in_any_answer_file_log_export_or_backup(secretive):
    zona = secretive
    api = Api(zona)
    found = []
    zona.run('tenant', 'export-data', 'acme', str(zona.folder / 'out'))
    zona.run('tenant', 'backup', 'acme')
    zona.run('backup', 'create', check=False)   # far's database is not there
    zona.run('vault', 'rotate', 'acme')
    zona.run('key', 'rotate', 'ci', '--overlap', '1h')
    for path in ('/api/v1/tenants', '/api/v1/keys'):   # what is refused tells nothing either
        found += leaks(zona, f'refused {path}', json.dumps(api('POST', path, {'code': '!', 'name': '!', 'db_password': DB_PASSWORD})[1]))
    found += leaks(zona, 'refused PATCH', json.dumps(api('PATCH', '/api/v1/tenants/acme', {'db_username': 'x', 'db_password': DB_PASSWORD})[1]))
    document = api('GET', '/openapi.json')[1]
    asked = 0
    for path, item in document['paths'].items():
        if 'get' not in item or item['get']['operationId'] in ('openStream', 'followEvents', 'followExecution', 'followLogs'):
            continue
        for code in ('acme', 'far'):
            path_now = path.replace('{code}', code)
            names = {'{name}': 'key-rotation'} if '/jobs/' in path else {'{name}': 'ci'}
            for name, value in names.items():
                path_now = path_now.replace(name, value)
            if '{' in path_now or 'stream' in path_now or 'follow' in path_now:
                continue
            status, answer, _ = api('GET', path_now)
            asked += 1
            found += leaks(zona, f'GET {path_now}', answer if isinstance(answer, bytes) else json.dumps(answer))
    assert asked > 30
    for line in (['config', 'show'], ['doctor'], ['vault', 'keys'], ['key', 'list'], ['job', 'history', 'key-rotation'], ['execution', 'list'],
                 ['tenant', 'show', 'far'], ['tenant', 'databases', 'far']):
        for options in ([], ['--json']):
            answer = zona.run(*line, *options, check=False)
            found += leaks(zona, ' '.join(line), answer.stdout + answer.stderr)
    os.kill(zona.daemon_pid(), signal.SIGKILL)   # logs of databases and all
    zona.run('tenant', 'list')
    files = 0
    for top in (zona.home, zona.folder / 'out'):
        for file in top.rglob('*'):
            if file.is_file():
                files += 1
                found += leaks(zona, str(file), file.read_bytes(), file.relative_to(top).as_posix())
    assert files > 20
    assert found == []


# SEC-07
def test_no_secret_is_in_a_core_dump(secretive):
    zona = secretive
    pattern = pathlib.Path('/proc/sys/kernel/core_pattern').read_text().strip()
    if pattern.startswith('|') or '/' in pattern or '%' in pattern:
        pytest.skip(f'the kernel gives core dumps away: core_pattern is {pattern}')
    zona.run('kill')
    zona.env['ZONA_LIMITS_CORE_DUMPS'] = 'true'
    for name in ('ZONA_TENANCY_PKCS11_PIN', 'ZONA_MONGO_PASSWORD'):   # environments are in each dump
        del zona.env[name]
    zona.run('vault', 'rotate', '--all', check=False)    # opens and seals each secret there is
    zona.run('tenant', 'list')
    daemon = zona.daemon_pid()
    folder = pathlib.Path(f'/proc/{daemon}/cwd').resolve()
    before = set(folder.glob('core*'))
    resource.prlimit(daemon, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.kill(daemon, signal.SIGABRT)
    zona.wait_until(lambda: zona.daemon_pid() != daemon)
    dumps = set(folder.glob('core*')) - before
    try:
        assert dumps, f'no core dump in {folder}'
        data = b''.join(dump.read_bytes() for dump in dumps)
        assert b'zonad' in data and len(data) > 1 << 20
        assert leaks(zona, 'core dump', data) == []
    finally:
        for dump in dumps:
            dump.unlink()


# DATA-15
def test_the_record_of_a_tenants_database_has_its_ten_fields(secretive):
    status, answer, _ = Api(secretive)('GET', '/api/v1/tenants/far/databases')
    assert status == 200
    [record] = answer['data']
    assert len(record.pop('uuid')) == 36 and record.pop('id') > 0
    assert record.pop('connection_status') in ('connected', 'disconnected', 'error')
    assert record == {'name': 'far', 'tenantcode': 'far', 'status': 'active', 'db_host': 'mongodb://127.0.0.1:1', 'db_name': 'far',
                      'db_username': 'far', 'db_password': ''}


# SEC-04
def test_the_doctor_tells_which_settings_lead_to_mongodb_in_clear(open_zona):
    host = 'mongodb://db.example:27017/tls=true?retryWrites=true'
    bare = open_zona(ZONA_TENANCY_PLACEMENT=f'X: {host}; other: embedded')
    checks = {c['name']: c for c in bare.run('doctor', '--json').data['checks']}
    assert checks['MongoDB TLS']['detail'] == 'documents go over the network in clear, by tenancy.placement'
    assert checks['MongoDB authentication']['detail'] == 'whoever reaches it reads all, by tenancy.placement'
    bare.run('kill')
    bare.env['ZONA_TENANCY_PLACEMENT'] = f'X: {host}&TLS=true; other: embedded'
    bare.env['ZONA_MONGO_USERNAME'] = 'zona'
    bare.run('resurrect')
    checks = {c['name']: c for c in bare.run('doctor', '--json').data['checks']}
    assert checks['MongoDB TLS']['status'] == checks['MongoDB authentication']['status'] == 'ok'


# SEC-07
def test_the_doctor_tells_where_secrets_are_in_danger_and_what_to_do(zona):
    zona.run('tenant', 'list')
    checks = lambda: {c['name']: c for c in zona.run('doctor', '--json').data['checks']}
    assert 'on the disk that it protects' in checks()['root key']['detail']
    assert checks()['root key escrow']['status'] == 'degraded' and 'export-shares' in checks()['root key escrow']['cure']
    assert checks()['core dumps']['status'] == checks()['data keys']['status'] == 'ok'
    assert {'backup directory', 'locked memory', 'swap'} <= set(checks())
    (zona.home / 'root-key').chmod(0o640)
    assert checks()['root key'] == {'name': 'root key', 'status': 'degraded', 'detail': f'{zona.home}/root-key has mode 0640: others may use it',
                                    'cure': f'chmod 600 {zona.home}/root-key'}
    zona.run('key', 'export-shares')
    assert checks()['root key escrow']['status'] == 'ok'
    (zona.home / 'root-key').chmod(0o600)
    zona.run('vault', 'rewrap')
    assert 'older root key' in checks()['root key escrow']['detail']
    zona.run('tenant', 'backup', 'default')
    (zona.home / 'state/backups').chmod(0o755)
    assert checks()['backup directory']['cure'] == f'chmod 700 {zona.home}/state/backups'
