"""Client certificates: who gets in by one, who does not, and what a policy asks for beside it."""
import json
import subprocess

import pytest
import requests

from authority import Authority

PASSWORD = 'tulip orbit kettle 41'


@pytest.fixture
def authority(tool, tmp_path):
    return Authority(tool('openssl'), tmp_path / 'authority')


@pytest.fixture
def start(new_zona, authority):
    """start(**env): a zona that asks clients for certificates of `authority`."""
    def make(**env):
        certificate, key = authority.issue('localhost', 'server')
        zona = new_zona(env={'ZONA_API_LISTEN': '127.0.0.1:0', 'ZONA_API_TLS_CERTIFICATE': certificate, 'ZONA_API_TLS_KEY': key,
                             'ZONA_API_TLS_CLIENT_CA': str(authority.ca), 'ZONA_API_TLS_CLIENT_CRL': str(authority.revoked), **env})
        zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
        zona.url = f"https://localhost:{zona.ping()['network']['address'].rsplit(':', 1)[1]}"
        zona.key = (zona.home / 'api-key').read_text().strip()
        zona.run('tenant', 'create', 'acme')
        return zona
    return make


@pytest.fixture
def ask(authority):
    """ask(zona, path, cert=..., key=..., token=..., method='GET', **options)"""
    def one(zona, path='/api/v1/tenants/acme/users', cert=None, key=None, token=None, method='GET', session=requests, **options):
        headers = {'X-API-Key': key} if key else {'Authorization': f'Bearer {token}'} if token else {}
        return session.request(method, zona.url + path, headers=headers, cert=cert, verify=str(authority.ca), timeout=20, **options)
    return one


def code(answer):
    return answer.json()['error']['code'] if answer.status_code >= 400 else 'ok'


def refused_in_handshake(call):
    with pytest.raises((requests.exceptions.SSLError, requests.exceptions.ConnectionError)):
        call()
    return True


def register(zona, certificate, name='robot', *words):
    return zona.run('key', 'create', name, '--certificate', certificate, '--tenant', 'acme', *(words or ('--scope', 'admin')))


# AUTH-30
def test_a_registered_certificate_is_who_asks(start, authority, ask):
    zona = start()
    robot, stranger = authority.issue('robot'), authority.issue('stranger')
    made = register(zona, robot[0])
    assert 'is this key' in made.stdout and 'zona_key_' not in made.stdout

    assert code(ask(zona, cert=robot)) == 'ok'
    who = ask(zona, '/api/v1/whoami', cert=robot).json()['data']
    assert 'robot' in json.dumps(who), who
    assert code(ask(zona, '/api/v1/tenants/default/users', cert=robot)) == 'INVALID_TENANT'
    assert code(ask(zona, '/api/v1/processes', cert=robot)) == 'ACCESS_DENIED'
    unknown = ask(zona, cert=stranger)
    assert (unknown.status_code, code(unknown)) == (401, 'UNAUTHENTICATED') and 'CN=stranger' in unknown.text
    assert ask(zona, '/livez', cert=stranger).status_code == 200
    assert code(ask(zona, '/api/v1/processes', cert=stranger, key=zona.key)) == 'ok'
    shown = zona.run('key', 'show', 'robot', '--json').data[0]
    assert shown['certificate']['subject'] == 'CN=robot' and shown['requests'] >= 4 and shown['expires_at'] == shown['certificate']['not_after']
    again = zona.run('key', 'create', 'twin', '--certificate', robot[0], check=False)
    assert again.returncode == 4 and 'registered already' in again.stderr

    zona.run('key', 'revoke', 'robot', '--tenant', 'acme')
    assert code(ask(zona, cert=robot)) == 'UNAUTHENTICATED'
    record = zona.run('audit', 'list', '--tenant', 'acme', '--json').stdout
    assert 'CN=robot' in record and 'createTenantKey' in record and 'revokeTenantKey' in record


# AUTH-30
def test_a_certificate_that_is_not_good_ends_the_handshake(start, authority, ask, tool, tmp_path):
    zona = start()
    other = Authority(tool('openssl'), tmp_path / 'other', 'another authority')
    bad = {'old': authority.issue('old', begins='20200101000000Z', ends='20200201000000Z'),
           'early': authority.issue('early', begins='20990101000000Z', ends='20990201000000Z'),
           'server': authority.issue('server', 'server'), 'stranger': other.issue('stranger')}
    for name, certificate in bad.items():
        assert refused_in_handshake(lambda: ask(zona, '/livez', cert=certificate)), name
        assert refused_in_handshake(lambda: ask(zona, '/api/v1/processes', cert=certificate, key=zona.key)), name
    assert ask(zona, '/api/v1/processes', key=zona.key).status_code == 200


