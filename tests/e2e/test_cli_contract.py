"""The command against a scripted API: what it asks, what it prints, how it ends."""
import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import termios
import threading

import pytest

from fake_zonad import FakeZonad, Reply, Stream, envelope, hang_up, refusal
from waiting import FACTOR, wait_until
from zona_home import BIN

PROCESS = {'pm_id': 0, 'id': '0b6c1c7e-9a6f-4f8e-8f57-3a1f4a2f7d10', 'name': 'api', 'namespace': 'default', 'instance': 0,
           'status': 'online', 'desired': 'running', 'pid': 4711, 'created_at': '2026-03-09T07:12:44.000Z',
           'started_at': '2026-03-09T07:12:44.000Z', 'uptime_ms': 65000, 'restarts': 2, 'unstable_restarts': 0,
           'restart_at': None, 'held_because': None, 'last_exit': None, 'script': '/srv/api', 'interpreter': None,
           'cwd': '/srv', 'user': None, 'group': None, 'args': [], 'interpreter_args': [], 'autorestart': True,
           'max_restarts': 16, 'min_uptime_ms': 1000, 'restart_delay_ms': 0, 'kill_timeout_ms': 1600,
           'kill_signal': 'SIGINT', 'stdin': 'null', 'out_file': '/h/logs/api-out.log',
           'error_file': '/h/logs/api-error.log', 'containment': {'tier': 'cgroup2', 'guaranteed': True},
           'survivors': []}
READY = {'pm_id': 0, 'name': 'api', 'instance': 0, 'outcome': 'ready', 'after_ms': 301, 'exit': None,
         'stderr_tail': [], 'hint': None}
EXIT = {'incarnation': 1, 'pid': 4711, 'started_at': '2026-03-09T07:12:44.000Z', 'exited_at': '2026-03-09T07:12:44.040Z',
        'ran_ms': 40, 'cause': 'exited', 'code': 3, 'signal': None, 'core': False, 'requested': False,
        'user_cpu_ms': 20, 'system_cpu_ms': 4, 'max_rss_bytes': 12900000}
EXITED = {**READY, 'outcome': 'exited', 'after_ms': 40, 'exit': EXIT, 'stderr_tail': ['boom'], 'hint': 'pip install x'}
TABLE = 'id  name  status   pid  uptime  restarts\n 0  api   online  4711   1m 5s         2\n'


@pytest.fixture
def api(zona):
    """A scripted zonad on the home of `zona`, with one process."""
    fake = FakeZonad(zona.home)
    fake.on('GET', '/api/v1/processes', envelope([PROCESS], total=1, killed=0))
    yield fake
    fake.close()


@pytest.fixture
def with_keeper(zona, tmp_path):
    """with_keeper(script): the command beside a zona-keeper that is this Python script; returns its runner."""
    def make(script):
        folder = tmp_path / 'bin'
        folder.mkdir()
        shutil.copy2(BIN / 'zona', folder / 'zona')
        keeper = folder / 'zona-keeper'
        keeper.write_text('#!/usr/bin/python3\nimport json, os, signal, sys\n'
                          f'sys.path.insert(0, {os.path.dirname(__file__) + "/../support"!r})\n' + script)
        keeper.chmod(0o755)

        def run(*args, **env):
            return subprocess.run([folder / 'zona', *args], env=zona.environment(env), capture_output=True, text=True,
                                  cwd=zona.folder, timeout=30 * FACTOR)
        return run
    return make


# ---- reads

# UX-11
def test_list_prints_a_table_and_the_answer_itself_with_json(zona, api):
    assert zona.run('list').stdout == TABLE
    answer = zona.run('list', '--json')
    assert answer.data == [PROCESS]
    assert answer.stdout.count('\n') == 1 and not answer.stderr


# UX-11
@pytest.mark.parametrize('line, path', [
    (['list'], '/api/v1/processes'), (['describe', 'api'], '/api/v1/processes'),
    (['why', 'api'], '/api/v1/processes/0/exits'), (['env', '0'], '/api/v1/processes/0/environment'),
    (['ping'], '/api/v1/ping'), (['doctor'], '/api/v1/host'), (['config', 'show'], '/api/v1/config'),
    (['config', 'log-level'], '/api/v1/log-levels')])
