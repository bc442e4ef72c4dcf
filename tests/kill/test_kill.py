"""Nothing is lost when zona dies: eight seeds of the harness; more of them by `make nightly`."""
import pytest

import harness


# REL-20, REL-21, PM-08, PM-10
@pytest.mark.parametrize('seed', range(1, 9))
@pytest.mark.timeout(300)
def test_nothing_is_lost_or_doubled_by_kills(seed):
    run = harness.Run(seed, 10).run()

    assert not run.violations, '\n'.join(run.violations)
    assert sum(run.killed.values()) > 0


# REL-20, REL-21
@pytest.mark.parametrize('label', harness.LABELS)
@pytest.mark.timeout(300)
def test_nothing_is_lost_by_a_death_at(label):
    run = harness.Run(1, 20, [label], enough=2).run()

    assert not run.violations, '\n'.join(run.violations)
    assert run.hits[label] > 0
