"""API keys by their verbs and routes: who may do what, for how long."""
import contextlib
import functools
import hashlib
import json
import os
import signal
import stat

import pytest
import requests

from waiting import FACTOR
from websocket_wire import CLOSE, TEXT, FrameWire, close_frame, frame
from wire import over_tcp

PING = '/api/v1/ping'


@pytest.fixture
def zona(open_zona):
    return open_zona()


def ask(zona, key, method='GET', path=PING, **options):
    return requests.request(method, zona.url + path, headers={'X-API-Key': key}, timeout=20, **options)


def status(zona, key, **options):
    return ask(zona, key, **options).status_code


# PM-50, PM-51
def test_a_viewers_key_reads_and_changes_nothing(zona):
    made = zona.run('key', 'create', 'wall')
    key = made.stdout.strip()
    assert key.startswith('zona_key_') and 'not shown again' in made.stderr

    assert status(zona, key, path='/api/v1/processes') == 200
    answer = ask(zona, key, 'POST', '/api/v1/operations', json={'action': 'stop', 'select': ['all']})
    assert (answer.status_code, answer.json()['error']['code']) == (403, 'ACCESS_DENIED')
    assert zona.process('nap')['status'] == 'online'
    assert status(zona, key, method='POST', path='/api/v1/keys', json={'name': 'more', 'scope': 'admin'}) == 403


def test_an_admins_key_may_make_others(zona):
    admin = zona.run('key', 'create', 'ci', '--scope', 'admin').stdout.strip()
    made = ask(zona, admin, 'POST', '/api/v1/keys', json={'name': 'more', 'scope': 'viewer'})
    assert made.status_code == 201
    assert status(zona, made.json()['data']['key']) == 200


def test_a_key_ends_when_it_expires(zona, wait_until):
    key = zona.run('key', 'create', 'short', '--expires', '1s').stdout.strip()
    wait_until(lambda: status(zona, key) == 401)
    assert 'expired' in ask(zona, key).json()['error']['message']
    listed = {k['name']: k for k in zona.run('key', 'list', '--json').data}
    assert listed['short']['expires_at'] and listed['short']['scope'] == 'viewer'


def open_socket(zona, key, path='/api/v1/stream'):
    host, port = zona.url.removeprefix('http://').split(':')
    return FrameWire(over_tcp(host, int(port)), path.encode(), f'X-API-Key: {key}\r\n'.encode())


def open_streams(zona, key, stack):
    """What may stay open for days, by its path: a call that reads on until it ends, and tells how."""
    def end_of(wire):
        while (close := wire.frame()).opcode != CLOSE:
            pass
        wire.send(close_frame(close.code))
        return close.code, close.reason

    def rest_of(answer):
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            for _ in answer.iter_content(None):
                pass
        return 'cut'
    ends = {}
    for path in ('/api/v1/stream', '/ws'):
        ends[path] = functools.partial(end_of, stack.enter_context(open_socket(zona, key, path)))
    for path in ('/api/v1/events', '/api/v1/logs?follow=true&lines=10'):
        answer = stack.enter_context(requests.get(zona.url + path, headers={'X-API-Key': key}, stream=True, timeout=20 * FACTOR))
        assert answer.status_code == 200
        ends[path] = functools.partial(rest_of, answer)
    return ends


# PM-51, PM-56
@pytest.mark.parametrize('how', ['revoked', 'rotated', 'expired'])
def test_a_key_that_is_good_no_more_ends_what_it_has_opened(zona, how):
    key = zona.run('key', 'create', 'ci', '--scope', 'admin', *(['--expires', '2s'] if how == 'expired' else [])).stdout.strip()
    with contextlib.ExitStack() as stack:
        other = stack.enter_context(open_socket(zona, zona.key))
        ends = open_streams(zona, key, stack)
        if how == 'revoked':
            zona.run('key', 'revoke', 'ci')
        if how == 'rotated':
            zona.run('key', 'rotate', 'ci', '--overlap', '1s')

        closed = (1008, 'the key or token is not valid any more')
        assert {path: end() for path, end in ends.items()} == {
            '/api/v1/stream': closed, '/ws': closed, '/api/v1/events': 'cut', '/api/v1/logs?follow=true&lines=10': 'cut'}
        other.send(frame(TEXT, b'{"type":"ping","id":"x"}'))
        assert other.until(TEXT, CLOSE).opcode == TEXT


