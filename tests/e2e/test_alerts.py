"""What looks like an attack is told: in the log, as a metric, on record and by doctor."""
import json

import pytest
import requests

PASSWORD = 'tulip orbit kettle 41'
LIMITS = {'ZONA_ALERTS_FAILURES_OF_ADDRESS': '6', 'ZONA_ALERTS_FAILURES_OF_NAME': '3', 'ZONA_ALERTS_NAMES_OF_ADDRESS': '4',
          'ZONA_ALERTS_FOREIGN_TENANTS': '3', 'ZONA_API_TRUSTED_PROXIES': '127.0.0.0/8'}


@pytest.fixture
def zona(open_zona):
    zona = open_zona(**LIMITS)
    for code in ('acme', 'globex'):
        zona.run('tenant', 'create', code)
    return zona


def ask(zona, method, path, address='192.0.2.7', key=None, token=None, **options):
    headers = {'X-Forwarded-For': address, **({'X-API-Key': key} if key else {}), **({'Authorization': f'Bearer {token}'} if token else {})}
    return requests.request(method, zona.url + path, headers=headers, timeout=30, **options)


def sign_in(zona, name, address, password='a guess of somebody'):
    return ask(zona, 'POST', '/api/v1/sessions', address, json={'tenant': 'acme', 'name': name, 'password': password})


def alerts(zona):
    """(pattern, entry) of the record, the newest first."""
    return [(entry['resource'], entry) for entry in zona.run('audit', 'list', '--action', 'alert', '--json').data]


def metrics(zona):
    return ask(zona, 'GET', '/metrics', key=zona.key).text


def finding(zona):
    return next(check for check in zona.run('doctor', '--json', check=False).data['checks'] if check['name'] == 'alerts')


# SEC-22, OBS-34, OBS-07
def test_an_impossible_rate_of_sign_ins_raises_an_alert(zona):
    assert finding(zona)['status'] == 'ok'
    for number in range(5):
        sign_in(zona, 'anna', f'198.51.100.{number}')

    found = alerts(zona)
    assert [pattern for pattern, _ in found] == ['failures_of_name']
    entry = found[0][1]
    assert (entry['category'], entry['tenantcode'], entry['outcome'], entry['name']) == ('security', 'acme', 'refused', 'anna')
    assert 'zona_alerts_total{pattern="failures_of_name"} 1' in metrics(zona)
    doctor = finding(zona)
    assert doctor['status'] != 'ok' and 'failures_of_name: 1 since the start' in doctor['detail']
    lines = [json.loads(line) for line in (zona.home / 'logs/zonad.log').read_text().splitlines()]
    told = [line for line in lines if line.get('pattern') == 'failures_of_name']
    assert len(told) == 1 and told[0]['category'] == 'security' and 'anna' not in json.dumps(told)


# SEC-22
def test_names_that_are_sprayed_and_keys_that_are_guessed_raise_alerts(zona):
    for name in ('anna', 'bert', 'carl', 'dora'):
        sign_in(zona, name, '192.0.2.7')
    assert [pattern for pattern, _ in alerts(zona)] == ['names_of_address']
    for _ in range(2):
        assert ask(zona, 'GET', '/api/v1/ping', '192.0.2.7', key='zona_wrong').status_code == 401
    assert [pattern for pattern, _ in alerts(zona)] == ['failures_of_address', 'names_of_address']
    assert alerts(zona)[0][1]['address'] == '192.0.2.7'


# SEC-22, TEN-35
def test_who_asks_for_other_tenants_again_and_again_raises_an_alert(zona):
    key = zona.run('key', 'create', 'theirs', '--tenant', 'acme').stdout.strip()
    for _ in range(2):
        assert ask(zona, 'GET', '/api/v1/tenants/globex/settings', key=key).status_code == 403
    assert alerts(zona) == []
    assert ask(zona, 'GET', '/api/v1/tenants/globex/settings', key=key).status_code == 403
    [(pattern, entry)] = alerts(zona)
    assert (pattern, entry['tenantcode'], entry['actor'].split(':')[0]) == ('foreign_tenants', 'globex', 'key')


# SEC-22, OBS-34
def test_a_sign_in_from_a_new_place_raises_an_alert(zona):
    made = requests.post(f'{zona.url}/api/v1/tenants/acme/users', headers={'X-API-Key': zona.key}, timeout=30,
                         json={'name': 'anna', 'password': PASSWORD, 'roles': ['user']})
    assert made.status_code == 201
    for address in ('192.0.2.7', '192.0.2.7', '203.0.113.9', '203.0.113.9', '192.0.2.7'):
        assert sign_in(zona, 'anna', address, PASSWORD).status_code == 201
    [(pattern, entry)] = alerts(zona)
    assert (pattern, entry['actor'], entry['address']) == ('new_place', f"user:{made.json()['data']['id']}", '203.0.113.9')

    (zona.home / 'zona.toml').write_text('[alerts]\nnew_places = false\n')
    zona.run('config', 'reload')
    assert sign_in(zona, 'anna', '198.51.100.7', PASSWORD).status_code == 201
    assert len(alerts(zona)) == 1
