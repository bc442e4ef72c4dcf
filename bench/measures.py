"""What every measurement uses: a row of the table, percentiles, the memory of a process, zonas on tmpfs."""
import json
import pathlib
import tempfile
import time

from zona_home import Zona

ROWS = []


def row(what, value, unit, budget=None, better='less', note=''):
    ok = budget is None or (value <= budget if better == 'less' else value >= budget)
    ROWS.append({'what': what, 'value': value, 'unit': unit, 'budget': budget, 'better': better, 'ok': ok, 'note': note})
    limit = '' if budget is None else f"  ({'≤' if better == 'less' else '≥'} {budget:g}{'' if ok else '  MISSED'})"
    print(f'{what:58} {value:10.3f} {unit}{limit} {note}', flush=True)


def percentile(values, p):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * p / 100))]


def pss_kb(pid):
    for line in pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
        if line.startswith('Pss:'):
            return int(line.split()[1])
    return 0


def switches(pid):
    total = 0
    for status in pathlib.Path(f'/proc/{pid}/task').glob('*/status'):
        for line in status.read_text().splitlines():
            if 'ctxt_switches' in line:
                total += int(line.split()[1])
    return total


def on_tmpfs():
    """ext4 searches long for an inode when thousands were freed in the last minutes, as benchmarks do; so tmpfs."""
    return Zona(folder=tempfile.mkdtemp(prefix='zona-bench-', dir='/dev/shm'))


def start_many(zona, count):
    spec = {'apps': [{'name': 's', 'script': '/bin/sleep', 'args': ['100000'], 'instances': count}]}
    path = zona.write('many.json', json.dumps(spec))
    zona.run('ping', check=False)
    begin = time.monotonic()
    zona.run('start', path, '--json', timeout=300)
    return time.monotonic() - begin
