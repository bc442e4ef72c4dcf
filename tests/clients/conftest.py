"""The fixtures of the end-to-end tests, for clients that others wrote."""
import pytest

from e2e_fixtures import new_zona, open_zona, pytest_runtest_makereport, zona, zona_at_long_path  # noqa: F401


@pytest.fixture
def zona(open_zona):  # noqa: F811
    """A zona that listens on the loopback."""
    return open_zona()
