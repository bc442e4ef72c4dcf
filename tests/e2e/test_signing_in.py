"""People sign in to another zona by the command, and their sessions are kept, renewed and ended."""
import base64
import hmac
import json
import os
import pty
import stat
import subprocess
import time
import urllib.parse

import pytest
import requests

from openid_provider import Provider
from zona_home import BIN

PASSWORD = 'tulip orbit kettle 41'
OTHER = 'walnut ferry compass 77'


@pytest.fixture
def zona(open_zona, request):
    env = getattr(request, 'param', {})
    zona = open_zona(**env)
    zona.run('tenant', 'create', 'acme')
    for name, roles in (('anna', 'admin'), ('bert', 'user')):
        zona.run('user', 'create', name, '--tenant', 'acme', '--roles', roles, '--password-file', '-', input=PASSWORD)
    zona.far = lambda *args, **options: zona.run('--host', zona.url, *args, **options)
    zona.logins = zona.folder / 'config/zona/logins.json'
    return zona


def sign_in(zona, name='anna', password=PASSWORD, **options):
    return zona.far('login', '--tenant', 'acme', '--user', name, '--password-stdin', input=password + '\n', **options)


def kept(zona):
    return json.loads(zona.logins.read_text())['logins']


# AUTH-18, AUTH-21, SEC-07
def test_a_person_signs_in_works_and_signs_out(zona):
    assert zona.far('whoami', check=False).returncode == 5
    assert sign_in(zona).stdout == f'signed in as anna of acme at {zona.url}\n'

    assert zona.far('whoami').stdout.startswith('user anna of acme\nroles    admin\n')
    assert [user['name'] for user in zona.far('user', 'list', '--tenant', 'acme', '--json').data['users']] == ['anna', 'bert']
    refused = zona.far('user', 'list', '--tenant', 'default', check=False)
    assert refused.returncode != 0 and 'login' not in refused.stderr
    assert stat.S_IMODE(zona.logins.stat().st_mode) == 0o600
    secrets = [kept(zona)[0][key] for key in ('access_token', 'refresh_token')]
    assert PASSWORD not in zona.logins.read_text()

    assert zona.far('logout').stdout == f'anna of acme has signed out of {zona.url}\n'
    assert kept(zona) == []
    gone = zona.far('whoami', check=False)
    assert gone.returncode == 5 and f'zona login --host {zona.url}' in gone.stderr
    assert zona.far('logout', check=False).returncode != 0
    logged = (zona.home / 'logs/zonad.log').read_text()
    assert not any(secret in logged for secret in [*secrets, PASSWORD])


# AUTH-03, AUTH-42
def test_who_may_not_sign_in_is_told_why_and_nothing_is_kept(zona):
    wrong = sign_in(zona, password='wrong one', check=False)
    assert wrong.returncode == 5 and 'API key' not in wrong.stderr
    assert sign_in(zona, name='nobody', check=False).returncode == 5
    assert zona.far('login', '--user', 'anna', check=False).stderr.strip().endswith('there is no terminal to ask at: give --password-stdin')
    assert zona.far('login', '--tenant', 'acme', '--user', 'anna', '--password-stdin', check=False, input='\n').returncode == 2
    local = zona.run('login', '--user', 'anna', '--password-stdin', check=False, input=PASSWORD)
    assert local.returncode == 2 and 'give --host URL or --context NAME' in local.stderr
    assert not zona.logins.exists() or kept(zona) == []


# AUTH-21
@pytest.mark.parametrize('zona', [{'ZONA_SESSIONS_ACCESS_LIFETIME': '15s'}], indirect=True)
def test_a_token_that_is_over_is_renewed_without_anybody_noticing(zona):
    sign_in(zona)
    first = kept(zona)[0]
    for _ in range(3):
        assert zona.far('whoami').stdout.startswith('user anna of acme\n')
    assert kept(zona)[0]['refresh_token'] != first['refresh_token']
    # Commands at the same time: one renews, and none ends the session of the others.
    many = [zona.popen('--host', zona.url, 'whoami') for _ in range(8)]
    assert [one.wait(60) for one in many] == [0] * 8
    assert len(zona.run('session', 'list', '--tenant', 'acme', '--json').data) == 1


# AUTH-21
def test_a_session_that_was_ended_is_forgotten(zona):
    sign_in(zona)
    zona.run('session', 'end', '--tenant', 'acme', '--user', 'anna')
    over = zona.far('whoami', check=False)
    assert over.returncode == 5 and 'the session of anna of acme' in over.stderr and 'zona login --host' in over.stderr
    assert kept(zona) == []


