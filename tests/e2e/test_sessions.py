"""Users sign in over the network, and are let as far as their roles go."""
import datetime
import json
import os
import signal

import pytest
import requests

from unix_api import Api

PASSWORD = 'tulip orbit kettle 41'


@pytest.fixture
def zona(open_zona):
    zona = open_zona()
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
    return zona


def ask(zona, method, path, token=None, **options):
    headers = {'Authorization': f'Bearer {token}'} if token else {}
    return requests.request(method, zona.url + path, headers=headers, timeout=30, **options)


def code_of(answer):
    return answer.status_code, answer.json()['error']['code']


def make_user(zona, tenant, name, roles):
    made = ask(zona, 'POST', f'/api/v1/tenants/{tenant}/users', zona.key, json={'name': name, 'password': PASSWORD, 'roles': roles})
    assert made.status_code == 201, made.text
    return made.json()['data']['id']


def sign_in(zona, tenant, name, password=PASSWORD):
    return ask(zona, 'POST', '/api/v1/sessions', json={'tenant': tenant, 'name': name, 'password': password})


def token_of(zona, tenant, name):
    answer = sign_in(zona, tenant, name)
    assert answer.status_code == 201, answer.text
    return answer.json()['data']['access_token']


# AUTH-17, AUTH-18, AUTH-21
def test_a_user_signs_in_works_and_signs_out(zona):
    make_user(zona, 'acme', 'anna', ['admin'])
    tokens = sign_in(zona, 'acme', 'Anna').json()['data']
    token = tokens['access_token']

    me = ask(zona, 'GET', '/api/v1/whoami', token).json()['data']
    assert me['principal'] == 'user anna of acme' and me['session']['id'] == tokens['session']['id']
    assert ask(zona, 'GET', '/api/v1/tenants/acme/settings', token).status_code == 200

    renewed = ask(zona, 'POST', '/api/v1/sessions/renewals', json={'refresh_token': tokens['refresh_token']}).json()['data']
    assert ask(zona, 'GET', '/api/v1/whoami', renewed['access_token']).status_code == 200
    assert ask(zona, 'DELETE', '/api/v1/sessions/current', renewed['access_token']).json()['data'] == {'ended': 1}
    for ended in (token, renewed['access_token']):
        assert code_of(ask(zona, 'GET', '/api/v1/whoami', ended)) == (401, 'UNKNOWN_TOKEN')
    def record():
        entries = ask(zona, 'GET', '/api/v1/audit?action=signIn', zona.key).json()['data']
        return [(entry['actor'], entry['tenantcode'], entry['outcome'], entry['category']) for entry in entries]
    zona.wait_until(lambda: record() == [('user:1', 'acme', 'success', 'authentication')], what=record)
    log = (zona.home / 'logs/zonad.log').read_text()
    for secret in (token, tokens['refresh_token'], PASSWORD):
        assert secret not in log


# AUTH-35, AUTH-40, TEN-16
def test_roles_and_tenants_bound_what_a_user_reaches(zona):
    for name, roles in (('anna', ['admin']), ('carl', ['user']), ('nina', [])):
        make_user(zona, 'acme', name, roles)
    make_user(zona, 'core', 'root', ['super_admin'])
    admin, user, nobody, root = (token_of(zona, tenant, name) for tenant, name in
                                 (('acme', 'anna'), ('acme', 'carl'), ('acme', 'nina'), ('core', 'root')))
    own, other, registry, keys = '/api/v1/tenants/acme/users', '/api/v1/tenants/globex/users', '/api/v1/tenants', '/api/v1/keys'

    assert ask(zona, 'GET', own, admin).status_code == 200
    assert code_of(ask(zona, 'GET', other, admin)) == (403, 'INVALID_TENANT')
    assert code_of(ask(zona, 'GET', '/api/v1/tenants/nobody/users', admin)) == (403, 'INVALID_TENANT')
    for path in (registry, keys, '/api/v1/processes', '/api/v1/config'):
        assert code_of(ask(zona, 'GET', path, admin)) == (403, 'ACCESS_DENIED'), path
    for token in (user, nobody):
        assert code_of(ask(zona, 'GET', own, token)) == (403, 'ACCESS_DENIED')
        assert ask(zona, 'GET', '/api/v1/whoami', token).status_code == 200
    for path in (own, other, registry, keys, '/api/v1/processes'):
        assert ask(zona, 'GET', path, root).status_code == 200, path
    assert 'zona_authorization_violations_total' in ask(zona, 'GET', '/api/v1/metrics', zona.key).text