def test_every_read_gives_json_and_nothing_else(zona, api, line, path):
    api.on('GET', path, envelope([] if path.endswith(('config', 'processes', 'exits')) else {}))
    if path.endswith('exits'):
        api.on('GET', '/api/v1/processes', envelope([PROCESS]))
    answer = zona.run(*line, '--json')
    assert answer.json['success'] is True
    assert not answer.stderr
    assert api.asked('GET', path)


def test_describe_and_why_tell_the_story(zona, api):
    held = {**PROCESS, 'status': 'errored', 'pid': None, 'held_because': '16 early ends', 'last_exit': EXIT}
    api.on('GET', '/api/v1/processes', envelope([held]))
    api.on('GET', '/api/v1/processes/0/exits', envelope([{**EXIT, 'stderr_tail': ['boom'], 'stdout_tail': []}]))

    described = zona.run('describe', 'api').stdout
    assert 'stop             SIGINT, after 1600ms SIGKILL' in described
    assert 'containment      cgroup2' in described
    told = zona.run('why', 'api').stdout
    assert told.startswith('api (id 0) is errored\n  held: 16 early ends\n')
    assert 'exited 3, ran 40 ms' in told and '      boom\n' in told and 'peak memory 12.3 MB' in told


def test_env_and_doctor_and_config_print_lines(zona, api):
    api.on('GET', '/api/v1/processes/0/environment', envelope({'variables': {'A': '1', 'EVIL': 'x\x1b[2J'}}))
    api.on('GET', '/api/v1/host', envelope({'checks': [
        {'name': 'cgroup v2', 'status': 'missing', 'detail': 'not mounted', 'cure': 'mount it'}]}))
    api.on('GET', '/api/v1/config', envelope([
        {'key': 'log.level', 'value': 'info', 'source': 'file', 'file': '/etc/zona.toml', 'line': 3}]))

    assert zona.run('env', '0').stdout == 'A=1\nEVIL=x\\x1b[2J\n'
    assert zona.run('doctor').stdout == ('missing  cgroup v2              not mounted\n'
                                         '                           try: mount it\n')
    assert zona.run('config').stdout == ('key        value  from\nlog.level  info   /etc/zona.toml:3\n')


# UX-11
def test_jlist_is_what_pm2_prints(zona, api):
    process, = json.loads(zona.run('jlist').stdout)
    assert (process['pid'], process['name'], process['pm_id'], process['monit']) == (4711, 'api', 0,
                                                                                     {'memory': 0, 'cpu': 0})
    env = process['pm2_env']
    assert env['status'] == 'online' and env['restart_time'] == 2
    assert env['pm_out_log_path'] == '/h/logs/api-out.log' and env['pm_exec_path'] == '/srv/api'
    assert env['pm_uptime'] == 1773040364000


def test_unknown_name_shows_the_nearest_and_exits_3(zona, api):
    api.on('GET', '/api/v1/processes', refusal(404, 'NOT_FOUND', "no process 'apu'", ["did you mean 'api'?"]))
    answer = zona.run('describe', 'apu', check=False)
    assert (answer.returncode, answer.stdout) == (3, '')
    assert answer.stderr == "zona: no process 'apu'\n  did you mean 'api'?\n"
    as_json = zona.run('describe', 'apu', '--json', check=False)
    assert as_json.returncode == 3 and not as_json.stderr
    assert as_json.json['error']['code'] == 'NOT_FOUND'


def test_wrong_command_line_exits_2(zona):
    answer = zona.run('strat', 'x', check=False)
    assert answer.returncode == 2
    assert answer.stderr.startswith("zona: zona has no verb 'strat'; did you mean 'start'?\n")
    assert zona.run('strat', '--json', check=False).json['error']['code'] == 'INVALID_ARGUMENT'


# ---- without a daemon

