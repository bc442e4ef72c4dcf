"""Measures reads of tenants' documents over HTTP, each tenant with a key of its own, beside nginx with the same bytes."""
import json
import pathlib
import tempfile

import requests

from measures import row
from network import networked, nginx_with, wrk

TENANTS = 100
VALUE = 'x' * 900   # with its key, version and time a document of 1 kB

# One tenant after the other, each with its key; nginx gets the same requests.
SCRIPT = '''
local requests, n = {}, 0
init = function()
    for code, key in string.gmatch([[%s]], '(%%S+)=(%%S+)') do
        requests[#requests + 1] = wrk.format('GET', '/api/v1/tenants/' .. code .. '/settings/a', {['X-API-Key'] = key})
    end
end
request = function()
    n = n %% #requests + 1
    return requests[n]
end
'''


def with_tenants(zona):
    """A wrk script that asks for the document of each, and an answer."""
    keys = {}
    for n in range(TENANTS):
        code = f't{n}'
        zona.run('tenant', 'create', code)
        keys[code] = zona.run('key', 'create', code, '--tenant', code, '--scope', 'admin').stdout.strip()
        put = requests.put(f'{zona.url}/api/v1/tenants/{code}/settings/a', json={'value': VALUE}, headers={'X-API-Key': keys[code]}, timeout=30)
        assert put.status_code == 200, put.text
    script = pathlib.Path(tempfile.mkdtemp(prefix='zona-bench-', dir='/dev/shm')) / 'tenants.lua'
    script.write_text(SCRIPT % ' '.join(f'{code}={key}' for code, key in keys.items()))
    answer = requests.get(f'{zona.url}/api/v1/tenants/t0/settings/a', headers={'X-API-Key': keys['t0']}, timeout=30)
    assert len(json.loads(answer.text)['data']['value']) == len(VALUE)
    return script, answer


def beside_nginx(least, what, **env):
    """Three runs of both in turns, access logs written; the median ratio."""
    with networked(**env) as zona:
        script, answer = with_tenants(zona)
        of_nginx = ('Date', 'Content-Type', 'Content-Length', 'Connection')
        fields = {name: value for name, value in answer.headers.items() if name not in of_nginx}
        with nginx_with(answer.text, fields, True) as (peer, _):
            runs = [(wrk(zona.url, {}, 6, script=script), wrk(peer, {}, 6, script=script)) for _ in range(3)]
    assert not any(ours['refused'] for ours, _ in runs)
    ours, theirs = sorted(runs, key=lambda run: run[0]['rate'] / run[1]['rate'])[1]
    row(f'GET of 1 kB, {TENANTS} tenants with a key each, {what}', ours['rate'], '/s')
    row(f'nginx `return 200` of the same, {what}', theirs['rate'], '/s')
    row(f'zona / nginx, answers a second, median of 3, {what}', ours['rate'] / theirs['rate'], 'x', least, 'more')
    row(f'zona / nginx, p99, {what}', ours['p99'] / theirs['p99'], 'x', 2, note=f"{ours['p99']:.2f} and {theirs['p99']:.2f} ms")


def bench_documents():
    beside_nginx(0.8, 'from memory')
    beside_nginx(0.4, 'from the embedded store', ZONA_CACHE_MEMORY_TTL='1ms')


BENCHES = {'documents': bench_documents}
