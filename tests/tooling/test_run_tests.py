"""scripts/run-tests: it counts what really happened, and its last line and status say so."""
import shutil
import subprocess

import pytest

GOOD = '''#!/bin/sh
echo '[ RUN      ] Good.Passes'
for a in "$@"; do case $a in --gtest_output=xml:*) out=${a#--gtest_output=xml:} ;; esac; done
cat > "$out" <<XML
<testsuites><testsuite name="Good">
<testcase name="Passes" status="run" result="completed" time="0.001" classname="Good"/>
CASES
</testsuite></testsuites>
XML
exit STATUS
'''
FAILED = '<testcase name="Fails" status="run" time="0" classname="Good"><failure message="1 is not 2"/></testcase>'
SKIPPED = '<testcase name="Skips" status="run" time="0" classname="Good"><skipped message="no such disk"/></testcase>'
DISABLED = '<testcase name="DISABLED_Off" status="notrun" time="0" classname="Good"/>'


@pytest.fixture
def place(root, tmp_path):
    """A checkout with nothing but the runner, one build and one Python test."""
    (tmp_path / 'scripts').mkdir()
    shutil.copy(root / 'scripts/run-tests', tmp_path / 'scripts')
    (tmp_path / 'tests').mkdir()
    (tmp_path / 'tests/test_one.py').write_text('def test_passes():\n    pass\n')
    (tmp_path / 'pytest.ini').write_text('[pytest]\njunit_family = xunit1\n')
    (tmp_path / 'build/check/bin').mkdir(parents=True)
    return tmp_path


def run(place, binaries, *arguments):
    """Runs the copy over `binaries` ({name: script or None for one that was not built})."""
    listing = ''
    for name, script in binaries.items():
        path = place / 'build/check/bin' / name
        if script is not None:
            path.write_text(script)
            path.chmod(0o755)
        listing += f'add_test({name} "{path}")\n'
    (place / 'build/check/CTestTestfile.cmake').write_text(listing)
    done = subprocess.run([place / 'scripts/run-tests', 'check', *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout.splitlines()[-1], done.stdout


def good(cases='', status=0):
    return GOOD.replace('CASES', cases).replace('STATUS', str(status))


def test_all_passed(place):
    status, last, _ = run(place, {'a_test': good(), 'b_test': good()})

    assert (status, last) == (0, '3 passed, 0 failed, 0 skipped')
    assert (place / 'build/check/junit/a_test.xml').exists()
    assert (place / 'build/check/junit/pytest.xml').exists()


def test_failure_of_either_kind_fails_the_run(place):
    (place / 'tests/test_one.py').write_text('def test_fails():\n    assert 0, "why"\n')

    status, last, out = run(place, {'a_test': good(FAILED, 1)})

    assert (status, last) == (1, '1 passed, 2 failed, 0 skipped')
    assert 'a_test:Good.Fails' in out and '1 is not 2' in out
    assert 'tests/test_one.py::test_fails' in out


@pytest.mark.parametrize('script, why', [
    ('#!/bin/sh\necho "[ RUN      ] Bad.Crashes"\nkill -SEGV $$\n', 'was ended by SIGSEGV'),
    ('#!/bin/sh\nexit 0\n', 'exited 0'),
    (None, 'was not built'),
])
def test_binary_without_report_counts_as_failed(place, script, why):
    status, last, out = run(place, {'a_test': good(), 'bad_test': script})

    assert (status, last) == (1, '2 passed, 1 failed, 0 skipped')
    assert why in out
    assert '<failure' in (place / 'build/check/junit/bad_test.xml').read_text()


def test_stale_report_is_not_counted(place):
    run(place, {'a_test': good()})

    status, last, _ = run(place, {'a_test': '#!/bin/sh\nexit 0\n'})

    assert (status, last) == (1, '1 passed, 1 failed, 0 skipped')


def test_bad_status_after_good_tests_counts_as_failed(place):
    status, last, _ = run(place, {'a_test': good(status=3)})

    assert (status, last) == (1, '2 passed, 1 failed, 0 skipped')


def test_skips_must_be_listed(place):
    status, last, out = run(place, {'a_test': good(SKIPPED + DISABLED)})
    assert (status, last) == (1, '2 passed, 0 failed, 2 skipped')
    assert 'no such disk' in out and 'not in tests/allowed-skips.txt' in out

    (place / 'tests/allowed-skips.txt').write_text('# why\na_test:Good.Skips | no disk\n*.DISABLED_Off | later\n')
    status, last, _ = run(place, {'a_test': good(SKIPPED + DISABLED)})
    assert (status, last) == (0, '2 passed, 0 failed, 2 skipped')


def test_broken_python_file_counts_as_failed(place):
    (place / 'tests/test_two.py').write_text('import nowhere_to_be_found\n')

    status, last, _ = run(place, {'a_test': good()})

    assert status == 1 and ' 0 failed' not in last


def test_process_that_outlives_its_test_is_ended_and_reported(place):
    (place / 'tests/test_one.py').write_text(
        'import subprocess\ndef test_leaks():\n    subprocess.Popen(["setsid", "sleep", "987654"])\n')

    status, last, out = run(place, {'a_test': good()})

    assert (status, last) == (1, '2 passed, 1 failed, 0 skipped')
    assert 'sleep 987654' in out
    assert subprocess.run(['pgrep', '-f', '^sleep 987654$'], capture_output=True).returncode == 1


def test_one_part_alone(place):
    status, last, _ = run(place, {'a_test': good()}, '--units')
    assert (status, last) == (0, '1 passed, 0 failed, 0 skipped')

    status, last, _ = run(place, {'a_test': good()}, '--e2e')
    assert (status, last) == (0, '1 passed, 0 failed, 0 skipped')


def test_nothing_built_is_bad_usage(place):
    done = subprocess.run([place / 'scripts/run-tests', 'asan'], capture_output=True, text=True)

    assert done.returncode == 2
    assert 'scripts/build asan' in done.stderr


def test_run_that_is_ended_leaves_no_process(place, wait_until):
    (place / 'tests/test_one.py').write_text(
        'import subprocess, time\ndef test_hangs():\n'
        '    subprocess.Popen(["setsid", "sleep", "987653"])\n    time.sleep(1000)\n')
    (place / 'build/check/CTestTestfile.cmake').write_text('')
    runner = subprocess.Popen([place / 'scripts/run-tests', 'check', '--e2e'], stdout=subprocess.PIPE, text=True)

    def hanging():
        return subprocess.run(['pgrep', '-f', '^sleep 987653$'], capture_output=True).returncode == 0
    wait_until(hanging, timeout=30)
    runner.terminate()

    runner.communicate(timeout=60)
    assert runner.returncode != 0
    assert not hanging()
