"""The command for another zona: --host, contexts, keys, certificates, broken connections."""
import contextlib
import datetime
import hashlib
import json
import os
import re
import signal
import stat
import subprocess
import uuid

import pytest

from cuttable_proxy import CuttableProxy

COUNTER = '''
import time
n = 0
while True:
    print(n, flush=True)
    n += 1
    time.sleep(0.002)
'''


@pytest.fixture
def listening(new_zona):
    """listening(**env): a zona with a process `nap` that listens on the loopback; `far(...)` asks it over TCP."""
    def make(start=True, **env):
        zona = new_zona(env={'ZONA_API_LISTEN': '127.0.0.1:0', **env})
        zona.key_file = zona.home / 'api-key'

        def find():
            zona.address = zona.ping()['network']['address']
        zona.find = find
        zona.far = lambda *args, **options: zona.run('--host', zona.address, '--key-file', zona.key_file, *args, **options)
        if start:
            zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
            find()
        return zona
    return make


@pytest.fixture
def far(listening):
    return listening()


@pytest.fixture
def proxy():
    """proxy(address, **tls): a proxy before a zona, ended with the test."""
    with contextlib.ExitStack() as stack:
        def make(address, **tls):
            host, port = address.rsplit(':', 1)
            it = CuttableProxy((host, int(port)), **tls)
            stack.callback(it.close)
            return it
        yield make


def without_numbers(text, *names):
    """Pids, times and the width of columns differ from run to run; `names` are replaced by HERE."""
    for name in names:
        text = text.replace(str(name), 'HERE')
    text = re.sub(r'[0-9a-f]{8}-[0-9a-f-]{27}', 'ID', text)
    return re.sub(r' +', ' ', re.sub(r'\d[\d.]*( ?(ms|us|s|m|h|kB|MB)\b)?', '#', text))


# ---- the verbs

READS = [['list'], ['list', 'nap', '--json'], ['describe', 'nap'], ['why'], ['env', 'nap'], ['jlist'], ['doctor'],
         ['config', 'show'], ['config', 'log-level'], ['logs', '--nostream'], ['ping', '--json'], ['describe', 'nobody'],
         ['logs', 'nobody'], ['execution'], ['execution', 'wait', '5b0c1e8e-43f5-4c5e-9d53-0c4f6a1e2b37']]


@pytest.mark.parametrize('line', READS, ids=' '.join)
def test_a_read_answers_over_the_network_what_it_answers_here(far, line):
    # That one first: it waits until all is open.
    there, here = far.far(*line, check=False), far.run(*line, check=False)
    assert without_numbers(there.stdout) == without_numbers(here.stdout)
    assert there.returncode == here.returncode
    told = there.stderr.removeprefix(f'zona: on http://{far.address}\n')
    assert without_numbers(told) == without_numbers(here.stderr)


CHANGES = [['start', '/bin/sleep', '--name', 'second', '--cwd', '/tmp', '-e', 'A=1', '--', '1000'],
           ['start', '/bin/cat', '--name', 'cat', '--stdin', '--cwd', '/tmp'], ['start', 'nap'], ['stop', 'second'], ['start', 'second'],
           ['restart', 'second', 'nap'], ['scale', 'second', '3'], ['scale', 'second', '-1'], ['signal', 'USR1', 'second'],
           ['send', 'cat', 'hello'], ['reset', 'all'], ['save'], ['delete', 'second'], ['resurrect'],
           ['config', 'reload'], ['config', 'log-level', 'api', 'debug'], ['stop', 'all', '--json'],
           ['start', '/bin/false', '--name', 'bad', '--cwd', '/tmp', '--max-restarts', '0'], ['stop', 'nobody'], ['kill']]


