"""What becomes of zona where the host gives it little."""
import json
import os
import re
import signal
import subprocess

import pytest
from small_disk import Disk
from zona_home import BIN


@pytest.fixture
def disk(zona):
    made = Disk(zona, '8m')
    yield made
    made.run('kill')
    made.close()


def test_a_full_disk_refuses_changes_keeps_what_runs_and_is_over_when_there_is_room(disk):
    assert disk.run('start', '/bin/sleep', '--name', 'a', '--', '1000').returncode == 0
    disk.do('dd', 'if=/dev/zero', f'of={disk.path}/fill', 'bs=1k')

    refused = disk.run('start', '/bin/sleep', '--name', 'b', '--', '1000')
    assert refused.returncode == 7 and 'No space left on device' in refused.stderr and 'not stored' in refused.stderr
    assert [(p['name'], p['status']) for p in json.loads(disk.run('list', '--json').stdout)['data']] == [('a', 'online')]

    disk.do('rm', f'{disk.path}/fill')
    assert disk.run('start', '/bin/sleep', '--name', 'b', '--', '1000').returncode == 0
    assert [p['name'] for p in json.loads(disk.run('list', '--json').stdout)['data']] == ['a', 'b']


def test_a_home_that_cannot_be_written_is_told_and_nothing_is_begun(disk):
    disk.do('mkdir', '-m', '700', disk.path / 'home')
    disk.do('mount', '-o', 'remount,ro', disk.path)

    refused = disk.run('start', '/bin/sleep', '--', '1000')

    assert refused.returncode == 5 and 'Read-only file system' in refused.stderr and str(disk.path / 'home') in refused.stderr


def start_with_few_files(zona, limit, *args):
    """`zona ARGS` by somebody whose limit on open files is `limit` and cannot be raised."""
    command = ['prlimit', f'--nofile={limit}:{limit}', str(BIN / 'zona'), *map(str, args)]
    if os.geteuid() == 0:
        command = ['setpriv', '--bounding-set=-sys_resource', '--inh-caps=-sys_resource', *command]
    return subprocess.run(command, env=zona.environment(), cwd=zona.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120)


# REL-20
def test_with_few_open_files_it_refuses_in_time_and_loses_nothing(zona):
    lines = 300
    script = zona.write('writer.sh', f"""#!/bin/sh
round=0
write() {{
    round=$((round + 1)); i=0
    while [ $i -lt {lines} ]; do i=$((i + 1)); echo "line $round $i"; echo "error $round $i" >&2; done
}}
trap write USR1
write
while :; do sleep 1000 & wait $!; done
""", 0o755)
    assert start_with_few_files(zona, 256, 'start', script, '--name', 'writer').returncode == 0
    room = int(re.search(r'enough for about (\d+) processes', zona.run('doctor').stdout)[1])
    assert 20 <= room <= 80

    zona.run('scale', 'writer', room, timeout=60)
    refused = zona.run('start', '/bin/sleep', '--name', 'more', '--', '1000', check=False)
    assert refused.returncode != 0 and 'open files' in refused.stderr and 'zona doctor' in refused.stderr
    pids = {p['pm_id']: p['pid'] for p in zona.list()}
    assert len(pids) == room

    def written(rounds):
        for p in zona.list():
            for kind, file in (('line', p['out_file']), ('error', p['error_file'])):
                wanted = [f'{kind} {r} {i}' for r in range(1, rounds + 1) for i in range(1, lines + 1)]
                with open(file) as log:
                    if log.read().splitlines() != wanted:
                        return False
        return True

    zona.wait_until(lambda: written(1), 30)
    os.kill(zona.daemon_pid(), signal.SIGKILL)
    zona.run('signal', 'USR1', 'all')
    zona.wait_until(lambda: written(2), 30)
    zona.kill_keeper_and_daemon()
    assert start_with_few_files(zona, 256, 'list').returncode == 0
    zona.run('signal', 'USR1', 'all')
    zona.wait_until(lambda: written(3), 30)
    assert {p['pm_id']: p['pid'] for p in zona.list()} == pids
    assert all(p['status'] == 'online' for p in zona.list())


# REL-20
def test_a_resurrect_for_which_there_is_no_room_changes_nothing(zona):
    assert start_with_few_files(zona, 256, 'start', '/bin/sleep', '--name', 'nap', '-i', 30, '--', '1000').returncode == 0
    zona.run('kill')

    refused = start_with_few_files(zona, 160, 'resurrect')
    assert refused.returncode == 7 and 'open files' in refused.stderr
    assert zona.list() == []
    zona.run('kill')

    assert start_with_few_files(zona, 256, 'resurrect').returncode == 0
    assert [p['status'] for p in zona.list()] == ['online'] * 30
