"""A disk that can be filled and made read-only."""
import subprocess

import pytest
from zona_home import BIN


class Disk:
    """A small file system of its own at zona.folder/disk, seen by these commands alone; the home is on it."""

    def __init__(self, zona, size):
        self.zona, self.path = zona, zona.folder / 'disk'
        self.path.mkdir()
        self.holder = subprocess.Popen(['unshare', '--mount', 'sh', '-c', f'mount -t tmpfs -o size={size} tmpfs {self.path} && echo mounted && exec sleep 1000'],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != 'mounted\n':
            self.close()
            pytest.skip('this host lets this user mount nothing')

    def do(self, *command):
        return subprocess.run(['nsenter', f'--mount=/proc/{self.holder.pid}/ns/mnt', *map(str, command)],
                              env=self.zona.environment({'ZONA_HOME': str(self.path / 'home')}), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)

    def run(self, *args):
        return self.do(BIN / 'zona', *args)

    def close(self):
        self.holder.kill()
        self.holder.wait()
