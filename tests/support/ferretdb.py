"""A server that speaks MongoDB's protocol, of the test's own: to be killed and started again. Its data stays until it is closed."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import urllib.parse

from waiting import wait_until

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / 'build/peers/ferretdb/ferretdb'


class FerretDb:
    """`uri` is on a unix socket in a directory of its own, so it stays the same over restarts. `login`: the one user whom it knows, and his password;
    None: it does not ask."""

    def __init__(self, login=None):
        self.login = login
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='zt-ferretdb-'))
        (self.folder / 'data').mkdir()
        self.socket = self.folder / 'ferretdb.sock'
        self.uri = f"mongodb://{urllib.parse.quote(str(self.socket), safe='')}/"
        self.process = None
        self.start()

    def start(self):
        self.socket.unlink(missing_ok=True)   # one that was killed leaves it, and does not start beside it
        login = ['--test-enable-new-auth', '--setup-database=admin', f'--setup-username={self.login[0]}', f'--setup-password={self.login[1]}'] if self.login else []
        with open(self.folder / 'log', 'ab') as log:
            self.process = subprocess.Popen(
                [PROGRAM, '--handler=sqlite', f'--sqlite-url=file:{self.folder}/data/', f'--state-dir={self.folder}', '--telemetry=disable',
                 '--listen-addr=', f'--listen-unix={self.socket}', '--debug-addr=-', '--log-level=ERROR', *login], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self.socket.exists)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def know_only(self, login):
        """Starts anew with this user in the place of the one before."""
        self.kill()
        for file in (self.folder / 'data').glob('admin.sqlite*'):
            file.unlink()
        self.login = login
        self.start()

    def databases(self):
        """The names of those that it keeps."""
        return {file.name.removesuffix('.sqlite') for file in (self.folder / 'data').glob('*.sqlite')}

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def reason_for_none():
    """Why there is no such server; None: there is one."""
    return None if os.access(PROGRAM, os.X_OK) else 'FerretDB is not built: scripts/install-deps test'
