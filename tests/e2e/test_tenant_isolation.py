"""One tenant tries to read and change another's data in every way that HTTP and the files leave: docs/security/tenant-isolation.md."""
import contextlib
import http.client
import json
import shutil
import sqlite3

import pytest

MODES = pytest.mark.parametrize('mode', ['MSSP', 'SINGLE_TENANT'])
SECRET = 'globex-top-secret-8841'
SPELLINGS = ['globex', 'GLOBEX', 'globex%00', 'globex%2f', 'acme%2f..%2fglobex', 'acme/../globex', './globex', '..%2ftenants%2fglobex', 'globex%20',
             '%67lobex', '%C9%A1lobex', 'acme;globex', 'acme,globex', 'acme%2Cglobex', '*', 'core', 'default', '', '%2e%2e', 'g' * 200]


@pytest.fixture
def zona(open_zona, mode):
    zona = open_zona(ZONA_TENANCY_BUILD_TYPE=mode)
    zona.keys = {}
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
        zona.keys[code] = zona.run('key', 'create', code, '--tenant', code, '--scope', 'admin').stdout.strip()
    put(zona, 'globex', 's', SECRET)
    return zona


def ask(zona, by, method, path, body=None, **headers):
    """Status and text; the path goes out as it is."""
    connection = http.client.HTTPConnection(zona.url.removeprefix('http://'), timeout=30)
    if body is not None:
        headers['Content-Type'] = 'application/json'
    if by:
        headers['X-API-Key'] = zona.keys[by]
    connection.request(method, path, body=None if body is None else json.dumps(body), headers={k.replace('_', '-'): v for k, v in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def put(zona, tenant, key, value):
    assert ask(zona, tenant, 'PUT', f'/api/v1/tenants/{tenant}/settings/{key}', {'value': value})[0] == 200


def of_globex(zona):
    return json.loads(ask(zona, 'globex', 'GET', '/api/v1/tenants/globex/settings/s')[1])['data']


# TEN-35, TEN-16
@MODES
def test_no_spelling_of_another_tenant_is_let_in(zona):
    for spelling in SPELLINGS:
        for method, body in (('GET', None), ('PUT', {'value': 1}), ('DELETE', None)):
            status, text = ask(zona, 'acme', method, f'/api/v1/tenants/{spelling}/settings/s', body)
            assert status in (400, 403, 404) and SECRET not in text, (method, spelling, status, text)
    assert of_globex(zona)['value'] == SECRET and of_globex(zona)['version'] == 1


# TEN-35, SEC-12
@MODES
def test_headers_queries_and_bodies_choose_no_tenant(zona):
    mine = '/api/v1/tenants/acme/settings/s'
    for name, value in (('X_Tenant', 'globex'), ('X_Tenant_Code', 'globex'), ('X_Original_URL', '/api/v1/tenants/globex/settings/s'),
                        ('X_HTTP_Method_Override', 'DELETE'), ('X_Forwarded_User', 'admin')):
        assert ask(zona, 'acme', 'GET', mine, **{name: value})[0] == 404
    assert ask(zona, 'acme', 'GET', mine + '?tenant=globex')[0] == 400
    assert ask(zona, 'acme', 'PUT', mine, {'value': 1, 'tenant_code': 'globex'})[0] == 400
    planted = {'tenant_code': 'globex', '$where': '1', 'owner': 'globex', 'a.b': {'$ne': None}, '__proto__': {'scope': 'globex'}}
    put(zona, 'acme', 's', planted)
    assert json.loads(ask(zona, 'acme', 'GET', mine)[1])['data']['value'] == planted, 'it is data'
    assert of_globex(zona)['value'] == SECRET
    for headers in ({'Authorization': f"Bearer {zona.keys['globex']}"}, {'Sec_WebSocket_Protocol': f"zona.key.{zona.keys['globex']}"}):
        status, text = ask(zona, 'acme', 'GET', '/api/v1/tenants/globex/settings/s', **headers)
        assert status in (400, 403) and SECRET not in text
    assert ask(zona, None, 'GET', f"/api/v1/tenants/globex/settings/s?api_key={zona.keys['globex']}")[0] == 400
    assert ask(zona, None, 'GET', '/api/v1/tenants/globex/settings/s')[0] == 401


# SEC-04
@MODES
def test_the_disk_tells_nothing_and_a_file_opens_for_its_owner_alone(zona, mode):
    zona.kill_keeper_and_daemon()
    everything = [path for path in zona.home.rglob('*') if path.is_file()]
    assert not [path for path in everything if SECRET.encode() in path.read_bytes()]
    for path in zona.home.rglob('*.db'):
        with contextlib.closing(sqlite3.connect(f'file:{path}?mode=ro', uri=True)) as stolen, pytest.raises(sqlite3.DatabaseError):
            stolen.execute('select * from sqlite_master').fetchall()
    if mode == 'SINGLE_TENANT':
        return
    tenants = zona.home / 'state/tenants'
    acme = tenants / 'acme'
    shutil.rmtree(acme, ignore_errors=True)
    shutil.copytree(tenants / 'globex', acme)
    zona.run('tenant', 'list')
    zona.url = f"http://{zona.ping()['network']['address']}"
    status, text = ask(zona, 'acme', 'GET', '/api/v1/tenants/acme/settings/s')
    assert status == 500 and SECRET not in text
    assert of_globex(zona)['value'] == SECRET
    log = (zona.home / 'logs/zonad.log').read_text()
    assert SECRET not in log and zona.keys['globex'] not in log