def test_every_change_does_over_the_network_what_it_does_here(listening):
    here, there = listening(), listening()
    for line in CHANGES:
        near, distant = here.run(*line, check=False), there.far(*line, check=False)
        assert distant.returncode == near.returncode, distant
        assert without_numbers(distant.stdout, there.folder) == without_numbers(near.stdout, here.folder), line
        told = distant.stderr.removeprefix(f'zona: on http://{there.address}\n')
        assert without_numbers(told, there.folder) == without_numbers(near.stderr, here.folder), line
    assert there.run('ping', check=False).returncode == here.run('ping', check=False).returncode == 6


def test_a_file_of_apps_is_sent_as_its_text(far):
    app = far.write('over-there/app.sh', '#!/bin/sh\npwd; echo "$SHOWN"; exec sleep 1000\n', 0o755)
    file = far.write('here/ecosystem.yaml', 'apps:\n  - {name: app, script: ./app.sh, env: {SHOWN: told}}\n')
    far.far('start', file, '--cwd', app.parent)
    far.wait_until(lambda: far.far('logs', 'app', '--nostream', '--raw').stdout.splitlines()[-2:] == [str(app.parent), 'told'])

    lost = far.far('start', far.write('other.yaml', 'apps:\n  - {name: lost, script: ./app.sh}\n'), check=False)
    assert lost.returncode == 3 and '--cwd' in lost.stderr and '/app.sh' in lost.stderr


def test_run_follows_and_stops_over_the_network(far):
    file = far.write('ecosystem.yaml', 'apps:\n  - {name: talk, script: /bin/sh, args: ["-c", "echo one; exec sleep 1000"]}\n')
    run = far.popen('--host', far.address, '--key-file', far.key_file, 'run', file)
    assert any(line.endswith('one\n') for line in run.stdout)
    run.send_signal(signal.SIGINT)
    assert run.wait(20) == 0
    assert far.process('talk')['status'] == 'stopped' and far.process('nap')['status'] == 'online'


def test_run_ends_with_the_exit_code_of_its_app(far):
    file = far.write('ecosystem.yaml', 'apps:\n  - {name: short, script: /bin/sh, autorestart: false, '
                                       'args: ["-c", "echo said; sleep 0.5; exit 3"]}\n')
    answer = far.far('run', file, check=False)
    assert answer.returncode == 3 and 'said' in answer.stdout


# ---- what goes to the other host

def test_no_variable_of_this_shell_goes_there_unasked(far):
    far.far('start', '/bin/sleep', '--name', 'a', '-e', 'GIVEN=1', '--', '1000', env={'MINE': 'private'})
    variables = far.run('env', 'a', '--json').data['variables']
    assert variables['GIVEN'] == '1' and 'MINE' not in variables and 'LC_ALL' not in variables
    assert '/usr/bin' in variables['PATH']

    refused = far.far('restart', 'a', '--update-env', check=False)
    assert refused.returncode == 2 and '--env-from-here' in refused.stderr
    far.far('restart', 'a', '--update-env', '--env-from-here', env={'MINE': 'private', 'ZONA_API_KEY': 'zona_key_x'})
    variables = far.run('env', 'a', '--json').data['variables']
    assert variables['MINE'] == 'private' and 'ZONA_API_KEY' not in variables


def test_a_directory_over_there_is_absolute(far):
    answer = far.far('start', '/bin/sleep', '--cwd', 'tmp', '--', '1', check=False)
    assert answer.returncode == 2 and 'has to be absolute' in answer.stderr
    assert len(far.list()) == 1


def test_no_zona_is_started_on_another_host(zona, free_port):
    for line in (['start', '/bin/sleep'], ['list'], ['kill'], ['jlist'], ['logs']):
        answer = zona.run('--host', f'127.0.0.1:{free_port}', *line, check=False)
        assert answer.returncode == 6 and 'Connection refused' in answer.stderr and 'api.listen' in answer.stderr, answer
        assert answer.stdout == ''
    assert not zona.processes() and not zona.home.exists()
    answer = zona.run('--host', f'127.0.0.1:{free_port}', '--set', 'log.level=debug', 'start', 'x', check=False)
    assert answer.returncode == 2 and '--set' in answer.stderr


