"""Fixtures of the end-to-end tests: zonas on private homes, ended and checked after each test."""
import contextlib
import pathlib
import tempfile

import ferretdb
import pytest

from redis_server import Redis
from zona_home import Zona


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets fixtures see whether the test failed, and what it printed last."""
    report = (yield).get_result()
    if report.when == 'call':
        item.failed = report.failed


@contextlib.contextmanager
def _closing(zona, node):
    yield zona
    zona.close(keep=getattr(node, 'failed', False))


@pytest.fixture
def zona(request):
    """A zona on a fresh home with a short path. Nothing is started before the first command."""
    with _closing(Zona(), request.node) as it:
        yield it


@pytest.fixture
def zona_at_long_path(request):
    """The same on a home whose socket path has far more than the 108 bytes of a sockaddr_un."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix='zt-')) / ('long-' * 20) / ('path-' * 20)
    folder.mkdir(parents=True)
    with _closing(Zona(folder), request.node) as it:
        yield it


@pytest.fixture
def new_zona(request):
    """new_zona(**options): any number of zonas, each on its own home; all are ended."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(_closing(Zona(**options), request.node))


@pytest.fixture
def open_zona(new_zona):
    """open_zona(**env): a zona that listens on a free port of the loopback; `url` and `key` are its own."""
    def make(**env):
        zona = new_zona(env={'ZONA_API_LISTEN': '127.0.0.1:0', **env})
        zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
        zona.url = f"http://{zona.ping()['network']['address']}"
        zona.key = (zona.home / 'api-key').read_text().strip()
        return zona
    return make


@pytest.fixture
def mongo():
    """A server of its own that speaks MongoDB."""
    if reason := ferretdb.reason_for_none():
        pytest.skip(reason)
    server = ferretdb.FerretDb()
    yield server
    server.close()


@pytest.fixture
def guarded():
    """The same, which asks who comes and knows one user alone: `first`, whose password is `s3cret-one`."""
    if reason := ferretdb.reason_for_none():
        pytest.skip(reason)
    server = ferretdb.FerretDb(login=('first', 's3cret-one'))
    yield server
    server.close()


@pytest.fixture
def redis():
    """A redis-server of its own."""
    it = Redis()
    yield it
    it.close()