# PM-57
def test_reads_do_not_start_a_daemon(zona, with_keeper):
    run = with_keeper('open(os.environ["ZONA_HOME"] + "-started", "w")\n')
    assert run('list').stdout == 'id  name  status  pid  uptime  restarts\n'
    assert run('list').stderr == 'zona is not running\n'
    assert json.loads(run('list', '--json').stdout) == {'success': True, 'data': []}
    assert run('jlist').stdout == '[]\n'
    for line in (['ping'], ['describe', 'x'], ['why'], ['env', '0'], ['logs'], ['doctor'], ['config']):
        answer = run(*line)
        assert answer.returncode == 6, line
        assert answer.stderr.startswith('zona: zona is not running\n'), line
        assert json.loads(run(*line, '--json').stdout)['error']['code'] == 'UNAVAILABLE', line
    assert run('kill').returncode == 0
    assert not zona.home.with_name('home-started').exists()
    assert not zona.home.exists()


KEEPER_THAT_SERVES = '''
from fake_zonad import FakeZonad, envelope
import threading
home, ready = sys.argv[2], int(sys.argv[4])
fake = FakeZonad(home)
fake.on('POST', '/api/v1/snapshots/restore', envelope({'processes': [], 'outcomes': [], 'warnings': [], 'file': 'f'}))
fake.on('GET', '/api/v1/processes', envelope([]))
status = open('/proc/self/status').read()
json.dump({'argv': sys.argv[1:], 'env': dict(os.environ), 'cwd': os.getcwd(), 'pid': os.getpid(),
           'sid': os.getsid(0), 'stdin': os.readlink('/proc/self/fd/0'),
           'ignored': [l for l in status.splitlines() if l.startswith('SigIgn')]}, open(home + '/told', 'w'))
os.write(ready, b'ok\\n')
os.close(ready)
signal.pause()
'''


# PM-57
def test_change_starts_the_keeper_in_a_clean_world(zona, with_keeper):
    run = with_keeper(KEEPER_THAT_SERVES)
    answer = run('resurrect', SECRET='x', LC_ALL='C.UTF-8', ZONA_PROFILE='staging')
    assert answer.returncode == 0, answer.stderr
    told = json.loads((zona.home / 'told').read_text())
    try:
        assert told['argv'] == ['--home', str(zona.home), '--ready-fd', '3']
        assert told['cwd'] == '/' and told['stdin'] == '/dev/null'
        assert told['sid'] != os.getsid(0) and told['sid'] != told['pid']
        assert 'SECRET' not in told['env'] and told['env']['ZONA_PROFILE'] == 'staging'
        assert set(told['env']) <= {'PATH', 'HOME', 'LANG', 'TZ', 'USER', 'LC_ALL', 'LC_CTYPE'} | {
            name for name in told['env'] if name.startswith('ZONA_')}
        second = run('resurrect')
        assert second.returncode == 0, second.stderr
        assert json.loads((zona.home / 'told').read_text())['pid'] == told['pid'], 'it is started once'
    finally:
        os.kill(told['pid'], signal.SIGKILL)


def test_error_of_the_keeper_is_the_commands(zona, with_keeper):
    run = with_keeper('os.write(3, json.dumps({"code": "FORBIDDEN", "message": "the home belongs to root", '
                      '"hint": "give --home"}).encode() + b"\\n")\n')
    answer = run('resurrect')
    assert answer.returncode == 5
    assert answer.stderr == 'zona: the home belongs to root\n  give --home\n'


def test_keeper_that_dies_is_told_with_its_log(zona, with_keeper):
    answer = with_keeper('sys.exit(1)\n')('resurrect')
    assert answer.returncode == 6
    assert answer.stderr == f'zona: zona-keeper ended before it was ready, see {zona.home}/logs/keeper.log\n'


def test_daemon_that_another_command_started_is_used(zona, with_keeper, wait_until):
    run = with_keeper('from fake_zonad import listening\n'
                      'open(sys.argv[2] + "-asked", "w").close()\n'
                      'while not listening(sys.argv[2] + "/api.sock"): pass\n'
                      'os.write(3, b\'{"code":"CONFLICT","message":"already running"}\\n\')\n')
    answers = []
    thread = threading.Thread(target=lambda: answers.append(run('resurrect')))
    thread.start()
    wait_until((zona.home.parent / 'home-asked').exists)
    fake = FakeZonad(zona.home, {('POST', '/api/v1/snapshots/restore'): envelope({'outcomes': []}),
                                 ('GET', '/api/v1/processes'): envelope([])})
    thread.join()
    fake.close()
    assert answers[0].returncode == 0, answers[0].stderr


