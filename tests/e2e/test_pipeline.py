"""The pipeline of requests (specification 002, § 8.2 and § 8.7): which check decides, and that every answer leaves by one exit."""
import json
import os
import signal
import urllib.parse

import pytest
import requests

ATTACK = '?x=' + urllib.parse.quote("1' OR 1=1-- ")
ENVELOPE = {'success', 'data', 'meta'}


@pytest.fixture
def zona(open_zona):
    zona = open_zona(ZONA_API_FIREWALL='block', ZONA_API_TRUSTED_PROXIES='127.0.0.0/8', ZONA_API_DENY_ADDRESSES='192.0.2.0/24',
                     ZONA_API_REQUESTS_PER_SECOND='1', ZONA_API_REQUESTS_BURST='3')
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
    return zona


def ask(zona, path, address, method='PUT', key=None, token=None, body=None, kind='application/json'):
    """(status, code); each address is a client of its own."""
    headers = {'X-Forwarded-For': address, 'Content-Type': kind, **({'X-API-Key': key} if key else {}), **({'Authorization': f'Bearer {token}'} if token else {})}
    answer = requests.request(method, zona.url + path, headers=headers, data=body, timeout=30)
    content = answer.json()
    assert answer.headers['X-Correlation-Id'] and answer.headers['X-Content-Type-Options'] == 'nosniff', 'the one exit'
    if answer.ok:
        assert content['success'] is True and set(content) <= ENVELOPE, content
        return answer.status_code, 'OK'
    assert set(content) == {'success', 'error'} and content['success'] is False, content
    assert content['error']['correlation_id'] == answer.headers['X-Correlation-Id']
    return answer.status_code, content['error']['code']


# AUTH-12, HTTP-03, HTTP-09, SEC-14
def test_of_many_reasons_to_refuse_the_first_in_the_specified_order_decides(zona):
    """Each request has all the faults of those after it and one fewer than the one before."""
    def key(name, *words):
        return zona.run('key', 'create', name, '--tenant', 'acme', *words, '--json').data['key']
    viewer, admin, busy = key('viewer', '--scope', 'viewer'), key('admin', '--scope', 'admin'), key('busy', '--scope', 'viewer', '--rate', '1', '--burst', '1')
    zona.run('tenant', 'suspend', 'acme')
    own, foreign, nowhere = '/api/v1/tenants/acme/settings/motd', '/api/v1/tenants/globex/settings/motd', '/api/v1/nowhere'
    bad = {'body': '[', 'kind': 'application/soap+xml'}
    clients = (f'198.51.100.{number}' for number in range(1, 200))

    for _ in range(3):
        assert ask(zona, nowhere + ATTACK, '192.0.2.1', **bad) == (404, 'NOT_FOUND')
    seen = [ask(zona, nowhere + ATTACK, '192.0.2.1', **bad),
            ask(zona, nowhere + ATTACK, '192.0.2.2', **bad),
            ask(zona, own + ATTACK, '192.0.2.3', 'POST', **bad),
            ask(zona, foreign + ATTACK, '192.0.2.4', **bad),
            ask(zona, foreign + ATTACK, next(clients), **bad),
            ask(zona, foreign, next(clients), **bad),
            ask(zona, foreign, next(clients), token='no.token', **bad),
            ask(zona, foreign, next(clients), key=admin, **bad),
            ask(zona, own, next(clients), key=admin, **bad)]
    # What bounds a key is asked when its tenant is served.
    for _ in range(3):
        assert ask(zona, foreign, next(clients), key=busy, **bad) == (403, 'INVALID_TENANT')
        assert ask(zona, own, next(clients), key=busy, **bad) == (403, 'TENANT_INACTIVE')
    zona.run('tenant', 'activate', 'acme')
    zona.wait_until(lambda: ask(zona, own, next(clients), key=busy, **bad) == (429, 'TOO_MANY_REQUESTS'))
    assert ask(zona, foreign, next(clients), key=busy, **bad) == (403, 'INVALID_TENANT')
    seen += [ask(zona, own, next(clients), key=viewer, **bad),
             ask(zona, own, next(clients), key=admin, **bad),
             ask(zona, own, next(clients), key=admin, body='{"value": "hello", "nonsense": 1}'),
             ask(zona, own, next(clients), key=admin, body='{"value": "hello"}')]

    assert seen == [(429, 'TOO_MANY_REQUESTS'), (404, 'NOT_FOUND'), (405, 'METHOD_NOT_ALLOWED'), (403, 'ADDRESS_DENIED'), (403, 'REQUEST_BLOCKED'),
                    (401, 'UNAUTHENTICATED'), (401, 'INVALID_TOKEN'), (403, 'INVALID_TENANT'), (403, 'TENANT_INACTIVE'),
                    (403, 'ACCESS_DENIED'), (415, 'UNSUPPORTED_MEDIA'), (400, 'INVALID_ARGUMENT'), (200, 'OK')]


def log_lines(zona):
    return [json.loads(line) for line in (zona.home / 'logs/zonad.log').read_text().splitlines()]