# AUTH-21, AUTH-25
def test_sessions_are_listed_and_ended_by_those_who_may(zona):
    sign_in(zona, 'bert')
    bert = kept(zona)[0]
    own = json.loads(zona.far('whoami', '--json').stdout)['data']['session']['id']
    assert zona.far('session', 'list', check=False).returncode != 0, 'a user sees no others'
    sign_in(zona)
    listed = zona.far('session', 'list', '--json').data
    assert sorted((one['name'], one['tenant']) for one in listed) == [('anna', 'acme'), ('bert', 'acme')]
    assert own in zona.far('session', 'list').stdout
    assert zona.far('session', 'end', '--session', own).stdout == '0 sessions ended\n', 'it is not her own'
    assert zona.far('session', 'end', '--tenant', 'acme', '--session', own).stdout == '1 session ended\n'
    assert zona.far('session', 'end', check=False).returncode == 2
    assert [one['name'] for one in zona.run('session', 'list', '--tenant', 'acme', '--json').data] == ['anna']
    assert bert['access_token'] not in zona.far('session', 'list', '--json').stdout


# AUTH-18
def test_a_password_that_must_be_changed_is_changed_first(zona):
    users = f'{zona.url}/api/v1/tenants/acme/users'
    bert = next(user['id'] for user in zona.run('user', 'list', '--tenant', 'acme', '--json').data['users'] if user['name'] == 'bert')
    requests.patch(f'{users}/{bert}', json={'must_change_password': True}, headers={'X-API-Key': zona.key}, timeout=30).raise_for_status()
    refused = sign_in(zona, 'bert', check=False)
    assert refused.returncode != 0 and 'zona passwd' in refused.stderr
    changed = zona.far('passwd', '--tenant', 'acme', '--user', 'bert', '--password-stdin', input=f'{PASSWORD}\n{OTHER}\n')
    assert changed.stdout == 'bert has a new password\n'
    assert sign_in(zona, 'bert', check=False).returncode == 5
    sign_in(zona, 'bert', OTHER)


# SEC-07
def test_logins_that_others_may_read_are_not_used(zona):
    sign_in(zona)
    zona.logins.chmod(0o644)
    refused = zona.far('whoami', check=False)
    assert refused.returncode == 4 and 'chmod 600' in refused.stderr
    zona.logins.chmod(0o600)
    zona.far('whoami')


def test_a_key_goes_before_a_session_and_the_session_is_not_mixed_up_with_it(zona):
    warned = sign_in(zona, env={'ZONA_API_KEY': zona.key})
    assert 'warning: the key of ZONA_API_KEY goes before the session' in warned.stderr
    assert zona.far('whoami', env={'ZONA_API_KEY': zona.key}).stdout.startswith('key ')
    refused = zona.far('logout', check=False, env={'ZONA_API_KEY': zona.key})
    assert refused.returncode != 0 and len(kept(zona)) == 1
    zona.far('logout')


# AUTH-18, SEC-07
def test_the_terminal_asks_and_shows_no_password(zona):
    person, terminal = pty.openpty()
    command = subprocess.Popen([BIN / 'zona', '--host', zona.url, 'login', '--tenant', 'acme'], stdin=terminal, stdout=terminal,
                               stderr=terminal, env=zona.environment(), cwd=zona.folder)
    zona._open.append(command)
    os.close(terminal)
    seen = b''

    def until(text):
        nonlocal seen
        while text not in seen:
            seen += os.read(person, 1024)

    until(b'user: ')
    os.write(person, b'anna\n')
    until(b'password of anna of acme: ')
    os.write(person, PASSWORD.encode() + b'\n')
    until(b'signed in as anna of acme')
    assert command.wait(30) == 0
    assert PASSWORD.encode() not in seen
    os.close(person)


def totp(secret, ahead=0):
    """RFC 6238, of now or of a later step."""
    key = base64.b32decode(secret + '=' * (-len(secret) % 8))
    digest = hmac.digest(key, (int(time.time()) // 30 + ahead).to_bytes(8, 'big'), 'sha1')
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at:at + 4], 'big') & 0x7fffffff) % 10**6:06}"


def enrol(zona):
    """(secret, recovery codes) of whoever is signed in."""
    begun = zona.far('factor', 'enrol', '--password-stdin', '--json', input=PASSWORD).data
    assert urllib.parse.urlsplit(begun['uri']).scheme == 'otpauth' and begun['secret'] in begun['uri']
    codes = zona.far('factor', 'confirm', totp(begun['secret'])).stdout.split()
    assert len(set(codes)) == 10
    return begun['secret'], codes


