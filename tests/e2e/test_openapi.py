"""The document at /openapi.json is true: real answers fit it, its examples work, and a client that has nothing else can work."""
import datetime
import html
import json
import re
import socket
import subprocess
import sys
import urllib.parse

import jsonschema
import pytest
import requests
from unix_api import Api


FORMATS = jsonschema.FormatChecker()
FORMATS.checks('date-time', ValueError)(lambda text: not isinstance(text, str) or datetime.datetime.fromisoformat(text))


# What never ends by itself: tests/e2e/test_streams.py.
ENDLESS = {'openStream', 'followEvents'}
# They need a backup that is there, or write files: test_backups.py asks for them; or somebody to erase: test_audit.py; or a
# licence that somebody has signed: test_license.py.
STATEFUL = {'deleteTenantBackup', 'deleteBackup', 'exportTenant', 'eraseAuditSubject', 'eraseTenantAuditSubject', 'installLicense'}


# Whose conventions these are not.
OTHERS = {'pmdaemon', 'pages'}


class Client:
    """Works from the document alone: operations by operationId, values by schema."""

    def __init__(self, api):
        self.api = api
        status, self.document, _ = api('GET', '/openapi.json')
        assert status == 200
        # PMDaemon's are tried, with what PMDaemon promises, by test_pmdaemon.py, and pages by test_pages.py.
        self.operations = {operation['operationId']: (path, method, operation)
                           for path, item in self.document['paths'].items() for method, operation in item.items()
                           if not OTHERS & set(operation['tags'])}

    def schema(self, schema):
        """Whole by itself, and without room for fields that it does not name."""
        def close(node):
            if isinstance(node, list):
                return [close(inner) for inner in node]
            if not isinstance(node, dict):
                return node
            node = {key: close(value) for key, value in node.items()}
            if 'properties' in node and isinstance(node['properties'], dict) and 'additionalProperties' not in node:
                node['additionalProperties'] = False
            return node
        return close({**schema, 'components': {'schemas': self.document['components']['schemas']}})

    def fits(self, value, schema):
        jsonschema.Draft202012Validator(self.schema(schema), format_checker=FORMATS).validate(value)

    def target(self, name, path=None, query=None):
        route, _, operation = self.operations[name]
        for parameter in operation.get('parameters', []):
            if parameter['in'] == 'path':
                value = str((path or {})[parameter['name']])
                route = route.replace('{%s}' % parameter['name'], urllib.parse.quote(value, safe=''))
        return route + ('?' + urllib.parse.urlencode(query, doseq=True) if query else '')

    def ask(self, name, body=None, path=None, query=None):
        """(status, body): checked against what the document says of this operation and status."""
        _, method, operation = self.operations[name]
        status, answer, headers = self.api(method.upper(), self.target(name, path, query), body)
        assert str(status) in operation['responses'], (name, status, answer)
        response = operation['responses'][str(status)]
        if '$ref' in response:
            response = self.document['components']['responses'][response['$ref'].rpartition('/')[2]]
        contents = response.get('content', {})
        assert not contents or any(headers['Content-Type'].startswith(kind) for kind in contents), name
        for kind, content in contents.items():
            if not headers['Content-Type'].startswith(kind):
                continue
            if kind == 'application/json':
                self.fits(answer, content['schema'])
            elif kind == 'application/x-ndjson':
                for line in answer.splitlines():
                    self.fits(json.loads(line), content['schema'])
        return status, answer

    def data(self, name, *args, **options):
        status, answer = self.ask(name, *args, **options)
        assert status < 300, (name, answer)
        return answer['data']


@pytest.fixture
def client(zona):
    zona.run('save', '--force')
    return Client(Api(zona))


# UX-06
def test_the_document_is_valid_openapi_and_the_kept_one(client, root):
    kept = json.loads((root / 'docs/openapi.json').read_text())

    assert client.document == kept, 'run scripts/generate-api-doc'
    assert client.document['openapi'].startswith('3.1')
    for schema in client.document['components']['schemas'].values():
        jsonschema.Draft202012Validator.check_schema(client.schema(schema))


