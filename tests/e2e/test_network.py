"""The API over TCP: who may listen where, who gets in, and what clients see when a part of zona dies."""
import errno
import os
import re
import signal
import socket
import stat
import subprocess
import threading

import pytest
import requests

PING = '/api/v1/ping'


@pytest.fixture
def zona(open_zona):
    return open_zona()


def get(zona, path=PING, key=None, **options):
    headers = {'Authorization': f'Bearer {key}', **options.pop('headers', {})} if key else options.pop('headers', {})
    return requests.get(zona.url + path, headers=headers, timeout=20, **options)


def code(answer):
    return answer.json()['error']['code']


def log_of(zona):
    return (zona.home / 'logs/zonad.log').read_text()


# PM-46, PM-51
def test_each_form_of_the_key_opens_the_api(zona):
    for headers in ({'Authorization': f'Bearer {zona.key}'}, {'Authorization': f'ApiKey {zona.key}'}, {'X-API-Key': zona.key}):
        answer = get(zona, '/api/v1/processes', headers=headers)
        assert answer.status_code == 200, headers
        assert [p['name'] for p in answer.json()['data']] == ['nap']


# PM-51, PM-58
def test_without_the_key_nothing_is_told_or_done(zona):
    wrong = zona.key[:-1] + ('A' if zona.key[-1] != 'A' else 'B')
    for headers in ({}, {'Authorization': f'Bearer {wrong}'}, {'X-API-Key': 'letmein'}, {'Authorization': 'Basic eDp5'}):
        for method, path in (('GET', '/api/v1/processes'), ('POST', '/api/v1/operations')):
            answer = requests.request(method, zona.url + path, headers=headers, timeout=20,
                                      json={'action': 'stop', 'select': ['all']} if method == 'POST' else None)
            assert (answer.status_code, code(answer)) == (401, 'UNAUTHENTICATED'), (headers, method)
            assert answer.headers['WWW-Authenticate'] == 'Bearer realm="zona"'
    assert zona.process('nap')['status'] == 'online'
    assert wrong not in log_of(zona) and 'letmein' not in log_of(zona)


# HTTP-02, HTTP-03
def test_what_has_no_route_is_refused_before_anybody_is_asked_who_they_are(zona, wait_until):
    for method, path, status, text in (('GET', '/api/v1/nothing', 404, 'NOT_FOUND'), ('GET', '/api/v1/operations', 405, 'METHOD_NOT_ALLOWED')):
        for headers in ({}, {'X-API-Key': 'letmein'}, {'X-API-Key': zona.key}):
            answer = requests.request(method, zona.url + path, headers=headers, timeout=20)
            assert (answer.status_code, code(answer)) == (status, text), (path, headers)
    refused = requests.get(zona.url + '/api/v1/processes/0', timeout=20)
    assert refused.status_code == 401
    wait_until(lambda: '"route":"/api/v1/processes/{id}","status":401' in log_of(zona))


# PM-51
def test_a_key_in_a_url_is_refused_and_not_logged(zona):
    answer = requests.get(f'{zona.url}{PING}?api_key={zona.key}', timeout=20)
    assert (answer.status_code, code(answer)) == (400, 'INVALID_ARGUMENT')
    assert zona.key not in answer.text
    assert zona.key not in log_of(zona)


# PM-64
def test_a_key_in_a_path_is_not_logged_by_whoever_refuses_first(zona, wait_until):
    """The guard of hosts answers before anybody looks at keys."""
    answer = get(zona, f'/api/v1/processes/{zona.key}', headers={'Host': 'evil.example'})
    assert answer.status_code == 421
    wait_until(lambda: '"status":421' in log_of(zona))
    assert zona.key not in log_of(zona) and '"path":"(secret)"' in log_of(zona)


def test_the_first_key_is_for_whoever_starts_zona(zona):
    mode = (zona.home / 'api-key').stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert zona.key.startswith('zona_key_')
    assert zona.key not in (zona.home / 'state/api-keys.json').read_text()


