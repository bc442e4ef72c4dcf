"""Fixtures for every test: what a test needs from the machine, and where the binaries are."""
import os
import shutil
import signal
import socket
import threading

import pytest

from waiting import wait_until as _wait_until
from zona_home import BIN, ROOT


def pytest_configure():
    """A run that is ended from outside still ends what its tests started: SIGTERM is like Ctrl-C."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope='session')
def root():
    """The checkout."""
    return ROOT


@pytest.fixture(scope='session')
def bin_dir():
    """Where the binaries under test are: $ZONA_BIN_DIR, or build/check/bin."""
    return BIN


@pytest.fixture
def wait_until():
    """wait_until(predicate, timeout=10, what=None): polls; AssertionError when it never comes true."""
    return _wait_until


@pytest.fixture
def tool():
    """tool('redis-server'): the path of a program; the test is skipped, with the reason, if it is missing."""
    def find(name):
        path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if not path:
            pytest.skip(f'{name} is not installed')
        return path
    return find


@pytest.fixture
def free_port():
    """A TCP port on the loopback that nobody listens on now."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


@pytest.fixture
def free_ports():
    """free_ports(n): n different TCP ports on the loopback."""
    def take(count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for s in sockets:
                s.bind(('127.0.0.1', 0))
            return [s.getsockname()[1] for s in sockets]
        finally:
            for s in sockets:
                s.close()
    return take


@pytest.fixture
def as_root():
    """Skips a test that needs root where there is none."""
    if os.geteuid() != 0:
        pytest.skip('needs root')