# AUTH-30
def test_a_revoked_certificate_is_refused_on_the_connection_that_it_has(start, authority, ask):
    zona = start()
    robot = authority.issue('robot')
    register(zona, robot[0])
    with requests.Session() as session:
        assert code(ask(zona, cert=robot, session=session)) == 'ok'
        authority.revoke('robot')
        zona.run('config', 'reload')

        # The files are read on a thread of their own.
        while code(answer := ask(zona, cert=robot, session=session)) == 'ok':
            pass
        assert answer.status_code == 401 and 'certificate revoked' in answer.text
        assert code(ask(zona, '/livez', cert=robot, session=session)) == 'UNAUTHENTICATED'
    assert refused_in_handshake(lambda: ask(zona, cert=robot))


def test_a_certificate_gives_way_to_its_successor(start, authority, ask, wait_until):
    zona = start()
    old, new = authority.issue('robot'), authority.issue('robot-2')
    register(zona, old[0], 'robot', '--scope', 'viewer', '--rotate-every', '30d')
    missing = zona.run('key', 'rotate', 'robot', check=False)
    assert missing.returncode == 2 and 'successor is needed' in missing.stderr
    with open(new[0]) as pem:
        renewed = ask(zona, '/api/v1/whoami/rotations', cert=old, method='POST', json={'certificate': pem.read(), 'overlap': '1s'})
    assert renewed.status_code == 201 and renewed.json()['data']['key'] is None, renewed.text
    wait_until(lambda: code(ask(zona, cert=old)) == 'UNAUTHENTICATED')
    assert code(ask(zona, cert=new)) == 'ok'


def test_what_is_no_certificate_is_refused_with_its_reason(start, authority, tmp_path):
    zona = start()
    wrong = tmp_path / 'wrong.pem'
    wrong.write_text('nothing')
    for file, reason in ((wrong, 'holds 0 certificates'), (authority.ca, "an authority's"), (tmp_path / 'absent', 'absent')):
        answer = zona.run('key', 'create', 'robot', '--certificate', str(file), check=False)
        assert answer.returncode != 0 and reason in answer.stderr, answer


# AUTH-30
def test_without_a_certificate_nobody_gets_in_where_one_is_required(start, authority, ask):
    zona = start(ZONA_API_TLS_CLIENT_CERTIFICATES='required')
    robot = authority.issue('robot')
    register(zona, robot[0])
    assert code(ask(zona, cert=robot)) == 'ok'
    assert refused_in_handshake(lambda: ask(zona, '/livez'))


# AUTH-30, PM-69
def test_the_command_shows_a_certificate_to_another_host(start, authority, tool, tmp_path):
    zona = start(ZONA_API_TLS_CLIENT_CERTIFICATES='required')
    openssl = tool('openssl')
    robot, fallen, guest = (authority.issue(name) for name in ('robot', 'fallen', 'guest'))
    foreign = Authority(openssl, tmp_path / 'other', 'other').issue('foreign')
    for certificate, name in ((robot, 'robot'), (fallen, 'fallen'), (foreign, 'foreign')):
        register(zona, certificate[0], name)

    def users(*flags, host=zona.url, **env):
        trust = ('--ca-file', str(authority.ca)) if host.startswith('https') else ()
        return zona.run('--host', host, *trust, *flags, 'user', 'list', '--tenant', 'acme', check=False, env=env)

    def shown(certificate, key):
        return '--client-cert', certificate, '--client-key', key

    def is_refused(answer, status, *words):
        assert answer.returncode == status and all(word in answer.stderr for word in words), (words, answer)
    both = zona.write('both.pem', open(robot[0]).read() + open(robot[1]).read(), 0o600)
    assert users(*shown(*robot)).returncode == 0
    assert users('--client-cert', str(both)).returncode == 0
    assert users(ZONA_CLIENT_CERT=robot[0], ZONA_CLIENT_KEY=robot[1]).returncode == 0
    zona.run('context', 'add', 'far', '--host', zona.url, '--ca-file', str(authority.ca), *shown(*robot))
    assert zona.run('--context', 'far', 'user', 'list', '--tenant', 'acme').returncode == 0
    assert zona.run('--context', 'far', 'whoami', env={'ZONA_CLIENT_CERT': foreign[0], 'ZONA_CLIENT_KEY': foreign[1]}).returncode == 0
    shown_there = zona.run('context', 'list', '--json').data[-1]
    assert (shown_there['client_cert'], shown_there['client_key']) == robot

    is_refused(users(), 5, 'asks for a client certificate', '--client-cert')
    is_refused(users(*shown(*foreign)), 5, 'does not take the client', 'unknown CA')
    is_refused(users(*shown(*guest)), 5, 'does not take the certificate of', guest[0], 'registered for nobody')
    authority.revoke('fallen')
    zona.run('config', 'reload')
    zona.wait_until(lambda: 'certificate revoked' in users(*shown(*fallen)).stderr)
    assert users(*shown(*robot)).returncode == 0

    secret = tmp_path / 'secret.key'
    subprocess.run([openssl, 'pkey', '-in', robot[1], '-aes256', '-passout', 'pass:wool-41', '-out', secret], check=True, capture_output=True)
    open_key = zona.write('open.key', open(robot[1]).read(), 0o644)
    is_refused(users(*shown(str(tmp_path / 'absent.pem'), robot[1])), 3, 'absent.pem')
    is_refused(users(*shown(robot[0], str(tmp_path / 'absent.key'))), 3, 'absent.key')
    is_refused(users(*shown(robot[0], guest[1])), 2, 'is not the key of the certificate', guest[1])
    is_refused(users(*shown(robot[0], str(secret))), 2, 'is encrypted')
    is_refused(users('--client-cert', robot[0]), 2, 'no private key')
    is_refused(users('--client-key', robot[1]), 2, '--client-cert')
    is_refused(users(*shown(*robot), host='http://127.0.0.1:1'), 2, '--client-cert', 'https')
    is_refused(zona.run(*shown(*robot), 'list', check=False), 2, '--client-cert is for another zona')
    is_refused(users(*shown(robot[0], str(open_key))), 0, 'others can read the key of the certificate')


