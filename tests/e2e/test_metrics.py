"""What the daemon counts about its requests, under a load that is known."""
import re

import requests

from wire import Wire, over_unix

HISTOGRAM = 'zona_http_request_duration_seconds'


def ask(wire, method, path, body=b''):
    head = f'{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\n\r\n'
    wire.send(head.encode() + body)
    return wire.reply(method)


def scrape(wire):
    """{(name, labels as text): value} of one scrape."""
    text = ask(wire, 'GET', '/api/v1/metrics').body.decode()
    rows = re.findall(r'^([a-z_]+)(\{.*\})? (\S+)$', text, re.M)
    return {(name, labels): float(value) for name, labels, value in rows}


# OBS-02, HTTP-13
def test_a_known_load_is_counted_exactly_by_route_and_status(zona):
    zona.run('start', '/bin/sleep', '--name', 'nap', '--', '1000')
    load = [('GET', '/api/v1/ping', 30), ('GET', '/api/v1/processes/nap', 20), ('GET', '/api/v1/processes/nobody', 7),
            ('DELETE', '/api/v1/ping', 5), ('GET', '/nowhere/at/all', 3), ('POST', '/api/v1/operations', 2)]
    expected = {('GET', '/api/v1/ping', 200): 30, ('GET', '/api/v1/processes/{id}', 200): 20,
                ('GET', '/api/v1/processes/{id}', 404): 7, ('DELETE', 'unmatched', 405): 5, ('GET', 'unmatched', 404): 3,
                ('POST', '/api/v1/operations', 400): 2}
    with Wire(over_unix(zona.home / 'api.sock')) as wire:
        before = scrape(wire)
        for method, path, count in load:
            for _ in range(count):
                assert ask(wire, method, path, b'[]' if method == 'POST' else b'')
        after = scrape(wire)

    def grown(name, labels):
        return after[name, labels] - before.get((name, labels), 0)
    for (method, route, status), count in expected.items():
        labels = f'{{method="{method}",route="{route}",status="{status}"}}'
        assert grown(f'{HISTOGRAM}_count', labels) == count
        assert grown(f'{HISTOGRAM}_bucket', labels[:-1] + ',le="+Inf"}') == count
        assert 0 < grown(f'{HISTOGRAM}_sum', labels) < 60
    assert grown('zona_http_request_bytes_total', '{method="GET",route="/api/v1/ping"}') > 30 * 40
    assert after['zona_http_requests_in_flight', ''] == 1, 'the scrape itself'


# OBS-03
def test_operations_errors_by_code_and_what_tenants_do_are_counted(open_zona):
    zona = open_zona()
    zona.run('tenant', 'create', 'acme')
    key = zona.run('key', 'create', 'theirs', '--tenant', 'acme', '--scope', 'admin').stdout.strip()
    path = '/api/v1/tenants/acme/settings/theme'
    route = 'method="GET",route="/api/v1/tenants/{code}/settings/{key}"'
    with Wire(over_unix(zona.home / 'api.sock')) as wire:
        before = scrape(wire)
        for value in range(5):
            assert requests.put(zona.url + path, json={'value': value}, headers={'X-API-Key': key}, timeout=20).status_code == 200
        for _ in range(3):
            assert requests.get(zona.url + path, headers={'X-API-Key': key}, timeout=20).status_code == 200
        assert requests.get(zona.url + path, timeout=20).status_code == 401
        for _ in range(2):
            assert requests.get(zona.url + path + 's', headers={'X-API-Key': key}, timeout=20).status_code == 404
        after = scrape(wire)

    def grown(name, labels):
        return after[name, labels] - before.get((name, labels), 0)
    assert grown('zona_http_errors_total', '{code="UNAUTHENTICATED"}') == 1
    assert grown('zona_http_errors_total', '{code="NOT_FOUND"}') == 2
    handler = 'zona_http_handler_duration_seconds'
    assert grown(f'{handler}_count', f'{{{route}}}') == 5, 'who is refused before has no part in it'
    whole = sum(grown(f'{HISTOGRAM}_sum', f'{{{route},status="{status}"}}') for status in (200, 401, 404))
    assert 0 < grown(f'{handler}_sum', f'{{{route}}}') < whole
    assert grown('zona_tenant_requests_total', '{outcome="admitted",tenant="acme"}') == 10
    assert grown('zona_audit_entries_total', '') == 6, 'what was put, and who was refused'
    assert grown('zona_tenant_transactions_total', '{outcome="committed",tenant="acme"}') >= 5


# OBS-01, OBS-02
def test_what_a_daemon_shows_is_what_the_page_says(zona, root):
    page = (root / 'docs/metrics.md').read_text()
    rows = {name: (kind, text) for name, kind, text in re.findall(r'^\| `(zona_\w+)` \| (\w+) \|[^|]*\| (.*) \|$', page, re.M)}
    zona.run('save', '--force')
    with Wire(over_unix(zona.home / 'api.sock')) as wire:
        text = ask(wire, 'GET', '/api/v1/metrics').body.decode()
        text = ask(wire, 'GET', '/api/v1/metrics').body.decode()

    helps = dict(re.findall(r'^# HELP (\S+) (.*)$', text, re.M))
    kinds = dict(re.findall(r'^# TYPE (\S+) (.*)$', text, re.M))
    assert helps.keys() == kinds.keys() and f'{HISTOGRAM}' in kinds
    assert {name: (kinds[name], helps[name]) for name in helps} == {name: rows.get(name) for name in helps}
