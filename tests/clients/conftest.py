"""The fixtures of the end-to-end tests, for clients that others wrote."""
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from e2e_fixtures import new_zona, open_zona, pytest_runtest_makereport, zona, zona_at_long_path  # noqa: F401


@pytest.fixture
def zona(open_zona):  # noqa: F811
    """A zona that listens on the loopback."""
    return open_zona()


@pytest.fixture
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix='zt-'))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def background():
    """background(command): a program of this test; ended with it."""
    started = []

    def start(*command, **options):
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, **options)
        started.append(process)
        return process
    yield start
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
