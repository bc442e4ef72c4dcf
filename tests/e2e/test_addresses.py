"""Who is let in by where they are: lists of networks and countries, behind a proxy too, changed while zona runs."""
import json
import subprocess

import pytest
import requests


def of(address):
    return {'X-Forwarded-For': address}


@pytest.fixture
def proxied(open_zona):
    """A zona that believes the proxy on this host, and set(zona, name=value, ...), which changes its settings while it runs."""
    zona = open_zona(ZONA_API_TRUSTED_PROXIES='127.0.0.0/8, ::1')
    def change(**settings):
        lines = ''.join(f'{key} = {json.dumps(value)}\n' for key, value in settings.items())
        (zona.home / 'zona.toml').write_text(f'[api]\n{lines}')
        return zona.run('config', 'reload', check=False)
    zona.change = change
    return zona


def ask(zona, address, path='/api/v1/ping', **headers):
    answer = requests.get(zona.url + path, headers={'X-API-Key': zona.key, **of(address), **headers}, timeout=20)
    return answer.status_code if answer.status_code == 200 else (answer.status_code, answer.json()['error']['code'])


DENIED = (403, 'ADDRESS_DENIED')


def finding(zona):
    checks = zona.run('doctor', '--json', check=False).data['checks']
    return next(check for check in checks if check['name'] == 'address lists')


# SEC-16
def test_lists_of_networks_hold_from_the_reload_on(proxied, wait_until):
    assert ask(proxied, '192.0.2.7') == ask(proxied, '2001:db8::7') == 200
    assert 'from everywhere' in finding(proxied)['detail']

    proxied.change(deny_addresses='192.0.2.0/24, 2001:db8::/32')
    wait_until(lambda: ask(proxied, '192.0.2.7') == DENIED)
    for address, expected in (('::ffff:192.0.2.7', DENIED), ('2001:db8::7', DENIED), ('192.0.3.7', 200), ('203.0.113.9, 192.0.2.7', DENIED),
                              ('192.0.2.7, 203.0.113.9', 200)):
        assert ask(proxied, address) == expected, address
    assert ask(proxied, '192.0.2.7', '/livez') == DENIED, 'what is open is refused, too'
    assert requests.get(proxied.url + '/api/v1/ping', headers=of('192.0.2.7'), timeout=20).status_code == 403, 'before a key is asked for'
    assert proxied.run('list').returncode == 0, 'the socket of this host is never refused'

    proxied.change(allow_addresses='203.0.113.0/24')
    wait_until(lambda: ask(proxied, '192.0.3.7') == DENIED)
    assert ask(proxied, '203.0.113.9') == 200
    assert 'allowed: 1' in finding(proxied)['detail']

    proxied.change()
    wait_until(lambda: ask(proxied, '192.0.2.7') == 200)


# SEC-16
def test_a_refusal_is_counted_logged_and_on_record(proxied, wait_until):
    proxied.change(deny_addresses='192.0.2.0/24')
    wait_until(lambda: ask(proxied, '192.0.2.7') == DENIED)
    ask(proxied, '192.0.2.7', '/api/v1/processes')

    metrics = requests.get(proxied.url + '/metrics', headers={'X-API-Key': proxied.key}, timeout=20).text
    assert 'zona_denied_addresses_total{reason="denied"}' in metrics
    lines = [json.loads(line) for line in (proxied.home / 'logs/zonad.log').read_text().splitlines()]
    assert any(line.get('path') == '/api/v1/processes' and line.get('status') == 403 and line.get('peer', '').startswith('192.0.2.7') for line in lines)
    entries = [json.loads(line) for line in proxied.run('audit', 'export').stdout.splitlines()]
    refused = [entry for entry in entries if entry.get('resource') == '/api/v1/processes' and entry.get('outcome') == 'refused']
    assert refused and refused[0]['category'] == 'security' and refused[0]['details'].startswith('ADDRESS_DENIED')


# SEC-16
def test_a_feed_is_read_again_and_what_is_wrong_leaves_the_lists_in_force(proxied, wait_until):
    feed = proxied.folder / 'feed.netset'
    feed.write_text('# a feed\n192.0.2.0/24 ; SBL1\n')
    proxied.change(deny_file=str(feed))
    wait_until(lambda: ask(proxied, '192.0.2.7') == DENIED)
    feed.write_text('198.51.100.0/24\n')
    proxied.change(deny_file=str(feed))
    wait_until(lambda: ask(proxied, '192.0.2.7') == 200)
    assert ask(proxied, '198.51.100.7') == DENIED

    for wrong in ({'deny_addresses': '10.0.0.1/8'}, {'deny_file': str(proxied.folder / 'none')}, {'allow_countries': 'DE'}, {'deny_countries': 'Germany'}):
        proxied.change(**wrong)
        wait_until(lambda: finding(proxied)['status'] != 'ok' and next(iter(wrong)).removeprefix('allow_').removeprefix('deny_') in finding(proxied)['detail']
                   or 'country_database' in finding(proxied)['detail'])
        assert ask(proxied, '198.51.100.7') == DENIED
        assert ask(proxied, '192.0.2.7') == 200


# SEC-16
def test_countries_are_denied_and_allowed_by_a_database(proxied, wait_until, root, tool):
    if subprocess.run([tool('perl'), '-MMaxMind::DB::Writer::Tree', '-e', '1'], capture_output=True).returncode != 0:
        pytest.skip('libmaxmind-db-writer-perl is not installed')
    database = str(proxied.folder / 'countries.mmdb')
    subprocess.run(['perl', root / 'tests/support/countries.pl', database, '192.0.2.0/24', 'DE', '198.51.100.0/24', 'FR', '2001:db8::/32', 'FR'], check=True)

    proxied.change(country_database=database, deny_countries='fr')
    wait_until(lambda: ask(proxied, '198.51.100.7') == DENIED)
    for address, expected in (('192.0.2.7', 200), ('::ffff:198.51.100.7', DENIED), ('2001:db8::7', DENIED), ('203.0.113.7', 200)):
        assert ask(proxied, address) == expected, address
    proxied.change(country_database=database, allow_countries='DE, IT', allow_addresses='203.0.113.7')
    wait_until(lambda: ask(proxied, '198.51.100.8') == DENIED and ask(proxied, '192.0.2.7') == 200)
    assert ask(proxied, '203.0.113.7') == 200 and ask(proxied, '203.0.113.8') == DENIED


# SEC-16, SEC-15
def test_without_a_trusted_proxy_nobody_chooses_an_address(open_zona):
    zona = open_zona(ZONA_API_DENY_ADDRESSES='192.0.2.0/24')
    assert ask(zona, '192.0.2.7') == 200, 'it asks from the loopback'
    denied = open_zona(ZONA_API_DENY_ADDRESSES='127.0.0.0/8', ZONA_API_TRUSTED_PROXIES='10.0.0.0/8')
    assert ask(denied, '203.0.113.7') == DENIED


# SEC-16
def test_lists_that_cannot_be_read_stop_the_first_start(new_zona):
    zona = new_zona(env={'ZONA_API_LISTEN': '127.0.0.1:0', 'ZONA_API_DENY_ADDRESSES': 'everybody'})
    refused = zona.run('start', '/bin/sleep', '--', '1000', check=False)
    assert refused.returncode != 0 and "api.deny_addresses: 'everybody' is no network" in refused.stderr