def test_the_access_log_says_who_asked(zona, wait_until):
    get(zona, '/api/v1/host', key=zona.key)
    zona.run('ping')
    wait_until(lambda: '"principal":"key default"' in log_of(zona))
    assert f'"principal":"uid {os.geteuid()}"' in log_of(zona)


# HTTP-01
def test_8063_is_the_default(new_zona):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', 8063))
        except OSError:
            pytest.skip('somebody else listens on 8063')
    zona = new_zona(env={'ZONA_API_LISTEN': None})
    zona.run('start', '/bin/sleep', '--', '1000')
    assert zona.ping()['network'] == {'address': '127.0.0.1:8063', 'tls': False, 'problem': None, 'pmdaemon': None}


# HTTP-01
def test_a_taken_port_is_told_and_the_rest_works(new_zona):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        address = f'127.0.0.1:{taken.getsockname()[1]}'
        zona = new_zona(env={'ZONA_API_LISTEN': address})
        zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
        assert zona.process('nap')['status'] == 'online'
        network = zona.ping()['network']
        assert network['address'] is None and address in network['problem']
        check = [c for c in zona.run('doctor', '--json').data['checks'] if c['name'] == 'network API']
        assert check[0]['status'] == 'degraded' and address in check[0]['detail'] and 'api.listen' in check[0]['cure']


# PM-52, PM-65
@pytest.mark.parametrize('settings, named', [
    (['api.listen=0.0.0.0:0'], 'api.tls.certificate'),
    (['api.listen=0.0.0.0:0', 'api.insecure=true'], 'in the profile production only TLS'),
    (['api.listen=0.0.0.0:0', 'profile=staging'], 'api.insecure=true'),
    (['api.listen=127.0.0.1:0', 'api.authentication=none'], 'api.authentication'),
    (['api.listen=0.0.0.0:0', 'api.authentication=none', 'profile=development', 'api.insecure=true'], 'api.authentication'),
    (['api.listen=localhost:8063'], "'localhost:8063' is no address with a port"),
])
def test_zona_does_not_start_exposed(new_zona, settings, named):
    zona = new_zona(env={'ZONA_API_LISTEN': None})
    flags = [word for setting in settings for word in ('--set', setting)]
    answer = zona.run('start', *flags, '/bin/sleep', '--', '1000', check=False)
    assert answer.returncode == 2 and named in answer.stderr, answer
    zona.wait_until(lambda: not zona.processes())   # the keeper has told its starter and is about to end


# PM-52
def test_no_key_is_needed_while_developing_on_this_host(open_zona):
    zona = open_zona(ZONA_PROFILE='development', ZONA_API_AUTHENTICATION='none')
    assert get(zona, '/api/v1/processes').status_code == 200
    assert 'whoever reaches' in log_of(zona)


def test_plain_http_beyond_this_host_is_warned_about(open_zona):
    zona = open_zona(ZONA_API_LISTEN='0.0.0.0:0', ZONA_PROFILE='staging', ZONA_API_INSECURE='true')
    port = zona.url.rsplit(':', 1)[1]
    assert requests.get(f'http://127.0.0.1:{port}{PING}', headers={'X-API-Key': zona.key}, timeout=20).status_code == 200
    assert 'without TLS: keys and answers can be read on the way' in log_of(zona)


def test_a_wrong_address_does_not_stop_supervision_after_a_crash(zona, wait_until):
    """The settings are read anew by each daemon; what was wrong in them must not leave processes alone."""
    (zona.home / 'zona.toml').write_text('[api]\ninsecure = true\n')
    before = zona.daemon_pid()
    nap = zona.process('nap')['pid']
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: zona.daemon_pid() != before)
    assert zona.process('nap')['pid'] == nap
    assert get(zona, key=zona.key).status_code == 200


