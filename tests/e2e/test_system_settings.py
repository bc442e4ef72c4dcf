"""Settings of the whole installation: read and changed by those who may, kept, and on record."""
import os
import signal

import requests

from waiting import wait_until

PASSWORD = 'tulip orbit kettle 41'
PATH = '/api/v1/system-settings'


def ask(zona, method, path, token, **options):
    return requests.request(method, zona.url + path, headers={'Authorization': f'Bearer {token}'}, timeout=30, **options)


def user_of(zona, tenant, role):
    made = ask(zona, 'POST', f'/api/v1/tenants/{tenant}/users', zona.key, json={'name': role, 'password': PASSWORD, 'roles': [role]})
    assert made.status_code == 201, made.text
    begun = requests.post(f'{zona.url}/api/v1/sessions', json={'tenant': tenant, 'name': role, 'password': PASSWORD}, timeout=30)
    return begun.json()['data']['access_token']


# TEN-10
def test_a_super_admin_reads_and_changes_the_installations_settings_on_record(open_zona):
    zona = open_zona()
    root, admin = user_of(zona, 'core', 'super_admin'), user_of(zona, 'default', 'admin')
    for method, path, options in [('GET', PATH, {}), ('PUT', f'{PATH}/beta', {'json': {'value': True}}), ('DELETE', f'{PATH}/beta', {})]:
        assert ask(zona, method, path, admin, **options).status_code == 403, method

    made = ask(zona, 'PUT', f'{PATH}/feature.beta?version=0', root, json={'value': {'tenants': ['acme']}})
    assert (made.status_code, made.json()['data']['version']) == (200, 1), made.text
    assert ask(zona, 'PUT', f'{PATH}/feature.beta?version=0', root, json={'value': 1}).status_code == 409
    assert ask(zona, 'PUT', f'{PATH}/feature.beta?version=1', root, json={'value': False}).json()['data']['version'] == 2
    assert ask(zona, 'PUT', f'{PATH}/no%20key', root, json={'value': 1}).status_code == 400
    assert {s['key']: s['value'] for s in ask(zona, 'GET', PATH, root).json()['data']} == {'build_type': 'MSSP', 'feature.beta': False}

    os.kill(zona.daemon_pid(), signal.SIGKILL)
    wait_until(lambda: requests.get(f'{zona.url}/readyz', timeout=10).status_code == 200)
    assert ask(zona, 'GET', f'{PATH}/feature.beta', root).json()['data']['value'] is False
    assert ask(zona, 'DELETE', f'{PATH}/feature.beta', root).status_code == 200
    assert ask(zona, 'GET', f'{PATH}/feature.beta', root).status_code == 404

    def record():
        entries = ask(zona, 'GET', '/api/v1/audit?action=putSystemSetting', zona.key).json()['data']
        return [(e['actor'], e['resource'], e.get('before', {}).get('value'), e['after']['value'])
                for e in entries if e['outcome'] == 'success']
    wait_until(lambda: record() == [('user:1', f'{PATH}/feature.beta', {'tenants': ['acme']}, False),
                                    ('user:1', f'{PATH}/feature.beta', None, {'tenants': ['acme']})], what=record)


# TEN-10
def test_how_the_data_was_made_is_shown_and_nobodys_to_change(open_zona):
    zona = open_zona(ZONA_TENANCY_BUILD_TYPE='SINGLE_TENANT')
    assert ask(zona, 'GET', f'{PATH}/build_type', zona.key).json()['data']['value'] == 'SINGLE_TENANT'
    for refused in (ask(zona, 'PUT', f'{PATH}/build_type', zona.key, json={'value': 'MSSP'}), ask(zona, 'DELETE', f'{PATH}/build_type', zona.key)):
        assert refused.status_code == 403 and "zona's own" in refused.json()['error']['message'], refused.text
    assert ask(zona, 'GET', f'{PATH}/build_type', zona.key).json()['data']['value'] == 'SINGLE_TENANT'
