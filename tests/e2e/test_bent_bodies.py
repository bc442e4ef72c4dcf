"""Every operation that takes JSON gets bodies that somebody has bent: none makes zona fail."""
import copy
import json
import random
import urllib.parse

import pytest
import requests

# What ends zona, or would wait for hosts, and write where a body says.
LEFT_OUT = {'shutDown', 'exportTenant', 'migrateStore', 'moveTenant', 'addListener'}
STRANGE = [None, True, False, 0, -1, 2 ** 63, -2 ** 63 - 1, 1e308, 1.5, '', ' ', 'a' * 5000, '\x00', '\u202e', '\U0001f600' * 300, '../../etc/passwd', '%s%n', "' OR 1=1 --",
           '{{7*7}}', '$(id)', [], {}, [[]], [None] * 200, {'': ''}, {'a': {'b': {'c': []}}}, {'$ne': None}, {'__proto__': {'x': 1}}]
BODIES = 40


def places(value, at=()):
    """The path of each value in a body, that of itself included."""
    yield at
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*at, key))


def bent(body, chance):
    """The body with one to three values replaced, left out, doubled or added."""
    body = copy.deepcopy(body)
    for _ in range(chance.randint(1, 3)):
        *holder, key = ('', *chance.choice(list(places(body))))
        if not holder:
            return chance.choice(STRANGE)
        inside = body
        for step in holder[1:]:
            inside = inside[step]
        what = chance.choice(['replace', 'replace', 'remove', 'add'])
        if what == 'remove':
            del inside[key]
        elif what == 'replace':
            inside[key] = copy.deepcopy(chance.choice(STRANGE))
        elif isinstance(inside, dict):
            inside[chance.choice(['', 'x' * 300, 'name ', 'Name', '__class__'])] = chance.choice(STRANGE)
        else:
            inside.append(chance.choice(STRANGE))
    return body


def operations(root):
    for path, item in json.loads((root / 'docs/openapi.json').read_text())['paths'].items():
        for method, operation in item.items():
            for content in operation.get('requestBody', {}).get('content', {}).values():
                if operation['operationId'] not in LEFT_OUT:
                    yield path, method, operation, [example['value'] for example in content['examples'].values()]


# SEC-10, HTTP-04
@pytest.mark.timeout(300)
@pytest.mark.parametrize('seed', [1, 2])
def test_no_bent_body_makes_any_operation_fail(new_zona, root, seed):
    zona = new_zona(env={'ZONA_API_LISTEN': '127.0.0.1:0'})
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    url = f"http://{zona.ping()['network']['address']}"
    chance = random.Random(seed)
    daemon, sent, refused = zona.daemon_pid(), 0, 0
    with requests.Session() as client:
        client.headers['X-API-Key'] = (zona.home / 'api-key').read_text().strip()
        for path, method, operation, examples in operations(root):
            for p in operation.get('parameters', []):
                path = path.replace('{%s}' % p['name'], urllib.parse.quote(str(p['example']), safe='')) if p['in'] == 'path' else path
            for _ in range(BODIES):
                body = bent(chance.choice(examples), chance)
                answer = client.request(method, url + path, data=json.dumps(body), headers={'Content-Type': 'application/json'}, timeout=60)
                # 503: what is not there now, as the tenant's database while it is made.
                assert answer.status_code < 500 or answer.status_code == 503, (operation['operationId'], body, answer.text)
                assert answer.json()['success'] is (answer.status_code < 400), (operation['operationId'], body, answer.text)
                refused += answer.status_code in (400, 413, 422)
                sent += 1

    assert zona.daemon_pid() == daemon and sent > 1000 and refused > sent / 2