# ---- keys

@pytest.fixture
def keys(listening):
    """A zona that knows, beside its first key, a viewer's and one that has expired."""
    zona = listening()
    file = zona.home / 'state/api-keys.json'
    listed = {'format': 1, 'keys': []}   # as an earlier zona left it: the start takes them over
    moment = datetime.datetime.now(datetime.UTC)

    def add(name, scope, **more):
        text = 'zona_key_' + name.ljust(43, 'A')
        listed['keys'].append({'id': str(uuid.uuid4()), 'name': name, 'scope': scope, **more,
                               'sha256': hashlib.sha256(text.encode()).hexdigest(),
                               'created_at': (moment - datetime.timedelta(days=2)).strftime('%Y-%m-%dT%H:%M:%S.000Z')})
        return zona.write(f'{name}.key', text + '\n', 0o600)
    zona.viewer = add('viewer', 'viewer')
    zona.expired = add('expired', 'admin', expires_at=(moment - datetime.timedelta(days=1)).strftime('%Y-%m-%dT%H:%M:%S.000Z'))
    file.write_text(json.dumps(listed))
    before = zona.daemon_pid()
    os.kill(before, signal.SIGKILL)
    zona.wait_until(lambda: zona.daemon_pid() != before and zona.ping()['network']['address'])
    zona.find()
    return zona


# PM-51
def test_a_key_that_is_not_taken_is_told_from_one_that_may_not(keys):
    for file, words in ((keys.expired, 'has expired'), (keys.write('wrong', 'zona_key_' + 'x' * 43, 0o600), 'not valid')):
        answer = keys.run('--host', keys.address, '--key-file', file, 'stop', 'nap', check=False)
        assert answer.returncode == 5 and words in answer.stderr and str(file) in answer.stderr
        assert file.read_text().strip() not in answer.stderr + answer.stdout
    none = keys.run('--host', keys.address, 'list', check=False)
    assert none.returncode == 5 and '--key-file' in none.stderr and 'ZONA_API_KEY' in none.stderr

    assert [p['name'] for p in keys.run('--host', keys.address, '--key-file', keys.viewer, 'list', '--json').data] == ['nap']
    viewer = keys.run('--host', keys.address, '--key-file', keys.viewer, 'stop', 'nap', check=False)
    assert viewer.returncode == 5 and 'may only read' in viewer.stderr
    assert keys.process('nap')['status'] == 'online'
    assert keys.run('--host', keys.address, '--key-file', keys.viewer, 'stop', 'nap', '--json', check=False).json['error'][
        'code'] == 'ACCESS_DENIED'


def test_the_key_comes_from_a_file_or_the_environment(far):
    key = far.key_file.read_text().strip()
    for env in ({'ZONA_KEY_FILE': str(far.key_file)}, {'ZONA_API_KEY': key}, {'ZONA_KEY_FILE': str(far.key_file), 'ZONA_API_KEY': 'x'}):
        assert far.run('--host', far.address, 'list', '--json', env=env).data
        assert far.run('list', '--json', env={'ZONA_HOST': far.address, **env}).data
    key_file = far.write('key', key + '\n', 0o644)
    warned = far.run('--host', far.address, '--key-file', 'key', 'list')
    assert f'chmod 600 {key_file}' in warned.stderr
    for text, words in (('', 'is empty'), ('two words', 'one key'), ('x' * 5000, 'one key')):
        far.write('key', text, 0o600)
        answer = far.run('--host', far.address, '--key-file', 'key', 'list', check=False)
        assert answer.returncode == 2 and words in answer.stderr
        assert not text or text not in answer.stderr
    answer = far.run('--host', far.address, '--key-file', 'gone', 'list', check=False)
    assert answer.returncode == 3 and 'gone' in answer.stderr


