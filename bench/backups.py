"""Backups of a tenant against `cp`: `bench/run backups`. ZONA_BENCH_DIR says where; the temporary directory otherwise."""
import json
import os
import subprocess

from measures import row


def bench_backups():
    binary = os.path.join(os.environ['ZONA_BIN_DIR'], 'tenancy_bench')
    out = subprocess.run([binary, '--benchmark_format=json'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    found = {b['name'].split('/')[0]: b for b in json.loads(out.stdout)['benchmarks']}
    size = f"{found['back_up']['mb']:.0f} MB"
    row('tenant create, with its database', found['create_tenant']['real_time'] / 1000, 's', 1)
    row('backup of a tenant against cp and sync', found['back_up']['of_cp'], 'x', 0.5, 'more', f"{size}, {found['back_up']['real_time']:.0f} ms")
    row('restore of it against cp and sync', found['restore']['of_cp'], 'x', 0.3, 'more', f"{size}, {found['restore']['real_time']:.0f} ms")


BENCHES = {'backups': bench_backups}
