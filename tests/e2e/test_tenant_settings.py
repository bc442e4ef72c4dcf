"""A tenant's own settings over HTTP, in both modes: kept over deaths, of one tenant alone, with versions."""
import os
import signal

import pytest
import requests

MODES = pytest.mark.parametrize('mode', ['MSSP', 'SINGLE_TENANT'])


@pytest.fixture
def zona(open_zona, mode):
    zona = open_zona(ZONA_TENANCY_BUILD_TYPE=mode)
    zona.keys = {}
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
        zona.keys[code] = zona.run('key', 'create', code, '--tenant', code, '--scope', 'admin').stdout.strip()
    return zona


def ask(zona, tenant, method, key='', by=None, **options):
    return requests.request(method, f'{zona.url}/api/v1/tenants/{tenant}/settings{key}', headers={'X-API-Key': zona.keys[by or tenant]},
                            timeout=30, **options)


def put(zona, tenant, key, value, **params):
    return ask(zona, tenant, 'PUT', f'/{key}', json={'value': value}, params=params)


# TEN-38, TEN-13, TEN-30, TEN-31
@MODES
def test_two_tenants_keep_different_values_under_one_key(zona):
    assert put(zona, 'acme', 'theme', 'dark').json()['data']['version'] == 1
    assert put(zona, 'globex', 'theme', {'name': 'light', '$ne': [None, 1.5]}).status_code == 200
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    assert ask(zona, 'acme', 'GET', '/theme').json()['data']['value'] == 'dark'
    assert ask(zona, 'globex', 'GET', '/theme').json()['data']['value'] == {'name': 'light', '$ne': [None, 1.5]}
    assert [s['key'] for s in ask(zona, 'acme', 'GET').json()['data']] == ['theme']
    assert ask(zona, 'acme', 'DELETE', '/theme').status_code == 200
    assert ask(zona, 'acme', 'GET', '/theme').status_code == 404
    assert ask(zona, 'globex', 'GET', '/theme').status_code == 200
    for method, options in (('GET', {}), ('PUT', {'json': {'value': 1}}), ('DELETE', {})):
        assert ask(zona, 'globex', method, '/theme', by='acme', **options).status_code == 403
    assert ask(zona, 'globex', 'GET', '/theme').json()['data']['version'] == 1


@MODES
def test_a_change_that_expects_another_version_changes_nothing(zona):
    assert put(zona, 'acme', 'plan', 1, version=0).status_code == 200
    assert put(zona, 'acme', 'plan', 2, version=0).status_code == 409
    assert put(zona, 'acme', 'plan', 2, version=1).json()['data']['version'] == 2
    refused = put(zona, 'acme', 'plan', 3, version=1)
    assert refused.status_code == 409 and refused.json()['error']['code'] == 'CONFLICT'
    assert ask(zona, 'acme', 'DELETE', '/plan', params={'version': 1}).status_code == 409
    assert put(zona, 'acme', 'other', 3, version=4).status_code == 404
    assert ask(zona, 'acme', 'GET', '/plan').json()['data']['value'] == 2
    for key in ('a b', 'x' * 129, 'ä'):
        assert put(zona, 'acme', key, 1).status_code == 400, key


@MODES
def test_pages_go_through_all_and_a_cursor_is_of_its_tenant(zona):
    for n in range(7):
        assert put(zona, 'acme', f'k{n}', n).status_code == 200
    keys, cursor, taken = [], '', ''
    while cursor is not None:
        page = ask(zona, 'acme', 'GET', params={'limit': 3, **({'cursor': cursor} if cursor else {})}).json()
        keys += [s['key'] for s in page['data']]
        cursor = page['meta']['next']
        taken = cursor or taken
    assert keys == [f'k{n}' for n in range(7)]
    for wrong in (taken[:-2] + 'xx', 'nonsense', '🙂'):
        assert ask(zona, 'acme', 'GET', params={'cursor': wrong}).status_code == 400, wrong
    assert ask(zona, 'globex', 'GET', params={'cursor': taken, 'limit': 3}).status_code == 400, 'of another tenant'


# TEN-36
@MODES
def test_a_suspended_tenant_is_not_served_and_keeps_its_settings(zona):
    assert put(zona, 'acme', 'theme', 'dark').status_code == 200
    zona.run('tenant', 'suspend', 'acme')
    refused = ask(zona, 'acme', 'GET', '/theme')
    assert refused.status_code == 403 and 'acme is suspended' in refused.json()['error']['message'], refused.text
    assert put(zona, 'acme', 'theme', 'light').status_code == 403
    zona.run('tenant', 'activate', 'acme')
    assert ask(zona, 'acme', 'GET', '/theme').json()['data']['value'] == 'dark'
