"""The end-to-end harness itself: it ends what a test started, and says when zona did not.

A small shell stands in for zona: `start` puts programs under a keeper of its own, `kill` may forget some.
"""
import subprocess
import textwrap

import pytest

import processes
import zona_home

FAKE = textwrap.dedent('''\
    #!/usr/bin/python3
    import json, os, signal, subprocess, sys, time
    home = os.environ['ZONA_HOME']
    os.makedirs(home + '/logs', exist_ok=True)
    verb, *rest = sys.argv[1:]
    pidfile = home + '/keeper'
    if verb == 'start':
        if os.fork() == 0:
            os.setsid()
            null = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            open(pidfile, 'w').write(str(os.getpid()))
            # rest[0]: what runs; without an environment, as redis and nginx do
            child = subprocess.Popen(rest, env={}, start_new_session=True, cwd='/')
            open(home + '/child', 'w').write(str(child.pid))
            signal.pause()
        while not os.path.exists(home + '/child') or not open(home + '/child').read():
            time.sleep(0.01)
    elif verb == 'kill':
        if os.path.exists(home + '/forget'):
            os.kill(int(open(pidfile).read()), signal.SIGKILL)
            sys.exit(0)
        os.kill(int(open(home + '/child').read()), signal.SIGKILL)
        os.kill(int(open(pidfile).read()), signal.SIGKILL)
    elif verb == 'ping':
        print(json.dumps({'success': True, 'data': {'daemon': {'pid': 7}, 'keeper': {'pid': 8}}}))
    elif verb == 'fail':
        sys.exit('no such thing')
    ''')


@pytest.fixture
def zona(tmp_path, monkeypatch):
    fake = tmp_path / 'bin' / 'zona'
    fake.parent.mkdir()
    fake.write_text(FAKE)
    fake.chmod(0o755)
    monkeypatch.setattr(zona_home, 'BIN', fake.parent)
    zona = zona_home.Zona()
    yield zona
    processes.end(zona.processes())


def test_answers_are_parsed_and_failures_raised(zona):
    assert zona.daemon_pid() == 7 and zona.keeper_pid() == 8
    assert zona.run('fail', check=False).stderr == 'no such thing\n'
    with pytest.raises(zona_home.CommandFailed, match='no such thing'):
        zona.run('fail')
    zona.close()


def test_close_ends_everything_and_removes_the_home(zona):
    zona.run('start', 'sleep', '1000')
    child = int((zona.home / 'child').read_text())
    assert child in {p.pid for p in zona.processes()}

    zona.close()

    assert not processes.alive(child)
    assert not zona.folder.exists()


def test_process_that_outlives_kill_is_reported_and_ended(zona):
    zona.run('start', 'sleep', '1000')
    child = int((zona.home / 'child').read_text())
    (zona.home / 'forget').write_text('')

    with pytest.raises(AssertionError, match='outlived zona kill'):
        zona.close()

    assert not processes.alive(child)


def test_zombie_is_reported(zona):
    zona.run('start', 'true')
    zona.wait_until(zona.zombies)

    with pytest.raises(AssertionError, match='zombie'):
        zona.close()


def test_commands_left_running_are_ended(zona):
    (zona.folder / 'x').mkdir()
    follower = subprocess.Popen(['sleep', '1000'], cwd=zona.folder, env=zona.environment())
    zona._open.append(follower)

    zona.close()

    assert follower.poll() is not None


def test_processes_of_others_are_left_alone(zona):
    other = subprocess.Popen(['sleep', '1000'])
    zona.run('start', 'sleep', '1000')

    zona.close()

    assert other.poll() is None
    other.kill()
    other.wait()


def test_wait_until_names_what_did_not_happen(zona):
    with pytest.raises(AssertionError, match='the sky did not come true.*last answer: False'):
        zona.wait_until(lambda: False, timeout=0.05, what='the sky')
