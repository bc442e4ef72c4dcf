"""The cache: a hit in this process, and one in Redis beside redis-benchmark: `bench/run cache`."""
import json
import os
import pathlib
import socket
import subprocess
import tempfile
from statistics import median

from measures import row
from waiting import wait_until


def cache_bench(**environment):
    binary = pathlib.Path(os.environ['ZONA_BIN_DIR'], 'cache_bench')
    out = subprocess.run([binary, '--benchmark_format=json'], env={**os.environ, **environment},
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return {b['name'].removesuffix('/iterations:1/manual_time'): b for b in json.loads(out.stdout)['benchmarks']}


DEPTHS = (1, 16, 64)


def redis_gets(port, depth):
    """What redis-benchmark reads a second over one connection, values of 1 kB, so many commands at a time."""
    out = subprocess.run(['redis-benchmark', '-p', str(port), '-t', 'set,get', '-d', '1000', '-n', '200000', '-c', '1', '-P', str(depth), '--csv'],
                         capture_output=True, check=True, text=True).stdout
    line = next(line for line in out.splitlines() if line.startswith('"GET"'))
    return float(line.split(',')[1].strip('"'))


def bench_cache():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix='zona-bench-') as folder:
        redis = subprocess.Popen(['redis-server', '--port', str(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder],
                                 stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: subprocess.run(['redis-cli', '-p', str(port), 'PING'], capture_output=True, check=False).stdout == b'PONG\n')
            # One after the other: what the machine does meanwhile weighs on both.
            runs = [({depth: redis_gets(port, depth) for depth in DEPTHS}, cache_bench(ZONA_BENCH_REDIS=f'127.0.0.1:{port}'))
                    for _ in range(3)]
        finally:
            redis.kill()
            redis.wait()
    in_memory = [found['hit_in_memory/real_time/threads:1']['real_time'] for _, found in runs]
    row('cache: hit in this process, one thread', median(in_memory) / 1000, 'µs', 1)
    in_memory = [found['hit_in_memory/real_time/threads:4']['real_time'] for _, found in runs]
    row('the same, four threads', median(in_memory) / 1000, 'µs', 1)
    for depth in DEPTHS:
        ratio, ours, theirs = sorted((found[f'hit_in_redis/{depth}']['per_s'] / gets[depth], found[f'hit_in_redis/{depth}']['per_s'], gets[depth])
                                     for gets, found in runs)[1]
        row(f'cache: hit in Redis, 1 kB, {depth} at a time, of redis-benchmark GET, median of 3', ratio, 'x', 0.7, 'more',
            f'{ours:.0f}/s, {theirs:.0f}/s')


BENCHES = {'cache': bench_cache}
