"""A redis-server of the test's own, and zonas that use it as their cache."""
import pathlib
import shutil
import socket
import subprocess
import tempfile

from waiting import wait_until

KEY = 'k' * 32


class Redis:
    """A redis-server on a free port of the loopback, in memory alone."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = probe.getsockname()[1]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='zt-redis-'))
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ['redis-server', '--port', str(self.port), '--bind', '127.0.0.1', '--save', '', '--dir', str(self.folder), '--requirepass', 'hush'],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: self.run('PING') == 'PONG')

    def run(self, *words):
        return subprocess.run(['redis-cli', '-p', str(self.port), '-a', 'hush', '--no-auth-warning', *words],
                              capture_output=True, text=True, errors='replace', check=False).stdout.strip()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def cached_by(redis, **env):
    return {'ZONA_CACHE_REDIS': f'127.0.0.1:{redis.port}', 'ZONA_CACHE_REDIS_PASSWORD': 'hush', 'ZONA_CACHE_KEY': KEY,
            'ZONA_CACHE_HEALTH_INTERVAL': '100ms', 'ZONA_CACHE_STALENESS': '500ms', **env}
