"""Fixtures of the end-to-end tests."""
from e2e_fixtures import guarded, mongo, new_zona, open_zona, pytest_runtest_makereport, redis, zona, zona_at_long_path  # noqa: F401
