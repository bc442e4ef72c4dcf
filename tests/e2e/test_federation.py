"""Users sign in by an identity provider."""
import json
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from openid_provider import Provider

SECRET = 'orchid-tundra_41'   # Authlib does not decode what RFC 6749 section 2.3.1 has encoded
BACK = 'http://127.0.0.1:4711/back'


def ask(zona, method, path, token=None, **options):
    headers = {'Authorization': f'Bearer {token}'} if token else {}
    return requests.request(method, zona.url + path, headers=headers, timeout=30, **options)


def code_of(answer):
    return answer.status_code, answer.json()['error']['code']


@pytest.fixture
def provider(free_port):
    provider = Provider(free_port, 'zona', SECRET, [BACK])
    yield provider
    provider.close()


@pytest.fixture
def zona(open_zona):
    zona = open_zona(ZONA_FEDERATION_LOCAL_PROVIDERS='true')
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
    return zona


def set_up(zona, provider, tenant='acme', **more):
    body = {'name': 'corp', 'issuer': provider.issuer, 'client_id': 'zona', 'client_secret': SECRET, **more}
    made = ask(zona, 'POST', f'/api/v1/tenants/{tenant}/identity-providers', zona.key, json=body)
    assert made.status_code == 201, made.text
    return made.json()['data']


def begin(zona, tenant='acme'):
    return ask(zona, 'POST', '/api/v1/sign-ins', json={'tenant': tenant, 'provider': 'corp', 'redirect_uri': BACK})


def answer_of(url):
    """What a browser brings back from the provider."""
    sent = requests.get(url, allow_redirects=False, timeout=30)
    assert sent.status_code == 302, sent.text
    assert sent.headers['Location'].startswith(BACK)
    return {name: values[0] for name, values in parse_qs(urlsplit(sent.headers['Location']).query).items()}


def sign_in(zona, tenant='acme'):
    begun = begin(zona, tenant)
    assert begun.status_code == 201, begun.text
    begun = begun.json()['data']
    return finish(zona, begun['attempt'], answer_of(begun['url']))


def finish(zona, attempt, answer):
    return ask(zona, 'POST', '/api/v1/sign-ins/completions', json={'attempt': attempt, **answer})


# AUTH-26, AUTH-18
def test_a_user_signs_in_by_an_openid_provider(zona, provider):
    shown = set_up(zona, provider, roles={'soc': 'admin'}, newcomers='create')
    assert shown['has_secret'] and 'client_secret' not in shown
    tokens = sign_in(zona)
    assert tokens.status_code == 201, tokens.text
    tokens = tokens.json()['data']
    assert tokens['session']['method'] == 'provider:corp' and tokens['session']['roles'] == ['admin']
    assert ask(zona, 'GET', '/api/v1/tenants/acme/users', tokens['access_token']).status_code == 200
    assert ask(zona, 'GET', '/api/v1/tenants/globex/users', tokens['access_token']).status_code == 403
    provider.user['groups'] = []
    again = sign_in(zona).json()['data']
    assert again['session']['roles'] == [] and again['session']['user_id'] == tokens['session']['user_id']
    # The session with the roles of before has ended.
    assert code_of(ask(zona, 'GET', '/api/v1/whoami', tokens['access_token'])) == (401, 'UNKNOWN_TOKEN')
    assert ask(zona, 'GET', '/api/v1/tenants/acme/users', again['access_token']).status_code == 403
    record = [json.loads(line) for line in zona.run('audit', 'export', '--tenant', 'acme').stdout.splitlines()]
    assert not [entry for entry in record if SECRET in json.dumps(entry)]


# AUTH-27
def test_each_tenant_has_its_own_providers(zona, provider):
    set_up(zona, provider, newcomers='create')
    assert code_of(begin(zona, 'globex')) == (404, 'NOT_FOUND')
    assert sign_in(zona).status_code == 201
    set_up(zona, provider, 'globex')
    assert code_of(sign_in(zona, 'globex')) == (403, 'ACCESS_DENIED'), 'nobody is known there'
    made = ask(zona, 'POST', '/api/v1/tenants/globex/users', zona.key, json={'name': 'anna', 'roles': ['user']})
    assert made.status_code == 201, made.text
    assert sign_in(zona, 'globex').json()['data']['session']['tenant'] == 'globex'


