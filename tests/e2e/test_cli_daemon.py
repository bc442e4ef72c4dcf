"""The command and the real daemon together."""
import concurrent.futures
import os
import re
import select
import signal
import socket
import stat

import pytest

import processes
from waiting import FACTOR

TICKER = '''import itertools, sys, time
for i in itertools.count():
    print(i, flush=True)
    time.sleep(0.002)
'''


def read_lines(stream, enough):
    """Lines up to the first for which `enough` is true."""
    lines = []
    for line in stream:
        lines.append(line.rstrip('\n'))
        if enough(lines[-1]):
            return lines
    raise AssertionError(f'the output ended after {lines[-3:]}')


# PM-57, PM-02
def test_first_start_brings_up_zona_in_a_private_home(zona):
    answer = zona.run('start', 'sleep', '--', '1000')
    assert re.search(r'^sleep  ready in 0\.\d s$', answer.stdout, re.M)
    assert stat.S_IMODE(os.stat(zona.home).st_mode) == 0o700
    assert processes.alive(zona.process('sleep')['pid'])
    assert os.getsid(zona.keeper_pid()) not in (os.getsid(0), zona.keeper_pid())


# PM-02
def test_start_of_what_ends_at_once_tells_why(zona):
    zona.write('bad.sh', '#!/bin/sh\necho one >&2; echo two >&2; exit 3\n', 0o755)
    answer = zona.run('start', './bad.sh', '--no-autorestart', check=False)
    assert answer.returncode == 1
    assert re.search(r'^bad  exited 3 after [\d.]+ m?s\n    one\n    two\n', answer.stdout, re.M), answer
    told = zona.run('why', 'bad').stdout
    assert re.search(r'exited 3, ran [\d.]+ m?s', told) and '      two\n' in told


def test_a_second_start_of_a_file_says_that_it_runs(zona):
    zona.write('eco.json', '{"apps": [{"name": "nap", "script": "sleep", "args": "1000"}]}')
    assert 'nap  ready in' in zona.run('start', 'eco.json').stdout
    assert 'nothing to start: it runs already' in zona.run('start', 'eco.json').stdout


def test_mistyped_names_and_missing_scripts_are_told(zona):
    zona.run('start', 'sleep', '--name', 'worker', '--', '1000')
    answer = zona.run('stop', 'wroker', check=False)
    assert answer.returncode == 3 and 'did you mean' in answer.stderr and 'worker' in answer.stderr
    answer = zona.run('start', 'wroker', check=False)
    assert answer.returncode == 3 and 'did you mean' in answer.stderr


# REL-21
def test_any_command_finds_the_processes_again_after_keeper_and_daemon_died(zona):
    zona.run('start', 'sleep', '--', '1000')
    pid = zona.process('sleep')['pid']

    zona.kill_keeper_and_daemon()
    assert [(p['pid'], p['status']) for p in zona.run('list', '--json').data] == [(pid, 'online')]
    zona.kill_keeper_and_daemon()
    assert 'have stopped' in zona.run('kill').stdout
    assert not processes.alive(pid)
    assert 'not running' in zona.run('list').stderr


# PM-57
def test_many_first_commands_at_once_make_one_daemon(zona):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda i: zona.run('start', 'sleep', '--name', f's{i}', '--', '1000', timeout=120), range(16)))
    assert all(answer.returncode == 0 for answer in answers)
    assert sorted(p['name'] for p in zona.list()) == sorted(f's{i}' for i in range(16))
    keepers = [p for p in zona.processes() if p.name == 'zona-keeper' and p.alive()]
    assert len(keepers) == 1


# REL-21, PM-57
@pytest.mark.parametrize('accepted', [True, False])
def test_a_start_that_a_dying_zona_never_read_is_given_to_the_next(zona, accepted):
    zona.home.mkdir()
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(str(zona.home / 'api.sock'))
        dying.listen()
        command = zona.popen('start', '/bin/sleep', '--name', 'nap', '--', '1000')
        if accepted:
            connection, _ = dying.accept()
            connection.recv(1, socket.MSG_PEEK)   # there is a request, and it stays unread
            connection.close()
        else:
            select.select([dying], [], [])

    out, complaints = command.communicate(timeout=30 * FACTOR)

    assert (command.returncode, complaints) == (0, ''), out
    assert processes.alive(zona.process('nap')['pid'])


