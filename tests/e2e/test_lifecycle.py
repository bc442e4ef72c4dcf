"""Start, stop, restart, delete, scale, signal: on real processes, through the real command."""
import concurrent.futures
import json
import os
import pathlib
import signal

import pytest

WRITER = 'import os,sys,time\nprint("pid", os.getpid(), flush=True)\ntime.sleep(1000)\n'


def comm(pid):
    return pathlib.Path(f'/proc/{pid}/comm').read_text().strip()


def alive(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


# PM-02
def test_start_tells_id_name_pid_and_status(zona):
    answer = zona.run('start', '/bin/sleep', '--name', 'nap', '--json', '--', '1000').data

    process = answer['processes'][0]
    assert (process['pm_id'], process['name'], process['status']) == (0, 'nap', 'online')
    assert comm(process['pid']) == 'sleep'
    assert answer['outcomes'][0]['outcome'] == 'ready'


# PM-03
def test_stop_sends_the_signal_and_lets_the_child_end_cleanly(zona):
    script = zona.write('clean.py', 'import signal,sys,time\n'
                        'signal.signal(signal.SIGTERM, lambda *a: (print("goodbye", flush=True), sys.exit(7)))\n'
                        'print("up", flush=True)\ntime.sleep(1000)\n')
    zona.run('start', script, '--name', 'clean', '--kill-signal', 'SIGTERM')
    out = pathlib.Path(zona.process('clean')['out_file'])
    zona.wait_until(lambda: 'up' in out.read_text())

    zona.run('stop', 'clean')

    process = zona.process('clean')
    assert process['status'] == 'stopped' and process['pid'] is None
    assert (process['last_exit']['cause'], process['last_exit']['code']) == ('exited', 7)
    assert process['last_exit']['requested'] is True
    assert 'goodbye' in out.read_text()


# PM-03
def test_stop_kills_a_child_that_ignores_the_signal_after_the_grace(zona):
    script = zona.write('deaf.py', 'import signal,time\nfor s in (2, 15): signal.signal(s, signal.SIG_IGN)\n'
                        'print("up", flush=True)\ntime.sleep(1000)\n')
    zona.run('start', script, '--name', 'deaf', '--kill-timeout', '300ms')
    pid = zona.process('deaf')['pid']
    zona.wait_until(lambda: 'up' in pathlib.Path(zona.process('deaf')['out_file']).read_text())

    zona.run('stop', 'deaf')

    assert not alive(pid)
    assert zona.process('deaf')['last_exit']['signal'] == 'SIGKILL'


# PM-04
def test_restart_keeps_id_and_name_changes_the_pid_and_counts(zona):
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    before = zona.process('nap')

    zona.run('restart', 'nap')

    after = zona.process('nap')
    assert (after['pm_id'], after['id'], after['name']) == (before['pm_id'], before['id'], before['name'])
    assert after['pid'] != before['pid'] and not alive(before['pid'])
    assert after['restarts'] == before['restarts'] + 1


# PM-05
def test_instances_have_their_index_and_scaling_stops_exactly_the_highest(zona):
    script = zona.write('indexed.py', 'import os,time\nprint("index", os.environ["NODE_APP_INSTANCE"], flush=True)\n'
                        'time.sleep(1000)\n')
    zona.run('start', script, '--name', 'app', '-i', '4')
    first = zona.list()
    assert len({p['pid'] for p in first}) == 4
    for p in first:
        zona.wait_until(lambda p=p: pathlib.Path(p['out_file']).read_text() == f'index {p["instance"]}\n')

    zona.run('scale', 'app', '2')

    left = zona.list()
    assert [p['instance'] for p in left] == [0, 1]
    assert [p['pid'] for p in left] == [p['pid'] for p in first[:2]]
    assert not any(alive(p['pid']) for p in first[2:])
    zona.run('scale', 'app', '+1')
    assert [p['instance'] for p in zona.list()] == [0, 1, 2]


# PM-08, REL-20
def test_a_killed_child_is_back_and_counted(zona):
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    before = zona.process('nap')

    os.kill(before['pid'], signal.SIGKILL)

    zona.wait_until(lambda: zona.process('nap')['pid'] not in (None, before['pid']))
    after = zona.process('nap')
    assert after['restarts'] == 1
    assert after['last_exit']['signal'] == 'SIGKILL' and after['last_exit']['requested'] is False


# PM-10
def test_one_crash_touches_no_other_process(zona):
    zona.run('start', '/bin/sleep', '--name', 'many', '-i', '10', '--', '1000')
    before = {p['pm_id']: p['pid'] for p in zona.list()}

    os.kill(before[4], signal.SIGSEGV)

    zona.wait_until(lambda: zona.list()[4]['restarts'] == 1)
    after = {p['pm_id']: p['pid'] for p in zona.list()}
    assert {i: p for i, p in after.items() if i != 4} == {i: p for i, p in before.items() if i != 4}


def test_a_crash_loop_is_held_and_why_tells_it(zona):
    script = zona.write('bad.sh', 'echo cannot go on >&2\nexit 3\n')

    answer = zona.run('start', script, '--name', 'bad', '--max-restarts', '3', check=False)

    assert answer.returncode == 1
    assert 'exited 3 after' in answer.stdout and 'cannot go on' in answer.stdout
    zona.wait_until(lambda: zona.process('bad')['status'] == 'errored')
    why = zona.run('why', 'bad').stdout
    assert 'cannot go on' in why and '3' in why
    assert len(zona.run('why', 'bad', '--json').data[0]['exits']) == 3


# PM-13
def test_the_child_gets_the_callers_environment_and_the_given_variables(zona):
    script = zona.write('env.py', 'import os,json,time\nprint(json.dumps(dict(os.environ)), flush=True)\ntime.sleep(1000)\n')
    zona.run('start', script, '--name', 'env', '--env', 'COLOUR=green', '--env', 'MULTI=a\nb', env={'INHERITED': 'yes'})
    out = pathlib.Path(zona.process('env')['out_file'])
    zona.wait_until(lambda: out.read_text().endswith('\n'))

    seen = json.loads(out.read_text())

    assert (seen['COLOUR'], seen['INHERITED'], seen['MULTI']) == ('green', 'yes', 'a\nb')
    assert seen['NODE_APP_INSTANCE'] == '0' and seen['PMDAEMON_PROCESS_NAME'] == 'env'
    shown = zona.run('env', 'env', '--json').data['variables']
    assert shown['COLOUR'] == 'green'


# PM-14
def test_the_working_directory_is_the_configured_one(zona, tmp_path):
    zona.run('start', '/bin/sh', '--name', 'where', '--cwd', tmp_path, '--', '-c', 'pwd; exec sleep 1000')
    out = pathlib.Path(zona.process('where')['out_file'])
    zona.wait_until(lambda: out.read_text() == f'{tmp_path}\n')


# PM-14, PM-62
def test_what_cannot_be_started_is_refused_with_its_reason(zona, tmp_path):
    missing_cwd = zona.run('start', '/bin/sleep', '--name', 'a', '--cwd', tmp_path / 'none', '--', '1', check=False)
    assert missing_cwd.returncode == 3 and str(tmp_path / 'none') in missing_cwd.stderr

    missing_script = zona.run('start', 'not-there.py', check=False)
    assert missing_script.returncode == 3 and 'not-there.py' in missing_script.stderr

    missing_interpreter = zona.run('start', zona.write('x.rb', 'puts 1'), '--interpreter', 'rubyx', check=False)
    assert missing_interpreter.returncode == 3
    assert 'rubyx' in missing_interpreter.stderr and '/usr/bin' in missing_interpreter.stderr

    missing_user = zona.run('start', '/bin/sleep', '--user', 'nobody-such', '--', '1', check=False)
    assert missing_user.returncode == 3 and 'nobody-such' in missing_user.stderr

    traversal = zona.run('start', '/bin/sleep', '--name', '../../etc/passwd', '--', '1', check=False)
    assert traversal.returncode == 2
    control = zona.run('start', '/bin/sleep', '--name', 'a\x1b[2J', '--', '1', check=False)
    assert control.returncode == 2 and '\x1b' not in control.stderr
    assert zona.list() == []


# PM-17
def test_a_signal_reaches_the_group_by_default(zona):
    script = zona.write('family.sh', 'trap "echo parent got it" USR1\n'
                        '(trap "echo child got it" USR1; echo child up; while :; do sleep 0.05; done) &\n'
                        'echo parent up\nwhile :; do sleep 0.05; done\n')
    zona.run('start', script, '--name', 'family')
    out = pathlib.Path(zona.process('family')['out_file'])
    zona.wait_until(lambda: 'parent up' in out.read_text() and 'child up' in out.read_text())

    zona.run('signal', 'SIGUSR1', 'family')

    zona.wait_until(lambda: 'parent got it' in out.read_text() and 'child got it' in out.read_text())


def test_a_signal_can_go_to_the_process_alone(zona):
    script = zona.write('family.sh', 'trap "echo parent got it" USR1\n'
                        '(trap "echo child got it" USR1; echo child up; while :; do sleep 0.05; done) &\n'
                        'echo parent up\nwhile :; do sleep 0.05; done\n')
    zona.run('start', script, '--name', 'family')
    out = pathlib.Path(zona.process('family')['out_file'])
    zona.wait_until(lambda: 'parent up' in out.read_text() and 'child up' in out.read_text())

    zona.run('signal', 'USR1', 'family', '--process')

    zona.wait_until(lambda: 'parent got it' in out.read_text())
    assert 'child got it' not in out.read_text()


# PM-19, PM-24
def test_the_two_streams_land_in_their_own_configured_files(zona, tmp_path):
    out, err = tmp_path / 'deep' / 'o.txt', tmp_path / 'deep' / 'e.txt'
    zona.run('start', '/bin/sh', '--name', 'two', '-o', out, '--error-file', err, '--',
             '-c', 'echo to out; echo to err >&2; exec sleep 1000')

    zona.wait_until(lambda: out.read_text() == 'to out\n' and err.read_text() == 'to err\n')


# PM-66
def test_a_child_runs_as_the_configured_user_and_can_open_its_streams(zona, as_root):
    os.chmod(zona.folder, 0o755)
    zona.run('start', '/bin/sh', '--name', 'who', '--user', 'daemon', '--',
             '-c', 'id -un > /dev/stdout; echo $HOME; exec sleep 1000')
    process = zona.process('who')
    zona.wait_until(lambda: pathlib.Path(process['out_file']).read_text() == 'daemon\n/usr/sbin\n')
    assert os.stat(f'/proc/{process["pid"]}').st_uid == 1


# PM-66
def test_zona_needs_no_root(new_zona, as_root):
    zona = new_zona()
    user = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--']
    os.chmod(zona.folder, 0o777)
    import subprocess
    from zona_home import BIN
    done = subprocess.run([*user, str(BIN / 'zona'), 'start', '/bin/sleep', '--name', 'nap', '--', '1000'],
                          env={**zona.environment(), 'HOME': str(zona.folder)}, capture_output=True, text=True,
                          cwd=zona.folder, timeout=30)
    assert done.returncode == 0, done.stderr
    shown = subprocess.run([*user, str(BIN / 'zona'), 'describe', 'nap', '--json'], env=zona.environment(),
                           capture_output=True, text=True, cwd=zona.folder, timeout=30)
    process = json.loads(shown.stdout)['data'][0]
    assert os.stat(f'/proc/{process["pid"]}').st_uid == 65534
    subprocess.run([*user, str(BIN / 'zona'), 'kill'], env=zona.environment(), check=True, timeout=60, cwd=zona.folder)


def test_stdin_takes_lines_when_it_is_a_pipe(zona):
    zona.run('start', '/bin/cat', '--name', 'cat', '--stdin')
    out = pathlib.Path(zona.process('cat')['out_file'])

    zona.run('send', 'cat', 'hello there')

    zona.wait_until(lambda: out.read_text() == 'hello there\n')
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    refused = zona.run('send', 'nap', 'x', check=False)
    assert refused.returncode == 4 and 'stdin' in refused.stderr


# REL-20, REL-21
def test_a_request_under_way_learns_at_once_that_its_daemon_took_the_keepers_role(zona):
    zona.run('start', '/bin/sh', '--name', 'deaf', '--kill-timeout', '100000', '--', '-c', "trap '' INT TERM; exec sleep 1000")
    stop = zona.popen('stop', 'deaf')
    zona.wait_until(lambda: zona.process('deaf')['status'] == 'stopping')

    os.kill(zona.keeper_pid(), signal.SIGKILL)

    _, told = stop.communicate(timeout=10)
    assert 'whether it was done is unknown' in told
    os.kill(zona.process('deaf')['pid'], signal.SIGKILL)


# PM-61
def test_kill_answers_what_others_wait_for_and_does_not_wait_for_them(zona):
    zona.run('start', '/bin/sh', '--name', 'deaf', '--kill-timeout', '1000', '--', '-c', "trap '' INT TERM; while :; do echo x; sleep 0.01; done")
    follower = zona.popen('logs', 'deaf')
    stop = zona.popen('stop', 'deaf')
    zona.wait_until(lambda: zona.process('deaf')['status'] == 'stopping')
    restart = zona.popen('restart', 'deaf')
    assert 'started again meanwhile' in stop.communicate(timeout=10)[1]

    zona.run('kill', timeout=10)

    assert 'zona is stopping' in restart.communicate(timeout=5)[1]
    assert restart.returncode != 0
    follower.communicate(timeout=5)


def test_a_client_that_asks_once_more_does_not_hold_up_the_end(zona):
    zona.run('start', '/bin/sh', '--name', 'deaf', '--kill-timeout', '600', '--', '-c', "trap '' INT TERM; exec sleep 1000")
    stop = zona.popen('stop', 'deaf')   # shows the list after its answer
    zona.wait_until(lambda: zona.process('deaf')['status'] == 'stopping')

    zona.run('kill', timeout=10)

    assert 'stopped' in stop.communicate(timeout=5)[0]


# PM-01
def test_fifty_parallel_requests_end_consistently(zona):
    zona.run('start', '/bin/sleep', '--name', 'base', '--', '1000')
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        starts = [pool.submit(zona.run, 'start', '/bin/sleep', '--name', f'p{i}', '--', '1000') for i in range(25)]
        [f.result() for f in starts]
        mixed = [pool.submit(zona.run, 'stop' if i % 2 else 'restart', f'p{i}') for i in range(25)]
        mixed += [pool.submit(zona.run, 'list', '--json') for _ in range(25)]
        [f.result() for f in mixed]

    by_name = {p['name']: p for p in zona.list()}
    assert len(by_name) == 26
    for i in range(25):
        assert by_name[f'p{i}']['status'] == ('stopped' if i % 2 else 'online')
        assert i % 2 or alive(by_name[f'p{i}']['pid'])


def test_a_hundred_starts_of_one_name_make_one_process(zona):
    zona.run('start', '/bin/sleep', '--name', 'base', '--', '1000')
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: zona.run('start', '/bin/sleep', '--name', 'one', '--', '1000', check=False),
                                range(100)))

    assert sorted({a.returncode for a in answers}) == [0, 4]
    assert sum(a.returncode == 0 for a in answers) == 1
    assert [p['name'] for p in zona.list()] == ['base', 'one']