def test_missing_keeper_is_named(zona, tmp_path):
    shutil.copy2(BIN / 'zona', tmp_path / 'zona')
    answer = subprocess.run([tmp_path / 'zona', 'resurrect'], env=zona.environment(), capture_output=True, text=True)
    assert answer.returncode == 3
    assert f'looked for {tmp_path}/zona-keeper and ' in answer.stderr


def test_socket_path_may_be_longer_than_a_socket_address(zona_at_long_path):
    fake = FakeZonad(zona_at_long_path.home)
    fake.on('GET', '/api/v1/processes', envelope([PROCESS]))
    assert len(str(zona_at_long_path.home)) > 150
    assert zona_at_long_path.run('list').stdout == TABLE
    fake.close()


def test_home_is_found_by_flag_then_environment(zona, tmp_path):
    other = FakeZonad(tmp_path / 'other')
    other.on('GET', '/api/v1/processes', envelope([]))
    assert zona.run('list', '--home', tmp_path / 'other').stderr == ''
    assert zona.run('list', env={'ZONA_HOME': f'{tmp_path}/x/../other/'}).stderr == ''
    assert zona.run('--home=other', 'list', cwd=tmp_path).stderr == ''
    other.close()


# ---- changes

# PM-02
def test_start_sends_the_script_the_caller_and_its_environment(zona, api):
    api.on('POST', '/api/v1/processes', envelope({'processes': [PROCESS], 'outcomes': [READY], 'warnings': []}))
    answer = zona.run('start', './server', '--name', 'api', '-i', '3', '-e', 'B=2', '--', '--flag',
                      env={'A': 'line\nbreak', 'BAD': b'\xff'.decode(errors='surrogateescape')})
    body = api.asked('POST', '/api/v1/processes')[0].body
    assert body['apps'] == [{'script': './server', 'name': 'api', 'instances': 3, 'args': ['--flag'], 'env': {'B': '2'}}]
    assert body['cwd'] == str(zona.folder) and body['wait'] is True
    assert body['env']['A'] == 'line\nbreak' and 'BAD' not in body['env']
    assert answer.stderr == 'zona: the variable BAD is left out: it is not UTF-8\n'
    assert answer.stdout.endswith('api  ready in 0.3 s\n')


# PM-02
def test_start_of_what_ends_at_once_shows_its_last_lines_and_exits_1(zona, api):
    api.on('GET', '/api/v1/processes', refusal(404, 'NOT_FOUND', 'no process'), envelope([PROCESS]))
    api.on('POST', '/api/v1/processes', envelope({'processes': [PROCESS], 'outcomes': [EXITED], 'warnings': []}))
    answer = zona.run('start', 'api.py', check=False)
    assert answer.returncode == 1
    assert answer.stdout == TABLE + 'api  exited 3 after 40 ms\n    boom\n  try: pip install x\n'


def test_start_of_a_file_sends_its_content_and_mistakes_come_back_with_their_place(zona, api):
    zona.write('eco.json', '{"apps": [{"scipt": "x"}]}')
    api.on('POST', '/api/v1/processes', Reply(400, {'success': False, 'error': {
        'code': 'INVALID_ARGUMENT', 'message': 'the file has a mistake', 'correlation_id': 'c',
        'details': [{'where': 'eco.json:1', 'problem': "unknown key 'scipt'", 'hint': "did you mean 'script'?"}]}}))
    answer = zona.run('start', 'eco.json', '--only', 'a,b', check=False)
    assert answer.returncode == 2
    assert answer.stderr == ("zona: the file has a mistake\n  eco.json:1: unknown key 'scipt'\n"
                             "    did you mean 'script'?\n")
    body = api.asked('POST', '/api/v1/processes')[0].body
    assert body['file'] == {'name': 'eco.json', 'content': '{"apps": [{"scipt": "x"}]}'}
    assert body['only'] == ['a', 'b']


