"""Who reaches documents: zona by a login of each database and no more connections than it may have, and people by roles. And that every access is
logged where that is asked for, while zona runs, and nothing of what they hold."""
import concurrent.futures
import json
import os
import pathlib
import signal
import stat

import requests

PASSWORD = 's3cret-one'


def login(zona, user, password):
    return ['--db-username', user, '--db-password-file', str(zona.write('password', password + '\n', 0o600))]


def ask(zona, method, tenant, key, path='settings/theme', **options):
    headers = {'X-API-Key': key} if key else {}
    return requests.request(method, f'{zona.url}/api/v1/tenants/{tenant}/{path}', headers=headers, timeout=60, **options)


# SEC-18
def test_a_database_is_reached_with_its_own_login_alone(open_zona, guarded):
    zona = open_zona(ZONA_MONGO_CONNECT_TIMEOUT='1s', ZONA_MONGO_SELECTION_TIMEOUT='1s')
    for code, user, password in (('wrong', 'first', 'a guess'), ('other', 'second', PASSWORD)):
        zona.run('tenant', 'create', code, '--db-host', guarded.uri, *login(zona, user, password), check=False)
        refused = ask(zona, 'PUT', code, zona.key, json={'value': 1})
        assert refused.json()['error']['code'] == 'SESSION_ERROR' and PASSWORD not in refused.text, refused.text
    zona.run('tenant', 'create', 'acme', '--db-host', guarded.uri, *login(zona, 'first', PASSWORD))
    assert ask(zona, 'PUT', 'acme', zona.key, json={'value': 1}).status_code == 200
    files = [path for path in (zona.home / 'state').rglob('*.db*') if path.is_file()]
    assert files and {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}, 'a file has no login: it is zona\'s alone'


# SEC-18
def test_roles_decide_over_documents_and_no_query_reaches_those_of_another(open_zona):
    zona = open_zona()
    keys = {}
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
        keys[code] = zona.run('key', 'create', code, '--tenant', code, '--scope', 'admin').stdout.strip()
        assert ask(zona, 'PUT', code, keys[code], json={'value': f'of {code}'}).status_code == 200
    reader = zona.run('key', 'create', 'reader', '--tenant', 'acme', '--scope', 'viewer').stdout.strip()
    assert ask(zona, 'GET', 'acme', reader).json()['data']['value'] == 'of acme'
    for method, body in (('PUT', {'value': 'of a reader'}), ('DELETE', None)):
        refused = ask(zona, method, 'acme', reader, json=body)
        assert refused.status_code == 403, refused.text
        assert ask(zona, method, 'acme', None, json=body).status_code == 401
        assert ask(zona, method, 'globex', keys['acme'], json=body).status_code == 403
    assert ask(zona, 'GET', 'globex', keys['acme']).status_code == 403
    listed = ask(zona, 'GET', 'acme', keys['acme'], 'settings')
    assert 'of acme' in listed.text and 'of globex' not in listed.text
    assert ask(zona, 'PUT', 'globex', keys['globex'], 'settings/other', json={'value': 1}).status_code == 200
    token = ask(zona, 'GET', 'globex', keys['globex'], 'settings', params={'limit': 1}).json()['meta']['next']
    assert ask(zona, 'GET', 'acme', keys['acme'], 'settings', params={'cursor': token}).status_code == 400
    assert ask(zona, 'GET', 'globex', keys['globex']).json()['data']['value'] == 'of globex'


def connected(server):
    """How many are connected to the server's socket: those that it has accepted."""
    lines = [line.split() for line in pathlib.Path('/proc/net/unix').read_text().splitlines()[1:]]
    return sum(1 for line in lines if line[-1] == str(server.socket) and line[5] == '03')


# SEC-18, TEN-23
def test_a_database_has_no_more_connections_than_it_may_and_who_cannot_wait_is_told(open_zona, mongo):
    zona = open_zona(ZONA_MONGO_MAX_CONNECTIONS='2', ZONA_MONGO_MAX_WAITING='2', ZONA_MONGO_SELECTION_TIMEOUT='5s', ZONA_MONGO_CONNECT_TIMEOUT='5s')
    zona.run('tenant', 'create', 'acme', '--db-host', mongo.uri)
    assert ask(zona, 'PUT', 'acme', zona.key, json={'value': 0}).status_code == 200
    with concurrent.futures.ThreadPoolExecutor(12) as clients:
        os.kill(mongo.process.pid, signal.SIGSTOP)
        try:
            asked = [clients.submit(ask, zona, 'PUT', 'acme', zona.key, f'settings/k{i}', json={'value': i}) for i in range(12)]
            done = []
            for answer in concurrent.futures.as_completed(asked, timeout=60):
                done.append(answer.result())
                if len(done) == 8:
                    break
            assert {answer.status_code for answer in done} == {429}, [answer.text for answer in done]
        finally:
            os.kill(mongo.process.pid, signal.SIGCONT)
        # Some have had the places of those who wait: what is put on record is written there, too.
        assert {answer.result().status_code for answer in asked} == {200, 429}
        for _ in range(20):
            list(clients.map(lambda i: ask(zona, 'PUT', 'acme', zona.key, f'settings/k{i}', json={'value': i}), range(12)))
            assert connected(mongo) <= 2


# SEC-19
def test_accesses_to_documents_are_logged_from_when_it_is_asked_for_until_it_is_not(open_zona, wait_until):
    zona = open_zona()
    zona.run('tenant', 'create', 'acme')

    def accesses(collection='tenant_settings'):
        lines = [json.loads(line) for line in (zona.home / 'logs/zonad.log').read_text().splitlines()]
        return [line for line in lines if line.get('category') == 'store.access' and line['collection'] == collection]

    def work():
        for method, body in (('PUT', {'value': 'a-value-of-acme'}), ('GET', None)):
            answer = requests.request(method, zona.url + '/api/v1/tenants/acme/settings/a-key-of-acme', json=body, headers={'X-API-Key': zona.key},
                                      timeout=20)
            assert answer.status_code == 200, answer.text

    work()
    assert accesses() == [], 'off by default'
    zona.run('config', 'log-level', 'store.access', 'trace')
    work()
    wait_until(lambda: {'read', 'change'} <= {line['kind'] for line in accesses()})
    seen = accesses()
    assert {line['tenant'] for line in seen} == {'acme'} and {line['outcome'] for line in seen} == {'OK'}
    assert all({'operation', 'shape', 'documents', 'us'} <= line.keys() for line in seen)
    assert not [line for line in seen if 'of-acme' in json.dumps(line)]

    zona.run('config', 'log-level', 'store.access', 'info')
    before = len(accesses())
    work()
    assert len(accesses()) == before