# DATA-34
def test_every_answer_has_the_one_envelope(client):
    """What the document says; that real answers are so is what every other test here asks of each."""
    others = {'getApiDocument', 'getFrontPage', 'listTenantsPlainly', 'getKeySet'}   # documents in themselves
    schemas, responses = client.document['components']['schemas'], client.document['components']['responses']
    seen = 0
    for name, (_, _, operation) in client.operations.items():
        for status, response in operation['responses'].items():
            if '$ref' in response:
                response = responses[response['$ref'].rpartition('/')[2]]
            content = response.get('content', {}).get('application/json')
            if not content or (status < '300' and name in others):
                continue
            schema = content['schema']
            if '$ref' in schema:
                schema = schemas[schema['$ref'].rpartition('/')[2]]
            succeeded = status < '300'
            wanted = {'success', 'data'} if succeeded else {'success', 'error'}
            assert wanted <= set(schema['required']) and set(schema['properties']) <= wanted | {'meta'}, (name, status)
            assert schema['properties']['success'] == {'const': succeeded}, (name, status)
            if not succeeded:
                assert {'code', 'message'} <= set(schema['properties']['error']['required']), (name, status)
            seen += 1
    assert seen > 500
    client.data('ping')
    status, refused = client.ask('getTenant', path={'code': 'nobody'})
    assert status == 404 and refused['success'] is False
    assert refused['error']['code'] == 'NOT_FOUND' and 'nobody' in refused['error']['message']