# PM-51
@pytest.mark.parametrize('words', [['--key', 'KEY'], ['--api-key=KEY'], ['--key-file', 'KEY'], ['--key-file=KEY'], ['KEY']])
def test_a_key_among_the_arguments_is_refused_and_not_repeated(zona, words):
    key = 'zona_key_' + 'k' * 43
    answer = zona.run('--host', '127.0.0.1:1', *[word.replace('KEY', key) for word in words], 'list', check=False)
    assert answer.returncode == 2 and '/proc' in answer.stderr and '--key-file FILE' in answer.stderr
    assert key not in answer.stdout + answer.stderr


# PM-52
def test_a_key_does_not_leave_this_host_in_the_clear(zona):
    answer = zona.run('--host', 'http://192.0.2.1', 'list', check=False)
    assert answer.returncode == 2 and '--insecure' in answer.stderr and 'not encrypted' in answer.stderr


@pytest.mark.parametrize('url', ['ftp://h', 'https://h/path', 'https://u:secret@h', 'h:port', 'h:0', 'h:70000', 'https://', '[::1', 'a b',
                                 'https://h?key=secret'])
def test_another_form_of_url_is_refused(zona, url):
    answer = zona.run('--host', url, 'list', check=False)
    assert answer.returncode == 2 and 'https://zona.example' in answer.stderr and 'secret' not in answer.stderr


def test_an_empty_host_is_not_this_host(zona):
    answer = zona.run('--host', '', 'list', check=False)
    assert answer.returncode == 2 and '--host is given an empty text' in answer.stderr


def test_a_name_that_nobody_knows(zona):
    answer = zona.run('--host', 'https://nowhere.invalid', 'list', check=False)
    assert answer.returncode == 6 and 'nowhere.invalid' in answer.stderr