def test_a_rotation_lets_both_keys_work_for_a_while(zona, wait_until):
    old = zona.run('key', 'create', 'app').stdout.strip()
    new = zona.run('key', 'rotate', 'app', '--overlap', '2s').stdout.strip()
    assert new != old and status(zona, new) == 200
    wait_until(lambda: status(zona, old) == 401)
    assert status(zona, new) == 200


def test_a_revoked_key_is_refused_at_once(zona):
    key = zona.run('key', 'create', 'app').stdout.strip()
    assert status(zona, key) == 200
    zona.run('key', 'revoke', 'app')
    assert status(zona, key) == 401
    again = zona.run('key', 'revoke', 'app', check=False)
    assert again.returncode == 3 and "no key named 'app'" in again.stderr


def test_last_use_is_shown_and_survives_the_daemon(zona, wait_until):
    key = zona.run('key', 'create', 'app').stdout.strip()

    def last_use():
        return {k['name']: k['last_used_at'] for k in zona.run('key', 'list', '--json').data}['app']
    assert last_use() is None
    status(zona, key)
    used = last_use()
    assert used
    zona.run('kill')   # writes down the uses
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    assert last_use() == used
    pid = zona.daemon_pid()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: zona.daemon_pid() != pid)
    zona.url = f"http://{zona.ping()['network']['address']}"
    assert status(zona, key) == 200


def test_keys_are_listed_for_people(zona):
    zona.run('key', 'create', 'app', '--scope', 'admin', '--expires', '30d')
    lines = zona.run('key').stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [['name', 'scope'], ['default', 'admin'], ['app', 'admin']]
    shown = zona.run('key', 'show', 'app').stdout
    assert 'name        app' in shown and 'scope       admin' in shown
    missing = zona.run('key', 'show', 'nobody', check=False)
    assert missing.returncode == 3 and 'nobody' in missing.stderr


@pytest.mark.parametrize('words, named', [
    (['create', 'a b'], 'name'),
    (['create', 'x', '--scope', 'root'], 'scope'),
    (['create', 'x', '--expires', 'tomorrow'], 'expires_in'),
    (['create', 'default'], "'default' exists already"),
    (['create'], 'create'),
    (['rotate', 'nobody'], 'nobody'),
    (['create', 'x', '--allow', 'users'], "'users' is no permission"),
    (['create', 'x', '--burst', '3'], 'requests_per_second'),
    (['create', 'x', '--rotate-every', '1s'], 'after a minute at least'),
    (['list', '--scope', 'admin'], '--scope belongs to zona key create'),
    (['forget', 'x'], "zona key has no 'forget'"),
])
def test_mistakes_are_named(zona, words, named):
    answer = zona.run('key', *words, check=False)
    assert answer.returncode in (2, 3, 4) and named in answer.stderr, answer


# PM-64
def test_no_key_is_in_any_file_but_the_first(zona):
    keys = [zona.key, zona.run('key', 'create', 'app').stdout.strip(), zona.run('key', 'rotate', 'app').stdout.strip()]
    for key in keys:
        status(zona, key)
        ask(zona, key + 'x')
    for path in zona.home.rglob('*'):
        if path.is_file() and path.name != 'api-key':
            text = path.read_bytes()
            assert not any(key.encode() in text for key in keys), path
    assert stat.S_IMODE((zona.home / 'state/api-keys.json').stat().st_mode) == 0o600
    assert json.loads((zona.home / 'state/api-keys.json').read_text()) == {'format': 3, 'keys': []}


