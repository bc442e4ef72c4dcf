"""Who may ask what: every route of the document, asked as every kind of sender, holds to access.toml, which people have written."""
import re
import tomllib

import pytest
import requests

PASSWORD = 'tulip orbit kettle 41'
CODES = {'U': (401, 'UNAUTHENTICATED'), 'D': (403, 'ACCESS_DENIED'), 'T': (403, 'INVALID_TENANT'), 'I': (403, 'TENANT_INACTIVE'),
         'P': (403, 'PERMISSION_DENIED')}
# Every handler of zona's own refuses it, and only those who may ask come so far: nothing is done.
UNKNOWN = 'no_such_parameter'


@pytest.fixture
def declared(root):
    """(the open routes, the senders, {operationId: {sender: letter}})"""
    table = tomllib.loads((root / 'tests/e2e/access.toml').read_text())
    opened, senders = table.pop('open'), table.pop('senders')
    rows = {}
    for heading, operations in table.items():
        for operation, letters in operations.items():
            assert operation not in rows, f'{operation} stands under two headings'
            letters = letters.split()
            assert len(letters) == len(senders) and set(letters) <= {'+', *CODES}, f'{heading}.{operation}: one of + {" ".join(CODES)} for each sender'
            rows[operation] = dict(zip(senders, letters))
    return opened, senders, rows


@pytest.fixture
def zona(open_zona):
    return open_zona()


class Sender:
    def __init__(self, zona, header=None, tenant='acme'):
        self.url, self.tenant = zona.url, tenant
        self.connection = requests.Session()
        self.connection.headers.update(header or {})

    def ask(self, path, method, operation):
        path = re.sub(r'{[^}]*}', 'x', path.replace('{code}', self.tenant).replace('{number}', '1'))
        return self.connection.request(method, self.url + path, params={UNKNOWN: '1'}, json={} if 'requestBody' in operation else None,
                                       timeout=30, allow_redirects=False)


def everybody(zona):
    """Each sender that access.toml names."""
    for code in ('acme', 'globex', 'frozen'):
        zona.run('tenant', 'create', code)

    def user(tenant, name, *roles):
        made = requests.post(f'{zona.url}/api/v1/tenants/{tenant}/users', headers={'X-API-Key': zona.key}, timeout=30,
                             json={'name': name, 'password': PASSWORD, 'roles': roles})
        assert made.status_code == 201, made.text
        answer = requests.post(f'{zona.url}/api/v1/sessions', timeout=30, json={'tenant': tenant, 'name': name, 'password': PASSWORD})
        assert answer.status_code == 201, answer.text
        return Sender(zona, {'Authorization': f"Bearer {answer.json()['data']['access_token']}"}, 'frozen' if tenant == 'frozen' else 'acme')

    def key(scope, tenant=None):
        words = ['--tenant', tenant] if tenant else []
        text = zona.run('key', 'create', f'{scope}-{tenant}', '--scope', scope, *words).stdout.strip()
        return Sender(zona, {'X-API-Key': text}, 'frozen' if tenant == 'frozen' else 'acme')

    senders = {
        'none': Sender(zona),
        'roleless': user('acme', 'nina'), 'user': user('acme', 'carl', 'user'), 'creator': user('acme', 'dora', 'creator'),
        'admin': user('acme', 'anna', 'admin'), 'super_admin': user('core', 'root', 'super_admin'),
        'foreign_admin': user('globex', 'bert', 'admin'), 'suspended_admin': user('frozen', 'emil', 'admin'),
        'viewer_key': key('viewer'), 'admin_key': key('admin'), 'tenant_viewer_key': key('viewer', 'acme'),
        'tenant_admin_key': key('admin', 'acme'), 'foreign_admin_key': key('admin', 'globex'), 'suspended_admin_key': key('admin', 'frozen'),
    }
    zona.run('tenant', 'suspend', 'frozen')
    return senders


def outcome(answer, operation):
    """The letter of an answer, or the answer itself if there is none."""
    if answer.status_code in (401, 403):
        code = answer.json()['error']['code']
        return next((letter for letter, refused in CODES.items() if refused == (answer.status_code, code)), (answer.status_code, answer.text))
    if 'pmdaemon' in operation['tags']:   # takes any parameter; what it is asked for is not there, or wrong, or harmless
        return '+' if answer.status_code in (200, 400, 404, 426) else (answer.status_code, answer.text)
    if operation['operationId'] == 'finishSignInByPage':   # providers add what they like: the rest is missing
        return '+' if answer.status_code == 400 and 'state' in answer.text else (answer.status_code, answer.text)
    details = answer.json()['error'].get('details', []) if answer.status_code == 400 else []
    return '+' if UNKNOWN in [detail['where'] for detail in details] else (answer.status_code, answer.text)


# TEN-16, TEN-35, AUTH-10, AUTH-35, AUTH-40, AUTH-39
def test_every_route_answers_every_sender_as_declared(zona, declared):
    _, names, rows = declared
    document = requests.get(zona.url + '/openapi.json', timeout=20).json()
    senders = everybody(zona)
    assert list(senders) == names
    wrong = {}
    for path, methods in document['paths'].items():
        for method, operation in methods.items():
            name = operation['operationId']
            assert name in rows, f'{name} has no row in tests/e2e/access.toml: docs/guides/add-a-route.md'
            for sender, expected in rows[name].items():
                was = outcome(senders[sender].ask(path, method, operation), operation)
                if was != expected:
                    wrong[name, sender] = (expected, was)

    assert not wrong, '\n'.join(f'{route} as {sender}: {expected} was expected, was {was}' for (route, sender), (expected, was) in wrong.items())
    there = {operation['operationId'] for methods in document['paths'].values() for operation in methods.values()}
    assert set(rows) == there, 'rows of routes that are gone'


# AUTH-13
def test_nothing_but_the_listed_routes_is_open(zona, declared):
    opened, _, rows = declared
    document = requests.get(zona.url + '/openapi.json', timeout=20).json()
    found = [operation['operationId'] for path, methods in document['paths'].items() for method, operation in methods.items()
             if Sender(zona).ask(path, method, operation).status_code != 401]

    assert sorted(found) == sorted(opened)
    assert sorted(name for name, row in rows.items() if row['none'] == '+') == sorted(opened)