# HTTP-14
def test_the_style_of_the_api_is_kept(root):
    done = subprocess.run([root / 'scripts/check-api'], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout


# UX-06, PM-46
def test_a_client_of_the_document_alone_leads_a_process_through_its_life(client):
    def operate(action, **more):
        results = client.data('operateProcesses', {'action': action, 'select': ['life'], **more})['results']
        assert all(result['ok'] for result in results), results
        return results

    def status():
        return client.data('getProcess', path={'id': 'life'})['status']

    script = 'echo born; while read line; do echo "heard $line"; done; exec sleep 1000'
    app = {'name': 'life', 'script': '/bin/sh', 'args': ['-c', script], 'stdin': 'pipe'}
    started = client.data('startProcesses', {'apps': [app], 'cwd': '/tmp'})
    assert [outcome['outcome'] for outcome in started['outcomes']] == ['ready']
    assert [p['name'] for p in client.data('listProcesses', query={'select': 'life'})] == ['life']
    assert 'variables' in client.data('getEnvironment', path={'id': 'life'})
    operate('send', line='hello')
    lines = []
    while 'heard hello' not in lines:
        lines = [json.loads(line)['line'] for line in client.ask('readLogs', query={'select': 'life'})[1].splitlines()]
    assert lines[0] == 'born'
    operate('stop')
    assert status() == 'stopped'
    operate('start')
    first = client.data('getProcess', path={'id': 'life'})
    operate('restart')
    second = client.data('getProcess', path={'id': 'life'})
    assert second['pid'] != first['pid'] and second['id'] == first['id']
    operate('scale', instances='+1')
    assert len(client.data('listProcesses')) == 2
    operate('scale', instances=1)
    exits = client.data('listExits', path={'id': second['pm_id']})
    assert [e['requested'] for e in exits] == [True, True]
    assert client.data('saveSnapshot', {})['processes'] == 1
    operate('delete')
    assert client.data('listProcesses') == []
    assert client.ask('getProcess', path={'id': 'life'})[0] == 404
    assert client.data('restoreSnapshot', {})['processes'][0]['name'] == 'life'


def turn(name):
    """The examples are one sequence: what makes something comes first, what ends something last."""
    last = ['revokeTenantKey', 'revokeKey', 'signIn', 'changePassword', 'removeUser', 'removeInvitation', 'removeRole', 'removeIdentityProvider', 'beginSignIn', 'finishSignIn', 'getServiceProvider', 'removeTenantSetting', 'removeSystemSetting', 'operateProcesses', 'shutDown']
    return last.index(name) + 1 if name in last else -(name in ('putTenantSetting', 'putSystemSetting'))


# UX-06, UX-15
def test_every_example_of_the_document_is_sent_and_answered_as_it_says(client):
    begun = client.data('startProcesses', {'apps': [{'name': 'api', 'script': '/bin/sleep', 'args': ['1000'], 'stdin': 'pipe'}],
                                           'cwd': '/tmp', 'wait': False})
    assert client.ask('followExecution', path={'id': begun['id']})[0] == 200   # to its end
    ids = dict.fromkeys(('getExecution', 'followExecution', 'cancelExecution', 'retryExecution'), begun['id'])   # a change of processes
    asked = set()
    # What ends processes comes last: the examples are one sequence.
    finite = [name for name in client.operations if name not in ENDLESS | STATEFUL]
    order = sorted(finite, key=turn)
    for name in order:
        operation = client.operations[name][2]
        parameters = operation.get('parameters', [])
        path = {p['name']: ids.get(name, p['example']) for p in parameters if p['in'] == 'path'}
        query = {p['name']: json.dumps(p['example']) if isinstance(p['example'], bool) else p['example']
                 for p in parameters if p['in'] == 'query' and p['example'] != ''}
        bodies = [example['value'] for content in operation.get('requestBody', {}).get('content', {}).values()
                  for example in content['examples'].values()]
        for body in bodies or [None]:
            status, answer = client.ask(name, body, path, query)
            # One app is there already; without the network no keys are known, so nothing more is listened on.
            assert status < 400 or (name, status) in [('startProcesses', 409), ('addListener', 409), ('getJobRun', 404), ('cancelJob', 409), ('cancelExecution', 409), ('retryExecution', 409), ('acceptInvitation', 401),
                                                       ('renewSession', 401), ('beginSecondFactor', 409), ('confirmSecondFactor', 409), ('removeOwnSecondFactor', 409), ('renewOwnKey', 401), ('endSession', 409), ('listOwnSessions', 409), ('beginSignIn', 404), ('updateUserSessionExpiretime', 404), ('moveSessionEnd', 404), ('finishSignIn', 401), ('getServiceProvider', 404)], (name, body, answer)
        asked.add(name)

    assert asked == set(finite)


def wrong_values(schema):
    """Values that a schema refuses."""
    kinds = schema.get('type', [])
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    for kind, value in (('string', 'x'), ('integer', 7), ('boolean', True), ('array', []), ('object', {})):
        if kind not in kinds and not ('number' in kinds and kind == 'integer'):
            yield value
            return


# HTTP-04, PM-62, SEC-10
def test_a_body_that_breaks_its_schema_is_refused_at_the_field(client):
    tried = 0
    for name, (_, _, operation) in client.operations.items():
        for content in operation.get('requestBody', {}).get('content', {}).values():
            good = next(iter(content['examples'].values()))['value']
            properties = content['schema'].get('properties', {})
            broken = [({**good, 'no_such_field': 1}, '/no_such_field')] if properties or not content['schema'].get('additionalProperties') else []
            broken += [({**good, field: value}, f'/{field}') for field, schema in properties.items()
                       for value in wrong_values(schema) if 'type' in schema and field != 'apps']
            broken += [({k: v for k, v in good.items() if k != field}, f'/{field}') for field in content['schema'].get('required', [])]
            for body, where in broken:
                path = {p['name']: p['example'] for p in operation.get('parameters', []) if p['in'] == 'path'}
                status, answer = client.ask(name, body, path)
                assert status == 400, (name, body)
                assert where in [detail['where'] for detail in answer['error']['details']], (name, body, answer)
                tried += 1

    assert tried > 20
    assert client.data('listProcesses') == []


# HTTP-04
def test_an_unknown_query_parameter_is_refused_and_the_nearest_is_named(client):
    status, answer = client.ask('readLogs', query={'folow': 'true'})

    assert status == 400
    assert answer['error']['details'] == [{'where': 'folow', 'problem': 'unknown query parameter', 'hint': "did you mean 'follow'?"}]
    for name, (_, method, operation) in client.operations.items():
        if method == 'get' and operation['x-zona-scope'] != 'open':
            assert client.ask(name, path={'id': 'x', 'code': 'x', 'name': 'x', 'number': '1', 'key': 'x', 'accesstoken': 'x', 'exiprytime': '1'}, query={'key': 'secret'})[0] == 400, name


# HTTP-23
def test_a_running_daemon_is_live_and_ready(client, wait_until):
    assert client.data('getLiveness') == {'status': 'live'}
    wait_until(lambda: client.ask('getReadiness')[0] == 200)   # the tenants' data is opened beside what is asked first
    assert client.data('getReadiness') == {'status': 'ready'}


# HTTP-23
def test_a_stopping_daemon_is_live_and_not_ready(client, wait_until):
    stubborn = {'name': 'stubborn', 'script': '/bin/sh', 'args': ['-c', 'trap "" INT; while :; do sleep 1; done'], 'kill_timeout': 5000}
    client.data('startProcesses', {'apps': [stubborn], 'cwd': '/tmp'})

    assert client.ask('shutDown', {})[0] == 202

    status, answer = client.ask('getReadiness')
    assert (status, answer['error']['code'], answer['error']['message']) == (503, 'UNAVAILABLE', 'zona is stopping')
    assert client.data('getLiveness') == {'status': 'live'}


def test_the_system_is_that_of_this_host(client):
    found = client.data('getSystem')

    meminfo = dict(re.findall(r'(\w+): +(\d+) kB', open('/proc/meminfo').read()))
    assert found['host']['memory_total_bytes'] == int(meminfo['MemTotal']) * 1024
    assert found['host']['name'] == open('/proc/sys/kernel/hostname').read().strip()
    assert found['processes'] == {'total': 0, 'by_status': {}}
    assert found['daemon']['pid'] > 0 and found['daemon']['keeper_pid'] > 0


# UX-15
def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing_else(client):
    status, page, headers = client.api('GET', '/docs')
    text = page.decode()

    assert status == 200 and headers['Content-Type'].startswith('text/html')
    policy = headers['Content-Security-Policy']
    assert policy.startswith("default-src 'none'") and 'unsafe' not in policy
    assert not re.search(r'(src|href)="?(https?:)?//', text)
    for name in client.operations:
        assert f'id="{name}"' in text
    status, _, headers = client.api('GET', '/', headers={'Accept': 'text/html'})
    assert (status, headers['Location']) == (307, '/docs')


# UX-15
def test_the_hashes_of_the_policy_are_those_of_style_and_script(client):
    import base64
    import hashlib
    _, page, headers = client.api('GET', '/docs')
    for tag, source in (('style', 'style-src'), ('script', 'script-src')):
        inner = re.search(f'<{tag}>(.*?)</{tag}>', page.decode(), re.S)[1]
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        assert f"{source} 'sha256-{digest}'" in headers['Content-Security-Policy']


def samples(page, title):
    """(operationId, text) of the page's samples, in an order in which all of them can be run; without PMDaemon's,
    which delete and restart what the others need."""
    found = []
    for name, words, article in re.findall(r'<article id="(\w+)" data-text="([^"]*)"(.*?)</article>', page, re.S):
        if ' pages ' in words:
            continue
        text = re.search(f'<h4>{title}</h4>\n<div class="sample"><pre><code>(.*?)</code>', article, re.S)[1]
        found.append((name, html.unescape(text)))
    first = ['startProcesses', 'saveSnapshot']
    found = [sample for sample in found if 'Pmdaemon' not in sample[0]]
    return sorted(found, key=lambda sample: (sample[0] not in first, turn(sample[0])))


# UX-15
@pytest.mark.parametrize('title, command', [('curl', ['bash', '-c']), ('Python', [sys.executable, '-c'])])
def test_every_sample_of_the_page_runs_as_it_stands(open_zona, title, command):
    zona = open_zona()
    page = requests.get(zona.url + '/docs', timeout=20).text
    ran = samples(page, title)
    document = requests.get(zona.url + '/openapi.json', timeout=20).json()
    assert len(ran) == sum(not OTHERS & set(operation['tags']) for item in document['paths'].values() for operation in item.values()) > 20

    start = {'apps': [{'name': 'begun', 'script': '/bin/sleep', 'args': ['1000']}], 'cwd': '/tmp', 'wait': False}
    begun = requests.post(zona.url + '/api/v1/processes', json=start, headers={'X-API-Key': zona.key}, timeout=20).json()['data']['id']
    example = document['paths']['/api/v1/executions/{id}']['get']['parameters'][0]['example']

    # Jobs begin when the core database is open, which answers do not wait for.
    number = zona.wait_until(lambda: zona.run('job', 'run', 'purge', '--json').data['number'])
    zona.wait_until(lambda: not zona.run('job', 'show', 'purge', '--json').data['running'])

    with socket.create_server(('127.0.0.1', 0)) as probe:
        free = probe.getsockname()[1]
    for name, text in ran:
        # Of jobs nothing runs, and no token nor a key that is due can stand on a page; test_users.py, test_sessions.py and test_keys.py have some.
        if name in ENDLESS | STATEFUL | {'cancelJob', 'cancelExecution', 'retryExecution', 'acceptInvitation', 'renewSession', 'beginSecondFactor', 'confirmSecondFactor', 'removeOwnSecondFactor', 'renewOwnKey', 'endSession', 'listOwnSessions', 'beginSignIn', 'updateUserSessionExpiretime', 'moveSessionEnd', 'finishSignIn', 'getServiceProvider'}:
            continue
        text = text.replace(example, begun).replace('/runs/17', f'/runs/{number}')
        text = text.replace('curl ', 'curl -sS --fail-with-body ', 1).replace('http://127.0.0.1:8063', zona.url)
        text = text.replace('127.0.0.1:9615', f'127.0.0.1:{free}')   # which others may use beside this
        done = subprocess.run([*command, text], env=zona.environment({'ZONA_KEY': zona.key}), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (name, text, done.stdout, done.stderr)


# HTTP-23
def test_health_and_documents_need_no_key_and_all_else_does(open_zona):
    zona = open_zona()
    document = requests.get(zona.url + '/openapi.json', timeout=20).json()
    for path, item in document['paths'].items():
        for method, operation in item.items():
            answer = requests.request(method, zona.url + path.replace('{id}', 'nap'), timeout=20, allow_redirects=False)
            if operation['x-zona-scope'] == 'open':
                # What brings its own proof is told what is missing.
                assert answer.status_code in ((400, 404) if '/service-providers/{' in path and method == 'get' else (200, 307) if method == 'get' and not path.startswith('/login/') else (401,) if path.endswith('/whoami/rotations') else (200, 400) if path == '/login/passwords' else (400,)), path
            else:
                assert answer.status_code == 401, path


# PM-64, SEC-30
def test_an_error_names_paths_on_the_machine_and_none_over_tcp(open_zona):
    zona = open_zona()
    (zona.home / 'zona.toml').write_text('nonsense = 1\n')

    local = zona.run('config', 'reload', check=False)
    remote = requests.post(zona.url + '/api/v1/config/reload', json={}, headers={'X-API-Key': zona.key}, timeout=20)

    assert local.returncode == 2 and str(zona.home) in local.stderr
    assert remote.status_code == 400 and 'nonsense' in remote.text
    assert str(zona.folder) not in remote.text and 'zona.toml' not in remote.text


# HTTP-19
def test_an_unknown_version_is_told_which_there_are(client):
    status, answer, _ = client.api('GET', '/api/v2/processes')

    assert (status, answer['error']['code']) == (404, 'NOT_FOUND')
    assert answer['error']['message'] == 'there is no version v2 of the API; there is: v1 (/api/v1/...)'
