"""The API over its unix socket: every route's shape, every way to be refused, logs and levels of the daemon."""
import json
import os
import pathlib
import socket

import pytest
from unix_api import Api


@pytest.fixture
def api(zona):
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    return Api(zona)


def test_one_process_is_asked_for_by_what_names_it(api):
    by_id = api('GET', '/api/v1/processes/0')[1]['data']
    for name in ('nap', by_id['id'], by_id['id'].upper()):
        assert api('GET', f'/api/v1/processes/{name}')[1]['data']['pm_id'] == 0
    for selector in ('all', 'default', 'ns:default', '%2Fnap%2F'):   # each selects just this one
        status, answer, _ = api('GET', f'/api/v1/processes/{selector}')
        assert (status, answer['error']['code']) == (404, 'NOT_FOUND'), selector


PROCESS_FIELDS = {
    'pm_id', 'id', 'name', 'namespace', 'instance', 'status', 'desired', 'pid', 'created_at', 'started_at', 'uptime_ms', 'restarts',
    'unstable_restarts', 'restart_at', 'held_because', 'last_exit', 'script', 'interpreter', 'cwd', 'user', 'group', 'args',
    'interpreter_args', 'autorestart', 'max_restarts', 'min_uptime_ms', 'restart_delay_ms', 'kill_timeout_ms', 'kill_signal', 'stdin',
    'out_file', 'error_file', 'containment', 'survivors'}


def test_the_shape_of_a_process_is_the_documented_one(api):
    status, answer, _ = api('GET', '/api/v1/processes')

    assert status == 200 and answer['success'] is True and answer['meta'] == {'total': 1, 'killed': 0}
    assert set(answer['data'][0]) == PROCESS_FIELDS
    assert api('GET', '/api/v1/processes/nap')[1]['data']['id'] == answer['data'][0]['id']
    documented = pathlib.Path(__file__).resolve().parents[2] / 'docs/api.md'
    for field in PROCESS_FIELDS:
        assert f'`{field}`' in documented.read_text(), field


@pytest.mark.parametrize('method, path', [
    ('GET', '/api/v1/ping'), ('GET', '/api/v1/processes'), ('GET', '/api/v1/processes/nap'), ('GET', '/api/v1/processes/0/exits'),
    ('GET', '/api/v1/processes/nap/environment'), ('GET', '/api/v1/config'), ('GET', '/api/v1/log-levels'), ('GET', '/api/v1/host')])
def test_every_read_answers_in_the_envelope(api, method, path):
    status, answer, headers = api(method, path)

    assert status == 200 and answer['success'] is True and 'data' in answer
    assert headers['Content-Type'] == 'application/json'


# HTTP-02, HTTP-07, HTTP-10
def test_what_is_refused_is_json_with_code_correlation_id_and_security_headers(api):
    for method, path, body, status, code in [
            ('GET', '/api/v1/nothing', None, 404, 'NOT_FOUND'), ('GET', '/api/v1/processes/none', None, 404, 'NOT_FOUND'),
            ('DELETE', '/api/v1/ping', None, 405, 'METHOD_NOT_ALLOWED'), ('POST', '/api/v1/operations', {}, 400, 'INVALID_ARGUMENT')]:
        got, answer, headers = api(method, path, body, {'X-Correlation-Id': 'my-id-1'})

        assert (got, answer['success'], answer['error']['code']) == (status, False, code), path
        assert answer['error']['correlation_id'] == headers['X-Correlation-Id'] == 'my-id-1'
        assert headers['X-Content-Type-Options'] == 'nosniff' and headers['X-Frame-Options'] == 'DENY'


# HTTP-04, PM-62
@pytest.mark.parametrize('body, where', [
    ({'action': 'stop', 'select': ['nap'], 'colour': 1}, '/colour'), ({'action': 'explode', 'select': ['nap']}, '/action'),
    ({'action': 'signal', 'select': ['nap'], 'signal': 'SIGNOPE'}, '/signal'), ({'action': 'stop', 'select': 'nap'}, '/select')])
def test_a_wrong_body_names_the_field(api, body, where):
    status, answer, _ = api('POST', '/api/v1/operations', body)

    assert status == 400
    assert where in [detail['where'] for detail in answer['error']['details']]


