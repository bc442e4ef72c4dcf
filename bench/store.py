"""The embedded store against its disk: `bench/run store`. ZONA_BENCH_DIR says on which; the temporary directory otherwise."""
import json
import os
import subprocess

from measures import row

DOCUMENTS = 1_000_000


def bench_store():
    binary = os.path.join(os.environ['ZONA_BIN_DIR'], 'store_bench')
    out = subprocess.run([binary, '--benchmark_format=json'], env={**os.environ, 'ZONA_BENCH_DOCUMENTS': str(DOCUMENTS)},
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    found = {b['name'].removesuffix('/iterations:1/manual_time'): b for b in json.loads(out.stdout)['benchmarks']}
    one, many, more = (found[f'durable_insert/{clients}'] for clients in (1, 64, 256))
    sync = 1000 / many['append_per_s']
    row('4 kB append + fdatasync, one thread', many['append_per_s'], '/s')
    row('durable insert, 1 kB, 3 indexes, 1 client, of that', one['of_append'], 'x', 0.6, 'more', f"{one['per_s']:.0f}/s")
    row('durable insert, 64 clients, of that', many['of_append'], 'x', 2, 'more', f"{many['per_s']:.0f}/s")
    row('durable insert, 64 clients, p99', many['p99_ms'], 'ms', round(10 + 2 * sync, 2), 'less', '10 ms and two syncs')
    row('durable insert, 256 clients, of that', more['of_append'], 'x', None, 'more', f"{more['per_s']:.0f}/s")
    row('document by id, 1,000,000 of 100 tenants, p99', found['point_read']['p99_us'] / 1000, 'ms', 0.3)
    row('the same with the way to the reader and back, mean', found['point_read_round_trip']['real_time'] / 1e6, 'ms')
    first, late = found['page_of_20/1'], found['page_of_20/1000']
    row('page of 20 by an index, p99', first['p99_us'] / 1000, 'ms', 0.3)
    row('page 1,000 against page 1, mean', late['real_time'] / first['real_time'], 'x', 1.5, 'less', f"{late['real_time'] / 1000:.0f} us")


BENCHES = {'store': bench_store}
