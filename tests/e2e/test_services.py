"""Real services under zona: Redis, nginx, PostgreSQL, a Python server, a program that daemonises itself."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import urllib.request

import pytest


def alive(pid):
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except OSError:
        return False


def answers(port, path='/'):
    try:
        with urllib.request.urlopen(f'http://127.0.0.1:{port}{path}', timeout=2) as answer:
            return answer.read().decode()
    except OSError:
        return None


def redis_command(port, *words):
    with socket.create_connection(('127.0.0.1', port), 2) as s:
        s.sendall(b''.join([f'*{len(words)}\r\n'.encode()] + [f'${len(w)}\r\n{w}\r\n'.encode() for w in words]))
        return s.recv(4096)


# PM-02, PM-03
def test_redis_answers_and_writes_its_data_when_it_is_stopped(zona, tool, free_port):
    redis = tool('redis-server')
    data = zona.folder / 'redis'
    data.mkdir()
    zona.run('start', redis, '--name', 'redis', '--cwd', data, '--kill-signal', 'SIGTERM', '--kill-timeout', '10s', '--',
             '--port', str(free_port), '--save', '900 1')
    zona.wait_until(lambda: redis_command(free_port, 'SET', 'k', 'kept') == b'+OK\r\n')

    zona.run('stop', 'redis')

    assert zona.process('redis')['last_exit']['code'] == 0
    assert b'kept' in (data / 'dump.rdb').read_bytes()
    zona.run('start', 'redis')
    zona.wait_until(lambda: redis_command(free_port, 'GET', 'k') == b'$4\r\nkept\r\n')


def test_nginx_with_its_workers_is_gone_after_a_stop(zona, tool, free_port):
    nginx = tool('nginx')
    conf = zona.write('nginx.conf', f'''daemon off; pid nginx.pid; error_log stderr; worker_processes 2;
events {{}}
http {{ access_log /dev/stdout; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
server {{ listen 127.0.0.1:{free_port}; location / {{ return 200 "it works\\n"; }} }} }}''')
    os.chmod(zona.folder, 0o755)
    zona.run('start', nginx, '--name', 'web', '--kill-signal', 'SIGQUIT', '--', '-p', str(zona.folder), '-c', str(conf), '-e', 'stderr')
    zona.wait_until(lambda: answers(free_port) == 'it works\n')
    tree = [p.pid for p in zona.processes() if p.name == 'nginx']
    assert len(tree) == 3
    out = pathlib.Path(zona.process('web')['out_file'])
    zona.wait_until(lambda: 'GET /' in out.read_text())

    zona.run('stop', 'web')

    assert not any(alive(pid) for pid in tree)
    assert answers(free_port) is None


def test_a_crashed_nginx_master_is_replaced_only_after_its_workers_are_gone(zona, tool, free_port):
    nginx = tool('nginx')
    conf = zona.write('nginx.conf', f'''daemon off; pid nginx.pid; error_log stderr; worker_processes 2;
events {{}}
http {{ access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
server {{ listen 127.0.0.1:{free_port}; location / {{ return 200 "it works\\n"; }} }} }}''')
    os.chmod(zona.folder, 0o755)
    zona.run('start', nginx, '--name', 'web', '--', '-p', str(zona.folder), '-c', str(conf), '-e', 'stderr')
    zona.wait_until(lambda: answers(free_port) == 'it works\n')
    old = [p.pid for p in zona.processes() if p.name == 'nginx']

    os.kill(zona.process('web')['pid'], signal.SIGKILL)

    zona.wait_until(lambda: zona.process('web')['restarts'] == 1 and answers(free_port) == 'it works\n')
    assert not any(alive(pid) for pid in old)


def test_postgresql_stops_properly_and_keeps_its_data(zona, as_root, free_port):
    versions = sorted(pathlib.Path('/usr/lib/postgresql').glob('*/bin'))
    if not versions:
        pytest.skip('PostgreSQL is not installed')
    programs = versions[-1]
    data = zona.folder / 'pg'
    data.mkdir()
    shutil.chown(data, 'postgres', 'postgres')
    os.chmod(zona.folder, 0o755)
    as_postgres = ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', '--']
    subprocess.run([*as_postgres, programs / 'initdb', '-D', data, '-A', 'trust', '-U', 'postgres'], check=True,
                   stdout=subprocess.DEVNULL, cwd='/')

    def sql(text):
        return subprocess.run([programs / 'psql', '-h', '127.0.0.1', '-p', str(free_port), '-U', 'postgres', '-Atc', text],
                              capture_output=True, text=True)
    zona.run('start', programs / 'postgres', '--name', 'pg', '--user', 'postgres', '--kill-signal', 'SIGINT',
             '--kill-timeout', '20s', '--', '-D', str(data), '-p', str(free_port), '-k', str(data))
    zona.wait_until(lambda: sql('create table t(x int)').returncode == 0, 20)
    sql('insert into t select generate_series(1, 1000)')

    zona.run('stop', 'pg', timeout=60)

    assert zona.process('pg')['last_exit']['code'] == 0
    control = subprocess.run([programs / 'pg_controldata', '-D', data], capture_output=True, text=True).stdout
    assert 'shut down\n' in control
    zona.run('start', 'pg')
    zona.wait_until(lambda: sql('select count(*) from t').stdout.strip() == '1000', 20)


# PM-03
def test_a_program_that_daemonises_itself_and_ignores_sigterm_is_ended(zona):
    script = zona.write('daemonise.py', '''import os, signal, sys, time
for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(s, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("escaped.pid", "w").write(str(os.getpid()))
        time.sleep(1000)
    os._exit(0)
os.wait()
print("up", flush=True)
time.sleep(1000)
''')
    zona.run('start', script, '--name', 'escape', '--kill-timeout', '300ms')
    pid_file = zona.folder / 'escaped.pid'
    zona.wait_until(lambda: pid_file.exists() and pid_file.read_text())
    escaped = int(pid_file.read_text())
    assert alive(escaped)

    zona.run('stop', 'escape')

    assert not alive(escaped)


def test_a_pipeline_ends_as_a_whole(zona):
    zona.run('start', '/bin/sh', '--name', 'pipe', '--', '-c', 'while :; do date; sleep 0.1; done | cat | sed s/^/x/')
    tree = [p.pid for p in zona.processes() if p.name in ('sh', 'cat', 'sed', 'sleep')]
    zona.wait_until(lambda: pathlib.Path(zona.process('pipe')['out_file']).exists())

    zona.run('stop', 'pipe')

    assert not any(alive(pid) for pid in tree)


def test_a_python_server_comes_back_on_its_port_after_a_crash(zona, free_port):
    script = zona.write('server.py', f'''import http.server
http.server.ThreadingHTTPServer(("127.0.0.1", {free_port}), http.server.SimpleHTTPRequestHandler).serve_forever()
''')
    zona.run('start', script, '--name', 'http')
    zona.wait_until(lambda: answers(free_port) is not None)
    os.kill(zona.process('http')['pid'], signal.SIGKILL)

    zona.wait_until(lambda: zona.process('http')['restarts'] == 1 and answers(free_port) is not None)


# PM-60, PM-11
@pytest.mark.parametrize('name, text', [
    ('ecosystem.json', '{"apps": [{"name": "a", "script": "/bin/sleep", "args": ["1000"], "instances": 2, "env": {"K": "v"}}]}'),
    ('ecosystem.yaml', 'apps:\n  - name: a\n    script: /bin/sleep\n    args: "1000"\n    instances: 2\n    env: {K: v}\n'),
    ('ecosystem.toml', '[[apps]]\nname = "a"\nscript = "/bin/sleep"\nargs = ["1000"]\ninstances = 2\nenv = {K = "v"}\n'),
])
def test_a_file_of_apps_in_each_format_starts_the_same(zona, name, text):
    zona.run('start', zona.write(name, text))

    assert [(p['name'], p['instance'], p['status'], p['args']) for p in zona.list()] == [
        ('a', 0, 'online', ['1000']), ('a', 1, 'online', ['1000'])]
    assert zona.run('env', '0', '--json').data['variables']['K'] == 'v'