# HTTP-04
@pytest.mark.parametrize('data, status', [
    (b'GET /api/v1/ping HTTP/1.1\r\nHost: z\r\nX: ' + b'a' * 100000 + b'\r\n\r\n', b'431'),
    (b'POST /api/v1/operations HTTP/1.1\r\nHost: z\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n', b'413'),
    (b'NONSENSE\r\n\r\n', b'400'),
    (b'POST /api/v1/operations HTTP/1.1\r\nHost: z\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', b'400'),
    (b'POST /api/v1/operations HTTP/1.1\r\nHost: z\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{', b'400')])
def test_what_is_not_a_request_gets_its_answer_as_json(api, data, status):
    answer = api.raw(data)

    assert answer.split(b' ')[1] == status
    assert b'"success":false' in answer


def test_a_request_cut_in_the_middle_changes_nothing(api, zona):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(api.socket)
        s.sendall(b'POST /api/v1/operations HTTP/1.1\r\nHost: z\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n'
                  b'{"action": "delete", "select": ["all"]')

    assert [p['status'] for p in zona.list()] == ['online']


def log_lines(zona):
    return [json.loads(line) for line in (zona.home / 'logs/zonad.log').read_text().splitlines()]


# OBS-15, OBS-16, HTTP-13
def test_each_request_leaves_one_line_and_one_count(api, zona, wait_until):
    def lines_of(correlation_id):
        return [line for line in log_lines(zona)
                if line.get('correlation_id') == correlation_id and line['category'] == 'http.access']

    api('GET', '/api/v1/nothing', None, {'X-Correlation-Id': 'seen-once'})
    api('GET', '/api/v1/nothing', None, {'X-Correlation-Id': 'seen-later'})

    # The line is written once the answer is out, so the client can be ahead of it.
    wait_until(lambda: lines_of('seen-once') and lines_of('seen-later'))
    found = lines_of('seen-once')
    assert len(found) == 1
    assert (found[0]['method'], found[0]['path'], found[0]['status'], found[0]['level']) == ('GET', '/api/v1/nothing', 404, 'info')
    assert found[0]['duration_us'] >= 0 and found[0]['peer'].startswith('unix:uid=')
    _, text, _ = api('GET', '/api/v1/metrics')
    assert b'zona_http_request_duration_seconds_count{method="GET",route="/api/v1/metrics"' in text or \
        b'route="/api/v1/processes"' in text


# OBS-19
def test_a_log_level_changes_at_run_time_for_its_category_only(api, zona, wait_until):
    assert api('PUT', '/api/v1/log-levels', {'process': 'debug'})[0] == 200
    zona.run('restart', 'nap')

    wait_until(lambda: any(line['level'] == 'debug' and line['category'] == 'process' for line in log_lines(zona)))
    assert not any(line['level'] == 'debug' and line['category'] != 'process' for line in log_lines(zona))
    status, answer, _ = api('PUT', '/api/v1/log-levels', {'process': 'loud'})
    assert status == 400 and 'trace, debug' in answer['error']['message']


# ARCH-02, ARCH-05
def test_a_wrong_configuration_ends_the_start_and_names_every_mistake(zona, wait_until):
    zona.home.mkdir()
    (zona.home / 'zona.toml').write_text('[supervisor]\ncontainmnt = "auto"\n[api]\nmax_connections = "many"\n')

    answer = zona.run('start', '/bin/sleep', '--', '1000', check=False)

    assert answer.returncode != 0
    assert 'containmnt' in answer.stderr and 'containment' in answer.stderr and 'max_connections' in answer.stderr
    wait_until(lambda: zona.processes() == [])   # the keeper has told its starter and is about to end


# ARCH-05
def test_the_environment_wins_over_the_file_and_show_says_where_a_value_is_from(zona):
    zona.home.mkdir()
    (zona.home / 'zona.toml').write_text('profile = "development"\n[log]\nlevel = "warn"\n')
    zona.run('save', '--force', env={'ZONA_SUPERVISOR_CONTAINMENT': 'sweep'})

    shown = {entry['key']: entry for entry in zona.run('config', 'show', '--json').data}

    assert (shown['log.level']['value'], shown['log.level']['source'], shown['log.level']['line']) == ('warn', 'file', 3)
    assert (shown['supervisor.containment']['value'], shown['supervisor.containment']['source']) == ('sweep', 'environment')
    (zona.home / 'zona.toml').write_text('profile = "development"\n[log]\nlevel = "error"\n')
    assert zona.run('config', 'reload', '--json').data['changed'] == ['log.level']