# AUTH-26
def test_an_answer_is_good_once_and_for_whoever_began(zona, provider):
    set_up(zona, provider, newcomers='create')
    mine, theirs = begin(zona).json()['data'], begin(zona).json()['data']
    answer = answer_of(mine['url'])
    assert code_of(finish(zona, theirs['attempt'], answer)) == (401, 'UNAUTHENTICATED')
    assert finish(zona, mine['attempt'], answer).status_code == 201
    assert code_of(finish(zona, mine['attempt'], answer)) == (401, 'UNAUTHENTICATED')
    provider.user = None
    begun = begin(zona).json()['data']
    refused = finish(zona, begun['attempt'], answer_of(begun['url']))
    assert code_of(refused) == (401, 'UNAUTHENTICATED') and 'access_denied' in refused.text


# AUTH-27
def test_the_command_sets_providers_up(zona, provider, tmp_path):
    secret = tmp_path / 'secret'
    secret.write_text(SECRET + '\n')
    zona.run('idp', 'add', 'corp', '--tenant', 'acme', '--issuer', provider.issuer, '--client-id', 'zona', '--secret-file', str(secret),
             '--group', 'soc=creator', '--create-users')
    assert 'soc=creator' in zona.run('idp', 'list', '--tenant', 'acme').stdout
    shown = zona.run('idp', 'show', 'corp', '--tenant', 'acme').stdout
    assert provider.issuer in shown and SECRET not in shown
    assert sign_in(zona).json()['data']['session']['roles'] == ['creator']
    zona.run('idp', 'replace', 'corp', '--tenant', 'acme', '--issuer', provider.issuer, '--client-id', 'zona', '--off')
    assert code_of(begin(zona)) == (404, 'NOT_FOUND')
    zona.run('idp', 'remove', 'corp', '--tenant', 'acme')
    assert zona.run('idp', 'show', 'corp', '--tenant', 'acme', check=False).returncode != 0


# AUTH-26, GAP-06
def test_nobody_sets_up_a_provider_that_gives_more_than_they_may(zona, provider):
    key = zona.run('key', 'create', 'theirs', '--tenant', 'acme', '--scope', 'admin').stdout.strip()
    path = '/api/v1/tenants/acme/identity-providers'
    body = {'name': 'corp', 'issuer': provider.issuer, 'client_id': 'zona', 'roles': {'soc': 'super_admin'}}
    assert ask(zona, 'POST', path, key, json=body).status_code == 400
    assert ask(zona, 'POST', path.replace('acme', 'globex'), key, json=body).status_code == 403
    viewer = zona.run('key', 'create', 'looks', '--tenant', 'acme', '--scope', 'viewer').stdout.strip()
    assert ask(zona, 'POST', path, viewer, json=body).status_code == 403
    assert ask(zona, 'POST', path, key, json={**body, 'roles': {'soc': 'user'}}).status_code == 201
    assert ask(zona, 'POST', path.replace('acme', 'core'), zona.key, json=body).status_code == 400


# AUTH-26
def test_this_host_is_no_provider_unless_that_is_set(open_zona, provider):
    zona = open_zona()
    zona.run('tenant', 'create', 'acme')
    set_up(zona, provider)
    assert code_of(begin(zona)) == (400, 'INVALID_ARGUMENT')
    assert not provider.used


# AUTH-26, REL-11
def test_a_provider_that_is_away_is_said_so_and_left_alone(zona, provider):
    set_up(zona, provider)
    provider.close()
    assert code_of(begin(zona)) == (503, 'UNAVAILABLE')
    zona.wait_until(lambda: 'left alone' in begin(zona).text)