# PM-16
def test_sigterm_to_the_daemon_stops_everything_in_order_and_ends_with_zero(zona):
    import subprocess
    from zona_home import BIN
    zona.home.mkdir(parents=True)
    keeper = subprocess.Popen([str(BIN / 'zona-keeper'), '--home', str(zona.home)], env=zona.environment())
    zona.wait_until(lambda: zona.run('ping', check=False).returncode == 0)
    script = zona.write('tidy.sh', 'trap "echo tidied; exit 0" INT TERM\necho up\nwhile :; do sleep 0.05; done\n')
    zona.run('start', script, '--name', 'tidy', '-i', '3')
    processes = zona.list()
    zona.wait_until(lambda: all('up' in pathlib.Path(p['out_file']).read_text() for p in processes))

    os.kill(zona.daemon_pid(), signal.SIGTERM)

    assert keeper.wait(20) == 0
    assert not any(alive(p['pid']) for p in processes)
    assert all('tidied' in pathlib.Path(p['out_file']).read_text() for p in processes)


# PM-11
def test_save_kill_resurrect_brings_the_same_set_with_the_same_settings(zona):
    zona.run('start', '/bin/sleep', '--name', 'a', '--env', 'X=1', '--', '1000')
    zona.run('start', '/bin/sleep', '--name', 'b', '-i', '2', '--kill-timeout', '3s', '--', '1000')
    zona.run('stop', 'a')
    before = zona.list()
    zona.run('save')
    zona.run('kill')
    zona.wait_until(lambda: not zona.processes())

    zona.run('start', '/bin/true', '--no-autorestart', '--name', 'new', check=False)
    assert [p['name'] for p in zona.list()] == ['new']
    zona.run('delete', 'new')
    zona.run('resurrect')

    after = zona.list()
    keys = ('name', 'instance', 'status', 'desired', 'args', 'kill_timeout_ms', 'script', 'cwd')
    assert [{k: p[k] for k in keys} for p in after] == [{k: p[k] for k in keys} for p in before]
    assert zona.run('env', 'a', '--json').data['variables']['X'] == '1'