def test_without_the_network_keys_are_kept_all_the_same(new_zona):
    zona = new_zona()
    zona.run('start', '/bin/sleep', '--', '1000')
    assert zona.run('key', 'create', 'app').stdout.startswith('zona_key_')
    assert [k['name'] for k in zona.run('key', 'list', '--json').data] == ['default', 'app']


# AUTH-28, PM-51
def test_keys_of_an_earlier_zona_are_taken_over(new_zona):
    zona = new_zona(env={'ZONA_API_LISTEN': '127.0.0.1:0'})
    (zona.home / 'state').mkdir(parents=True, mode=0o700)
    key = 'zona_key_' + 43 * 'k'
    (zona.home / 'state/api-keys.json').write_text(json.dumps({'format': 1, 'keys': [{
        'id': '0d6b5a1e-7c1b-4b0e-9d0a-0f2a6a5c1d11', 'name': 'old', 'scope': 'admin', 'sha256': hashlib.sha256(key.encode()).hexdigest(),
        'created_at': '2026-01-31T12:00:00.000Z'}]}))
    zona.run('start', '/bin/sleep', '--', '1000')
    zona.url = f"http://{zona.ping()['network']['address']}"
    for _ in range(2):
        assert status(zona, key) == 200
        assert [(k['name'], k['created_at']) for k in zona.run('key', 'list', '--json').data] == [('old', '2026-01-31T12:00:00.000Z')]
        assert json.loads((zona.home / 'state/api-keys.json').read_text()) == {'format': 3, 'keys': []}
        zona.kill_keeper_and_daemon()
        zona.run('list')
        zona.url = f"http://{zona.ping()['network']['address']}"


# AUTH-28, TEN-15
def test_a_key_does_what_it_was_made_for_and_nothing_else(zona):
    zona.run('tenant', 'create', 'acme')
    zona.run('tenant', 'create', 'globex')
    zona.run('role', 'create', 'watch', '--tenant', 'acme', '--grant', 'roles:read=all')
    reads = zona.run('key', 'create', 'reads', '--tenant', 'acme', '--allow', 'users:read').stdout.strip()
    watches = zona.run('key', 'create', 'watches', '--tenant', 'acme', '--roles', 'watch').stdout.strip()

    def codes(key):
        paths = ('/api/v1/tenants/acme/users', '/api/v1/tenants/acme/roles', '/api/v1/tenants/globex/users', '/api/v1/processes')
        return [ask(zona, key, path=path).json().get('error', {}).get('code', 'ok') for path in paths]
    assert codes(reads) == ['ok', 'ACCESS_DENIED', 'INVALID_TENANT', 'ACCESS_DENIED']
    assert codes(watches) == ['ACCESS_DENIED', 'ok', 'INVALID_TENANT', 'ACCESS_DENIED']
    refused = ask(zona, reads, 'POST', '/api/v1/tenants/acme/users', json={'name': 'eve'})
    assert (refused.status_code, refused.json()['error']['code']) == (403, 'ACCESS_DENIED')
    shown = {k['name']: k for k in zona.run('key', 'list', '--json').data}
    assert (shown['reads']['scope'], shown['reads']['permissions'], shown['reads']['refusals']) == ('limited', ['users:read'], 4)
    assert (shown['watches']['roles'], shown['reads']['last_address']) == (['watch'], '127.0.0.1')
    # A role that changes changes its keys.
    changed = ask(zona, zona.key, 'PUT', '/api/v1/tenants/acme/roles/watch', json={'grants': {'users:read': 'all'}})
    assert changed.status_code == 200, changed.text
    assert codes(watches)[:2] == ['ok', 'ACCESS_DENIED']
    kept = zona.run('role', 'remove', 'watch', '--tenant', 'acme', check=False)
    assert kept.returncode == 4 and 'the API key watches has it' in kept.stderr