def ask_for_listener(zona, address='127.0.0.1:0'):
    """Where zona listens from now on, too."""
    answer = requests.post(f'{zona.url}/api/v1/listeners', json={'address': address}, headers={'X-API-Key': zona.key}, timeout=20)
    assert answer.status_code == 201, answer.text
    return answer.json()['data']['address']


def refuses(address):
    """Nobody holds a socket there."""
    host, port = address.rsplit(':', 1)
    with socket.socket() as s:
        s.settimeout(5)
        return s.connect_ex((host, int(port))) == errno.ECONNREFUSED


def replace_daemon(zona):
    """Kills it; returns when its successor answers."""
    before = zona.daemon_pid()
    os.kill(before, signal.SIGKILL)
    zona.wait_until(lambda: zona.daemon_pid() != before)


class Clients:
    """Threads that ask over and over on new connections; counts what became of it."""

    def __init__(self, zona, count=4):
        self.answers, self.failures, self.stop = 0, [], threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(zona,)) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _ask(self, zona):
        host, port = zona.url.removeprefix('http://').split(':')
        request = f'GET {PING} HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {zona.key}\r\nConnection: close\r\n\r\n'.encode()
        while not self.stop.is_set():
            try:
                with socket.create_connection((host, int(port)), timeout=30) as connection:
                    connection.sendall(request)
                    head = connection.recv(65536)
                self.answers += head.startswith(b'HTTP/1.1 200')
                # A request that the dead daemon had taken is lost; a connection never is.
                if not head:
                    self.failures.append('in flight')
            except ConnectionResetError:
                self.failures.append('in flight')
            except OSError as error:
                self.failures.append(repr(error))

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


# REL-20
@pytest.mark.parametrize('victims', ['daemon', 'keeper', 'both in turn'])
@pytest.mark.parametrize('whose', ["the setting's address", 'one that was asked for'])
def test_clients_wait_while_a_part_dies(zona, wait_until, victims, whose):
    if whose == 'one that was asked for':
        zona.url = f'http://{ask_for_listener(zona)}'
    network = zona.ping()['network']
    clients = Clients(zona)
    try:
        for _ in range(3):
            for part in (['daemon', 'keeper'] if victims == 'both in turn' else [victims]):
                wait_until(lambda: clients.answers > 20)
                pid = zona.ping()[part]['pid']
                os.kill(pid, signal.SIGKILL)
                wait_until(lambda: zona.ping()[part]['pid'] != pid and zona.ping()['keeper']['pid'] != 0)
                clients.answers = 0
        wait_until(lambda: clients.answers > 20)
    finally:
        clients.end()
    assert [f for f in clients.failures if f != 'in flight'] == []
    assert get(zona, key=zona.key).status_code == 200
    assert get(zona, '/api/v1/processes').status_code == 401
    assert zona.ping()['network'] == network


