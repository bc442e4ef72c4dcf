"""The command, the daemon and the keeper answer on a fresh home, short or long."""
import processes


def test_first_command_starts_daemon_and_keeper(zona):
    zona.run('start', 'sleep', '--', '1000')

    pid = zona.process('sleep')['pid']
    assert processes.alive(pid)
    assert processes.alive(zona.daemon_pid()) and processes.alive(zona.keeper_pid())
    assert zona.daemon_pid() != zona.keeper_pid()


def test_home_beyond_the_socket_path_limit_works(zona_at_long_path):
    zona = zona_at_long_path
    assert len(str(zona.home / 'api.sock')) > 200

    zona.run('start', 'sleep', '--', '1000')

    assert processes.alive(zona.process('sleep')['pid'])


def test_kill_ends_everything(zona):
    zona.run('start', 'sleep', '--', '1000')
    before = zona.processes()
    assert len(before) >= 3

    zona.run('kill')

    zona.wait_until(lambda: not any(p.alive() for p in before))
