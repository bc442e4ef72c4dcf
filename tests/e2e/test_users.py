"""Users, invitations and roles, by the command and over the network."""
import json
import os
import signal

import pytest
import requests

PASSWORD = 'tulip orbit kettle'


@pytest.fixture
def zona(open_zona):
    zona = open_zona()
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
    return zona


def users(zona, tenant):
    return {u['name']: u for u in zona.run('user', 'list', '--tenant', tenant, '--json').data['users']}


def accept(zona, token, name, password=PASSWORD):
    return requests.post(zona.url + '/api/v1/invitations/acceptances', timeout=20,
                         json={'token': token, 'name': name, 'password': password})


# AUTH-18, AUTH-40
def test_whoever_is_invited_makes_a_user_without_a_key(zona):
    token = zona.run('user', 'invite', '--tenant', 'acme', '--email', 'anna@acme.example', '--roles', 'creator').stdout.strip()
    assert token.startswith('zona_inv_acme.')

    assert accept(zona, token, 'anna', 'password1234').status_code == 400
    made = accept(zona, token, 'anna')

    assert made.status_code == 201, made.text
    assert made.json()['data'] == {'tenant': 'acme', 'name': 'anna', 'roles': ['creator']}
    assert accept(zona, token, 'bert').status_code == 401
    assert users(zona, 'acme')['anna']['email'] == 'anna@acme.example'
    assert users(zona, 'globex') == {}
    assert requests.get(zona.url + '/api/v1/tenants/acme/users', timeout=20).status_code == 401


# AUTH-32, DATA-38
def test_users_and_roles_live_over_the_death_of_the_daemon(zona, tmp_path):
    secret = tmp_path / 'password'
    secret.write_text(PASSWORD + '\n')
    zona.run('role', 'create', 'night-shift', '--tenant', 'acme', '--inherits', 'user', '--grant', 'utilities:execute=all',
             '--from', '22:00', '--until', '06:00', '--weekdays', 'mon,tue', '--networks', '10.0.0.0/8')
    zona.run('user', 'create', 'bert', '--tenant', 'acme', '--password-file', str(secret))
    assert users(zona, 'acme')['bert']['roles'] == []
    zona.run('user', 'roles', 'Bert', 'night-shift,creator', '--tenant', 'acme')
    assert zona.run('role', 'remove', 'night-shift', '--tenant', 'acme', check=False).returncode != 0

    os.kill(zona.daemon_pid(), signal.SIGKILL)

    bert = users(zona, 'acme')['bert']
    assert (bert['roles'], bert['status'], bert['has_password']) == (['night-shift', 'creator'], 'active', True)
    role = zona.run('role', 'show', 'night-shift', '--tenant', 'acme', '--json').data
    assert role['conditions'] == {'weekdays': ['mon', 'tue'], 'from': '22:00', 'until': '06:00', 'networks': ['10.0.0.0/8']}
    zona.run('user', 'disable', 'bert', '--tenant', 'acme')
    assert users(zona, 'acme')['bert']['status'] == 'disabled'
    zona.run('user', 'remove', 'bert', '--tenant', 'acme')
    zona.run('role', 'remove', 'night-shift', '--tenant', 'acme')
    assert users(zona, 'acme') == {}
    logged = (zona.home / 'logs/zonad.log').read_text()
    assert PASSWORD not in logged and 'argon2id' not in logged


# AUTH-38, TEN-16
def test_a_tenants_admin_makes_nobody_above_an_admin(zona):
    key = zona.run('key', 'create', 'acme-ci', '--scope', 'admin', '--tenant', 'acme').stdout.strip()

    def make(tenant, name, *roles):
        return requests.post(f'{zona.url}/api/v1/tenants/{tenant}/users', headers={'X-API-Key': key}, timeout=20,
                             json={'name': name, 'roles': roles})

    assert make('acme', 'anna', 'admin').status_code == 201
    assert make('acme', 'bert', 'super_admin').status_code == 400
    assert make('core', 'carl', 'super_admin').status_code == 403
    assert make('globex', 'dora').status_code == 403
    assert make('acme', 'ANNA').status_code == 409
    assert make('acme', 'emil', 'nobody').status_code == 404
    zona.run('user', 'create', 'root2', '--tenant', 'core', '--roles', 'super_admin')
    assert users(zona, 'core')['root2']['tenant'] == 'core'


def test_bad_users_are_refused_with_what_is_wrong(zona):
    for words in (('create', 'a b'), ('create', 'x', '--email', 'nowhere'), ('show', 'nobody'), ('roles', 'nobody', 'user'),
                  ('invite', '--expires', '31d'), ('list', '--tenant', 'nobody')):
        refused = zona.run('user', *words, check=False)
        assert refused.returncode != 0 and 'internal' not in refused.stderr.lower(), (words, refused.stderr)
    for words in (('create', 'Upper'), ('create', 'r', '--grant', 'utilities:fly=all'), ('create', 'r', '--grant', 'utilities:read'),
                  ('create', 'r', '--grant', 'license:read=all'), ('create', 'admin'), ('create', 'r', '--networks', '10.0.0.1/8'),
                  ('create', 'r', '--inherits', 'r'), ('show', 'nobody')):
        refused = zona.run('role', *words, check=False)
        assert refused.returncode != 0 and 'internal' not in refused.stderr.lower(), (words, refused.stderr)
    assert json.dumps(zona.run('role', 'list', '--json').data).count('"built_in": true') == 3