# REL-20, PM-08
def test_under_full_load_every_crash_gets_its_successor_and_no_connection_fails(zona, tool, wait_until):
    """New connections and kept ones; processes that crash while the daemon lives, and with it."""
    zona.run('start', '/bin/sleep', '--name', 'victim', '--', '1000')
    kept = subprocess.Popen([tool('wrk'), '-t1', '-c16', '-d120s', '-H', f'X-API-Key: {zona.key}', f'{zona.url}/api/v1/processes'],
                            stdout=subprocess.PIPE, text=True)
    clients = Clients(zona)
    deaths = []
    try:
        for _ in range(3):
            for with_daemon in (False, True):
                clients.answers = 0
                wait_until(lambda: clients.answers > 20)
                pid, daemon = zona.process('victim')['pid'], zona.daemon_pid()
                if with_daemon:
                    os.kill(daemon, signal.SIGKILL)
                os.kill(pid, signal.SIGKILL)
                deaths.append(pid)
                wait_until(lambda: zona.process('victim')['status'] == 'online' and zona.process('victim')['pid'] != pid)
                assert (zona.daemon_pid() != daemon) is with_daemon
        clients.answers = 0
        wait_until(lambda: clients.answers > 20)
    finally:
        clients.end()
        kept.send_signal(signal.SIGINT)   # it sums up
        summary = kept.communicate()[0]

    assert [f for f in clients.failures if f != 'in flight'] == []
    errors = dict(re.findall(r'(connect|read|write|timeout) (\d+)', summary))
    assert int(re.search(r'(\d+) requests in', summary)[1]) > 100 and errors.get('connect', '0') == '0' and 'Non-2xx' not in summary, summary
    assert int(errors.get('read', 0)) <= 3 * 16, 'those in flight when the daemon was killed'
    exits = zona.run('why', 'victim', '--last', '10', '--json').data[0]['exits']
    assert [(e['pid'], e['cause'], e['signal']) for e in reversed(exits)] == [(pid, 'signaled', 'SIGKILL') for pid in deaths]
    assert zona.process('victim')['restarts'] == len(deaths)
    assert len([p for p in zona.processes() if p.name == 'sleep']) == 2, 'nap and one successor'


def test_after_both_died_the_next_command_listens_again(zona):
    address = zona.url
    zona.kill_keeper_and_daemon()
    zona.run('list')
    zona.url = f"http://{zona.ping()['network']['address']}"
    assert get(zona, key=zona.key).status_code == 200
    assert address.startswith('http://127.0.0.1:')


def test_the_address_can_be_moved_by_the_file(new_zona, wait_until, free_ports):
    first, second = free_ports(2)
    zona = new_zona(env={'ZONA_API_LISTEN': None})
    zona.home.mkdir(mode=0o700)
    (zona.home / 'zona.toml').write_text(f'[api]\nlisten = "127.0.0.1:{first}"\n')
    zona.run('start', '/bin/sleep', '--', '1000')
    zona.url, zona.key = f'http://127.0.0.1:{first}', (zona.home / 'api-key').read_text().strip()
    assert get(zona, key=zona.key).status_code == 200
    (zona.home / 'zona.toml').write_text(f'[api]\nlisten = "127.0.0.1:{second}"\n')
    before = zona.daemon_pid()
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: zona.daemon_pid() != before)
    zona.url = f'http://127.0.0.1:{second}'
    assert get(zona, key=zona.key).status_code == 200
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(('127.0.0.1', first), timeout=5)


# REL-20
def test_what_was_asked_for_ends_neither_with_an_old_setting_nor_begins_with_one(new_zona, free_ports):
    """An inherited socket of a setting that is gone is closed; one that was asked for is not, until it has become a setting's."""
    first, second, asked = (f'127.0.0.1:{port}' for port in free_ports(3))
    zona = new_zona(env={'ZONA_API_LISTEN': None})
    zona.home.mkdir(mode=0o700)

    def configure(**settings):
        (zona.home / 'zona.toml').write_text('[api]\n' + ''.join(f'{name} = "{value}"\n' for name, value in settings.items()))

    configure(listen=first)
    zona.run('start', '/bin/sleep', '--', '1000')
    zona.url, zona.key = f'http://{first}', (zona.home / 'api-key').read_text().strip()
    assert ask_for_listener(zona, asked) == asked
    zona.url = f'http://{asked}'

    configure(listen=second)
    replace_daemon(zona)
    assert refuses(first) and get(zona, key=zona.key).status_code == 200
    assert zona.ping()['network'] == {'address': second, 'tls': False, 'problem': None, 'pmdaemon': asked}
    replace_daemon(zona)   # what the keeper was told in between holds
    assert refuses(first) and get(zona, key=zona.key).status_code == 200

    configure(listen=second, pmdaemon_listen=asked)
    replace_daemon(zona)
    assert get(zona, key=zona.key).status_code == 200
    configure(listen=second)
    replace_daemon(zona)
    assert refuses(asked)
    assert zona.ping()['network']['pmdaemon'] is None