# AUTH-19, AUTH-32
def test_who_is_changed_signs_in_again_and_has_other_rights(zona):
    number = make_user(zona, 'acme', 'carl', ['user'])
    token = token_of(zona, 'acme', 'carl')
    assert ask(zona, 'GET', '/api/v1/whoami', token).status_code == 200
    changed = ask(zona, 'PATCH', f'/api/v1/tenants/acme/users/{number}', zona.key, json={'roles': ['admin']})
    assert changed.status_code == 200, changed.text
    assert code_of(ask(zona, 'GET', '/api/v1/whoami', token)) == (401, 'UNKNOWN_TOKEN')
    assert ask(zona, 'GET', '/api/v1/tenants/acme/users', token_of(zona, 'acme', 'carl')).status_code == 200
    ask(zona, 'PATCH', f'/api/v1/tenants/acme/users/{number}', zona.key, json={'status': 'disabled'})
    assert code_of(sign_in(zona, 'acme', 'carl')) == (401, 'UNAUTHENTICATED')


# AUTH-07, AUTH-08
def test_the_tenant_of_a_token_must_be_active(zona):
    make_user(zona, 'acme', 'anna', ['admin'])
    tokens = sign_in(zona, 'ACME', 'anna').json()['data']
    token, renewal = tokens['access_token'], {'refresh_token': tokens['refresh_token']}
    zona.run('tenant', 'suspend', 'acme')
    assert code_of(ask(zona, 'GET', '/api/v1/whoami', token)) == (403, 'TENANT_INACTIVE')
    assert code_of(sign_in(zona, 'acme', 'anna')) == (403, 'TENANT_INACTIVE')
    assert code_of(ask(zona, 'POST', '/api/v1/sessions/renewals', json=renewal)) == (403, 'TENANT_INACTIVE')
    zona.run('tenant', 'activate', 'acme')
    assert ask(zona, 'GET', '/api/v1/whoami', token).status_code == 200
    assert ask(zona, 'POST', '/api/v1/sessions/renewals', json=renewal).status_code == 201


# AUTH-03, AUTH-04, AUTH-42
def test_wrong_credentials_and_tokens_open_nothing(zona):
    make_user(zona, 'acme', 'anna', ['admin'])
    unknown, wrong = sign_in(zona, 'acme', 'nobody'), sign_in(zona, 'acme', 'anna', 'not the password')
    assert code_of(unknown) == code_of(wrong) == (401, 'UNAUTHENTICATED')
    assert unknown.json()['error']['message'] == wrong.json()['error']['message']
    token = token_of(zona, 'acme', 'anna')
    head, body, signature = token.split('.')
    unsigned = 'eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.' + body + '.'
    for bad in (unsigned, f'{head}.{body}.{signature[:-4]}AAAA', 'letmein', 'a.b.c', token + 'A'):
        assert code_of(ask(zona, 'GET', '/api/v1/whoami', bad)) == (401, 'INVALID_TOKEN'), bad
    assert ask(zona, 'GET', '/api/v1/whoami').status_code == 401