def test_an_empty_save_refuses_without_force(zona):
    zona.run('start', '/bin/sleep', '--name', 'a', '--', '1000')
    zona.run('save')
    zona.run('delete', 'all')

    refused = zona.run('save', check=False)

    assert refused.returncode == 4 and '--force' in refused.stderr
    zona.run('save', '--force')


def test_after_kill_nothing_starts_by_itself_and_resurrect_is_offered(zona):
    zona.run('start', '/bin/sleep', '--name', 'a', '--', '1000')
    zona.run('kill')
    zona.wait_until(lambda: not zona.processes())
    zona.run('start', '/bin/sleep', '--name', 'b', '--', '1000')

    assert [p['name'] for p in zona.list()] == ['b']
    assert 'resurrect' in zona.run('list').stdout + zona.run('list').stderr
    zona.run('resurrect')
    assert [p['name'] for p in zona.list()] == ['b', 'a']


def test_ids_begin_at_zero_again_only_when_the_list_is_empty(zona):
    zona.run('start', '/bin/sleep', '--name', 'a', '--', '1000')
    zona.run('start', '/bin/sleep', '--name', 'b', '--', '1000')
    zona.run('delete', 'b')
    zona.run('start', '/bin/sleep', '--name', 'c', '--', '1000')
    assert [p['pm_id'] for p in zona.list()] == [0, 2]

    zona.run('delete', 'all')
    zona.run('start', '/bin/sleep', '--name', 'd', '--', '1000')
    assert [p['pm_id'] for p in zona.list()] == [0]


def test_an_unknown_name_is_answered_with_the_nearest(zona):
    zona.run('start', '/bin/sleep', '--name', 'backend', '--', '1000')

    answer = zona.run('stop', 'bakend', check=False)

    assert answer.returncode == 3 and 'backend' in answer.stderr


@pytest.mark.parametrize('selector', ['all', '/^we/', 'ns:shop', 'shop', '1', 'web'])
def test_selectors(zona, selector):
    zona.run('start', '/bin/sleep', '--name', 'other', '--', '1000')
    zona.run('start', '/bin/sleep', '--name', 'web', '--namespace', 'shop', '--', '1000')

    zona.run('stop', selector)

    assert zona.process('web')['status'] == 'stopped'
    assert zona.process('other')['status'] == ('stopped' if selector == 'all' else 'online')
