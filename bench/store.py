"""The embedded store against its disk: `bench/run store`; that in MongoDB against its driver: `bench/run mongo`; and a daemon with many tenants: `bench/run tenants`.

ZONA_BENCH_DIR says on which disk; that of the temporary directory otherwise.
"""
import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import time

import ferretdb
from measures import pss_kb, row
from unix_api import Api
from zona_home import Zona

DOCUMENTS = 1_000_000
TENANTS = 100


def store_bench(*arguments, program='store_bench', **environment):
    """What store_bench, or another, says, by the names of its benchmarks."""
    binary = pathlib.Path(os.environ['ZONA_BIN_DIR'], program)
    out = subprocess.run([binary, '--benchmark_format=json', *arguments], env={**os.environ, **environment},
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return {b['name'].removesuffix('/iterations:1/manual_time'): b for b in json.loads(out.stdout)['benchmarks']}


def durable_inserts(found, disk=''):
    """The rows of inserts beside the disk's own pace."""
    one, many, more, spread = (found[f'durable_insert/plain/{case}'] for case in ('1/1', '64/1', '256/1', '64/100'))
    sync = 1000 / many['append_per_s']
    row(f'4 kB append + fdatasync, one thread{disk}', many['append_per_s'], '/s')
    row(f'durable insert, 1 kB, 3 indexes, 1 client, of that{disk}', one['of_append'], 'x', 0.6, 'more', f"{one['per_s']:.0f}/s")
    row(f'durable insert, 64 clients, of that{disk}', many['of_append'], 'x', 2, 'more', f"{many['per_s']:.0f}/s")
    row(f'durable insert, 64 clients, p99{disk}', many['p99_ms'], 'ms', round(10 + 2 * sync, 2), 'less', '10 ms and two syncs')
    row(f'durable insert, 256 clients, of that{disk}', more['of_append'], 'x', None, 'more', f"{more['per_s']:.0f}/s")
    row(f'durable insert, 64 clients over 100 files, of that{disk}', spread['of_append'], 'x', 1.5, 'more', f"{spread['per_s']:.0f}/s")
    sync = 1000 / spread['append_per_s']
    row(f'durable insert, 64 clients over 100 files, p99{disk}', spread['p99_ms'], 'ms', round(10 + 2 * sync, 2), 'less', '10 ms and two syncs')


def searches(found):
    """Twenty documents of a million with a word, and what their index costs an insert."""
    one, many = (found[f'durable_insert/with_search/{case}'] for case in ('1/1', '64/1'))
    row('durable insert with 20 words for search, 1 client, of that', one['of_append'], 'x', None, 'more', f"{one['per_s']:.0f}/s")
    row('durable insert with 20 words for search, 64 clients, of that', many['of_append'], 'x', 2, 'more', f"{many['per_s']:.0f}/s")
    for name, what in (('rare', 'a rare word'), ('some', 'a word of a thousandth part'), ('common', 'a common word'),
                       ('both', 'a common word and one that is not'), ('beginning', 'the beginning of a word')):
        row(f'search for {what} in 1,000,000, the newest 20, p99', found[f'search_of_20/{name}']['p99_us'] / 1000, 'ms', 50)


def bench_store():
    found = store_bench(ZONA_BENCH_DOCUMENTS=str(DOCUMENTS))
    durable_inserts(found)
    searches(found)
    row('document by id, 1,000,000 of 100 tenants, p99', found['point_read']['p99_us'] / 1000, 'ms', 0.3)
    row('the same with the way to the reader and back, mean', found['point_read_round_trip']['real_time'] / 1e6, 'ms')
    first, late = found['page_of_20/1'], found['page_of_20/1000']
    row('page of 20 by an index, p99', first['p99_us'] / 1000, 'ms', 0.3)
    row('page 1,000 against page 1, mean', late['real_time'] / first['real_time'], 'x', 1.5, 'less', f"{late['real_time'] / 1000:.0f} us")
    ours, each = found['groups/of_columns'], found['groups/of_documents']
    row('groups of 25,000 documents by an index, mean', ours['real_time'] / 1e6, 'ms', None, 'less',
        f"{each['real_time'] / 1e6:.1f} ms where each document is looked at")


def bench_mongo():
    """The backend in MongoDB against libmongoc alone. A scripted server decides; FerretDB, where it is built, shows what a real one adds."""
    with contextlib.ExitStack() as stack:
        environment = {}
        if not ferretdb.reason_for_none():
            server = stack.enter_context(contextlib.closing(ferretdb.FerretDb()))
            environment['ZONA_BENCH_MONGO_URI'] = server.uri
        found = store_bench(program='store_mongo_bench', **environment)
    for server, where, budget in (('standalone', '', 50), ('replica_set', ', with transactions', None), ('real', ', FerretDB', None)):
        for operation, what in (('insert', 'insert, 1 kB'), ('find_by_id', 'find by id'), ('update', 'update'),
                                ('find_by_index', 'page of 20 by an index')):
            case = found[f'over_libmongoc/{server}_{operation}']
            if 'over_us' not in case:
                continue
            row(f'over libmongoc alone: {what}{where}', case['over_us'], 'us', budget,
                note=f"{case['ours_us']:.0f} and {case['alone_us']:.0f} us; {case['way_us']:.0f} to the thread and back")


def bench_slow_disk():
    """The same inserts where each sync takes longer."""
    for milliseconds in (1, 4):
        found = store_bench('--benchmark_filter=durable_insert', ZONA_BENCH_SYNC_MS=str(milliseconds),
                            LD_PRELOAD=str(pathlib.Path(os.environ['ZONA_BIN_DIR'], 'slow_sync.so')))
        durable_inserts(found, f', each sync {milliseconds} ms longer')


def opened(zona):
    """Seconds in which all tenants' databases are opened, one after the other."""
    api = Api(zona)
    begin = time.monotonic()
    for number in range(TENANTS):
        status, _, _ = api('PUT', f'/api/v1/tenants/t{number}/status', {'status': 'active'})
        assert status == 200, status
    return time.monotonic() - begin


def bench_tenants():
    zona = Zona(folder=tempfile.mkdtemp(prefix='zona-bench-', dir=os.environ.get('ZONA_BENCH_DIR')))
    try:
        zona.run('tenant', 'list')
        before = pss_kb(zona.daemon_pid())
        api = Api(zona)
        for number in range(TENANTS):
            status, _, _ = api('POST', '/api/v1/tenants', {'code': f't{number}'})
            assert status == 201, status
        zona.run('kill')

        begin = time.monotonic()
        zona.run('tenant', 'list')
        ready = time.monotonic() - begin
        taken = opened(zona)
        pid = zona.daemon_pid()
        row(f'start with {TENANTS} tenants → ready', ready * 1e3, 'ms', 300, note='the command included')
        row(f'open the databases of {TENANTS} tenants, over the API', taken * 1e3, 'ms')
        row(f'daemon with {TENANTS} open tenants, PSS', pss_kb(pid) / 1024, 'MB', 40, note=f'{before / 1024:.1f} without')
        row('threads of that daemon', len(list(pathlib.Path(f'/proc/{pid}/task').iterdir())), '')
    finally:
        zona.close()


BENCHES = {'store': bench_store, 'mongo': bench_mongo, 'slow-disk': bench_slow_disk, 'tenants': bench_tenants}