def test_file_over_ten_megabytes_is_refused(zona, api):
    (zona.folder / 'big.json').write_bytes(b' ' * (10 * 2**20 + 1))
    answer = zona.run('start', 'big.json', check=False)
    assert answer.returncode == 2
    assert 'over the limit of 10 MB' in answer.stderr
    assert not api.requests


# PM-03, PM-04, PM-05, PM-17
@pytest.mark.parametrize('line, body', [
    (['stop', 'api', 'db'], {'action': 'stop', 'select': ['api', 'db'], 'wait': True}),
    (['restart', 'api'], {'action': 'restart', 'select': ['api'], 'wait': True}),
    (['scale', 'api', '-1'], {'action': 'scale', 'select': ['api'], 'instances': '-1', 'wait': True}),
    (['delete', 'all'], {'action': 'delete', 'select': ['all'], 'wait': True}),
    (['reset', '/a/'], {'action': 'reset', 'select': ['/a/'], 'wait': True}),
    (['signal', 'SIGUSR1', 'api'], {'action': 'signal', 'select': ['api'], 'signal': 'SIGUSR1', 'target': 'group',
                                    'wait': True}),
    (['send', 'api', 'two words'], {'action': 'send', 'select': ['api'], 'line': 'two words', 'wait': True})])
def test_operations_are_what_was_typed(zona, api, line, body):
    api.on('POST', '/api/v1/operations', envelope({'results': [
        {'pm_id': 0, 'name': 'api', 'instance': 0, 'ok': True, 'process': PROCESS, 'outcome': None, 'error': None}]}))
    answer = zona.run(*line)
    assert api.asked('POST', '/api/v1/operations')[0].body == body
    assert 'api (id 0)' in answer.stdout


# PM-11
def test_save_and_resurrect_say_what_they_did(zona, api):
    api.on('POST', '/api/v1/snapshots', refusal(409, 'CONFLICT', 'the list is empty', ['--force saves it']),
           envelope({'file': '/h/state/dump.json', 'processes': 1}))
    api.on('POST', '/api/v1/snapshots/restore', envelope({'processes': [PROCESS], 'outcomes': [READY], 'warnings': []}))
    assert zona.run('save', check=False).returncode == 4
    assert zona.run('save', '--force').stdout == 'saved 1 process to /h/state/dump.json\n'
    assert [r.body for r in api.asked('POST', '/api/v1/snapshots')] == [{'force': False}, {'force': True}]
    assert zona.run('resurrect').stdout == TABLE + 'api  ready in 0.3 s\n'


# ---- when the connection breaks

def test_read_whose_connection_breaks_is_tried_again(zona, api):
    api.on('GET', '/api/v1/processes', hang_up, hang_up, envelope([PROCESS]))
    assert zona.run('list').stdout == TABLE
    assert len(api.asked('GET', '/api/v1/processes')) == 3


def test_change_whose_connection_breaks_is_not_repeated(zona, api):
    api.on('POST', '/api/v1/operations', hang_up)
    answer = zona.run('stop', 'api', check=False)
    assert answer.returncode == 6
    assert 'whether it was done is unknown' in answer.stderr and '`zona list` shows what runs' in answer.stderr
    assert len(api.asked('POST', '/api/v1/operations')) == 1


def test_timeout_ends_the_wait(zona, api):
    release = threading.Event()
    api.on('GET', '/api/v1/ping', lambda handler: release.wait())
    answer = zona.run('ping', '--timeout', '50ms', check=False)
    release.set()
    assert answer.returncode == 8


def test_answer_that_is_no_http_is_a_clear_error(zona, api):
    api.on('GET', '/api/v1/processes', lambda handler: handler.wfile.write(b'SSH-2.0-OpenSSH\r\n\r\n') and hang_up(handler))
    answer = zona.run('list', check=False)
    assert answer.returncode == 70
    assert answer.stderr.startswith('zona: ')


