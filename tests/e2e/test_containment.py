"""What becomes of process groups over the life of several daemons."""
import json
import os
import pathlib
import shutil
import signal

import processes


def tier_of(zona, name):
    return zona.process(name)['containment']['tier']


def log_lines(zona):
    return [json.loads(line) for line in (zona.home / 'logs/zonad.log').read_text().splitlines()]


# PM-03
def test_a_process_gets_the_better_tier_with_its_next_run(zona):
    zona.home.mkdir()
    (zona.home / 'zona.toml').write_text('[supervisor]\ncontainment = "sweep"\n')
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    pid = zona.process('nap')['pid']
    assert tier_of(zona, 'nap') == 'sweep'
    (zona.home / 'zona.toml').write_text('')

    os.kill(zona.daemon_pid(), signal.SIGKILL)

    zona.wait_until(lambda: zona.process('nap')['pid'] == pid)
    assert tier_of(zona, 'nap') == 'sweep', 'the child that runs stays where it is'
    zona.run('start', '/bin/sleep', '--name', 'other', '--', '1000')
    zona.run('restart', 'nap')
    assert tier_of(zona, 'nap') == tier_of(zona, 'other')


# ARCH-05
def test_a_setting_given_as_a_flag_outlives_daemon_and_keeper(zona):
    def shown():
        return {s['key']: (s['value'], s['source']) for s in zona.run('config', 'show', '--json').data}['supervisor.containment']

    refused = zona.run('start', '/bin/sleep', '--set', 'supervisor.containmnt=sweep', '--', '1000', check=False)
    assert refused.returncode != 0 and "containment" in refused.stderr and 'no effect' not in refused.stderr
    many = zona.run('start', '/bin/sleep', *['--set', 'log.level=info'] * 65, '--', '1000', check=False)
    assert many.returncode == 2 and 'at most 64' in many.stderr
    zona.run('start', '/bin/sleep', '--name', 'nap', '--set', 'supervisor.containment=sweep', '--', '1000')
    assert shown() == ('sweep', 'flag') and tier_of(zona, 'nap') == 'sweep'

    for victim in (zona.daemon_pid, zona.keeper_pid):
        before = zona.daemon_pid()
        os.kill(victim(), signal.SIGKILL)
        zona.wait_until(lambda: zona.daemon_pid() != before)
        assert shown() == ('sweep', 'flag')
    late = zona.run('save', '--set', 'supervisor.containment=auto')
    assert 'no effect' in late.stderr


# REL-21
def test_a_child_whose_settings_are_lost_is_told_and_left_alone(zona):
    zona.run('start', '/bin/sleep', '--name', 'lost', '--', '1000')
    pid = zona.process('lost')['pid']
    zona.kill_keeper_and_daemon()
    for folder in ('state', 'run'):
        shutil.rmtree(zona.home / folder)

    zona.run('start', '/bin/sleep', '--name', 'new', '--', '1000')

    if tier_of(zona, 'new') != 'sweep':   # without a group nothing tells that it was ours
        zona.wait_until(lambda: any(line.get('pid') == pid and 'left alone' in line['message'] for line in log_lines(zona)))
    assert processes.alive(pid)
    os.kill(pid, signal.SIGKILL)


# REL-21
def test_the_groups_of_an_earlier_zona_are_removed(zona):
    zona.run('start', '/bin/sleep', '--name', 'old', '--', '1000')
    old = [p for p in zona.processes() if p.name == 'sleep']
    groups = processes.groups_of(old, 'zona-')
    zona.kill_keeper_and_daemon()
    for process in old:
        os.kill(process.pid, signal.SIGKILL)
    shutil.rmtree(zona.home / 'state')
    shutil.rmtree(zona.home / 'run')

    zona.run('start', '/bin/sleep', '--name', 'new', '--', '1000')

    new = [p for p in zona.processes() if p.name == 'sleep' and p.alive()]
    assert groups == processes.groups_of(new, 'zona-')
    zona.wait_until(lambda: all(len([d for d in group.iterdir() if d.is_dir()]) == 1 for group in groups))


# PM-03
def test_what_may_have_outlived_a_stop_is_listed_until_it_ends(zona):
    """Without cgroups a program that erases every trace is not found; it is suspected."""
    zona.home.mkdir()
    (zona.home / 'zona.toml').write_text('[supervisor]\ncontainment = "sweep"\n')
    escaped = zona.folder / 'escaped'
    script = zona.write('escape.py', f"""
import os, resource, signal
if not os.path.exists({str(escaped)!r}) and os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        resource.prlimit(0, 10, (7, 7))   # RLIMIT_LOCKS carries the mark
        with open({str(escaped)!r} + '.new', 'w') as file:
            file.write(str(os.getpid()))
        os.rename({str(escaped)!r} + '.new', {str(escaped)!r})
        os.execve('/bin/sleep', ['sleep', '1000'], {{}})
    os._exit(0)
signal.pause()
""")
    zona.run('start', script, '--name', 'runaway', '--interpreter', '/usr/bin/python3')
    zona.wait_until(escaped.exists)
    pid = int(escaped.read_text())
    try:
        zona.wait_until(lambda: pathlib.Path(f'/proc/{pid}/comm').read_text() == 'sleep\n')
        zona.run('stop', 'runaway')

        assert processes.alive(pid)
        assert zona.process('runaway')['survivors'] == [{'pid': pid, 'name': 'sleep', 'certain': False}]
        assert f'outlived its stop: sleep (pid {pid}, perhaps its)' in zona.run('list').stdout
        zona.run('start', 'runaway')
        assert zona.process('runaway')['survivors'][0]['pid'] == pid, 'a new run does not make it forgotten'
    finally:
        os.kill(pid, signal.SIGKILL)
    zona.wait_until(lambda: not zona.process('runaway')['survivors'])