# PM-52
def test_the_successor_judges_what_was_asked_for_by_its_own_rules(new_zona):
    zona = new_zona(env={'ZONA_API_LISTEN': None})
    zona.home.mkdir(mode=0o700)
    file = zona.home / 'zona.toml'
    file.write_text('profile = "staging"\n[api]\nlisten = "127.0.0.1:0"\ninsecure = true\n')
    zona.run('start', '/bin/sleep', '--', '1000')
    zona.url, zona.key = f"http://{zona.ping()['network']['address']}", (zona.home / 'api-key').read_text().strip()
    exposed, inside = ask_for_listener(zona, '0.0.0.0:0'), ask_for_listener(zona)

    replace_daemon(zona)
    assert not refuses(exposed.replace('0.0.0.0', '127.0.0.1'))

    file.write_text('profile = "staging"\n[api]\nlisten = "127.0.0.1:0"\n')
    replace_daemon(zona)
    network = zona.ping()['network']
    assert exposed in network['problem'] and 'api.insecure' in network['problem'] and network['pmdaemon'] == inside
    assert refuses(exposed.replace('0.0.0.0', '127.0.0.1'))
    assert get(zona, key=zona.key).status_code == 200
    zona.url = f'http://{inside}'
    assert get(zona, key=zona.key).status_code == 200


# REL-20
def test_as_many_addresses_as_may_be_asked_for_all_go_on(zona):
    asked = [ask_for_listener(zona) for _ in range(30)]
    answer = requests.post(f'{zona.url}/api/v1/listeners', json={'address': '127.0.0.1:0'}, headers={'X-API-Key': zona.key}, timeout=20)
    assert (answer.status_code, code(answer)) == (409, 'CONFLICT') and 'listens on 30 addresses' in answer.text
    replace_daemon(zona)
    keeper = zona.keeper_pid()
    os.kill(keeper, signal.SIGKILL)
    zona.wait_until(lambda: zona.ping()['keeper']['pid'] not in (0, keeper))
    for address in asked:
        assert requests.get(f'http://{address}{PING}', headers={'X-API-Key': zona.key}, timeout=20).status_code == 200


# REL-20
def test_what_was_asked_for_ends_when_all_of_zona_dies(new_zona, free_ports):
    listen, asked = (f'127.0.0.1:{port}' for port in free_ports(2))
    zona = new_zona(env={'ZONA_API_LISTEN': listen})
    zona.run('start', '/bin/sleep', '--', '1000')
    zona.run('web', '--port', asked.rsplit(':', 1)[1])
    assert zona.ping()['network']['pmdaemon'] == asked
    zona.kill_keeper_and_daemon()
    assert refuses(listen) and refuses(asked)
    zona.run('list')
    assert zona.ping()['network'] == {'address': listen, 'tls': False, 'problem': None, 'pmdaemon': None}
    assert refuses(asked) and not refuses(listen)


def test_a_damaged_list_of_keys_lets_nobody_in_and_stops_nothing(zona, wait_until):
    (zona.home / 'state/api-keys.json').write_text('{"format": 1, "keys": [')
    before = zona.daemon_pid()
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: zona.daemon_pid() != before)
    network = zona.ping()['network']
    assert network['address'] is None and 'api-keys.json' in network['problem']
    assert zona.process('nap')['status'] == 'online'
    with pytest.raises(requests.ConnectionError):
        get(zona, key=zona.key)
    assert (zona.home / 'state/api-keys.json').read_text() == '{"format": 1, "keys": ['


def test_no_socket_of_the_network_is_inherited_by_processes(zona):
    pid = zona.process('nap')['pid']
    for name in os.listdir(f'/proc/{pid}/fd'):
        assert not os.readlink(f'/proc/{pid}/fd/{name}').startswith('socket:')