# AUTH-28
def test_a_limited_key_makes_none_that_may_do_more(zona):
    maker = zona.run('key', 'create', 'maker', '--allow', 'api_keys:create,api_keys:delete').stdout.strip()
    for body in ({'name': 'more', 'scope': 'admin'}, {'name': 'more'}, {'name': 'more', 'permissions': ['processes:execute']}):
        assert status(zona, maker, method='POST', path='/api/v1/keys', json=body) == 403, body
    assert status(zona, maker, method='POST', path='/api/v1/keys/default/rotations') == 403
    assert status(zona, maker, method='DELETE', path='/api/v1/keys/default') == 403
    assert status(zona, maker, method='POST', path='/api/v1/keys', json={'name': 'same', 'permissions': ['api_keys:create']}) == 201
    assert status(zona, zona.key) == 200


# AUTH-28, SEC-15
def test_a_key_that_asks_too_often_is_told_when_to_come_again(zona):
    key = zona.run('key', 'create', 'slow', '--rate', '1', '--burst', '3').stdout.strip()
    answers = [ask(zona, key) for _ in range(8)]
    refused = [a for a in answers if a.status_code == 429]
    assert [a.status_code for a in answers[:3]] == [200, 200, 200] and refused
    assert refused[0].json()['error']['code'] == 'TOO_MANY_REQUESTS' and int(refused[0].headers['Retry-After']) >= 1
    assert status(zona, zona.key) == 200
    shown = zona.run('key', 'show', 'slow', '--json').data[0]
    assert (shown['requests'], shown['refusals']) == (8, len(refused))


# AUTH-28
def test_a_viewers_key_renews_itself(zona, wait_until):
    old = zona.run('key', 'create', 'wall', '--rotate-every', '30d').stdout.strip()
    answer = ask(zona, old, 'POST', '/api/v1/whoami/rotations', json={'overlap': '1s'})
    assert answer.status_code == 201, answer.text
    new = answer.json()['data']['key']
    assert ask(zona, old, 'POST', '/api/v1/whoami/rotations').status_code in (401, 409)
    wait_until(lambda: status(zona, old) == 401)
    assert status(zona, new) == 200
    assert zona.run('key', 'show', 'wall', '--json').data[-1]['due_at']
    assert ask(zona, zona.key, 'POST', '/api/v1/whoami/rotations').status_code == 409
    assert requests.post(zona.url + '/api/v1/whoami/rotations', timeout=20).status_code == 401


def test_a_damaged_list_is_told_and_left_as_it_is(new_zona):
    zona = new_zona()
    (zona.home / 'state').mkdir(parents=True, mode=0o700)
    (zona.home / 'state/api-keys.json').write_text('{')
    zona.run('start', '/bin/sleep', '--', '1000')
    answer = zona.run('key', 'create', 'app', check=False)
    assert answer.returncode == 4 and 'api-keys.json' in answer.stderr
    assert (zona.home / 'state/api-keys.json').read_text() == '{'


PASSWORD = 'tulip orbit kettle 41'


def administrator(zona, tenant, name='anna', roles='admin'):
    """ask(method, path, **options) as a user who has signed in."""
    zona.run('user', 'create', name, '--tenant', tenant, '--roles', roles, '--password-file', '-', input=PASSWORD)
    tokens = requests.post(zona.url + '/api/v1/sessions', json={'tenant': tenant, 'name': name, 'password': PASSWORD}, timeout=20).json()['data']
    header = {'Authorization': f"Bearer {tokens['access_token']}"}
    return lambda method, path, **options: requests.request(method, zona.url + path, headers=header, timeout=20, **options)


def code(answer):
    return answer.json()['error']['code'] if answer.status_code >= 400 else 'ok'