def test_full_disk_below_stdout_is_no_success(zona, api):
    with open('/dev/full', 'w') as full:
        done = subprocess.run([BIN / 'zona', 'list'], env=zona.environment(), stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 7
    assert done.stderr == 'zona: cannot write the output: No space left on device\n'


# ---- logs

def line(text, pm_id=0, stream='out'):
    return {'pm_id': pm_id, 'name': 'api', 'instance': 0, 'stream': stream, 'time': None, 'line': text}


# PM-57
def test_logs_over_a_broken_connection_lose_and_repeat_nothing(zona, api):
    api.on('GET', '/api/v1/logs',
           Stream(line('1'), {'cursor': 'a'}, line('2'), line('3'), Stream.CUT),
           hang_up,
           Stream(line('2'), {'cursor': 'b'}, line('3'), line('4'), Stream.CUT),
           Stream(line('3'), line('4'), line('5')))
    assert zona.run('logs', '--raw', '--nostream').stdout == '1\n2\n3\n4\n5\n'
    assert [r.query.get('cursor') for r in api.asked('GET', '/api/v1/logs')] == [None, ['a'], ['a'], ['b']]


def test_logs_follow_until_ctrl_c(zona, api, wait_until):
    forever = threading.Event()
    api.on('GET', '/api/v1/logs', Stream(line('old'), line('bad', stream='err'), {'cursor': 'a'}, line('new'), forever.wait))
    process = zona.popen('logs', 'api', '--lines', '7', '--since', '10m')
    expected = ['/h/logs/api-out.log:\n', '0|api | old\n', '/h/logs/api-error.log:\n', '0|api | bad\n', '0|api | new\n']
    assert [process.stdout.readline() for _ in expected] == expected
    process.send_signal(signal.SIGINT)
    assert process.wait(30 * FACTOR) == 0
    forever.set()
    query = api.asked('GET', '/api/v1/logs')[0].query
    assert query == {'select': ['api'], 'stream': ['all'], 'lines': ['7'], 'since': ['10m'], 'follow': ['true']}


def test_logs_in_json_are_the_lines_of_the_stream(zona, api):
    api.on('GET', '/api/v1/logs', Stream(line('1'), {'cursor': 'a'}, line('\x1b[2J')))
    out = zona.run('logs', '--json', '--nostream').stdout
    assert [json.loads(text) for text in out.splitlines()] == [line('1'), line('\x1b[2J')]


def test_logs_end_quietly_when_their_reader_goes(zona, api):
    many = [line('x' * 100) for _ in range(2000)]
    api.on('GET', '/api/v1/logs', Stream({'cursor': 'a'}, *many))
    read, write = os.pipe()
    process = zona.popen('logs', stdout=write)
    os.close(write)
    os.read(read, 10)
    os.close(read)
    assert process.wait(30 * FACTOR) == 0
    assert process.stderr.read() == ''


# ---- run

@pytest.fixture
def running(zona, api):
    """`zona run` with two apps, following."""
    zona.write('eco.json', '{}')
    outcomes = [{**READY, 'name': 'db'}, {**READY, 'pm_id': 1}]
    api.on('POST', '/api/v1/processes', envelope({'processes': [PROCESS], 'outcomes': outcomes, 'warnings': []}))
    api.forever = threading.Event()
    api.on('GET', '/api/v1/logs', Stream({'cursor': 'a'}, line('hello'), api.forever.wait))
    process = zona.popen('run', 'eco.json')
    out = ''
    while 'hello' not in out:
        text = process.stdout.readline()
        assert text, process.stderr.read()
        out += text
    process.printed = out
    yield process
    api.forever.set()


# PM-03
def test_run_stops_in_reverse_order_on_ctrl_c(zona, api, running):
    api.on('POST', '/api/v1/operations', envelope({'results': []}))
    running.send_signal(signal.SIGINT)
    assert running.wait(30 * FACTOR) == 0
    assert [r.body['select'] for r in api.asked('POST', '/api/v1/operations')] == [['1'], ['0']]
    assert not api.asked('POST', '/api/v1/shutdown'), 'the daemon is not ours'
    assert 'logs  /h/logs\n' in running.printed and f'next  zona --home {zona.home} list\n' in running.printed


def test_run_kills_at_once_on_the_second_ctrl_c(zona, api, running, wait_until):
    stuck = threading.Event()
    api.on('POST', '/api/v1/operations', lambda handler: stuck.wait(), envelope({'results': []}))
    running.send_signal(signal.SIGTERM)
    wait_until(lambda: api.asked('POST', '/api/v1/operations'))
    running.send_signal(signal.SIGINT)
    assert running.wait(30 * FACTOR) == 130
    stuck.set()
    bodies = [r.body for r in api.asked('POST', '/api/v1/operations')]
    assert bodies[1]['action'] == 'stop' and bodies[1]['wait'] is False
    assert (bodies[2]['action'], bodies[2]['signal'], bodies[2]['target']) == ('signal', 'SIGKILL', 'tree')


def test_run_ends_with_its_apps(zona, api, running):
    ended = [{**PROCESS, 'status': 'stopped', 'pid': None, 'last_exit': {**EXIT, 'code': 0}},
             {**PROCESS, 'pm_id': 1, 'status': 'errored', 'pid': None, 'last_exit': EXIT}]
    api.on('GET', '/api/v1/processes', envelope(ended))
    assert running.wait(30 * FACTOR) == 3


# ---- kill

def test_kill_waits_until_the_keeper_has_ended(zona, api):
    keeper = subprocess.Popen(['/bin/sleep', '1000'])
    api.on('GET', '/api/v1/ping', envelope({'daemon': {'pid': 1, 'version': '0', 'uptime_s': 1}, 'keeper': {'pid': keeper.pid}}))
    api.on('POST', '/api/v1/shutdown', envelope({'stopping': 1}))
    process = zona.popen('kill')
    wait_until(lambda: api.asked('POST', '/api/v1/shutdown'))
    assert process.poll() is None
    keeper.kill()
    keeper.wait()
    assert process.wait(30 * FACTOR) == 0
    assert process.stdout.read() == 'zona and all its processes have stopped\n'


# ---- on a terminal

class Terminal:
    """A command on a pseudo-terminal of a given width."""

    def __init__(self, zona, *args, columns=80, **env):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        self.process = subprocess.Popen([BIN / 'zona', *args], env=zona.environment({'TERM': 'xterm', **env}),
                                        stdin=slave, stdout=slave, stderr=slave, cwd=zona.folder)
        os.close(slave)
        self.text = ''

    def read_until(self, part):
        while part not in self.text and self._read():
            pass
        assert part in self.text, repr(self.text)

    def read_all(self):
        while self._read():
            pass
        os.close(self._master)
        assert self.process.wait(30 * FACTOR) is not None
        return self.text

    def _read(self):
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.text += data.decode()
        return bool(data)


# UX-11
def test_table_fits_the_terminal(zona, api):
    api.on('GET', '/api/v1/processes', envelope([{**PROCESS, 'name': 'a-very-long-name-of-a-process'}]))
    for columns in (30, 44, 60, 100):
        text = Terminal(zona, 'list', columns=columns, NO_COLOR='1').read_all()
        assert '┌' in text and '\x1b' not in text
        assert max(map(len, text.splitlines())) <= columns
        assert 'online' in text


def test_colours_are_for_terminals_that_want_them(zona, api):
    assert '\x1b[32monline\x1b[0m' in Terminal(zona, 'list').read_all()
    assert '\x1b' not in Terminal(zona, 'list', '--no-color').read_all()
    assert '\x1b' not in zona.run('list', env={'TERM': 'xterm'}).stdout


def test_log_lines_keep_colours_and_nothing_else(zona, api):
    api.on('GET', '/api/v1/logs', Stream({'cursor': 'a'}, line('\x1b[31mred\x1b[2J\x1b]0;title\x07')))
    text = Terminal(zona, 'logs', '--nostream').read_all()
    assert '\x1b[31mred\\x1b[2J\\x1b]0;title\\x07\x1b[0m' in text
    assert 'red\\x1b[2J' in Terminal(zona, 'logs', '--nostream', '--no-color').read_all()


# UX-11
def test_what_takes_longer_than_a_second_shows_progress(zona, api):
    seen = threading.Event()

    def slow(handler):
        seen.wait(30 * FACTOR)
        envelope({'results': []})(handler)
    api.on('POST', '/api/v1/operations', slow)
    terminal = Terminal(zona, 'stop', 'api')
    terminal.read_until('stopping api ... 1 s')
    seen.set()
    assert '\r\x1b[K' in terminal.read_all()
