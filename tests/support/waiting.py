"""Waiting on a condition, never for a time."""
import os
import time

# A sanitizer or a coverage build is slower; scripts/run-tests says by how much.
FACTOR = float(os.environ.get('ZONA_TIME_FACTOR', '1'))


def wait_until(predicate, timeout=10.0, what=None):
    """Calls `predicate` until its answer is true, and returns that; AssertionError after `timeout` s.

    An AssertionError, LookupError, OSError or a failed command inside `predicate` counts as "not yet".
    """
    deadline = time.monotonic() + timeout * FACTOR
    pause = 0.002
    while True:
        problem = None
        try:
            answer = predicate()
            if answer:
                return answer
        except (AssertionError, LookupError, OSError) as error:
            answer, problem = None, error
        if time.monotonic() >= deadline:
            name = what or getattr(predicate, '__name__', 'the condition')
            raise AssertionError(f'{name} did not come true within {timeout * FACTOR:.0f} s; '
                                 f'last answer: {problem or answer!r}')
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