# AUTH-18, AUTH-31
def test_a_second_factor_is_enrolled_asked_for_and_removed_by_its_owner(zona):
    sign_in(zona)
    wrong = zona.far('factor', 'enrol', '--password-stdin', check=False, input='not the password')
    assert wrong.returncode == 5 and 'otpauth' not in wrong.stdout
    secret, codes = enrol(zona)
    twice = zona.far('factor', 'enrol', '--password-stdin', check=False, input=PASSWORD)
    assert twice.returncode == 4 and 'already' in twice.stderr
    zona.far('logout')

    wanted = sign_in(zona, check=False)
    assert wanted.returncode == 5 and '--code CODE' in wanted.stderr
    def login(code, **options):
        return zona.far('login', '--tenant', 'acme', '--user', 'anna', '--password-stdin', '--code', code, input=PASSWORD, **options)
    assert login('aaaa-bbbb-cccc-dddd', check=False).returncode == 5
    login(totp(secret, ahead=1))
    login(codes[0])
    assert login(codes[0], check=False).returncode == 5, 'each is good once'
    assert zona.run('session', 'list', '--tenant', 'acme', '--json').data[-1]['method'] == 'password+code'

    missing = zona.far('factor', 'remove', '--password-stdin', check=False, input=PASSWORD)
    assert missing.returncode == 5 and '--code CODE' in missing.stderr
    assert zona.far('factor', 'remove', '--password-stdin', '--code', codes[1], check=False, input='not the password').returncode == 5
    zona.far('factor', 'remove', '--password-stdin', '--code', codes[2], input=PASSWORD)
    sign_in(zona)
    logged = (zona.home / 'logs/zonad.log').read_text() + zona.run('audit', 'export').stdout
    assert not any(text in logged for text in [secret, PASSWORD, *codes])


# AUTH-18, TEN-16
def test_an_administrator_removes_the_second_factor_of_who_has_lost_it(zona):
    sign_in(zona, 'bert')
    enrol(zona)
    assert zona.far('factor', 'remove', '--tenant', 'acme', '--user', 'anna', check=False).returncode != 0
    assert sign_in(zona, 'bert', check=False).returncode == 5
    sign_in(zona, 'anna')
    assert zona.far('factor', 'remove', '--tenant', 'acme', '--user', 'bert').stdout == 'bert has no second factor\n'
    sign_in(zona, 'bert')
    key = {'X-API-Key': zona.key}
    answer = requests.post(zona.url + '/api/v1/second-factor', json={'password': PASSWORD}, headers=key, timeout=30)
    assert (answer.status_code, answer.json()['error']['code']) == (409, 'CONFLICT')


# AUTH-26
@pytest.mark.parametrize('zona', [{'ZONA_FEDERATION_LOCAL_PROVIDERS': 'true'}], indirect=True)
def test_a_person_signs_in_by_an_identity_provider(zona, free_port):
    provider = Provider(free_port, 'zona', 'orchid-tundra_41', [])
    try:
        (zona.folder / 'secret').write_text('orchid-tundra_41')
        zona.run('idp', 'add', 'corp', '--tenant', 'acme', '--issuer', provider.issuer, '--client-id', 'zona', '--secret-file', zona.folder / 'secret', '--create-users')

        def begin():
            """The command as it waits, and where it sends its browser."""
            command = zona.popen('--host', zona.url, 'login', '--tenant', 'acme', '--idp', 'corp')
            told = [command.stderr.readline() for _ in range(2)]   # on which zona, and then:
            line = told[-1]
            assert line.startswith('open this in a browser on this host: http'), told
            url = line.split()[-1]
            back = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)['redirect_uri'][0]
            provider.client.redirects.append(back)
            return command, url, back

        provider.user['preferred_username'] = 'carla'
        command, url, back = begin()
        # What others send there is of no moment.
        assert requests.get(back, params={'state': 'guessed', 'code': 'x'}, timeout=30).status_code == 404
        page = requests.get(url, timeout=30)
        assert page.status_code == 200 and 'close this page' in page.text
        out, err = command.communicate(timeout=60)
        assert (command.returncode, out) == (0, f'signed in as carla of acme at {zona.url}\n'), err
        assert zona.far('whoami').stdout.startswith('user carla of acme\n')

        provider.user = None
        command, url, _ = begin()
        assert requests.get(url, timeout=30).status_code == 200
        _, err = command.communicate(timeout=60)
        assert command.returncode == 5 and 'access_denied' in err, err
    finally:
        provider.close()
    assert zona.far('login', '--tenant', 'acme', '--idp', 'nobody', check=False).returncode == 3
