"""One zona on a private home, driven through the real command."""
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import uuid

import processes
from waiting import FACTOR, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get('ZONA_BIN_DIR', ROOT / 'build/check/bin')).resolve()


class CommandFailed(AssertionError):
    """A command that was to succeed did not. An AssertionError, so that wait_until asks again."""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command printed, and how it ended."""
    args: list
    returncode: int
    stdout: str
    stderr: str

    @property
    def json(self):
        """The whole document on stdout."""
        try:
            return json.loads(self.stdout)
        except ValueError as error:
            raise AssertionError(f'{self} printed no JSON: {error}') from None

    @property
    def data(self):
        """`data` of the envelope on stdout."""
        document = self.json
        assert document.get('success') is True, f'{self} did not answer with success'
        return document['data']

    def __str__(self):
        return (f"`zona {' '.join(map(str, self.args))}` exited {self.returncode}\n"
                f'stdout: {self.stdout[-2000:]}\nstderr: {self.stderr[-2000:]}')


class Zona:
    """A zona bound to its own home. `folder` is the test's scratch directory, `home` stands in it.

    Every process that it starts carries a marker in its environment, so that teardown can find them all
    and nothing else.
    """

    def __init__(self, folder=None, env=None):
        # Not pytest's tmp_path, whose length depends on the test's name: a socket path has 108 bytes.
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix='zt-'))
        self.home = self.folder / 'home'
        self.marker = f'ZONA_TEST_ID={uuid.uuid4()}'
        self.env = {k: v for k, v in os.environ.items() if not k.startswith('ZONA_') and k != 'PYTEST_CURRENT_TEST'}
        name, value = self.marker.split('=')
        self.env.update({'ZONA_HOME': str(self.home), name: value, 'LC_ALL': 'C.UTF-8', 'TERM': 'dumb',
                         # The user's contexts may lead to another host.
                         'XDG_CONFIG_HOME': str(self.folder / 'config'),
                         'ZONA_API_LISTEN': 'off'})   # a test that is about the network says where
        self.env.update(env or {})
        self._open = []

    def environment(self, extra=None):
        """The commands' environment; a None in `extra` removes that variable."""
        env = {**self.env, **(extra or {})}
        return {name: value for name, value in env.items() if value is not None}

    def run(self, *args, check=True, input=None, env=None, timeout=30, cwd=None):
        """Runs `zona ARGS` to its end. With `check`, a status other than 0 raises CommandFailed."""
        command = [str(BIN / 'zona'), *map(str, args)]
        if not os.access(command[0], os.X_OK):
            raise FileNotFoundError(f'{command[0]} is not built: scripts/build check')
        stdin = {'input': input} if input is not None else {'stdin': subprocess.DEVNULL}
        done = subprocess.run(command, **stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              errors='replace', env=self.environment(env), timeout=timeout * FACTOR,
                              cwd=cwd or self.folder)
        answer = Answer(list(args), done.returncode, done.stdout, done.stderr)
        if check and answer.returncode != 0:
            raise CommandFailed(str(answer))
        return answer

    def outcome(self, *words):
        """The outcome of a command that is an execution, which has to succeed."""
        execution = self.run(*words, '--json').data
        assert execution['status'] == 'success', execution
        return execution['outcome']

    def popen(self, *args, env=None, cwd=None, **options):
        """Starts `zona ARGS` and leaves it running: for `zona run` and `logs -f`. Ended by teardown."""
        options = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE, 'stderr': subprocess.PIPE, 'text': True,
                   **options}
        process = subprocess.Popen([str(BIN / 'zona'), *map(str, args)], env=self.environment(env),
                                   cwd=cwd or self.folder, **options)
        self._open.append(process)
        return process

    def ping(self):
        return self.run('ping', '--json').data

    def daemon_pid(self):
        return self.ping()['daemon']['pid']

    def keeper_pid(self):
        return self.ping()['keeper']['pid']

    def kill_keeper_and_daemon(self):
        """Both at once; returns when both are dead."""
        keeper, daemon = self.keeper_pid(), self.daemon_pid()
        os.kill(daemon, signal.SIGSTOP)   # or it would take the keeper's role in between
        for pid in (keeper, daemon):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not processes.alive(keeper) and not processes.alive(daemon))

    def list(self):
        return self.run('list', '--json').data

    def process(self, name):
        """The one process of that name; LookupError while there is none or more than one."""
        found = [p for p in self.list() if p['name'] == name]
        if len(found) != 1:
            raise LookupError(f'{len(found)} processes are called {name}')
        return found[0]

    def processes(self):
        """All living processes that came from this home."""
        return processes.belonging_to(self.marker, self.folder)

    def write(self, name, text, mode=0o644):
        """A file in the scratch directory; returns its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    @staticmethod
    def wait_until(predicate, timeout=10.0, what=None):
        return wait_until(predicate, timeout, what)

    def zombies(self):
        """Dead children that the keeper or the daemon has not collected."""
        own = {process.pid for process in self.processes()}
        return [p for p in processes.everything() if p.state == 'Z' and p.ppid in own]

    def close(self, keep=False):
        """Ends everything that this home started and removes it; with `keep`, the files stay and their
        place is printed. AssertionError for what should not be: zombies before the end, processes that
        outlive `zona kill`."""
        complaints = []
        before = self.processes()
        groups = processes.groups_of(before, 'zona-')
        try:
            if before:
                try:
                    wait_until(lambda: not self.zombies(), 5)
                except AssertionError:
                    complaints += [f'zombie {p}' for p in self.zombies()]
            complaints += self._kill(before)
        finally:
            processes.end(list({p.pid: p for p in before + self.processes()}.values()))
            for process in self._open:
                process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout, process.stderr):
                    if stream:
                        stream.close()
            # What a killed daemon could not remove: thousands of empty groups make the kernel slow.
            for group in groups:
                processes.remove_group(group)
        if (keep or complaints) and self.home.exists():
            print(f'the home of the failed test is kept: {self.home}')
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        assert not complaints, '\n'.join(complaints)

    def _kill(self, before):
        """Stops by `zona kill`; returns complaints about what is left."""
        for process in self._open:
            if process.poll() is None:
                process.terminate()
        for process in self._open:
            try:
                process.wait(20 * FACTOR)
            except subprocess.TimeoutExpired:
                return [f'did not end on SIGTERM: {process.args}']
        if not any(process.alive() for process in before):
            return []
        # A test may have replaced or broken the binaries' environment; the commands here use the plain one.
        try:
            self.run('kill', env={'ZONA_CONTEXT': 'local'}, timeout=60)
        except (AssertionError, OSError, subprocess.TimeoutExpired) as error:
            return [f'zona kill failed: {error}', *(f'still there: {p}' for p in before if p.alive())]

        def left():
            return [p for p in {p.pid: p for p in before + self.processes()}.values() if p.alive()]
        try:
            wait_until(lambda: not left(), 10)
        except AssertionError:
            return [f'outlived zona kill: {p}' for p in left()]
        return []