# HTTP-06
def test_a_success_is_answered_in_the_envelope_and_logged(open_zona, wait_until):
    zona = open_zona()
    answer = requests.get(zona.url + '/api/v1/processes', headers={'X-API-Key': zona.key, 'X-Correlation-Id': 'success-1'}, timeout=20)
    assert answer.status_code == 200 and answer.headers['Content-Type'] == 'application/json'
    assert set(answer.json()) <= ENVELOPE and answer.json()['success'] is True

    logged = wait_until(lambda: [line for line in log_lines(zona) if line.get('correlation_id') == 'success-1'])
    assert [(line['category'], line['method'], line['path'], line['status'], line['outcome']) for line in logged] == \
        [('http.access', 'GET', '/api/v1/processes', 200, 'complete')]
    assert logged[0]['bytes_out'] > len(answer.content)


# HTTP-22
def test_every_kind_of_client_gets_the_same_bytes(open_zona):
    zona = open_zona()
    path = '/api/v1/tenants'
    kinds = {'browser': {'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36', 'Accept': 'text/html,*/*;q=0.8', 'Accept-Language': 'de'},
             'mobile': {'User-Agent': 'okhttp/4.12.0', 'Accept': 'application/json', 'Accept-Encoding': 'gzip'},
             'program': {'User-Agent': 'python-requests/2.28'}, 'plain': {'User-Agent': '', 'Accept': '*/*'}}
    answers = {kind: requests.get(zona.url + path, headers={'X-API-Key': zona.key, **headers}, timeout=20) for kind, headers in kinds.items()}
    refused = {kind: requests.get(zona.url + path, headers=headers, timeout=20) for kind, headers in kinds.items()}

    assert {(answer.status_code, answer.headers['Content-Type'], answer.text) for answer in answers.values()} == \
        {(200, 'application/json', answers['plain'].text)}
    errors = [{**answer.json()['error'], 'correlation_id': None} for answer in refused.values()]
    assert errors == [errors[0]] * len(kinds) and errors[0]['code'] == 'UNAUTHENTICATED'


# HTTP-05
def test_a_database_that_fails_is_a_500_without_a_word_of_the_inside_and_is_logged(open_zona, wait_until):
    zona = open_zona()
    zona.run('tenant', 'create', 'acme')
    headers = {'X-API-Key': zona.key}
    settings = zona.url + '/api/v1/tenants/acme/settings'
    assert requests.put(settings + '/motd', json={'value': 'x' * 20_000}, headers=headers, timeout=20).status_code == 200
    daemon = zona.daemon_pid()
    os.kill(daemon, signal.SIGKILL)
    for file in (zona.home / 'state/tenants/acme').glob('data.db*'):
        size = file.stat().st_size
        file.write_bytes(os.urandom(size))
    wait_until(lambda: zona.daemon_pid() != daemon)
    zona.url = f"http://{zona.ping()['network']['address']}"

    def failed():
        answer = requests.get(zona.url + '/api/v1/tenants/acme/settings', headers=headers, timeout=20)
        return [answer] if answer.status_code >= 500 and answer.status_code != 503 else None
    answer, = wait_until(failed)
    assert answer.status_code == 500 and set(answer.json()) == {'success', 'error'}
    said = answer.text.lower()
    for inside in ('sqlite', 'data.db', str(zona.home), 'select ', '.cpp', 'malformed', 'exception'):
        assert inside.lower() not in said, said
    told = [line for line in log_lines(zona) if line.get('correlation_id') == answer.headers['X-Correlation-Id']]
    assert any(line['message'] == 'request failed' and line['code'] == answer.json()['error']['code'] for line in told), told
    assert requests.get(zona.url + '/api/v1/processes', headers=headers, timeout=20).status_code == 200, 'what needs it not goes on'


# CACHE-03
def test_what_is_the_same_for_everybody_may_be_kept_and_nothing_else(open_zona, root, wait_until):
    zona = open_zona()
    for path in ('/docs', '/openapi.json', '/.well-known/jwks.json'):
        wait_until(lambda: requests.get(zona.url + path, timeout=20).ok)
        answer = requests.get(zona.url + path, timeout=20)
        assert answer.headers['Cache-Control'] == 'public, no-cache', path
        again = requests.get(zona.url + path, headers={'If-None-Match': answer.headers['ETag']}, timeout=20)
        assert (again.status_code, again.content, again.headers['ETag']) == (304, b'', answer.headers['ETag']), path
        assert again.headers['Cache-Control'] == 'public, no-cache', path

    asked = 0
    for path, item in json.loads((root / 'docs/openapi.json').read_text())['paths'].items():
        operation = item.get('get')
        if operation is None or operation['operationId'] in ('getApiDocument', 'getApiPage', 'getKeySet', 'followEvents', 'openStream'):
            continue
        for p in operation.get('parameters', []):
            path = path.replace('{%s}' % p['name'], urllib.parse.quote(str(p['example']), safe='')) if p['in'] == 'path' else path
        with requests.get(zona.url + path, headers={'X-API-Key': zona.key}, timeout=30, stream=True, allow_redirects=False) as answer:
            assert answer.headers['Cache-Control'].startswith('no-store'), path
        asked += 1
    assert asked > 40
