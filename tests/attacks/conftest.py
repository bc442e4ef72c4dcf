"""One zona for all attacks of a file: the tests send bytes, and what one leaves behind the next would meet."""
import dataclasses
import pathlib

import pytest

from wire import Wire, over_tcp, over_unix
from zona_home import BIN, Zona

# What an attacked daemon may hold more than before: buffers that the allocator keeps, log lines, metrics.
ALLOWED_GROWTH = 64 << 20


@dataclasses.dataclass
class Target:
    """A daemon, and how its API is reached."""
    zona: Zona
    connect: object

    def wire(self):
        return Wire(self.connect)

    def ask(self, data, method='GET'):
        """One request on a connection of its own: its Reply, None when the server only closed."""
        with self.wire() as wire:
            return wire.ask(data, method)

    def resident(self):
        """Bytes of memory that the daemon holds."""
        status = pathlib.Path(f'/proc/{self.zona.daemon_pid()}/status').read_text()
        return int(next(line for line in status.splitlines() if line.startswith('VmRSS')).split()[1]) << 10

    def grew_less_than(self, most, before):
        """Whether it holds less than `most` bytes more than `before`. A sanitizer keeps what was freed: then nothing is known."""
        return 'san' in BIN.parent.name or self.resident() - before < most


# Over TCP without keys: what stands behind authentication is attacked, too.
SETTINGS = {'unix': {}, 'tcp': {'ZONA_API_LISTEN': '127.0.0.1:0', 'ZONA_PROFILE': 'development', 'ZONA_API_AUTHENTICATION': 'none'}}


def start(zona, transport):
    """A zona with one process, reached by `transport`."""
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    if transport == 'unix':
        return Target(zona, over_unix(zona.home / 'api.sock'))
    host, port = zona.ping()['network']['address'].rsplit(':', 1)
    return Target(zona, over_tcp(host, int(port)))


@pytest.fixture(scope='module', params=['unix', 'tcp'])
def transport(request):
    """How the API is reached. The attacks are the same over every transport."""
    return request.param


@pytest.fixture(scope='module')
def target(transport):
    """The daemon under attack. At its end it still is the same process, holds about as much memory as
    before, and has not answered one request with a server's error."""
    zona = Zona(env=SETTINGS[transport])
    try:
        it = start(zona, transport)
        pid, before = zona.daemon_pid(), it.resident()
        yield it
        assert zona.daemon_pid() == pid, 'an attack ended the daemon'
        assert [p['status'] for p in zona.list()] == ['online']
        assert it.grew_less_than(ALLOWED_GROWTH, before)
    finally:
        zona.close()


@pytest.fixture
def new_target(transport):
    """new_target(**settings): a daemon of the test's own with environment settings."""
    zonas = []

    def make(**settings):
        zonas.append(Zona(env={**SETTINGS[transport], **settings}))
        return start(zonas[-1], transport)
    yield make
    for zona in zonas:
        zona.close()