# AUTH-33, AUTH-38, AUTH-28, TEN-16
def test_a_tenants_administrators_manage_its_keys(zona):
    for tenant in ('acme', 'globex'):
        zona.run('tenant', 'create', tenant)
    anna, bert = administrator(zona, 'acme'), administrator(zona, 'globex', 'bert')
    own, theirs = '/api/v1/tenants/acme/keys', '/api/v1/tenants/globex/keys'
    assert code(bert('POST', theirs, json={'name': 'robot', 'scope': 'admin'})) == 'ok'
    assert code(bert('POST', theirs, json={'name': 'secret', 'scope': 'admin'})) == 'ok'

    made = anna('POST', own, json={'name': 'robot', 'scope': 'admin'})
    assert made.status_code == 201, made.text
    key = made.json()['data']['key']
    assert status(zona, key, path='/api/v1/tenants/acme/users') == 200
    assert [(k['name'], k['tenant']) for k in anna('GET', own).json()['data']] == [('robot', 'acme')]
    assert [k['tenant'] for k in anna('GET', own + '/robot').json()['data']] == ['acme']
    for method, path in (('GET', '/secret'), ('DELETE', '/secret'), ('POST', '/secret/rotations'), ('GET', '/default'), ('DELETE', '/default')):
        assert code(anna(method, own + path)) == 'NOT_FOUND', path
    for method, path in (('GET', theirs), ('GET', theirs + '/secret'), ('DELETE', theirs + '/secret'), ('GET', '/api/v1/tenants/core/keys')):
        assert code(anna(method, path)) == 'INVALID_TENANT', path
    assert code(anna('GET', '/api/v1/keys')) == 'ACCESS_DENIED'
    assert code(anna('POST', own, json={'name': 'more', 'tenant': 'globex', 'scope': 'admin'})) == 'INVALID_ARGUMENT'
    assert code(anna('POST', own, json={'name': 'more', 'permissions': ['processes:execute']})) == 'INVALID_ARGUMENT'
    successor = anna('POST', own + '/robot/rotations', json={'overlap': '1h'}).json()['data']['key']
    assert status(zona, successor, path='/api/v1/tenants/acme/users') == 200

    zona.run('role', 'create', 'keeper', '--tenant', 'acme', '--grant', 'api_keys:create=all', '--grant', 'api_keys:delete=all')
    carl = administrator(zona, 'acme', 'carl', 'keeper')
    assert code(carl('POST', own, json={'name': 'more', 'scope': 'admin'})) == 'ACCESS_DENIED'
    assert code(carl('DELETE', own + '/robot')) == 'ACCESS_DENIED'
    assert code(carl('POST', own, json={'name': 'same', 'permissions': ['api_keys:create']})) == 'ok'
    for role in ('user', 'creator'):
        assert code(administrator(zona, 'acme', role, role)('GET', own)) == 'ACCESS_DENIED'

    whose = zona.run('key', 'revoke', 'robot', check=False)
    assert whose.returncode == 4 and 'several tenants' in whose.stderr
    assert [line.split()[0] for line in zona.run('key', 'list', '--tenant', 'globex').stdout.splitlines()] == ['name', 'robot', 'secret']
    assert code(anna('DELETE', own + '/robot')) == 'ok'
    assert status(zona, successor, path='/api/v1/tenants/acme/users') == 401
    assert [k['tenant'] for k in zona.run('key', 'show', 'robot', '--json').data] == ['globex']


# SEC-15
def test_a_new_key_has_the_usual_rate_unless_it_is_made_with_another(open_zona):
    zona = open_zona(ZONA_API_KEY_REQUESTS_PER_SECOND='2')
    usual = zona.run('key', 'create', 'usual').stdout.strip()
    free = zona.run('key', 'create', 'free', '--rate', '0').stdout.strip()
    rates = {k['name']: (k['requests_per_second'], k['burst']) for k in zona.run('key', 'list', '--json').data}
    assert rates == {'default': (None, None), 'usual': (2, 4), 'free': (None, None)}
    assert 429 in [status(zona, usual) for _ in range(12)]
    assert {status(zona, free) for _ in range(12)} == {200}