def test_a_zona_of_another_version_is_named(zona):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    import threading

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            body = ({'success': True, 'data': {'daemon': {'pid': 1, 'version': '9.9.9', 'uptime_s': 1}, 'keeper': {'pid': 2}}}
                    if self.path.endswith('ping') else
                    {'success': False, 'error': {'code': 'NOT_FOUND', 'message': 'no such path', 'details': []}})
            text = json.dumps(body).encode()
            self.send_response(200 if body['success'] else 404)
            self.send_header('Content-Length', str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args):
            pass
    with ThreadingHTTPServer(('127.0.0.1', 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            answer = zona.run('--host', f'127.0.0.1:{server.server_port}', 'list', check=False)
        finally:
            server.shutdown()
            thread.join()
    assert answer.returncode == 3 and '9.9.9' in answer.stderr


# ---- contexts

def test_contexts_are_added_used_shown_and_removed(far):
    key = far.key_file.read_text().strip()
    far.run('context', 'add', 'prod', '--host', far.address, '--key-file', 'home/api-key')
    file = far.folder / 'config/zona/contexts.json'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key not in file.read_text() and str(far.key_file) in file.read_text()
    assert far.run('list').stderr == ''                      # added is not used
    assert far.run('--context', 'prod', 'ping').stdout.rstrip().endswith(f'at prod (http://{far.address})')

    far.run('context', 'use', 'prod')
    answer = far.run('list')
    assert 'nap' in answer.stdout and answer.stderr == f'zona: on prod (http://{far.address})\n'
    assert far.run('context', 'show', '--json').data['because'] == 'the current context'
    assert [(c['name'], c['current']) for c in far.run('context', '--json').data] == [('local', False), ('prod', True)]
    assert far.run('--context', 'local', 'list').stderr == ''

    again = far.run('context', 'add', 'prod', '--host', 'h', check=False)
    assert again.returncode == 4
    far.run('context', 'remove', 'prod')
    assert far.run('list').stderr == ''
    assert far.run('context', '--json').data == [{'name': 'local', 'current': True, 'host': None}]


def test_which_zona_a_command_is_for(far):
    far.run('context', 'add', 'one', '--host', 'one.example', '--key-file', 'k')
    far.run('context', 'add', 'two', '--host', 'https://two.example:99')

    def place(*flags, **env):
        shown = far.run('context', 'show', '--json', *flags, env=env).data
        return shown['host'], shown['because']
    assert place() == (None, 'nothing says otherwise')
    far.run('context', 'use', 'one')
    assert place() == ('https://one.example:8063', 'the current context')
    assert place(ZONA_CONTEXT='two') == ('https://two.example:99', 'ZONA_CONTEXT')
    assert place(ZONA_CONTEXT='two', ZONA_HOST='three') == ('https://three:8063', 'ZONA_HOST')
    assert place('--context', 'two', ZONA_HOST='three') == ('https://two.example:99', '--context')
    assert place('--host', '[::1]', ZONA_HOST='three') == ('http://[::1]:8063', '--host')
    assert place('--context', 'local', ZONA_HOST='three') == (None, '--context')
    assert place('--home', far.home, ZONA_HOST='three') == (None, '--home')
    both = far.run('--home', far.home, '--host', 'h', 'list', check=False)
    assert both.returncode == 2 and '--home' in both.stderr


def test_mistakes_with_contexts_are_told(far):
    for line, status, words in (
            (['context', 'use', 'nobody'], 3, 'no context'), (['--context', 'nobody', 'list'], 3, 'no context'),
            (['context', 'add', 'x'], 2, 'needs --host'), (['context', 'add', 'local', '--host', 'h'], 2, 'local'),
            (['context', 'add', 'a/b', '--host', 'h'], 2, 'a/b'), (['context', 'remove', 'local'], 2, 'local'),
            (['context', 'add', 'x', '--host', 'http://h'], 2, '--insecure'), (['context', 'frob'], 2, 'frob'),
            (['context', 'add', 'x', '--host', 'h', '--fingerprint', '12'], 2, '64 digits'),
            (['--key-file', 'f', 'list'], 2, '--host URL')):
        answer = far.run(*line, check=False)
        assert answer.returncode == status and words in answer.stderr, answer
    assert not (far.folder / 'config').exists()
    file = far.write('config/zona/contexts.json', '{"format": 1, "contexts": [')
    answer = far.run('list', check=False)
    assert answer.returncode == 4 and str(file) in answer.stderr and '--context local' in answer.stderr
    assert far.run('--context', 'local', 'list').stdout


# ---- broken connections

@pytest.fixture
def counting(listening):
    """A zona whose process `count` prints one number after the other."""
    zona = listening()
    zona.run('start', zona.write('count.py', COUNTER))
    return zona


@contextlib.contextmanager
def following(zona, *flags):
    """`zona FLAGS logs count`, one number a line; its output is closed at the end, so that no full pipe holds it."""
    logs = zona.popen(*flags, '--key-file', zona.key_file, 'logs', 'count', '--raw', '--lines', '1')
    try:
        yield logs.stdout
    finally:
        logs.stdout.close()


def take_numbers(stream, count):
    return [int(stream.readline()) for _ in range(count)]


def test_following_goes_on_over_the_death_of_the_daemon_over_there(counting, wait_until):
    with following(counting, '--host', counting.address) as stream:
        numbers = take_numbers(stream, 100)
        for _ in range(3):
            before = counting.daemon_pid()
            os.kill(before, signal.SIGKILL)
            wait_until(lambda: counting.daemon_pid() != before)
            numbers += take_numbers(stream, 200)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_following_goes_on_over_broken_connections(counting, proxy):
    between = proxy(counting.address)
    with following(counting, '--host', f'127.0.0.1:{between.port}') as stream:
        numbers = take_numbers(stream, 100)
        for _ in range(5):
            between.cut()
            numbers += take_numbers(stream, 100)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert between.connections >= 6


def test_following_ends_on_ctrl_c_while_the_other_host_is_away(counting, proxy):
    between = proxy(counting.address)
    logs = counting.popen('--host', f'127.0.0.1:{between.port}', '--key-file', counting.key_file, 'logs', 'count', '--raw')
    take_numbers(logs.stdout, 100)
    between.close()
    logs.send_signal(signal.SIGINT)
    _, told = logs.communicate(timeout=20)
    assert logs.returncode == 0, told


def test_a_change_whose_answer_is_lost_is_not_repeated(far, proxy):
    """The connection is cut while the stop waits for a process that takes its time."""
    far.run('start', far.write('slow.sh', '#!/bin/sh\ntrap "sleep 1000 & wait" INT\necho up\nwhile :; do sleep 0.1; done\n', 0o755),
            '--kill-timeout', '20s', '--interpreter', 'sh')
    far.wait_until(lambda: 'up' in far.run('logs', 'slow', '--nostream', '--raw').stdout)
    between = proxy(far.address)
    stop = far.popen('--host', f'127.0.0.1:{between.port}', '--key-file', far.key_file, 'stop', 'slow')
    far.wait_until(lambda: far.process('slow')['status'] == 'stopping')
    between.cut()
    assert stop.wait(20) == 6
    assert 'whether it was done is unknown' in stop.stderr.read()


# ---- certificates

@pytest.fixture(scope='module')
def authority(tmp_path_factory):
    """authority(name, san, days=30): the paths of a certificate and its key; `authority.ca` issued them."""
    folder = tmp_path_factory.mktemp('ca')

    def openssl(*words):
        subprocess.run(['openssl', *map(str, words)], check=True, capture_output=True, cwd=folder)
    openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'ca.key', '-out', 'ca.pem',
            '-subj', '/CN=test authority', '-days', 30)

    def issue(name, san, days=30):
        openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f'{name}.key', '-out', f'{name}.csr',
                '-subj', f'/CN={name}', '-addext', f'subjectAltName={san}')
        openssl('x509', '-req', '-in', f'{name}.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', days, '-copy_extensions', 'copy',
                '-out', f'{name}.pem')
        return {'certificate': folder / f'{name}.pem', 'private_key': folder / f'{name}.key'}
    issue.ca = folder / 'ca.pem'
    return issue