# AUTH-16, AUTH-44, GAP-11
def test_a_gateway_can_look_at_tokens_and_is_not_believed_and_they_outlive_the_daemon(zona):
    jwt = pytest.importorskip('jwt')
    make_user(zona, 'acme', 'anna', ['admin'])
    token = token_of(zona, 'acme', 'anna')
    keys = ask(zona, 'GET', '/.well-known/jwks.json').json()['keys']
    key = jwt.algorithms.OKPAlgorithm.from_jwk(json.dumps(keys[0]))
    claims = jwt.decode(token, key, algorithms=['EdDSA'], audience='zona', issuer='zona')
    assert claims['tenant'] == 'acme' and claims['roles'] == ['admin']
    # What a gateway adds to a request that it has let through opens nothing by itself.
    added = {'X-Forwarded-User': 'anna', 'X-Auth-Request-User': 'anna', 'X-Forwarded-Access-Token': token, 'X-Tenant': 'acme'}
    assert requests.get(zona.url + '/api/v1/whoami', headers=added, timeout=30).status_code == 401
    other = jwt.algorithms.OKPAlgorithm.from_jwk(json.dumps({'kty': 'OKP', 'crv': 'Ed25519', 'x': '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
                                                              'd': 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A'}))
    forged = jwt.encode(claims, other, algorithm='EdDSA', headers={'kid': keys[0]['kid'], 'typ': 'at+jwt'})
    for bad in (forged, token.rsplit('.', 1)[0] + '.' + forged.rsplit('.', 1)[1]):
        assert code_of(ask(zona, 'GET', '/api/v1/whoami', bad)) == (401, 'INVALID_TOKEN')
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    zona.wait_until(lambda: ask(zona, 'GET', '/api/v1/whoami', token).status_code == 200)


# AUTH-18
def test_a_password_is_changed_by_whoever_knows_it(zona):
    make_user(zona, 'acme', 'anna', ['admin'])
    token = token_of(zona, 'acme', 'anna')
    body = {'tenant': 'acme', 'name': 'anna', 'password': PASSWORD, 'new_password': 'meadow piston lantern 7'}
    assert code_of(ask(zona, 'POST', '/api/v1/passwords', json={**body, 'password': 'wrong one here'})) == (401, 'UNAUTHENTICATED')
    assert ask(zona, 'POST', '/api/v1/passwords', json=body).status_code == 200
    assert code_of(sign_in(zona, 'acme', 'anna')) == (401, 'UNAUTHENTICATED')
    assert sign_in(zona, 'acme', 'anna', body['new_password']).status_code == 201
    assert ask(zona, 'GET', '/api/v1/whoami', token).status_code == 401


def move_end(zona, whose, when, token=None, key=None):
    """By the path that was promised."""
    return requests.get(f'{zona.url}/updateUserSessionExpiretime/{whose}/{when}/', timeout=30,
                        headers={'Authorization': f'Bearer {token or key}'} if token or key else {})


def in_seconds(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat().replace('+00:00', 'Z')


# AUTH-15, GAP-13
def test_the_end_of_a_session_is_moved_by_itself_and_by_those_who_manage_it(zona):
    for tenant, name, role in (('acme', 'anna', 'admin'), ('acme', 'bert', 'user'), ('globex', 'gina', 'admin')):
        make_user(zona, tenant, name, [role])
    signed_in = sign_in(zona, 'acme', 'bert').json()['data']
    bert, latest = signed_in['access_token'], signed_in['session']['ends_at_latest']
    anna, gina = token_of(zona, 'acme', 'anna'), token_of(zona, 'globex', 'gina')
    key = {scope: zona.run('key', 'create', scope, '--scope', scope).stdout.strip() for scope in ('viewer', 'admin')}

    when = in_seconds(600)
    moved = move_end(zona, bert, when, token=bert)
    assert moved.status_code == 200 and moved.headers['Cache-Control'] == 'no-store'
    assert moved.json()['data'] == {'session': signed_in['session']['id'], 'ended': False, 'ends_at_latest': when[:23] + 'Z'}
    ms = int(datetime.datetime.fromisoformat(latest).timestamp() * 1000)
    for end in (str(ms - 1000), str(ms // 1000 - 1)):
        assert move_end(zona, bert, end, token=anna).json()['data']['ends_at_latest'] < latest
    capped = move_end(zona, bert, '2100-01-01T00:00:00Z', key=key['admin']).json()['data']
    assert abs(datetime.datetime.fromisoformat(capped['ends_at_latest']) - datetime.datetime.fromisoformat(latest)) < datetime.timedelta(seconds=1)

    refused = [(move_end(zona, bert, when), (401, 'UNAUTHENTICATED')), (move_end(zona, bert, when, token=gina), (403, 'INVALID_TENANT')),
               (move_end(zona, anna, when, token=bert), (403, 'ACCESS_DENIED')), (move_end(zona, bert, when, key=key['viewer']), (403, 'ACCESS_DENIED')),
               (move_end(zona, bert[:-6] + 'AAAAAA', when, token=anna), (404, 'NOT_FOUND')), (move_end(zona, 'nonsense', when, token=anna), (404, 'NOT_FOUND')),
               (move_end(zona, bert, 'tomorrow', token=bert), (400, 'INVALID_ARGUMENT')), (move_end(zona, bert, '9' * 18, token=bert), (400, 'INVALID_ARGUMENT')),
               (ask(zona, 'POST', '/api/v1/sessions/ends', gina, json={'access_token': bert, 'ends_at': when}), (403, 'INVALID_TENANT'))]
    for answer, expected in refused:
        assert code_of(answer) == expected, answer.text
        assert bert not in answer.text

    twin = ask(zona, 'POST', '/api/v1/sessions/ends', anna, json={'access_token': bert, 'ends_at': in_seconds(-1)})
    assert twin.json()['data']['ended'] is True
    assert code_of(ask(zona, 'GET', '/api/v1/whoami', bert)) == (401, 'UNKNOWN_TOKEN')
    assert ask(zona, 'GET', '/api/v1/whoami', anna).status_code == 200


# GAP-13, AUTH-25
def test_a_token_in_a_path_is_told_by_nobody_and_taken_by_no_other_path(zona):
    make_user(zona, 'acme', 'anna', ['admin'])
    token = token_of(zona, 'acme', 'anna')
    local = Api(zona)
    assert move_end(zona, token, in_seconds(600), token=token).status_code == 200
    assert move_end(zona, token, in_seconds(600)).status_code == 401
    taken = [('GET', f'/api/v1/processes/{token}'), ('GET', f'/api/v1/processes?select={token}'), ('GET', f'/livez?{token}'),
             ('GET', f'/updateUserSessionExpiretime/{token}/1/?x={token}')]
    for method, path in taken:
        answer = ask(zona, method, path, token)
        assert code_of(answer) == (400, 'INVALID_ARGUMENT'), path
        assert token not in answer.text
        local(method, path)
    for method, path in [('GET', f'/{token}'), ('POST', f'/updateUserSessionExpiretime/{token}/1/'), ('GET', f'/updateUserSessionExpiretime/{token}/'),
                         ('GET', f'/updateusersessionexpiretime/{token}/1/')]:
        assert ask(zona, method, path, token).status_code in (404, 405), path
        assert local(method, path)[0] in (404, 405)

    def record():
        entries = ask(zona, 'GET', '/api/v1/audit?action=updateUserSessionExpiretime', zona.key).json()['data']
        return [(entry['resource'], entry['outcome']) for entry in entries]
    zona.wait_until(lambda: ('/updateUserSessionExpiretime/{accesstoken}/{exiprytime}/', 'success') in record(), what=record)
    zona.wait_until(lambda: '"path":"(secret)","' in (zona.home / 'logs/zonad.log').read_text())
    everything = ask(zona, 'GET', '/api/v1/audit/export', zona.key).text + (zona.home / 'logs/zonad.log').read_text()
    assert 'updateUserSessionExpiretime' in everything
    for part in (token, token.split('.')[1], token.split('.')[2]):
        assert part not in everything