# ARCH-05
def test_limits_of_the_api_change_while_it_runs(api, zona):
    def listed():
        return zona.run('list', check=False)

    (zona.home / 'zona.toml').write_text('[api]\nmax_connections = 1\n')
    assert zona.run('config', 'reload', '--json').data['changed'] == ['api.max_connections']

    def refused():
        """Anew each time: the one connection may be that of the command before, which is about to close."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as held:
            held.connect(str(zona.home / 'api.sock'))
            return '1 connections are open, which is the limit' in listed().stderr
    zona.wait_until(refused)
    (zona.home / 'zona.toml').write_text('')
    zona.wait_until(lambda: listed().returncode == 0)
    zona.run('config', 'reload')
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as held:
        held.connect(str(zona.home / 'api.sock'))
        assert listed().returncode == 0


# PM-57
def test_nothing_but_the_unix_socket_is_listened_on(api, zona):
    inodes = set()
    for process in zona.processes():
        for fd in pathlib.Path(f'/proc/{process.pid}/fd').iterdir():
            try:
                target = os.readlink(fd)
            except OSError:
                continue
            if target.startswith('socket:['):
                inodes.add(target[8:-1])
    tcp = [line.split() for line in pathlib.Path('/proc/net/tcp').read_text().splitlines()[1:]]

    assert inodes and not [row for row in tcp if row[9] in inodes]


# UX-11
@pytest.mark.parametrize('verb', ['start', 'stop', 'restart', 'delete', 'list', 'describe', 'why', 'logs', 'signal', 'send', 'scale',
                                  'env', 'save', 'resurrect', 'run', 'ping', 'kill', 'doctor', 'config'])
def test_every_verb_has_help_with_examples(zona, verb):
    text = zona.run(verb, '--help').stdout

    assert 'xample' in text and f'zona {verb}' in text


def test_two_daemons_on_one_home_are_refused(api, zona):
    import subprocess
    from zona_home import BIN
    second = subprocess.run([str(BIN / 'zona-keeper'), '--home', str(zona.home)], capture_output=True, text=True, timeout=10)

    assert second.returncode != 0 and 'already runs' in second.stderr + second.stdout
    assert zona.process('nap')['status'] == 'online'


def test_a_home_of_somebody_else_is_refused(zona, as_root):
    zona.home.mkdir()
    os.chown(zona.home, 12345, 12345)

    answer = zona.run('start', '/bin/sleep', '--', '1', check=False)

    assert answer.returncode == 5 and 'belongs to user 12345' in answer.stderr


# REL-21
@pytest.mark.parametrize('damage', [b'', b'{"format": 1, "trunc', b'\x00' * 100, b'not json at all'])
def test_a_damaged_snapshot_does_not_keep_zona_from_starting_and_is_told(api, zona, damage):
    zona.run('save')
    import signal
    for pid in (zona.keeper_pid(), zona.daemon_pid()):
        os.kill(pid, signal.SIGTERM)
        break
    zona.wait_until(lambda: not zona.processes())
    snapshot = zona.home / 'state/snapshot.json'
    if snapshot.exists():
        snapshot.write_bytes(damage)
    (zona.home / 'run/table').write_bytes(b'damaged table')

    zona.run('start', '/bin/sleep', '--name', 'after', '--', '1000')

    assert 'after' in [p['name'] for p in zona.list()]


def test_a_long_home_path_works(zona_at_long_path):
    zona_at_long_path.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')

    assert zona_at_long_path.process('nap')['status'] == 'online'


# PM-19
def test_following_logs_over_the_daemons_death_loses_and_repeats_nothing(zona):
    import signal
    script = zona.write('count.sh', 'i=0\nwhile :; do echo "line $i"; i=$((i+1)); sleep 0.005; done\n')
    zona.run('start', script, '--name', 'count')
    follow = zona.popen('logs', 'count', '--raw', '--lines', '1000000')
    lines = []
    try:
        for round in range(3):
            while len(lines) < (round + 1) * 100:
                lines.append(follow.stdout.readline())
            os.kill(zona.daemon_pid(), signal.SIGKILL)
        while len(lines) < 500:
            lines.append(follow.stdout.readline())
    finally:
        follow.terminate()

    assert lines == [f'line {i}\n' for i in range(500)]