def fingerprint(certificate):
    done = subprocess.run(['openssl', 'x509', '-noout', '-fingerprint', '-sha256', '-in', certificate], check=True,
                          capture_output=True, text=True)
    return done.stdout.strip().split('=')[1]


# PM-51
def test_a_certificate_is_believed_by_its_authority_or_its_pin(far, proxy, authority):
    certificate = authority('good', 'DNS:localhost,IP:127.0.0.1')
    between = proxy(far.address, **certificate)
    for host in ('localhost', '127.0.0.1'):
        flags = ['--host', f'https://{host}:{between.port}', '--key-file', far.key_file]
        assert far.run(*flags, '--ca-file', authority.ca, 'list', '--json').data
        assert far.run(*flags, '--fingerprint', fingerprint(certificate['certificate']), 'list', '--json').data
    far.run('context', 'add', 'tls', *flags, '--fingerprint', fingerprint(certificate['certificate']))
    assert far.run('--context', 'tls', 'list', '--json').data


# PM-51
@pytest.mark.parametrize('case', ['authority', 'name', 'date', 'pin'])
def test_a_certificate_that_is_not_believed_gets_no_key(far, proxy, authority, case):
    san = 'DNS:other.example' if case == 'name' else 'IP:127.0.0.1'
    certificate = authority(case, san, days=-1 if case == 'date' else 30)
    between = proxy(far.address, **certificate)
    flags = {'authority': [], 'name': ['--ca-file', authority.ca], 'date': ['--ca-file', authority.ca],
             'pin': ['--fingerprint', '00' * 32]}[case]
    answer = far.run('--host', f'https://127.0.0.1:{between.port}', '--key-file', far.key_file, *flags, 'stop', 'nap', check=False)
    assert answer.returncode == 5 and 'not trusted' in answer.stderr and '--fingerprint' in answer.stderr
    assert fingerprint(certificate['certificate']).replace(':', '').lower() in answer.stderr.replace(':', '').lower()
    assert far.process('nap')['status'] == 'online'