# AUTH-31
def test_a_policy_asks_for_two_methods_at_once(start, authority, ask):
    zona = start()
    robot, laptop, foreign = authority.issue('robot'), authority.issue('laptop'), authority.issue('foreign')
    register(zona, robot[0])
    register(zona, laptop[0], 'laptop', '--scope', 'limited')
    zona.run('tenant', 'create', 'globex')
    zona.run('key', 'create', 'foreign', '--certificate', foreign[0], '--tenant', 'globex', '--scope', 'admin')
    key = zona.run('key', 'create', 'ci', '--tenant', 'acme', '--scope', 'admin').stdout.strip()
    zona.run('user', 'create', 'anna', '--tenant', 'acme', '--roles', 'admin', '--password-file', '-', input=PASSWORD)

    def sign_in():
        answer = ask(zona, '/api/v1/sessions', method='POST', json={'tenant': 'acme', 'name': 'anna', 'password': PASSWORD})
        return answer.json()['data']['access_token']
    token = sign_in()
    assert code(ask(zona, cert=laptop)) == 'ACCESS_DENIED'
    wrong = ask(zona, '/api/v1/tenants/acme', key=zona.key, method='PATCH', json={'compliance_settings': {'required_methods': ['password']}})
    assert wrong.status_code == 400 and 'required_methods' in wrong.text
    asked = ask(zona, '/api/v1/tenants/acme', key=zona.key, method='PATCH',
                json={'compliance_settings': {'required_methods': ['certificate+token', 'certificate+key']}})
    assert asked.status_code == 200, asked.text

    for alone in ({'token': token}, {'key': key}, {'cert': robot}, {'token': token, 'cert': foreign}, {'key': key, 'cert': foreign}):
        answer = ask(zona, **alone)
        assert (answer.status_code, code(answer)) == (401, 'UNAUTHENTICATED') and 'at once' in answer.text, alone
    for both in ({'token': token, 'cert': laptop}, {'key': key, 'cert': laptop}, {'key': key, 'cert': robot}):
        assert code(ask(zona, **both)) == 'ok', both
    assert code(ask(zona, '/api/v1/whoami', token=token)) == 'ok'
    assert code(ask(zona, '/api/v1/tenants/globex/users', cert=foreign)) == 'ok'
    assert code(ask(zona, key=zona.key)) == 'ok', 'it is of no tenant'
    assert zona.run('user', 'list', '--tenant', 'acme').returncode == 0, 'the socket is asked for nothing'


# AUTH-31
def test_the_installation_may_ask_for_a_second_factor(new_zona):
    refused = new_zona(env={'ZONA_IDENTITY_REQUIRED_METHODS': 'password'}).run('start', '/bin/true', check=False)
    assert refused.returncode != 0 and 'identity.required_methods' in refused.stderr
    zona = new_zona(env={'ZONA_API_LISTEN': '127.0.0.1:0', 'ZONA_IDENTITY_REQUIRED_METHODS': 'token+second_factor'})
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    url = f"http://{zona.ping()['network']['address']}"
    key = (zona.home / 'api-key').read_text().strip()
    answer = requests.get(url + '/api/v1/processes', headers={'X-API-Key': key}, timeout=20)
    assert answer.status_code == 401 and 'token+second_factor' in answer.text
    assert requests.get(url + '/livez', timeout=20).status_code == 200