# PM-57, REL-20
def test_followed_log_has_every_line_once_over_kills_of_the_daemon(zona):
    zona.write('ticker.py', TICKER)
    zona.run('start', 'ticker.py', '--interpreter', '/usr/bin/python3')
    follower = zona.popen('logs', 'ticker', '--raw', '--lines', '1000000')
    seen = []
    for goal in (200, 500, 800, 1100):
        seen += read_lines(follower.stdout, lambda line, goal=goal: int(line) >= goal)
        os.kill(zona.daemon_pid(), signal.SIGKILL)
    seen += read_lines(follower.stdout, lambda line: int(line) >= 1400)
    assert [int(line) for line in seen] == list(range(len(seen)))
    follower.send_signal(signal.SIGINT)
    assert follower.wait(30 * FACTOR) == 0


# PM-11
def test_after_kill_the_next_start_offers_to_bring_back(zona):
    zona.run('start', 'sleep', '--name', 'a', '--', '1000')
    zona.run('start', 'sleep', '--name', 'b', '--', '1000')
    assert zona.run('kill').stdout == 'zona and all its processes have stopped\n'
    assert not [p for p in zona.processes() if p.alive()]
    answer = zona.run('start', 'sleep', '--name', 'c', '--', '1000')
    assert '2 processes ran before `zona kill`: `zona resurrect` starts them' in answer.stdout
    zona.run('resurrect')
    assert {p['name']: p['status'] for p in zona.list()} == {'a': 'online', 'b': 'online', 'c': 'online'}


APPS = '''{"apps": [
  {"name": "first", "script": "./app.sh", "args": ["first"]},
  {"name": "second", "script": "./app.sh", "args": ["second"]}]}'''
APP = '''#!/bin/sh
trap 'echo $1 >> order; exit 0' INT
echo "$1 runs"
while :; do sleep 0.05; done
'''


# PM-03
def test_run_starts_follows_and_stops_all_in_reverse(zona):
    zona.write('eco.json', APPS)
    zona.write('app.sh', APP, 0o755)
    running = zona.popen('run', 'eco.json')
    lines = read_lines(running.stdout, lambda line: line == '1|second | second runs')
    assert any(line.startswith('logs  ') for line in lines)
    everything = zona.processes()
    assert everything
    running.send_signal(signal.SIGINT)
    assert running.wait(60 * FACTOR) == 0
    assert (zona.folder / 'order').read_text() == 'second\nfirst\n'
    zona.wait_until(lambda: not [p for p in everything if p.alive() and p.pid != running.pid])


def test_run_ends_with_the_code_of_its_apps(zona):
    zona.write('eco.json', '{"apps": [{"name": "job", "script": "./job.sh", "autorestart": false}]}')
    zona.write('job.sh', '#!/bin/sh\necho working; sleep 0.4; echo done; exit 5\n', 0o755)
    running = zona.popen('run', 'eco.json')
    out, _ = running.communicate(timeout=60 * FACTOR)
    assert running.returncode == 5
    assert '0|job | working\n' in out and '0|job | done\n' in out
    assert zona.run('ping', check=False).returncode == 6, 'the daemon that run started is gone'


def test_run_on_a_running_zona_leaves_it_running(zona):
    zona.run('start', 'sleep', '--', '1000')
    zona.write('eco.json', '{"apps": [{"name": "job", "script": "./job.sh", "autorestart": false}]}')
    zona.write('job.sh', '#!/bin/sh\nsleep 0.4\n', 0o755)
    assert zona.run('run', 'eco.json', timeout=60).returncode == 0
    assert zona.process('sleep')['status'] == 'online'


def test_run_of_a_wrong_file_leaves_nothing_behind(zona):
    zona.write('eco.json', '{"apps": [{"nam": 1}]}')
    answer = zona.run('run', 'eco.json', check=False)
    assert answer.returncode == 2
    assert zona.run('ping', check=False).returncode == 6