def test_following_goes_on_over_broken_tls_connections(counting, proxy, authority):
    between = proxy(counting.address, **authority('follow', 'IP:127.0.0.1'))
    with following(counting, '--host', f'https://127.0.0.1:{between.port}', '--ca-file', authority.ca) as stream:
        numbers = take_numbers(stream, 100)
        for _ in range(3):
            between.cut()
            numbers += take_numbers(stream, 100)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_tls_and_plain_http_are_told_apart(far, proxy, authority):
    answer = far.run('--host', f'https://{far.address}', 'list', check=False)
    assert answer.returncode == 6 and 'TLS' in answer.stderr
    between = proxy(far.address, **authority('plain', 'IP:127.0.0.1'))
    answer = far.run('--host', f'http://127.0.0.1:{between.port}', '--timeout', '2s', 'list', check=False)
    assert answer.returncode in (6, 8, 70), answer
    missing = far.run('--host', f'https://127.0.0.1:{between.port}', '--ca-file', 'gone.pem', 'list', check=False)
    assert missing.returncode == 3 and 'gone.pem' in missing.stderr


# ---- a second machine

@pytest.fixture
def machine(as_root, tool):
    """machine.run(...) as on another machine: a network namespace behind a pair of interfaces."""
    ip = tool('ip')
    name = f'zt{os.getpid() % 100000}'
    net = f'10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}'

    def call(*words, check=True):
        return subprocess.run([ip, *words], check=check, capture_output=True, text=True, timeout=20)
    made = call('netns', 'add', name, check=False)
    if made.returncode != 0:
        pytest.skip('network namespaces cannot be made here')

    class Machine:
        address = f'{net}.2'
        enter = [ip, 'netns', 'exec', name]

        @staticmethod
        def cable(state):
            call('-n', name, 'link', 'set', f'{name}b', state)   # this end keeps its route
    try:
        call('link', 'add', f'{name}a', 'type', 'veth', 'peer', 'name', f'{name}b', 'netns', name)
        call('addr', 'add', f'{net}.1/24', 'dev', f'{name}a')
        call('link', 'set', f'{name}a', 'up')
        call('-n', name, 'addr', 'add', f'{net}.2/24', 'dev', f'{name}b')
        call('-n', name, 'link', 'set', f'{name}b', 'up')
        call('-n', name, 'link', 'set', 'lo', 'up')
        yield Machine
    finally:
        call('netns', 'delete', name, check=False)
        call('link', 'delete', f'{name}a', check=False)


# PM-52
def test_a_zona_on_another_machine(listening, machine, bin_dir):
    zona = listening(start=False, ZONA_API_LISTEN=f'{machine.address}:8063', ZONA_PROFILE='staging', ZONA_API_INSECURE='true')
    script = zona.write('count.py', COUNTER)
    subprocess.run([*machine.enter, bin_dir / 'zona', 'start', script], env=zona.environment(), cwd=zona.folder, check=True,
                   capture_output=True, timeout=60)
    far = ['--host', f'http://{machine.address}', '--key-file', zona.key_file]
    assert zona.run(*far, 'list', check=False).returncode == 2
    assert [p['name'] for p in zona.run(*far, '--insecure', 'list', '--json').data] == ['count']

    with following(zona, '--host', f'http://{machine.address}', '--insecure') as stream:
        numbers = take_numbers(stream, 100)
        machine.cable('down')
        silent = zona.run(*far, '--insecure', '--timeout', '500ms', 'list', check=False)
        assert silent.returncode in (6, 8) and machine.address in silent.stderr
        machine.cable('up')
        numbers += take_numbers(stream, 2000)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    zona.run(*far, '--insecure', 'kill')
    assert zona.run('ping', check=False).returncode == 6
